"""`grnjax infer` on cells that stay on disk: the network of cells in memory, and refusals."""

import json

import anndata
import pandas as pd
import pytest
from scipy import sparse

pytestmark = [pytest.mark.usefixtures("other_lists"), pytest.mark.slow]
STREAM = "--data.stream=always"


@pytest.fixture(scope="module")
def file(small_set, tmp_path_factory):
    """The cells of the small set, stored by columns."""
    counts = small_set.counts.T
    data = anndata.AnnData(
        sparse.csc_matrix(counts.to_numpy("float32")),
        obs=pd.DataFrame({"kind": "one"}, index=counts.index),
        var=pd.DataFrame(index=counts.columns),
    )
    path = tmp_path_factory.mktemp("streamed") / "cells.h5ad"
    data.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["--method=pearson"],
        ["--method=spearman"],
        ["--method=compendium", "--method.unknown=co-expression"],
    ],
    ids=["pearson", "spearman", "compendium"],
)
def test_the_network_is_that_of_cells_in_memory(small_set, file, cli, tmp_path, words):
    _, *known = small_set.arguments
    runs = {"memory": [], "disk": [STREAM]}
    for name, more in runs.items():
        outcome = cli("infer", file, *known, *words, *more, "--out", tmp_path / name)
        assert outcome.status == 0, outcome.err
        assert ("read in chunks of cells" in outcome.err) == (name == "disk")
        assert "single cells are read" not in outcome.err
    there, here = (pd.read_csv(tmp_path / name / "edges.tsv", sep="\t") for name in runs)
    both = there.merge(here, on=["TF", "target"], suffixes=("", "_here"), validate="1:1")
    assert len(both) == len(there) == len(here) > 400
    assert (both["importance"] - both["importance_here"]).abs().max() < 1e-6
    assert (both["expression_sign"] == both["expression_sign_here"]).all()
    figures = [json.loads((tmp_path / x / "run.json").read_text())["metrics"]["rows"] for x in runs]
    for one, other in zip(*figures, strict=True):
        assert one["method"] == other["method"]
        if not one["method"].startswith("linear expression"):  # trained on rounded components
            assert abs(one["auroc"] - other["auroc"]) < 1e-3


def test_the_default_of_known_edges_reads_no_single_cells(
    small_set, file, cli, quick_factors, tmp_path
):
    """Fits follow from rounded sums over cells, so that probabilities agree to some digits."""
    _, *known = small_set.arguments
    settings = ["--repeats", 1, "--folds", 2, *quick_factors]
    for name, more in {"memory": [], "disk": [STREAM]}.items():
        outcome = cli("infer", file, *known, *settings, *more, "--out", tmp_path / name)
        assert outcome.status == 0, outcome.err
        assert ("read in chunks of cells" in outcome.err) == (name == "disk")
        assert "single cells are read" not in outcome.err
    there, here = (
        pd.read_csv(tmp_path / name / "edges.tsv", sep="\t").set_index(["TF", "target"])
        for name in ("memory", "disk")
    )
    apart = (there["probability"] - here["probability"].reindex(there.index)).abs()
    assert len(there) > 400 and there["probability"].std() > 0.05
    assert apart.max() < 0.01 and apart.mean() < 1e-3


def test_what_reads_single_cells_is_refused_or_reads_all(small_set, file, cli, tmp_path):
    arguments = [file, *small_set.arguments[1:]]
    meta = ["--method=grnboost2", "--method.meta-cells", 20]
    for words in (["--method=genie3"], meta, ["--method=pearson", "--batch", "kind"]):
        outcome = cli("infer", *arguments, *words, STREAM, "--out", tmp_path / "run")
        assert outcome.status == 2 and "methods that need no single cells" in outcome.err
    words = ["--method=grnboost2", "--by", "kind", STREAM]
    outcome = cli("infer", *arguments, *words, "--out", tmp_path / "run")
    assert outcome.status == 2 and "methods that need no single cells" in outcome.err


def test_trees_read_some_genes_at_a_time(small_set, file, cli, tmp_path, monkeypatch):
    """Cells stand in another order, so that the bags are others."""
    monkeypatch.setattr("grnjax.methods.expression_only.GRNBoost2Method.TARGETS_A_BLOCK", 30)
    words = ["--method=grnboost2", "--method.rounds", 60]
    for name, more in {"memory": [], "disk": [STREAM]}.items():
        arguments = [file, *small_set.arguments[1:], *words, *more]
        outcome = cli("infer", *arguments, "--out", tmp_path / name)
        assert outcome.status == 0, outcome.err
        assert "single cells are read" not in outcome.err
    there, here = (
        pd.read_csv(tmp_path / name / "edges.tsv", sep="\t").set_index(["TF", "target"])
        for name in ("memory", "disk")
    )
    both = there["importance"].to_frame("there").join(here["importance"])
    assert both.corr("spearman").iloc[0, 1] > 0.7


def test_a_finished_run_knows_its_cells(small_set, file, cli, tmp_path):
    arguments = [file, *small_set.arguments[1:], "--method=pearson", STREAM]
    assert cli("infer", *arguments, "--out", tmp_path / "run").status == 0
    assert "already finished" in cli("infer", *arguments, "--out", tmp_path / "run").err
    (tmp_path / "run/run.json").unlink()  # as if cut off: its block of scores is read back
    assert cli("infer", *arguments, "--out", tmp_path / "run").status == 0
    other = [*arguments[:-1], "--data.stream=auto", "--out", tmp_path / "run"]
    outcome = cli("infer", *other)
    assert outcome.status == 2 and "config.data.stream was 'always'" in outcome.err
