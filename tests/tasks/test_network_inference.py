"""How out-of-fold scores become a ranking, probabilities and judgements."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import grnjax
from grnjax.errors import ConfigError
from grnjax.methods.method import make_method
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.tasks import network_inference as inference
from grnjax.tasks.cross_fitting import CrossFit, assign_folds
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.training.pair_objective import TrainingConfig

CONFIG = inference.InferenceConfig(repeats=2, folds=3)
SHORT = ScRegNetMethod(training=TrainingConfig(epochs=10, evaluate_every=10))


@pytest.fixture(scope="module")
def fitted(candidates):
    """Scores of two members that know something."""
    noise = np.random.default_rng(0).normal(size=(2, len(candidates)))
    return CrossFit(noise + 1.5 * candidates.labels - 1, worth=[], terms={})


@pytest.fixture(scope="module")
def rank(dataset, candidates):
    """Ranks by the scores of fits."""

    def run(fitted, **settings):
        config = inference.InferenceConfig(**settings)
        return inference.rank(dataset, candidates, fitted, config, seed=0)

    return run


def test_the_rank_is_that_of_the_mean_logit(dataset, candidates, fitted, rank):
    edges, _ = rank(fitted)
    names = dataset.genes.names[candidates.pairs]
    mean = pd.Series(fitted.logits.mean(axis=0), pd.MultiIndex.from_arrays(names.T))
    ranked = mean.sort_values(ascending=False)
    assert list(zip(edges["tf"], edges["target"])) == list(ranked.index)
    np.testing.assert_allclose(edges["importance"], expit(ranked))


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


def test_members_that_agree_have_no_spread(fitted, rank):
    alike = dataclasses.replace(fitted, logits=np.repeat(fitted.logits[:1], 2, axis=0))
    edges, _ = rank(alike)
    np.testing.assert_allclose(edges["spread"], 0, atol=1e-12)
    np.testing.assert_allclose(edges["low"], edges["high"], atol=1e-12)
    apart, _ = rank(fitted)
    assert apart["spread"].min() > 0


def test_the_interval_is_a_normal_one_of_the_logits_of_the_members(fitted, rank):
    edges, figures = rank(fitted)
    low, middle, high = (logit(edges[name]) for name in ("low", "probability", "high"))
    np.testing.assert_allclose(high - middle, middle - low, rtol=1e-6)
    half = abs(fitted.logits[0] - fitted.logits[1]) / 2  # the deviation of two members
    expected = figures["slope"] * 1.959964 * half
    np.testing.assert_allclose(np.sort(high - middle), np.sort(expected), rtol=1e-5)


def test_terms_become_columns_beside_the_logit(fitted, rank):
    mean = fitted.logits.mean(axis=0)
    explained = dataclasses.replace(fitted, terms={"base": mean - 1, "motifs": np.ones(len(mean))})
    edges, _ = rank(explained)
    assert list(edges)[-3:] == ["logit", "logit: base", "logit: motifs"]
    np.testing.assert_allclose(edges["logit"], logit(edges["importance"]), rtol=1e-6)
    np.testing.assert_allclose(edges["logit: base"] + edges["logit: motifs"], edges["logit"])


@pytest.mark.parametrize("prevalence", [0, 1, -0.5])
def test_a_prevalence_is_a_share(prevalence):
    with pytest.raises(ValueError, match="prevalence must be in"):
        inference.InferenceConfig(prevalence=prevalence)


def test_what_of_a_pair_nothing_is_known_is_named(dataset, candidates, fitted, rank, small_set):
    targets = set(candidates.positives[:, 1].tolist())
    edges, _ = rank(fitted)
    names = dataset.genes.names
    unseen_tf = edges["tf"] == small_set.silent_tf
    unseen_target = ~edges["target"].isin(names[sorted(targets)])
    expected = np.array(["no", "TF", "target", "both"])[unseen_tf + 2 * unseen_target]
    assert (edges["unseen"] == expected).all() and set(expected) == {"no", "TF", "target", "both"}


def test_the_method_is_the_kernel_factor_unless_another_is_named(small_set):
    assert inference.InferenceConfig().method == make_method("kernel-factor")
    with pytest.raises(ConfigError, match=r"needs expression or other evidence.*method='scRegNet'"):
        grnjax.infer(None, small_set.known, config=CONFIG)


@pytest.mark.parametrize(
    "method, setting",
    [
        ("kernel-factor", {"most_train_pairs": 5000}),
        ("scRegNet", {"explain": True}),
        ("scRegNet", {"allow": ("network.csv",)}),
        ("GT-GRN", {"explain": True}),
        ("pearson", {"repeats": 2}),
        ("pearson", {"prevalence": 0.2}),
        ("pearson", {"most_train_pairs": 5000}),
        ("pearson", {"explain": True}),
        ("pearson", {"allow": ("network.csv",)}),
    ],
)
def test_a_setting_of_the_design_that_the_method_would_not_read_is_refused(
    method, setting, dataset
):
    config = inference.InferenceConfig(method=make_method(method), **setting)
    flag = next(iter(setting)).replace("_", "-")
    words = f"^--{flag} is no setting of {method}; leave it out or choose another --method"
    with pytest.raises(ConfigError, match=words):
        inference.infer(dataset, config, seed=0)


@pytest.mark.parametrize(
    "method, setting",
    [
        ("kernel-factor", {"explain": True, "allow": ("network.csv",), "prevalence": 0.2}),
        ("scRegNet", {"most_train_pairs": 5000, "repeats": 2, "prevalence": 0.2}),
        ("pearson", {"folds": 3}),
    ],
)
def test_settings_that_the_method_reads_are_taken(method, setting):
    config = inference.InferenceConfig(method=make_method(method), **setting)
    inference.check_settings(config, has_known=True)


def test_folds_are_no_setting_of_a_ranking_that_no_known_edge_judges():
    config = inference.InferenceConfig(method=make_method("pearson"), folds=3)
    with pytest.raises(ConfigError, match="^--folds is no setting of pearson without --network"):
        inference.check_settings(config, has_known=False)


def test_known_edges_alone_are_ranked_by_scregnet(small_set, monkeypatch):
    monkeypatch.setattr("grnjax.tasks.judging.MOST_TRIVIAL_CANDIDATES", 0)
    config = inference.InferenceConfig(repeats=1, folds=2, method=SHORT)
    network = grnjax.infer(None, small_set.known, config=config)
    assert network.method == "scRegNet" and network.evidence == {} and network.worth == []
    assert len(network.edges) == len(network.candidates) > 0
    assert {row["method"] for row in network.rows} == {"scRegNet"}


def test_evidence_for_a_method_that_reads_none_is_refused(small_set):
    words = "^scRegNet does not read evidence; leave it out, or take .*: kernel-factor"
    with pytest.raises(ConfigError, match=words):
        grnjax.infer(None, small_set.known, method="scRegNet", evidence=["motifs=absent.csv"])


def test_pairs_that_are_held_out_are_no_weak_negatives(dataset):
    """Every candidate is in some fold, so none are left unlabelled."""
    method = dataclasses.replace(SHORT, inputs=InputConfig(unlabelled_weight=0.1))
    config = dataclasses.replace(CONFIG, method=method)
    with pytest.raises(ConfigError, match="unlabelled-weight 0.1: in a cross-fitted split"):
        inference.infer(dataset, config, seed=0)


def test_a_folder_begun_by_the_version_before_keeps_its_names_of_fits(
    dataset, candidates, tmp_path
):
    def name(folder):
        return inference.choose_folds(dataset, candidates, CONFIG, 0, folder)[0].part.name

    assert name(None) == name(tmp_path) == "repeat0-fold0"
    (tmp_path / "checkpoints/member0-fold0").mkdir(parents=True)
    assert name(tmp_path) == "member0-fold0"


def test_a_method_that_takes_all_pairs_at_once_has_none_left_out(dataset, candidates):
    few = dataclasses.replace(CONFIG, most_train_pairs=200)
    assert few.method.TRAINS_ON_ALL_PAIRS and not SHORT.TRAINS_ON_ALL_PAIRS
    for method, weighted in ((few.method, False), (SHORT, True)):
        config = dataclasses.replace(few, method=method)
        folds = inference.choose_folds(dataset, candidates, config, 0, None)
        assert (folds[0].part.negative_weight > 1) == weighted


def test_hidden_edges_are_judged_among_new_pairs_only(dataset, candidates, small_set):
    folds = list(assign_folds(candidates, CONFIG, seed=0))
    names = pd.MultiIndex.from_arrays(dataset.genes.names[candidates.pairs].T)
    is_true = names.isin(pd.MultiIndex.from_frame(small_set.truth))
    is_hidden = is_true & (candidates.labels == 0)
    scores = {"knows": is_hidden * 1.0, "knows the known": candidates.labels * 1.0}
    network = RankedNetwork(
        method="scRegNet",
        genes=dataset.genes,
        edges=pd.DataFrame(),
        rows=[],
        candidates=candidates,
        scores=scores,
        folds=folds,
    )
    rows = pd.DataFrame(inference.judge_hidden(network, small_set.truth))
    assert rows.groupby("method")["positives"].sum().tolist() == [is_hidden.sum()] * 2
    new = int((candidates.labels == 0).sum())
    assert rows.groupby("method")["pairs"].sum().tolist() == [new] * 2
    assert (rows.loc[rows["method"] == "knows", "auroc"] == 1).all()
    assert (rows.loc[rows["method"] == "knows the known", "auroc"] == 0.5).all()
