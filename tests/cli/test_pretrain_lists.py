"""`grnjax pretrain` without cells: a scorer that `infer` takes, and what it has not seen."""

import json

import pandas as pd
import pytest

QUICK = ("--training.epochs=20", "--training.evaluate-every=10", "--members=1")
FEW = ("--fewest-targets=10", "--genes-a-list=100")


@pytest.mark.slow
@pytest.mark.usefixtures("other_lists")
def test_a_scorer_that_has_not_seen_a_cell_type(small_set, cli, tmp_path):
    out = tmp_path / "scorer"
    words = ["pretrain", "--without", "hHEP", *QUICK, *FEW, "--out", out]
    outcome = cli(*words)
    assert outcome.status == 0, outcome.err
    seen = json.loads((out / "run.json").read_text())["cell_types"]
    assert "K562" in seen and "HEPG2" not in seen
    assert str(out) in outcome.out
    files = small_set.arguments
    infer = ["infer", files[0], "--tfs", files[4], "--method=compendium"]
    infer += ["--method.checkpoint", out, "--method.without", "HepG2", "--out", tmp_path / "run"]
    ranked = cli(*infer)
    assert ranked.status == 0, ranked.err
    assert len(pd.read_csv(tmp_path / "run/edges.tsv", sep="\t"))
    assert "already finished" in cli(*words).err
    refused = cli(*words[:2], "K562", *words[3:])
    assert refused.status == 2 and "Repeat its settings" in refused.err


def test_without_anything_it_says_what_is_missing(cli):
    assert "--out" in cli("pretrain", "--without", "K562").err
    assert "grnjax pretrain --out FOLDER" in cli("pretrain", "--help").out
