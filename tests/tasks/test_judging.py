"""Rows of a results table: matched negatives, trivial rows out of fold, hidden edges."""

import numpy as np
import pytest

from grnjax.evaluation.splits import draw_split
from grnjax.tasks import judging
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds


@pytest.fixture(scope="module")
def split(dataset):
    return draw_split("standard", dataset.known.positives, len(dataset.genes.names), 3)


@pytest.fixture(scope="module")
def folds(candidates):
    return list(assign_folds(candidates, CrossFitConfig(repeats=2, folds=3), seed=0))


def test_the_matched_figures_are_those_of_positives_against_negatives_of_their_degrees(
    dataset, split
):
    """Scores that are the label of the pair itself are perfect there too."""
    genes = len(dataset.genes.names)
    row = judging.judge_split(split, genes, "oracle", 7, split.test.labels)
    assert (row["method"], row["draw"], row["seed"]) == ("oracle", 3, 7)
    assert row["matched_auroc"] == row["matched_average_precision"] == 1
    row = judging.judge_split(split, genes, "constant", 7, np.zeros(len(split.test)))
    assert row["matched_auroc"] == 0.5
    assert row["matched_average_precision"] > row["average_precision"]


@pytest.mark.slow
def test_trivial_rows_have_a_finite_score_for_each_test_pair(dataset, split):
    found = judging.trivial_scores(dataset.genes, split, dataset.genes.tfs)
    assert {"TF rate", "target rate", "absolute Pearson"} <= set(found)
    for scores in found.values():
        assert scores.shape == (len(split.test),) and np.isfinite(scores).all()


def test_intervals_are_of_the_first_seed_and_of_the_difference_from_the_reference(split):
    noise = np.random.default_rng(0).normal(size=(3, len(split.test)))
    scores = {("ours", 0): split.test.labels + noise[0], ("ours", 1): noise[1]}
    scores["other", 0] = noise[2]
    rows = judging.resample_tfs(split, scores, samples=20, reference="ours")
    again = judging.resample_tfs(
        split,
        {("ours", 0): scores["ours", 0], ("other", 0): noise[2]},
        samples=20,
        reference="ours",
    )
    assert rows == again and {row["draw"] for row in rows} == {3}
    assert {row["method"] for row in rows} == {"ours", "other"}


@pytest.mark.slow
def test_trivial_rows_are_fitted_where_the_first_repeat_is(dataset, candidates, folds):
    """Turning labels of a fold over changes no trivial score of it."""
    found = judging.trivial_out_of_fold(dataset, candidates, folds)
    of_first = judging.trivial_out_of_fold(dataset, candidates, folds[::2])
    assert set(found) == set(of_first) and "TF rate" in found
    for name, scores in found.items():
        assert scores.shape == (len(candidates),) and np.isfinite(scores).all()
        np.testing.assert_array_equal(scores, of_first[name])


def test_above_a_size_base_rates_alone_are_left_and_it_is_said(
    dataset, candidates, folds, monkeypatch, caplog
):
    whole = judging.trivial_out_of_fold(dataset, candidates, folds)
    monkeypatch.setattr(judging, "MOST_TRIVIAL_CANDIDATES", 100)
    found = judging.trivial_out_of_fold(dataset, candidates, folds)
    assert set(found) == {"TF rate", "degree product"}
    for name, scores in found.items():
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, whole[name], rtol=1e-5)
    assert f"{len(candidates)} candidates: of trivial rows, base rates alone" in caplog.text


def test_folds_are_judged_once_on_pairs_of_tfs_with_labels(candidates, folds):
    scores = {"knows": candidates.labels * 1.0, "constant": np.zeros(len(candidates))}
    rows = judging.judge_folds(candidates, scores, folds)
    assert [(row["draw"], row["method"]) for row in rows] == [
        (fold, method) for fold in range(3) for method in scores
    ]
    known = np.isin(candidates.pairs[:, 0], candidates.positives[:, 0])
    for row in rows:
        here = folds[2 * row["draw"]].held_out & known
        assert row["pairs"] == here.sum() and row["positives"] == candidates.labels[here].sum()
        assert row["auroc"] == (1 if row["method"] == "knows" else 0.5)
