"""How out-of-fold scores become a ranking, probabilities and judgements."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from grnjax.tasks import network_inference as inference
from grnjax.tasks.cross_fitting import deal_folds

CONFIG = inference.InferenceConfig(members=2, folds=3)


@pytest.fixture(scope="module")
def logits(candidates):
    """Scores of two members [member, candidate] that know something."""
    noise = np.random.default_rng(0).normal(size=(2, len(candidates)))
    return noise + 1.5 * candidates.labels - 1


def test_no_model_scores_a_pair_it_trained_on(dataset, candidates, monkeypatch):
    """Fits are replaced by a note of what they were given, scores by the number of the fit."""
    fits = []

    def note(inputs, train, validation, **settings):
        fits.append((train, validation))
        return len(fits)

    def score(trainer, result, inputs, data, pairs, seed):
        given = np.concatenate([part.pairs for part in fits[data - 1]])
        assert not set(map(tuple, given.tolist())) & set(map(tuple, pairs.pairs.tolist()))
        return np.full(len(pairs), float(data))

    monkeypatch.setattr(inference, "build_fit_data", note)
    monkeypatch.setattr(inference, "score_pairs", score)
    study = SimpleNamespace(fit=lambda trainer, data, *, name, seed: None)
    folds = list(deal_folds(candidates, CONFIG, seed=0))
    logits = inference.cross_fit(dataset, candidates, folds, CONFIG, study, 0, None)
    assert len(fits) == 6
    assert np.isfinite(logits).all()
    assert (np.unique(logits[0]) == [1, 3, 5]).all() and (np.unique(logits[1]) == [2, 4, 6]).all()


def test_the_rank_is_that_of_the_mean_logit(dataset, candidates, logits):
    edges, _ = inference.rank(dataset, candidates, logits, CONFIG)
    names = dataset.genes.names[candidates.pairs]
    mean = pd.Series(logits.mean(axis=0), pd.MultiIndex.from_arrays(names.T))
    ranked = mean.sort_values(ascending=False)
    assert list(zip(edges["tf"], edges["target"])) == list(ranked.index)
    np.testing.assert_allclose(edges["importance"], expit(ranked))


def test_probabilities_mean_what_they_say(dataset, candidates, logits, small_set):
    edges, calibration = inference.rank(dataset, candidates, logits, CONFIG)
    edges = edges[edges["tf"] != small_set.silent_tf]  # of its pairs nothing is known
    is_known = edges["status"] == "known"
    assert edges["probability"].mean() == pytest.approx(is_known.mean(), abs=0.01)
    best = edges.head(100)
    share = (best["status"] == "known").mean()
    assert best["probability"].mean() == pytest.approx(share, abs=0.12)
    assert calibration["reliability_error"] < 0.06
    assert calibration["prevalence_assumed"] == pytest.approx(is_known.mean())


def test_an_assumed_prevalence_moves_probabilities_and_nothing_else(dataset, candidates, logits):
    edges, calibration = inference.rank(dataset, candidates, logits, CONFIG)
    config = dataclasses.replace(CONFIG, prevalence=0.5)
    moved, figures = inference.rank(dataset, candidates, logits, config)
    same = ["tf", "target", "importance", "status"]
    pd.testing.assert_frame_equal(moved[same], edges[same])
    known = calibration["prevalence_known"]
    shift = logit(moved["probability"]) - logit(edges["probability"])
    np.testing.assert_allclose(shift, logit(0.5) - logit(known), rtol=1e-6)
    assert figures["prevalence_assumed"] == 0.5 and figures["prevalence_known"] == known
    assert figures["reliability_error"] == calibration["reliability_error"]


def test_pairs_of_a_tf_without_known_targets_calibrate_nothing(
    dataset, candidates, logits, small_set
):
    _, calibration = inference.rank(dataset, candidates, logits, CONFIG)
    is_silent = dataset.genes.names[candidates.pairs[:, 0]] == small_set.silent_tf
    moved = np.where(is_silent, logits + 7, logits)
    _, again = inference.rank(dataset, candidates, moved, CONFIG)
    assert again == calibration
    assert calibration["pairs_of_tfs_without_known_targets"] == is_silent.sum() > 0


def test_members_that_agree_have_no_spread(dataset, candidates, logits):
    edges, _ = inference.rank(dataset, candidates, np.repeat(logits[:1], 2, axis=0), CONFIG)
    np.testing.assert_allclose(edges["spread"], 0, atol=1e-12)
    apart, _ = inference.rank(dataset, candidates, logits, CONFIG)
    assert apart["spread"].min() > 0


@pytest.mark.parametrize("prevalence", [0, 1, -0.5])
def test_a_prevalence_is_a_share(prevalence):
    with pytest.raises(ValueError, match="prevalence must be in"):
        inference.InferenceConfig(prevalence=prevalence)


def test_hidden_edges_are_judged_among_new_pairs_only(dataset, candidates, logits, small_set):
    folds = list(deal_folds(candidates, CONFIG, seed=0))
    names = pd.MultiIndex.from_arrays(dataset.genes.names[candidates.pairs].T)
    is_true = names.isin(pd.MultiIndex.from_frame(small_set.truth))
    is_hidden = is_true & (candidates.labels == 0)
    scores = {"knows": is_hidden * 1.0, "knows the known": candidates.labels * 1.0}
    network = inference.Network(None, [], {}, candidates, scores, folds)
    rows = pd.DataFrame(inference.judge_hidden(network, dataset, small_set.truth))
    assert rows.groupby("method")["positives"].sum().tolist() == [is_hidden.sum()] * 2
    new = int((candidates.labels == 0).sum())
    assert rows.groupby("method")["pairs"].sum().tolist() == [new] * 2
    assert (rows.loc[rows["method"] == "knows", "auroc"] == 1).all()
    assert (rows.loc[rows["method"] == "knows the known", "auroc"] == 0.5).all()


def test_above_a_size_the_trivial_rows_are_left_out_and_it_is_said(
    dataset, candidates, monkeypatch, caplog
):
    monkeypatch.setattr(inference, "MOST_TRIVIAL_CANDIDATES", 100)
    assert inference.trivial_out_of_fold(dataset, candidates, []) == {}
    assert f"{len(candidates)} candidates: the trivial rows are left out" in caplog.text
