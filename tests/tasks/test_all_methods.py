"""Each design takes each method: scores that are finite, or one sentence that names the method."""

import dataclasses
import re

import numpy as np
import pytest

import grnjax
from grnjax import config as settings
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, make_method
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.tasks.split_fits import LinkPredictionConfig, SplitConfig

RANKED = ["tf", "target", "importance"]
CALIBRATED = ["probability", "spread", "low", "high"]
FIGURES = ("auroc", "average_precision", "swap_micro")
TRANSFERRED = {"kernel-factor", "scRegNet", "CNNC", "DeepDRIM"}

pytestmark = pytest.mark.usefixtures("other_lists")

every_method = pytest.mark.parametrize("name", MethodConfig.NAMED)


@pytest.fixture
def method(name, quick_methods):
    """The method with settings that make its fits short."""
    flags = [f"--{item}" for item in quick_methods.get(name, ())]
    return settings.parse(make_method(name), flags, program=name)


def expect_finite(rows, method, draws):
    """The method has a row a draw, with figures, beside trivial rows of the same pairs."""
    own = [row for row in rows if row["method"] == method]
    assert [row["draw"] for row in own] == draws
    assert {row["method"] for row in rows} > {method, "TF rate"}
    for row in own:
        assert all(np.isfinite(row[figure]) for figure in FIGURES)
        assert 0 < row["auroc"] < 1 and row["positives"] > 0


def expect_one_sentence(refusal, name):
    """What is wrong and the next step, without a line break, about this method."""
    words = str(refusal.value)
    assert words.startswith(name) and words.endswith(".") and "\n" not in words
    assert not re.search(r"\.\s+[A-Z]", words)


@pytest.mark.slow
@every_method
def test_infer(name, method, small_set):
    files = small_set.arguments
    learns = "labels" in method.READS
    config = InferenceConfig(folds=2, **({"repeats": 1} if learns else {}))
    explained = dataclasses.replace(config, explain="terms" in method.GIVES)
    network = grnjax.infer(files[0], files[2], method=method, tfs=files[4], config=explained)
    assert network.method == name and len(network.edges)
    promised = [*RANKED, "status"] + (["unseen", *CALIBRATED] if learns else [])
    assert set(promised) <= set(network.edges)
    assert ("logit: base" in network.edges) == ("terms" in method.GIVES)
    assert ("probability" in network.edges) == ("probabilities" in method.GIVES)
    numbers = network.edges.select_dtypes("number")  # the known share may not be told
    numbers = numbers.drop(columns="probability_true", errors="ignore")
    assert np.isfinite(numbers.to_numpy()).all()
    assert (np.diff(network.edges["importance"]) <= 0).all()
    assert network.to_anndata().varp["grn"].nnz == len(network.edges)
    expect_finite(network.rows, name, [0, 1])


@pytest.mark.slow
@every_method
def test_infer_without_known_edges(name, method, small_set):
    files = small_set.arguments
    if "labels" not in method.READS:
        network = grnjax.infer(files[0], method=method, tfs=files[4])
        assert list(network.edges)[:4] == [*RANKED, "expression_sign"] and network.rows == []
        return
    with pytest.raises(ConfigError) as refusal:
        grnjax.infer(files[0], method=method, tfs=files[4])
    expect_one_sentence(refusal, name)


@pytest.mark.slow
@every_method
def test_train_with_each_control(name, method, benchmark_root):
    data = DataConfig(root=str(benchmark_root))
    controls = tuple(x for x in method.controls() if not x.startswith("embedding-"))
    if name == "GT-GRN":  # whose embeddings are its own
        controls = tuple(method.controls())
    config = LinkPredictionConfig(
        method=method, controls=controls, split=SplitConfig(draws=(3,)), reconstruct=True
    )
    results = grnjax.train("Perturbed/axolotl/TFs+7", config=config, data=data)
    assert results.method == name
    expect_finite(results.rows, name, [3])
    for control in controls:
        expect_finite(results.rows, f"{name}, {control.replace('-', ' ')}", [3])
    assert [row["among"] for row in results.reconstructions] == [
        "all pairs",
        "train pairs",
        "pairs outside train",
    ]
    assert (results.embeddings is None) == (name != "GT-GRN")


@pytest.mark.slow
@every_method
def test_transfer(name, method, genelink_folder, other_folder):
    folder = genelink_folder()
    if name in TRANSFERRED:
        results = grnjax.transfer(folder, other_folder, method=method)
        assert results.method == name and len(results.audit)
        for group in ("all TFs", "shared TFs"):
            expect_finite(results.rows[group], name, [0])
        assert results.rows["unseen TFs"] == []
        return
    with pytest.raises(ConfigError) as refusal:
        grnjax.transfer(folder, other_folder, method=method)
    expect_one_sentence(refusal, name)


@pytest.mark.slow
@every_method
def test_without_expression(name, method, genelink_folder):
    """A set of labels alone: what needs expression says so, and the others learn from edges."""
    folder = genelink_folder(expression=False)
    if name == "scRegNet":
        results = grnjax.train(folder, method=method)
        expect_finite(results.rows, name, [0])
        return
    with pytest.raises(ConfigError, match="expression") as refusal:
        grnjax.train(folder, method=method)
    assert name in str(refusal.value).replace(" model", "").replace("kernel factor", name)
    assert "\n" not in str(refusal.value)
