"""`evaluate` from Python: what a perfect ranking gets, what the command gets, what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, EdgeFormatError, GeneMismatchError, SplitError
from grnjax.progress import logger
from grnjax.tasks.evaluation import evaluate

TRUE = {("A", "B"), ("A", "C"), ("B", "C"), ("B", "D"), ("C", "A")}
TRUTH = pd.DataFrame(sorted(TRUE), columns=["tf", "target"])
PAIRS = [(tf, gene) for tf in "ABC" for gene in "ABCD" if tf != gene]
TRAIN = TRUTH[:2]


def rank(score):
    """A network that ranks every candidate by a function of the pair."""
    rows = [(*pair, score(pair)) for pair in PAIRS]
    return pd.DataFrame(rows, columns=["TF", "target", "importance"])


RANDOM = rank(dict(zip(PAIRS, np.random.default_rng(1).permutation(9) + 2.0, strict=True)).get)


def test_a_perfect_ranking_has_all_true_edges_first_and_its_opposite_last():
    best = evaluate(rank(lambda pair: 2.0 + (pair in TRUE)), TRUTH).table.loc["this network"]
    assert best["average_precision"] == best["auroc"] == 1
    assert (best["pairs"], best["positives"]) == (9, 5)
    worst = evaluate(rank(lambda pair: 2.0 - (pair in TRUE)), TRUTH).table.loc["this network"]
    assert worst["auroc"] == 0 and worst["average_precision"] < 0.6


def test_a_constant_ranking_is_worth_the_prevalence():
    row = evaluate(rank(lambda pair: 3.0), TRUTH).table.loc["this network"]
    assert row["auroc"] == 0.5 and row["average_precision"] == pytest.approx(5 / 9)


@pytest.mark.parametrize("train", [None, TRAIN])
def test_python_gets_the_figures_of_the_command(train, cli, tmp_path):
    flags = ["--out", tmp_path / "out"]
    for name, frame in (("edges", RANDOM), ("truth", TRUTH), ("train", train)):
        if frame is not None:
            frame.to_csv(tmp_path / f"{name}.csv", index=False)
            flags += [tmp_path / "edges.csv"] * (name == "edges")
            flags += [f"--{name}", tmp_path / f"{name}.csv"] * (name != "edges")
    outcome = cli("evaluate", *flags)
    assert outcome.status == 0, outcome.err
    written = json.loads((tmp_path / "out/evaluation.json").read_text())
    found = evaluate(RANDOM, TRUTH, train=train)
    assert json.loads(json.dumps(found.rows)) == written["rows"]
    assert json.loads(json.dumps(found.beeline)) == written["beeline"]
    assert str(found) in outcome.out
    files = evaluate(tmp_path / "edges.csv", str(tmp_path / "truth.csv"), train=train)
    pd.testing.assert_frame_equal(files.table, found.table)


def test_train_pairs_are_left_out_and_make_the_trivial_rows():
    found = evaluate(RANDOM, TRUTH, train=TRAIN)
    assert found.beeline is None and found.table.index[0] == "this network"
    assert {"TF rate", "degree product", "additive logistic"} <= set(found.table.index)
    assert (found.table["pairs"] == 7).all()


def test_a_list_of_tfs_chooses_the_candidates(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logger, "propagate", True)
    for tfs in (["A", "D", "x"], pd.Series(["a", "d", "x"])):
        row = evaluate(RANDOM, TRUTH, tfs=tfs).table.loc["this network"]
        assert (row["pairs"], row["positives"]) == (6, 2)  # A and D with three genes each
    messages = {id(record): record.getMessage() for record in caplog.records}
    assert list(messages.values()).count("1 TFs of the list are not in the truth: x") == 2
    (tmp_path / "tfs.txt").write_text("B\n")
    row = evaluate(RANDOM, TRUTH.assign(label=[1, 0, 1, 0, 1]), tfs=tmp_path / "tfs.txt").table
    assert row["pairs"].tolist() == [2]


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"edges": RANDOM[["TF", "target"]]}, ConfigError, "^edges has no column of weights"),
        ({"edges": RANDOM.iloc[:0]}, EdgeFormatError, "^edges: no edges"),
        (
            {"truth": TRUTH.replace("[A-D]", "X", regex=True) + "1"},
            GeneMismatchError,
            "^truth: none",
        ),
        ({"truth": TRUTH.assign(label=1)}, SplitError, "^5 positive and 0 negative pairs"),
        ({"train": TRUTH}, SplitError, "^0 positive and 4 negative pairs"),
        ({"tfs": ["x", "y"]}, GeneMismatchError, r"^truth: none of the 2 TFs of the list \(x, y"),
        ({"edges": RANDOM.assign(TF="D")[3:4]}, GeneMismatchError, "ranks none of the 9"),
        ({"truth": "absent.csv"}, EdgeFormatError, "absent.csv: "),
    ],
)
def test_what_cannot_be_judged_is_said(change, error, words):
    given = {"edges": RANDOM, "truth": TRUTH, "train": None, "tfs": None} | change
    with pytest.raises(error, match=words):
        evaluate(given["edges"], given["truth"], train=given["train"], tfs=given["tfs"])
