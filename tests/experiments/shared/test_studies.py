"""The studies on the small set: what was measured is not fitted again, and what is altered."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.scregnet import label_noise
from experiments.scregnet.ablation import NoEncoderConfig
from experiments.scregnet.gnn_comparison import list_encoders
from experiments.shared import record, studies
from grnjax.data.expression import DataConfig
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.training.pair_objective import TrainingConfig

NAME = "Perturbed/axolotl/TFs+7"
QUICK = ScRegNetMethod(
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
    ground = studies.Splits(loaded.dataset, [split])
    where, fitted, fit = {"set": NAME, "split": split.kind}, [], studies.Splits.fit

    def count(self, variant, wanted, seeds, what):
        fitted.extend((variant.control, seed) for seed in seeds)
        return fit(self, variant, wanted, seeds, what)

    monkeypatch.setattr(studies.Splits, "fit", count)
    variants = {"a": QUICK}
    studies.measure(results, where, ground, split, variants, (0,))
    variants["b"] = studies.Variant(method=QUICK, control="expression-permuted")
    studies.measure(results, where, ground, split, variants, (0, 3))
    permuted = "expression-permuted"
    assert fitted == [(None, 0), (None, 3), (permuted, 0), (permuted, 3)]
    again = record.ResultsFile("study")
    studies.measure(again, where, ground, split, variants, (0, 3))
    assert len(fitted) == 4
    rows = record.read_rows("study")
    named = [("a", 0), ("a", 3), ("b", 0), ("b", 3)]
    assert [(row["method"], row["seed"]) for row in rows] == named
    assert len({row["auroc"] for row in rows}) == 4, "another seed or control, another fit"
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
    noisy = label_noise.flip(split, 0.1)
    for part in ("train", "validation"):
        before, after = getattr(split, part), getattr(noisy, part)
        assert np.sum(before.labels != after.labels) == round(0.1 * len(before))
    assert noisy.test is split.test and noisy.draw == split.draw


@pytest.mark.slow
def test_the_noise_study_keeps_levels_apart(benchmark_root, results, monkeypatch):
    monkeypatch.setattr(label_noise, "two_forms", lambda name: {"model": QUICK})
    arguments = ["--data.root", str(benchmark_root), "--sets", NAME]
    arguments += ["--draws", "0", "1", "--levels", "0", "0.3"]
    monkeypatch.setattr(sys, "argv", ["scregnet_label_noise", *arguments])
    label_noise.main()
    rows = record.ResultsFile("scregnet_label_noise").rows
    by_level = {level: [r for r in rows if r["level"] == level] for level in (0.0, 0.3)}
    keys = [[(r["method"], r["draw"]) for r in rows] for rows in by_level.values()]
    methods = ("additive logistic", "ID-only ensemble", "model")
    assert keys[0] == keys[1] == [(method, draw) for draw in (0, 1) for method in methods]
    for clean, noisy in zip(*by_level.values(), strict=True):
        assert clean["positives"] == noisy["positives"], "judged on the same clean labels"
        assert clean["auroc"] != noisy["auroc"]
