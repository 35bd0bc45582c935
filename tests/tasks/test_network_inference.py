"""How out-of-fold scores become a ranking, probabilities and judgements."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from grnjax.tasks.kernel_factor import KernelFactorSettings
from scipy.special import expit, logit

from grnjax.errors import ConfigError
from grnjax.evidence.gather import gather_evidence
from grnjax.tasks import network_inference as inference
from grnjax.tasks.cross_fitting import CrossFit, assign_folds
from grnjax.training.pair_objective import TrainingConfig

CONFIG = inference.InferenceConfig(members=2, folds=3)


@pytest.fixture(scope="module")
def fitted(candidates):
    """Scores of two members that know something."""
    noise = np.random.default_rng(0).normal(size=(2, len(candidates)))
    trainable = np.unique(candidates.positives[:, 0])
    return CrossFit(noise + 1.5 * candidates.labels - 1, trainable, worth=[], terms={})


def test_the_rank_is_that_of_the_mean_logit(dataset, candidates, fitted):
    edges, _ = inference.rank(dataset, candidates, fitted, CONFIG)
    names = dataset.genes.names[candidates.pairs]
    mean = pd.Series(fitted.logits.mean(axis=0), pd.MultiIndex.from_arrays(names.T))
    ranked = mean.sort_values(ascending=False)
    assert list(zip(edges["tf"], edges["target"])) == list(ranked.index)
    np.testing.assert_allclose(edges["importance"], expit(ranked))


def test_probabilities_mean_what_they_say(dataset, candidates, fitted, small_set):
    edges, calibration = inference.rank(dataset, candidates, fitted, CONFIG)
    edges = edges[edges["tf"] != small_set.silent_tf]  # of its pairs nothing is known
    is_known = edges["status"] == "known"
    assert edges["probability"].mean() == pytest.approx(is_known.mean(), abs=0.01)
    best = edges.head(100)
    share = (best["status"] == "known").mean()
    assert best["probability"].mean() == pytest.approx(share, abs=0.12)
    assert calibration["reliability_error"] < 0.06
    assert calibration["prevalence_assumed"] == pytest.approx(is_known.mean())


def test_an_assumed_prevalence_moves_probabilities_and_nothing_else(dataset, candidates, fitted):
    edges, calibration = inference.rank(dataset, candidates, fitted, CONFIG)
    config = dataclasses.replace(CONFIG, prevalence=0.5)
    moved, figures = inference.rank(dataset, candidates, fitted, config)
    same = ["tf", "target", "importance", "status"]
    pd.testing.assert_frame_equal(moved[same], edges[same])
    known = calibration["prevalence_known"]
    shift = logit(moved["probability"]) - logit(edges["probability"])
    np.testing.assert_allclose(shift, logit(0.5) - logit(known), rtol=1e-6)
    assert figures["prevalence_assumed"] == 0.5 and figures["prevalence_known"] == known
    assert figures["reliability_error"] == calibration["reliability_error"]


def test_pairs_of_a_tf_without_known_targets_calibrate_nothing(
    dataset, candidates, fitted, small_set
):
    _, calibration = inference.rank(dataset, candidates, fitted, CONFIG)
    is_silent = dataset.genes.names[candidates.pairs[:, 0]] == small_set.silent_tf
    logits = np.where(is_silent, fitted.logits + 7, fitted.logits)
    moved = dataclasses.replace(fitted, logits=logits)
    _, again = inference.rank(dataset, candidates, moved, CONFIG)
    assert again == calibration
    assert calibration["pairs_of_tfs_without_known_targets"] == is_silent.sum() > 0


def test_members_that_agree_have_no_spread(dataset, candidates, fitted):
    alike = dataclasses.replace(fitted, logits=np.repeat(fitted.logits[:1], 2, axis=0))
    edges, _ = inference.rank(dataset, candidates, alike, CONFIG)
    np.testing.assert_allclose(edges["spread"], 0, atol=1e-12)
    np.testing.assert_allclose(edges["low"], edges["high"], atol=1e-12)
    apart, _ = inference.rank(dataset, candidates, fitted, CONFIG)
    assert apart["spread"].min() > 0


def test_the_interval_is_a_normal_one_of_the_logits_of_the_members(dataset, candidates, fitted):
    edges, figures = inference.rank(dataset, candidates, fitted, CONFIG)
    low, middle, high = (logit(edges[name]) for name in ("low", "probability", "high"))
    np.testing.assert_allclose(high - middle, middle - low, rtol=1e-6)
    half = abs(fitted.logits[0] - fitted.logits[1]) / 2  # the deviation of two members
    expected = figures["slope"] * 1.959964 * half
    np.testing.assert_allclose(np.sort(high - middle), np.sort(expected), rtol=1e-5)


def test_terms_become_columns_beside_the_logit(dataset, candidates, fitted):
    mean = fitted.logits.mean(axis=0)
    told = dataclasses.replace(fitted, terms={"base": mean - 1, "motifs": np.ones(len(mean))})
    edges, _ = inference.rank(dataset, candidates, told, CONFIG)
    assert list(edges)[-3:] == ["logit", "logit: base", "logit: motifs"]
    np.testing.assert_allclose(edges["logit"], logit(edges["importance"]), rtol=1e-6)
    np.testing.assert_allclose(edges["logit: base"] + edges["logit: motifs"], edges["logit"])


@pytest.mark.parametrize("prevalence", [0, 1, -0.5])
def test_a_prevalence_is_a_share(prevalence):
    with pytest.raises(ValueError, match="prevalence must be in"):
        inference.InferenceConfig(prevalence=prevalence)


def test_hidden_edges_are_judged_among_new_pairs_only(dataset, candidates, fitted, small_set):
    folds = list(assign_folds(candidates, CONFIG, seed=0))
    names = pd.MultiIndex.from_arrays(dataset.genes.names[candidates.pairs].T)
    is_true = names.isin(pd.MultiIndex.from_frame(small_set.truth))
    is_hidden = is_true & (candidates.labels == 0)
    scores = {"knows": is_hidden * 1.0, "knows the known": candidates.labels * 1.0}
    network = inference.Network(
        "scRegNet", None, [], {}, candidates, scores, folds, evidence={}, overlap=[], worth=[]
    )
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


def test_the_method_follows_the_evidence(dataset):
    evidence = gather_evidence(dataset)
    assert inference.choose_method(CONFIG, evidence) == "kernel-factor"
    assert inference.choose_method(CONFIG, []) == "scRegNet"
    for method in ("kernel-factor", "scRegNet"):
        config = dataclasses.replace(CONFIG, method=method)
        assert inference.choose_method(config, evidence) == method
        assert inference.choose_method(config, []) == method


@pytest.mark.parametrize(
    "method, other, setting",
    [
        ("kernel-factor", "scRegNet", {"training": TrainingConfig(epochs=7)}),
        ("kernel-factor", "scRegNet", {"most_train_pairs": 5000}),
        ("scRegNet", "kernel-factor", {"kernel_factor": KernelFactorSettings(most_genes=9)}),
        ("scRegNet", "kernel-factor", {"explain": True}),
        ("scRegNet", "kernel-factor", {"allow": ("network.csv",)}),
    ],
)
def test_a_setting_that_the_method_would_not_read_is_refused(method, other, setting):
    config = dataclasses.replace(CONFIG, method=method, **setting)
    flag = next(iter(setting)).replace("_", "-")
    words = f"^--{flag} is a setting of {other}, .* by {method}; add --method={other}"
    with pytest.raises(ConfigError, match=words):
        inference.choose_method(config, [])


def test_without_expression_or_other_evidence_scregnet_ranks(small_set, monkeypatch):
    monkeypatch.setattr(inference, "MOST_TRIVIAL_CANDIDATES", 0)
    training = TrainingConfig(epochs=10, evaluate_every=10)
    config = inference.InferenceConfig(members=1, folds=2, training=training)
    network = inference.infer_network(None, small_set.known, config=config)
    assert network.method == "scRegNet" and network.evidence == {} and network.worth == []
    assert len(network.edges) == len(network.candidates) > 0


def test_evidence_for_a_method_that_reads_none_is_refused(small_set):
    config = inference.InferenceConfig(method="scRegNet")
    with pytest.raises(ConfigError, match="--blocks inform the kernel-factor model, .*scRegNet"):
        inference.infer_network(None, small_set.known, config=config, blocks=["motifs=absent.csv"])
