"""`grnjax infer` with a file and nothing else, and what is refused or said of lists left out."""

import json

import pandas as pd
import pytest

from grnjax.data.compendium.folder import list_own

pytestmark = pytest.mark.usefixtures("other_lists")


@pytest.fixture
def cells(small_set):
    """Path of expression, and the flag with TFs."""
    files = small_set.arguments
    return files[0], ["--tfs", files[4]]


def test_a_file_and_nothing_else(cells, cli, tmp_path):
    outcome = cli("infer", cells[0], *cells[1], "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["config"]["method"]["class"] == "CompendiumMethod"
    assert "method/lists/small" in record["inputs"]
    found = record["found"]
    assert found["compendium"]["species"] == "human" and found["compendium"]["lists"] > 10
    assert "K562" in found["ranked_by"]["trained_on"]["cell_types"]
    about = pd.read_csv(tmp_path / "run/tfs.tsv", sep="\t")
    assert set(about["rests_on"]) == {"lists in other cells"} and (about["cell_types"] == 4).all()
    edges = pd.read_csv(tmp_path / "run/edges.tsv", sep="\t")
    assert edges["probability"].is_monotonic_decreasing and "rests_on" in edges
    assert "within-TF AUROC" in outcome.err and "lists in other cells" in outcome.err
    again = cli("infer", cells[0], *cells[1], "--out", tmp_path / "run")
    assert "already finished" in again.err


@pytest.mark.slow
def test_lists_that_change_are_another_run(cells, cli, tmp_path):
    out = ["--out", tmp_path / "run"]
    assert cli("infer", cells[0], *cells[1], *out).status == 0
    list_own()["small"].unlink()
    outcome = cli("infer", cells[0], *cells[1], *out)
    assert outcome.status == 2 and "another run" in outcome.err


@pytest.mark.slow
def test_cells_are_left_out_under_any_name_and_their_scorer_is_not_used(cells, cli, tmp_path):
    words = ["--method=compendium", "--method.without", "K-562"]
    outcome = cli("infer", cells[0], *cells[1], *words, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    assert "ranked by the look-up" in outcome.err and "pretrain --without K562" in outcome.err
    found = json.loads((tmp_path / "run/run.json").read_text())["found"]
    assert "K562" not in found["compendium"]["cell_types"]
    asked = [*words, "--method.by=scorer"]
    outcome = cli("infer", cells[0], *cells[1], *asked, "--out", tmp_path / "other")
    assert outcome.status == 2 and "was trained on lists of K562" in outcome.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--method=kernel-factor"], "learns from known regulation"),
        (["--method=pearson", "--species=human"], "--species tells whose lists count"),
        (["--species=mouse"], "no list of mouse has"),
        (["--method.checkpoint=nowhere", "--method=compendium"], "no trained scorer"),
    ],
)
def test_what_is_refused_is_one_sentence(words, complaint, cells, cli, tmp_path):
    outcome = cli("infer", cells[0], *cells[1], *words, "--out", tmp_path / "run")
    assert outcome.status == 2 and complaint in outcome.err
