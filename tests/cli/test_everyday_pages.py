"""The commands and the Python of docs/regulons.md, plots.md and python.md run as they stand."""

import json
import re
import shlex
import shutil
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    text = (DOCS / page).read_text()
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [code for name, code in found if name == language]


@pytest.fixture(scope="module")
def folder(inferred, small_set, tmp_path_factory):
    """The run of the small set as `run`, with probabilities as those of a larger one, and cells."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(inferred, folder / "run", ignore=shutil.ignore_patterns("checkpoints"))
    edges = pd.read_csv(folder / "run/edges.tsv", sep="\t")
    edges["probability"] = np.linspace(0.99, 0.01, len(edges))
    edges["expression_sign"] = edges["expression_sign"].abs()
    edges.to_csv(folder / "run/edges.tsv", sep="\t", index=False)
    told = json.loads((folder / "run/run.json").read_text()) | {"outputs": {}}
    del told["digest"]  # as of an earlier version, which cannot tell that the edges have changed
    (folder / "run/run.json").write_text(json.dumps(told))
    cells = anndata.AnnData(small_set.counts.T.astype(np.float32))
    cells.obs["cell_type"] = np.where(np.arange(cells.n_obs) % 2, "B", "T")
    cells.write_h5ad(folder / "cells.h5ad")
    names = [tf for tf in small_set.tfs if tf in cells.var_names]
    (folder / "tfs.txt").write_text("\n".join(names))
    return folder


@pytest.mark.parametrize("page", ["regulons.md", "plots.md", "python.md"])
def test_a_page_runs_as_it_stands(page, folder, cli, monkeypatch):
    if page == "plots.md":
        pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    monkeypatch.chdir(folder)
    names: dict = {}
    monkeypatch.syspath_prepend(folder)
    for code in blocks(page, "python"):
        if code.startswith("# my_picture.py"):
            (folder / "my_picture.py").write_text(code)
        else:
            exec(code.replace("grnboost2", "pearson"), names)  # the quickest of its kind
    if page == "python.md":
        check_entries(names["cells"])
    commands = [line for block in blocks(page, "") for line in block.splitlines()]
    commands += re.findall(r"`(grnjax plot run my_picture[^`]*)`", (DOCS / page).read_text())
    for command in commands:
        program, *words = shlex.split(command)
        outcome = cli(*words)
        assert program == "grnjax" and outcome.status == 0, outcome.err
    expected = {
        "regulons.md": ["regulons/regulons.json", "regulons.gmt", "confident.csv"],
        "plots.md": ["network.svg", "regulators.png", "tf01.pdf", "both.png", "histogram.png"],
        "python.md": [],
    }
    assert all((folder / name).stat().st_size for name in expected[page])


def check_entries(cells):
    about, text = cells.uns["grnjax"], (DOCS / "python.md").read_text()
    told = {"trust", "edges", "of_edges", "least"}
    assert told | {"method", "settings", "seed", "version"} <= set(about)
    assert cells.varp["grnjax"].nnz == about["edges"]
    assert all(f"`{key}`" in text for key in told)


def test_the_kinds_of_the_page_are_those_there_are():
    picture = pytest.importorskip("grnjax.plotting.picture")
    text = (DOCS / "plots.md").read_text()
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(picture.PictureConfig.NAMED)
