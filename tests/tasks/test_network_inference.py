"""Which settings an inference takes, and how its folds are chosen and its ranking judged."""

import dataclasses

import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.methods.method import make_method
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.tasks import network_inference as inference
from grnjax.tasks.cross_fitting import assign_folds, choose_folds
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.training.pair_objective import TrainingConfig

CONFIG = inference.InferenceConfig(repeats=2, folds=3)
SHORT = ScRegNetMethod(training=TrainingConfig(epochs=10, evaluate_every=10))


@pytest.mark.parametrize("prevalence", [0, 1, -0.5])
def test_a_prevalence_is_a_share(prevalence):
    with pytest.raises(ValueError, match="prevalence must be in"):
        inference.InferenceConfig(prevalence=prevalence)


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
        ("pearson", {"repeats": 3}),
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
        ("scRegNet", {"most_train_pairs": 5000, "repeats": 3, "prevalence": 0.2}),
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


@pytest.mark.slow
def test_known_edges_alone_are_ranked_by_scregnet(small_set, monkeypatch):
    monkeypatch.setattr("grnjax.tasks.judging.MOST_TRIVIAL_CANDIDATES", 0)
    config = inference.InferenceConfig(repeats=1, folds=2, method=SHORT)
    network = grnjax.infer(None, small_set.known, config=config)
    assert network.method == "scRegNet" and network.evidence == {} and network.worth == []
    assert len(network.edges) == len(network.candidates) > 0
    assert {row["method"] for row in network.rows} == {"scRegNet", "TF rate", "degree product"}


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
        return choose_folds(candidates, CONFIG, 0, folder, False)[0].part.name

    assert name(None) == name(tmp_path) == "repeat0-fold0"
    (tmp_path / "checkpoints/member0-fold0").mkdir(parents=True)
    assert name(tmp_path) == "member0-fold0"


def test_a_method_that_takes_all_pairs_at_once_has_none_left_out(dataset, candidates):
    few = dataclasses.replace(CONFIG, most_train_pairs=200)
    assert few.method.TRAINS_ON_ALL_PAIRS and not SHORT.TRAINS_ON_ALL_PAIRS
    for method, weighted in ((few.method, False), (SHORT, True)):
        folds = choose_folds(candidates, few, 0, None, method.TRAINS_ON_ALL_PAIRS)
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
