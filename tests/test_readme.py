"""The pages stay true: commands run, tables come from the measured rows, links lead somewhere."""

import re
import shlex
from pathlib import Path

import anndata
import pandas as pd
import pytest

import grnjax
from experiments.shared.record import RESULTS
from experiments.shared.tables import MOST_COLUMNS, ROOT
from experiments.tables import PAGES, PAPERS, make_texts

README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted(
    {
        *PAGES,
        *(ROOT / "docs").glob("*.md"),
        ROOT / "experiments/README.md",
        ROOT / "CONTRIBUTING.md",
    }
)
MOST_LINES, MOST_ROWS = 150, 24


def blocks(language: str, text: str = README) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name == language]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_readme_is_short():
    assert len(README.splitlines()) <= MOST_LINES


def test_two_commands_make_their_own_environment():
    commands = blocks("bash")
    assert len(commands) == 2
    assert all(".venv" in command for command in commands)
    assert "grnjax infer" in commands[0] and "pytest" in commands[1]


def test_the_second_command_is_the_one_that_ci_runs():
    script = (ROOT / ".ci/run").read_text()
    [command] = re.findall(r'^tests_command="(.*)"$', script, re.MULTILINE)
    assert blocks("bash")[1].strip() == command and '-c "$tests_command"' in script


@pytest.mark.usefixtures("trivial_rows_once")
@pytest.mark.slow
def test_the_ten_lines_of_python_and_their_command_rank_the_same_edges(
    small_set, cli, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    anndata.AnnData(small_set.counts.T).write_h5ad("cells.h5ad")
    small_set.known.to_csv("known_edges.tsv", sep="\t", index=False)
    [code], [command] = blocks("python"), [x for x in blocks("") if "known_edges.tsv" in x]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names: dict = {}
    exec(code, names)
    assert "grn" in anndata.read_h5ad("network.h5ad").varp
    program, *words = shlex.split(command)
    assert program == "grnjax" and cli(*words).status == 0
    edges = pd.read_csv("run/edges.tsv", sep="\t")
    assert edges["target"].head(20).tolist() == names["network"].edges["target"].head(20).tolist()


@pytest.mark.usefixtures("other_lists")
def test_a_file_and_nothing_else_gives_a_network(small_set, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    anndata.AnnData(small_set.counts.T).write_h5ad("cells.h5ad")
    command = next(x for x in blocks("") if "cells.h5ad" in x)
    program, *words = shlex.split(command)
    assert "--network" not in words
    outcome = cli(*words, "--species", "human", "--tfs", small_set.arguments[4])
    assert outcome.status == 0, outcome.err
    assert len(pd.read_csv("run/edges.tsv", sep="\t"))


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return make_texts()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_table_of_a_page_is_made_and_is_that_of_the_measured_rows(page, texts):
    text = page.read_text()
    marks = re.findall(r"<!-- table: (.*?) -->\n(.*?)<!-- end of table -->", text, re.DOTALL)
    assert sorted(title for title, _ in marks) == sorted(PAGES[page])
    assert texts[page] == text, "run python -m experiments.tables"


def test_csv_files_have_the_means_of_the_measured_rows(texts):
    made = {path for path in texts if path.suffix == ".csv"}
    assert made == set(RESULTS.glob("*.csv")) and len(made) > 10
    old = [name(path) for path in made if texts[path] != path.read_text()]
    assert not old, "run python -m experiments.tables"


@pytest.mark.parametrize("page", DOCUMENTS, ids=name)
def test_tables_are_narrow_and_short_with_one_figure_a_cell(page):
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        head, _, *rows = [line.strip("|\n ").split(" | ") for line in table.splitlines()]
        assert len(head) <= MOST_COLUMNS and 0 < len(rows) <= MOST_ROWS, head
        cells = [cell for row in rows for cell in row[1:]]
        many = [x for x in cells if re.search(r"\d*\.\d+(±\.\d+)?[/ ,]+[+-]?\d*\.\d", x)]
        assert not many, f"{head}: {many[:3]}"


@pytest.mark.parametrize("page", DOCUMENTS, ids=name)
def test_links_and_commands_of_a_page_lead_somewhere(page):
    text = page.read_text()
    links = [x for x in re.findall(r"\]\(([^)]+)\)", text) if not x.startswith("http")]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", x).lower().replace(" ", "-") for x in titles]
            assert anchor in anchors, link
    for module in re.findall(r"python\s+-m\s+experiments\.([\w.]+)", text):
        assert (ROOT / "experiments" / f"{module.replace('.', '/')}.py").exists(), module


def test_every_paper_has_a_folder_with_a_page():
    folders = {path.parent.name for path in (ROOT / "experiments").glob("*/tables.py")}
    assert folders - {"shared"} == set(PAPERS)
    assert all((ROOT / "experiments" / paper / "README.md").exists() for paper in PAPERS)


def test_heads_of_scripts_name_their_module():
    scripts = [
        path for path in (ROOT / "experiments").rglob("*.py") if "\nRun:  " in path.read_text()
    ]
    assert len(scripts) > 15
    for path in scripts:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert f"python -m {module}" in path.read_text(), path


def test_the_paper_of_every_method_is_cited():
    references = (ROOT / "CITATION.cff").read_text().split("  - type: article")[1:]
    ours = ["kernel-factor", "compendium"]
    methods = grnjax.list_methods().set_index("method")["paper"].drop(ours)
    for method, paper in methods.items():
        author, year = re.split(r"[ ,]", paper)[0], re.search(r"(1[89]|20)\d\d", paper).group()
        cited = [x for x in references if f"family-names: {author}\n" in x and f"year: {year}" in x]
        assert len(cited) == 1, f"{method}: {paper}"


def test_the_versions_of_the_changelog_and_the_citation_are_those_of_the_package():
    versions = re.findall(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == grnjax.__version__ and versions == sorted(versions, reverse=True)
    assert f"\nversion: {grnjax.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_hooks_of_a_commit_are_the_checks_of_ci():
    hooks = re.findall(r"entry: (\w+(?: \w+)?)", (ROOT / ".pre-commit-config.yaml").read_text())
    script = (ROOT / ".ci/run").read_text()
    assert hooks == ["ruff format", "ruff check", "mypy"]
    assert all(f".venv/bin/{hook}" in script for hook in hooks)
