"""What is no error but counted and reported: gaps and repeats in files, and scaled values."""

import json

import pandas as pd
import pytest

from grnjax.tasks import judging


@pytest.fixture
def without_trivial_rows(monkeypatch):
    """They take most of the time and none of the errors."""
    monkeypatch.setattr(judging, "MOST_TRIVIAL_CANDIDATES", 0)


@pytest.mark.slow
def test_gaps_and_repeats_are_counted(
    without_trivial_rows, cli, quick_factors, small_set, tmp_path
):
    edges = small_set.known
    of_one = edges[edges["tf"] == "TF01"].iloc[1:].index  # TF01 keeps one target
    edges = edges.drop(index=of_one)
    loops = pd.DataFrame({"tf": ["TF05"], "target": ["TF05"]})
    pd.concat([edges, edges.iloc[:7], loops]).to_csv(tmp_path / "network.csv", index=False)
    (tmp_path / "tfs.txt").write_text("TF01\nTF02\nTF03\nTF05\nTF06\nTF07\nTF08\nNANOG")
    out = tmp_path / "run"
    files = [small_set.folder / "expression.csv", "--network", tmp_path / "network.csv"]
    files += ["--tfs", tmp_path / "tfs.txt", "--genes", "all"]
    quick = ["--repeats", 1, "--folds", 2, *quick_factors]
    outcome = cli("infer", *files, *quick, "--out", out)
    assert outcome.status == 0, outcome.err
    report = json.loads((out / "run.json").read_text())["data"]

    not_a_tf = int((edges["tf"] == "TF04").sum())
    assert report["edges"] == {
        "read": len(edges) + 8,
        "duplicates": 7,
        "repeated_pairs": 0,
        "self_loops": 1,
        "unknown": 0,
        "source_not_a_tf": not_a_tf,
        "kept": len(edges) - not_a_tf,
    }
    assert report["unmeasured"] == {"count": 2, "first": ["G50", "TF04"]}
    assert report["tfs_not_found"] == {"count": 1, "first": ["NANOG"]}
    assert report["tfs"] == 7 and report["tfs_with_targets"] == 6
    assert report["tfs_with_one_target"] == 1
    assert report["raw_counts"] is True and report["expression"]["normalised"] is True
    assert report["orientation"] == "genes-by-cells"
    for words in (
        "raw counts: scaled to 10,000 a cell and log-transformed",
        f"dropped: 7 duplicates, 1 self loops, {not_a_tf} source not a tf",
        "2 genes without expression, kept as nodes: G50, TF04",
        "1 TFs of the list outside the gene list: NANOG",
    ):
        assert words in outcome.err


@pytest.mark.slow
def test_scaled_values_may_be_negative(
    without_trivial_rows, cli, quick_factors, small_set, tmp_path
):
    scaled = small_set.counts.sub(small_set.counts.mean(axis=1), axis=0)
    scaled.to_csv(tmp_path / "scaled.csv")
    files = [tmp_path / "scaled.csv", *small_set.arguments[1:]]
    quick = ["--repeats", 1, "--folds", 2, *quick_factors, "--data.scaled"]
    outcome = cli("infer", *files, *quick, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    expression = json.loads((tmp_path / "run" / "run.json").read_text())["data"]["expression"]
    assert expression["raw_counts"] is False and expression["normalised"] is False
