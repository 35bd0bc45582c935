"""The model asks the genes nearest in expression where that tells, and a control loses it."""

import dataclasses

import numpy as np
import pytest

from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evidence.expression import describe_expression
from grnjax.methods.controls import permute_evidence
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.explanation import explain_fit
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.types import GeneTable, LabelledPairs

TFS, GENES, OPERON = 12, 240, 4
AT = np.arange(TFS)
SETTINGS = KernelFactorSettings(training=EnsembleConfig(steps=90))
WITHOUT = dataclasses.replace(SETTINGS, model=dataclasses.replace(SETTINGS.model, neighbours=()))


@pytest.fixture(scope="module")
def evidence():
    """Sixty operons whose profiles say which genes belong together and nothing else."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, GENES // OPERON)).repeat(OPERON, axis=1)
    values = (values + 0.3 * rng.normal(size=values.shape)).astype(np.float32)
    names = np.array([f"G{i:03d}" for i in range(GENES)])
    genes = GeneTable(names, np.arange(GENES) < TFS, values, np.ones(GENES, bool))
    return [describe_expression(genes, AT)]


@pytest.fixture(scope="module")
def parts():
    """Train, validation and test pairs by target; operons are regulated as one."""
    rng = np.random.default_rng(1)
    labels = (rng.random((TFS, GENES // OPERON)) < 0.1).repeat(OPERON, axis=1)
    pairs = np.argwhere(~np.eye(TFS, GENES, dtype=bool)).astype(np.int32)
    every = LabelledPairs(pairs, labels[tuple(pairs.T)].astype(np.float32))
    part = rng.permutation(np.arange(GENES) % 4)[pairs[:, 1]]
    return [every.take(chosen) for chosen in (part < 2, part == 2, part == 3)]


def fit(evidence, parts, settings=SETTINGS):
    bank = build_bank(evidence, AT, GENES, labelled=AT, most_genes=500)
    return bank, fit_kernel_factor(bank, *parts[:2], settings, seed=0, disjoint=True)


def precision(fitted, test):
    scores = fitted.logits()[tuple(test.pairs.T)]
    return evaluate_pairs(test.pairs, test.labels, scores)["average_precision"]


@pytest.fixture(scope="module")
def whole(evidence, parts):
    return fit(evidence, parts)


@pytest.mark.slow
def test_unseen_genes_of_planted_operons_are_told_by_their_neighbours(evidence, parts, whole):
    asking = precision(whole[1], parts[2])
    alone = precision(fit(evidence, parts, WITHOUT)[1], parts[2])
    assert asking > 0.8 and asking > alone + 0.1


@pytest.mark.slow
def test_with_profiles_of_other_genes_nothing_is_left(evidence, parts):
    _, permuted = fit(permute_evidence(evidence, 0), parts)
    assert precision(permuted, parts[2]) < 0.2


def test_what_neighbours_say_is_a_term_of_the_explanation(whole):
    bank, fitted = whole
    told = explain_fit(fitted, bank)
    np.testing.assert_allclose(told.values.sum(axis=0), fitted.logits(), atol=1e-4)
    assert [name for name in told.names if name.startswith("nearest")] == [
        f"nearest genes: {count}" for count in SETTINGS.model.neighbours
    ]
