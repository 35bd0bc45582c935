"""The studies on the small set: what was measured is not fitted again, and what is altered."""

import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import record, scregnet_label_noise, studies
from experiments.scregnet_ablation import NoEncoderConfig
from experiments.scregnet_gnn_comparison import list_encoders
from grnjax.data.expression import DataConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.bench import Bench
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.link_prediction import LinkPredictionConfig, fit_settings
from grnjax.training.pair_objective import TrainingConfig

NAME = "Perturbed/axolotl/TFs+7"
QUICK = LinkPredictionConfig(
    model=ScRegNetConfig(mlp_widths=(8,), identity_rank=2),
    inputs=InputConfig(components=8),
    training=TrainingConfig(epochs=10),
)


@pytest.fixture
def loaded(benchmark_root):
    return studies.load_set(NAME, DataConfig(root=str(benchmark_root)))


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    return record.ResultsFile("study")


@pytest.mark.slow
def test_only_what_was_not_measured_is_fitted(loaded, results, monkeypatch):
    split = loaded.standard_splits((0, 1))[1]
    bench, where = Bench(loaded.dataset, [split], None), {"set": NAME, "split": split.kind}
    fitted, fit_all = [], bench.fit_all

    def count(study, requests):
        fitted.extend((request.label, request.seed) for request in requests)
        return fit_all(study, requests)

    monkeypatch.setattr(bench, "fit_all", count)
    variants = {"a": fit_settings(QUICK)}
    studies.measure(results, where, bench, split, variants, (0,))
    variants["b"] = fit_settings(QUICK, "expression-permuted")
    studies.measure(results, where, bench, split, variants, (0, 3))
    assert fitted == [("a", 0), ("a", 3), ("b", 0), ("b", 3)]
    again = record.ResultsFile("study")
    studies.measure(again, where, bench, split, variants, (0, 3))
    assert len(fitted) == 4
    rows = [json.loads(line) for line in again.path.read_text().splitlines()]
    assert [(row["method"], row["seed"]) for row in rows] == fitted
    assert {row["draw"] for row in rows} == {1}


def test_an_encoder_that_is_left_out_says_nothing():
    encoded = NoEncoderConfig().make("encoder").apply({}, jnp.ones((5, 3)), None, train=False)
    assert encoded.shape == (5, 0)


def test_encoders_are_compared_in_one_model_and_schedule():
    variants = list_encoders("form", QUICK)
    alike = {(x.training, x.model.head, x.inputs.nodes) for x in variants.values()}
    assert len(alike) == 1
    assert len({x.model.encoder for x in variants.values()}) == 3
    assert [x.inputs.messages for x in variants.values()] == ["symmetric"] * 3 + ["none"]


def test_noise_leaves_the_test_labels_clean(loaded):
    split = loaded.standard_splits((4,))[0]
    noisy = scregnet_label_noise.flip(split, 0.1)
    for part in ("train", "validation"):
        before, after = getattr(split, part), getattr(noisy, part)
        assert np.sum(before.labels != after.labels) == round(0.1 * len(before))
    assert noisy.test is split.test and noisy.draw == split.draw


@pytest.mark.slow
def test_the_noise_study_keeps_levels_apart(benchmark_root, results, monkeypatch):
    monkeypatch.setattr(scregnet_label_noise, "two_forms", lambda name: {"model": QUICK})
    arguments = ["--data.root", str(benchmark_root), "--sets", NAME]
    arguments += ["--draws", "0", "1", "--levels", "0", "0.3"]
    monkeypatch.setattr(sys, "argv", ["scregnet_label_noise", *arguments])
    scregnet_label_noise.main()
    rows = record.ResultsFile("scregnet_label_noise").rows
    by_level = {level: [r for r in rows if r["level"] == level] for level in (0.0, 0.3)}
    keys = [[(r["method"], r["draw"]) for r in rows] for rows in by_level.values()]
    methods = ("additive logistic", "ID-only ensemble", "model")
    assert keys[0] == keys[1] == [(method, draw) for draw in (0, 1) for method in methods]
    for clean, noisy in zip(*by_level.values(), strict=True):
        assert clean["positives"] == noisy["positives"], "judged on the same clean labels"
        assert clean["auroc"] != noisy["auroc"]
