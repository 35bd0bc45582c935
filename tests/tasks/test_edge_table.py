"""How out-of-fold scores become a ranking, probabilities and what is said of each edge."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from grnjax.data.candidates import Listing, list_best
from grnjax.tasks.cross_fitting import CrossFit
from grnjax.tasks.edge_table import rank_candidates


@pytest.fixture(scope="module")
def fitted(candidates):
    """Scores of two members that know something."""
    noise = np.random.default_rng(0).normal(size=(2, len(candidates)))
    return CrossFit(noise + 1.5 * candidates.labels - 1, worth=[], terms={})


@pytest.fixture(scope="module")
def rank(dataset, candidates):
    """Ranks by the scores of fits."""

    def run(fitted, prevalence=None, top=None):
        shares = {"prevalence": prevalence, "known_share": None, "listing": Listing(top)}
        return rank_candidates(
            dataset.genes.names, candidates, fitted.logits, fitted.terms, seed=0, **shares
        )

    return run


@pytest.mark.slow
def test_the_rank_is_that_of_the_mean_logit(dataset, candidates, fitted, rank):
    edges, _ = rank(fitted)
    names = dataset.genes.names[candidates.pairs]
    mean = pd.Series(fitted.logits.mean(axis=0), pd.MultiIndex.from_arrays(names.T))
    ranked = mean.sort_values(ascending=False)
    assert list(zip(edges["tf"], edges["target"])) == list(ranked.index)
    np.testing.assert_allclose(edges["importance"], expit(ranked))


@pytest.mark.slow
@pytest.mark.parametrize("top", [1, 40, 10**9])
def test_the_best_pairs_alone_stand_as_among_all(fitted, rank, top):
    every, calibration = rank(fitted)
    listed, same = rank(fitted, top=top)
    pd.testing.assert_frame_equal(listed, every.head(top), check_exact=True)
    assert same == calibration


@pytest.mark.parametrize("top", range(1, 7))
def test_of_equal_scores_at_the_end_the_first_are_listed(top):
    scores = np.array([2.0, 3.0, 2.0, 1.0, 2.0])
    by_rank = np.array([1, 0, 2, 4, 3])  # stable
    np.testing.assert_array_equal(list_best(scores, top), np.sort(by_rank[:top]))


@pytest.mark.parametrize(("of_target", "top"), [(1, None), (2, None), (2, 9), (50, 9), (50, None)])
def test_the_best_pairs_of_each_target_and_of_these_the_best(of_target, top):
    rng = np.random.default_rng(of_target)
    scores, targets = rng.integers(20, size=60).astype(float), rng.integers(8, size=60)
    table = pd.DataFrame({"score": scores, "target": targets})
    best = table.sort_values("score", ascending=False, kind="stable")
    best = best.groupby("target").head(of_target).sort_index()
    best = best.sort_values("score", ascending=False, kind="stable").head(top or len(best))
    found = Listing(top, of_target).choose(scores, targets)
    np.testing.assert_array_equal(found, np.sort(best.index))


@pytest.mark.slow
def test_probabilities_mean_what_they_say(fitted, rank, small_set):
    edges, calibration = rank(fitted)
    edges = edges[edges["tf"] != small_set.silent_tf]  # of its pairs nothing is known
    is_known = edges["status"] == "known"
    assert edges["probability"].mean() == pytest.approx(is_known.mean(), abs=0.01)
    best = edges.head(100)
    share = (best["status"] == "known").mean()
    assert best["probability"].mean() == pytest.approx(share, abs=0.12)
    assert calibration["reliability_error"] < 0.06
    assert calibration["prevalence_assumed"] == pytest.approx(is_known.mean())


@pytest.mark.slow
def test_an_assumed_prevalence_moves_probabilities_and_nothing_else(fitted, rank):
    edges, calibration = rank(fitted)
    moved, figures = rank(fitted, prevalence=0.5)
    same = ["tf", "target", "importance", "status"]
    pd.testing.assert_frame_equal(moved[same], edges[same])
    known = calibration["prevalence_known"]
    shift = logit(moved["probability"]) - logit(edges["probability"])
    np.testing.assert_allclose(shift, logit(0.5) - logit(known), rtol=1e-6)
    assert figures["prevalence_assumed"] == 0.5 and figures["prevalence_known"] == known
    assert figures["reliability_error"] == calibration["reliability_error"]


@pytest.mark.slow
def test_pairs_of_a_tf_without_known_targets_calibrate_nothing(
    dataset, candidates, fitted, rank, small_set
):
    _, calibration = rank(fitted)
    is_silent = dataset.genes.names[candidates.pairs[:, 0]] == small_set.silent_tf
    logits = np.where(is_silent, fitted.logits + 7, fitted.logits)
    moved = dataclasses.replace(fitted, logits=logits)
    _, again = rank(moved)
    assert again == calibration
    assert calibration["pairs_of_tfs_without_known_targets"] == is_silent.sum() > 0


@pytest.mark.slow
def test_members_that_agree_have_no_spread(fitted, rank):
    alike = dataclasses.replace(fitted, logits=np.repeat(fitted.logits[:1], 2, axis=0))
    edges, _ = rank(alike)
    np.testing.assert_allclose(edges["spread"], 0, atol=1e-12)
    np.testing.assert_allclose(edges["low"], edges["high"], atol=1e-12)
    apart, _ = rank(fitted)
    assert apart["spread"].min() > 0


@pytest.mark.slow
def test_the_interval_is_a_normal_one_of_the_logits_of_the_members(fitted, rank):
    edges, figures = rank(fitted)
    low, middle, high = (logit(edges[name]) for name in ("low", "probability", "high"))
    np.testing.assert_allclose(high - middle, middle - low, rtol=1e-6)
    half = abs(fitted.logits[0] - fitted.logits[1]) / 2  # the deviation of two members
    expected = figures["slope"] * 1.959964 * half
    np.testing.assert_allclose(np.sort(high - middle), np.sort(expected), rtol=1e-5)


@pytest.mark.slow
def test_terms_become_columns_beside_the_logit(fitted, rank):
    mean = fitted.logits.mean(axis=0)
    explained = dataclasses.replace(fitted, terms={"base": mean - 1, "motifs": np.ones(len(mean))})
    edges, _ = rank(explained)
    assert list(edges)[-3:] == ["logit", "logit: base", "logit: motifs"]
    np.testing.assert_allclose(edges["logit"], logit(edges["importance"]), rtol=1e-6)
    np.testing.assert_allclose(edges["logit: base"] + edges["logit: motifs"], edges["logit"])


@pytest.mark.slow
def test_what_of_a_pair_nothing_is_known_is_named(dataset, candidates, fitted, rank, small_set):
    targets = set(candidates.positives[:, 1].tolist())
    edges, _ = rank(fitted)
    names = dataset.genes.names
    unseen_tf = edges["tf"] == small_set.silent_tf
    unseen_target = ~edges["target"].isin(names[sorted(targets)])
    expected = np.array(["no", "TF", "target", "both"])[unseen_tf + 2 * unseen_target]
    assert (edges["unseen"] == expected).all() and set(expected) == {"no", "TF", "target", "both"}
