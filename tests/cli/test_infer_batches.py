"""`grnjax infer --batch` and `--donor`, alone and with `--by`: what is told, kept and refused."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.tasks.group_networks import GroupConfig

NAMES = ["TF1", "TF2", "G1", "G2", "N1", "N2", "N3", "N4"]
GROUPS = ["--groups.resamples", 100, "--groups.compared-edges", 10]


@pytest.fixture
def adata():
    """Four donors with cells of two kinds; TF1 acts on G1 in kind a alone, in every donor.

    TF2 and G2 have a level of their own in each donor, and nothing else in common.
    """
    rng, cells = np.random.default_rng(0), 400
    donor, kind = np.arange(cells) % 4, np.array(["a", "b"])[np.arange(cells) // 4 % 2]
    log = rng.normal(1, 0.2, size=(cells, len(NAMES)))
    log[:, 0] += rng.normal(0, 0.7, cells)
    log[:, 2] += np.where(kind == "a", 1, 0) * (log[:, 0] - 1)
    log[:, [1, 3]] += donor[:, None] * 0.6
    found = anndata.AnnData(np.log1p(rng.poisson(np.exp(log))).astype(np.float32))
    found.var_names, found.obs_names = NAMES, [f"cell{k}" for k in range(cells)]
    found.obs["donor"], found.obs["kind"] = [f"d{k}" for k in donor], kind
    found.obs["run"] = np.where(kind == "a", "r1", "r2")
    return found


@pytest.fixture
def words(adata, tmp_path):
    adata.write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "tfs.txt").write_text("TF1\nTF2\n")
    return ["infer", tmp_path / "cells.h5ad", "--tfs", tmp_path / "tfs.txt", "--method=pearson"]


def read(path):
    return pd.read_csv(path, sep="\t")


@pytest.mark.slow
def test_edges_have_their_correlation_within_batches_with_its_interval(words, cli, tmp_path):
    outcome = cli(*words, "--batch", "donor", "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    edges = read(tmp_path / "run" / "edges.tsv").set_index(["TF", "target"])
    true, false = edges.loc[("TF1", "G1")], edges.loc[("TF2", "G2")]
    assert edges["importance"].idxmax() == ("TF1", "G1") and true["correlation_low"] > 0
    assert false["correlation_low"] < 0 < false["correlation_high"]
    assert (edges["correlation_low"] < edges["correlation"]).all()
    report = json.loads((tmp_path / "run" / "run.json").read_text())["data"]["samples"]["batch"]
    assert report["cells"] == {f"d{k}": 100 for k in range(4)} and report["column"] == "donor"
    pooled = cli(*words, "--out", tmp_path / "pooled")
    assert pooled.status == 0
    edges = read(tmp_path / "pooled" / "edges.tsv").set_index(["TF", "target"])
    assert edges["importance"].idxmax() == ("TF2", "G2") and "correlation_low" not in edges
    again = cli(*words, "--batch", "donor", "--out", tmp_path / "run")
    assert again.status == 0 and "already finished" in again.err
    other = cli(*words, "--batch", "run", "--out", tmp_path / "run")
    assert other.status != 0 and "holds another run" in other.err


@pytest.mark.slow
def test_groups_are_compared_over_donors_and_a_run_goes_on(words, adata, cli, tmp_path):
    words = [*words, "--by", "kind", "--batch", "donor", *GROUPS, "--out", tmp_path / "run"]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    assert "over 4 donors" in outcome.out
    run = tmp_path / "run"
    edges = read(run / "edge_differences.tsv").set_index(["group", "tf", "target"])
    planted = edges.loc[("a", "TF1", "G1")]
    assert planted["correlation_difference_low"] > 0 and planted["correlation_q"] < 0.05
    assert not edges.loc[("a", "TF2", "G2"), "correlation_q"] < 0.05
    assert (read(run / "tf_differences.tsv")["donors"] == 4).all()
    assert "correlation_high" in read(run / "groups/a/edges.tsv")
    kept = {path: path.read_bytes() for path in run.glob("*differences.tsv")}
    (run / "run.json").unlink()
    (run / "groups/b/run.json").unlink()
    assert cli(*words).status == 0
    assert {path: path.read_bytes() for path in kept} == kept
    found = grnjax.infer(
        adata,
        method="pearson",
        tfs=["TF1", "TF2"],
        by="kind",
        batch="donor",
        groups=GroupConfig(resamples=100, compared_edges=10),
    )
    of_python = found.differences.edges.set_index(["group", "tf", "target"])
    pd.testing.assert_frame_equal(of_python, edges, rtol=1e-4, check_dtype=False)


def test_donors_of_an_unbatched_run_are_the_sample_of_its_intervals(adata):
    settings = {"method": "pearson", "tfs": ["TF1", "TF2"]}
    alone, told = (grnjax.infer(adata, **settings, **x).edges for x in ({}, {"donor": "donor"}))
    pd.testing.assert_frame_equal(alone, told[alone.columns])  # nothing is centred
    row = told.set_index(["tf", "target"]).loc[("TF2", "G2")]
    assert row["correlation"] > 0.4 and row["correlation_high"] - row["correlation_low"] > 0.3


def test_groups_that_are_batches_are_named(adata, caplog):
    settings = {"method": "pearson", "tfs": ["TF1", "TF2"], "by": "kind", "batch": "run"}
    groups = GroupConfig(resamples=100, compared_edges=10)
    found = grnjax.infer(adata, **settings, groups=groups)
    sentence = "What differs in a cannot be told from its batches (r1 of 'run'), which have no cell"
    assert sentence in caplog.text and any(sentence in note for note in found.report["notes"])
    assert "a, b: cells of one donor" in caplog.text
    assert found.differences.tfs["detected_difference"].isna().all()
    found = grnjax.infer(adata, **settings, donor="donor", groups=groups)
    assert found.differences.tfs["detected_difference"].notna().all()
    assert any("cannot be told from its batches" in note for note in found.report["notes"])


@pytest.mark.parametrize("flag", ["--batch", "--donor"])
def test_a_column_needs_a_file_that_has_one(cli, flag, tmp_path):
    outcome = cli("infer", flag, "donor", "--out", tmp_path / "run")
    assert outcome.status != 0 and f"{flag} needs an expression file" in outcome.err


def test_a_method_that_learns_sees_no_difference_between_batches(adata):
    """Co-expression as evidence of the kernel factor model is that within batches."""
    from grnjax.evidence.expression import describe_expression
    from grnjax.tasks.cell_samples import tell_apart

    dataset = grnjax.read(adata, pd.DataFrame({"tf": ["TF1", "TF2"], "target": ["G1", "G2"]}))
    within = tell_apart(dataset, None, "donor", None, "expression").dataset
    tfs = dataset.genes.tfs
    at = [tfs.tolist().index(dataset.genes.names.tolist().index(tf)) for tf in ("TF1", "TF2")]
    target = [dataset.genes.names.tolist().index(gene) for gene in ("G1", "G2")]
    for data, first in ((dataset, "TF2"), (within, "TF1")):
        r = describe_expression(data.genes, tfs).pairs[1].values[at, target]
        assert ("TF1", "TF2")[int(r.argmax())] == first


def test_a_missing_column_is_named_with_those_that_could_serve(adata):
    with pytest.raises(ConfigError, match="no column 'lane' for donor; those that could serve"):
        grnjax.infer(adata, method="pearson", tfs=["TF1"], donor="lane")
