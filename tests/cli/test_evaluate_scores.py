"""`grnjax evaluate` reads what the original programs write: numbers in the order of a pair file."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score


@pytest.fixture
def scored(genelink_folder):
    """A folder with published pairs, and scores of its test pairs."""
    folder = genelink_folder("Train", "Test")
    test = pd.read_csv(folder / "Test_set.csv", index_col=0)
    noise = np.random.default_rng(0).normal(size=len(test))
    return folder, test, (test["Label"] + noise).to_numpy() - 1.0


def save(folder, name, scores):
    path = folder / name
    if path.suffix == ".npy":
        np.save(path, scores)
    else:
        np.savetxt(path, scores, delimiter=",")
    return path


@pytest.mark.parametrize(
    "name, shape",
    [
        ("end_y_predict.npy", lambda x: x),
        ("column.npy", lambda x: x[:, None]),
        ("classes.npy", lambda x: np.stack([-x, x, 0 * x], axis=1)),
        ("scores.txt", lambda x: x),
        ("scores.csv", lambda x: np.stack([-x, x], axis=1)),
    ],
)
def test_scores_of_numbered_pairs_are_judged_by_their_labels(name, shape, scored, cli, tmp_path):
    folder, test, scores = scored
    path = save(tmp_path, name, shape(scores))
    words = ["--pairs", folder / "Test_set.csv", "--numbers", folder / "Target.csv"]
    outcome = cli("evaluate", path, *words, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    row = json.loads((tmp_path / "out/evaluation.json").read_text())["rows"][0]
    assert row["auroc"] == pytest.approx(roc_auc_score(test["Label"], scores))
    assert row["average_precision"] == pytest.approx(average_precision_score(test["Label"], scores))


def test_scores_that_span_less_than_one_are_no_probabilities(scored, cli, tmp_path):
    """A sum of a TF's and a target's number has a swap concordance of one half on any scale."""
    folder, test, _ = scored
    rng = np.random.default_rng(0)
    of_gene = rng.normal(size=test[["TF", "Target"]].to_numpy().max() + 1)
    total = of_gene[test["TF"]] + of_gene[::-1][test["Target"]]
    words = ["--pairs", folder / "Test_set.csv", "--numbers", folder / "Target.csv"]
    swaps = []
    for scale in (1, 0.01):
        path = save(tmp_path, f"y{scale}.npy", total * scale)
        assert cli("evaluate", path, *words, "--out", tmp_path / f"out{scale}").status == 0
        found = json.loads((tmp_path / f"out{scale}/evaluation.json").read_text())
        swaps.append(found["rows"][0]["swap_micro"])
    assert swaps == [0.5, 0.5]
    outcome = cli("evaluate", tmp_path / "y1.npy", *words, "--weights", "probabilities")
    assert outcome.status == 2 and "so they are no probabilities" in outcome.err


def test_a_saved_table_has_an_index_before_its_classes(scored, cli, tmp_path):
    folder, test, scores = scored
    pd.DataFrame({"no": -scores, "yes": scores}).to_csv(tmp_path / "y.csv")
    words = ["--pairs", folder / "Test_set.csv", "--numbers", folder / "Target.csv"]
    outcome = cli("evaluate", tmp_path / "y.csv", *words, "--out", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    row = json.loads((tmp_path / "out/evaluation.json").read_text())["rows"][0]
    assert row["auroc"] == pytest.approx(roc_auc_score(test["Label"], scores))


def test_trivial_rows_stand_beside_with_the_train_pairs(scored, cli, tmp_path):
    folder, _, scores = scored
    path = save(tmp_path, "y.npy", scores)
    words = ["--pairs", folder / "Test_set.csv", "--numbers", folder / "Target.csv"]
    outcome = cli("evaluate", path, *words, "--train", folder / "Train_set.csv")
    assert outcome.status == 0, outcome.err
    assert "TF rate" in outcome.out and "this network" in outcome.out


@pytest.mark.parametrize(
    "change, complaint",
    [
        (lambda x: x[:-1], " scores and "),
        (lambda x: np.where(x == x[3], np.nan, x), "1 of 158 scores are not finite"),
        (lambda x: x.astype(object), "not an array of numbers"),
        (lambda x: x.reshape(2, 1, -1), "not one number a pair"),
    ],
)
def test_what_is_not_a_number_a_pair_is_refused(change, complaint, scored, cli, tmp_path):
    folder, _, scores = scored
    path = save(tmp_path, "y.npy", change(scores))
    words = ["--pairs", folder / "Test_set.csv", "--numbers", folder / "Target.csv"]
    outcome = cli("evaluate", path, *words)
    assert outcome.status == 2 and complaint in outcome.err, outcome.err


def test_there_must_be_something_to_judge_by(scored, cli, tmp_path):
    folder, _, scores = scored
    path = save(tmp_path, "y.npy", scores)
    outcome = cli("evaluate", path)
    assert outcome.status == 2 and "needs --truth NETWORK, labelled --pairs or" in outcome.err
    outcome = cli("evaluate", path, "--truth", path, "--numbers", folder / "Target.csv")
    assert outcome.status == 2 and "--numbers names the genes of --pairs" in outcome.err
