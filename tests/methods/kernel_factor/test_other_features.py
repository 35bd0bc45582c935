"""A fit reads another data set by the kernels of its run, and refuses what they cannot read."""

import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.methods.kernel_factor.other_features import give_features
from grnjax.training.factor_ensemble import EnsembleConfig, score_members
from grnjax.types import LabelledPairs

TFS, GENES = 8, 90
AT = np.arange(TFS)
SETTINGS = KernelFactorSettings(training=EnsembleConfig(steps=60))


@pytest.fixture(scope="module")
def evidence():
    rng = np.random.default_rng(0)
    covered = rng.random(GENES) < 0.8
    covered[:TFS] = True
    sparse = (rng.random((GENES, 5)) * covered[:, None]).astype(np.float32)
    block = GeneBlock(
        "numbers",
        rng.normal(size=(GENES, 4)).astype(np.float32),
        np.ones(GENES, bool),
        ("rbf", "linear"),
    )
    pair = PairBlock("hits", (rng.random((TFS, GENES)) < 0.3).astype(np.float32))
    return [
        Evidence("dense", "table", {}, genes=(block,), pairs=(pair,)),
        Evidence(
            "sparse",
            "table",
            {},
            genes=(GeneBlock("partners", sparse, covered, ("cosine",)),),
        ),
    ]


@pytest.fixture(scope="module")
def fitted(evidence):
    reads = np.random.default_rng(1).normal(size=(TFS, 4))
    labels = (reads @ evidence[0].genes[0].values.T > 0.8).astype(np.float32)
    bank = build_bank(evidence, AT, GENES, labelled=AT, most_genes=500)
    pairs = np.argwhere(np.ones((TFS, GENES), bool)).astype(np.int32)
    every = LabelledPairs(pairs, labels.ravel())
    part = np.arange(len(pairs)) % 4
    train, validation = every.take(part > 0), every.take(part == 0)
    return bank, fit_kernel_factor(bank, train, validation, SETTINGS, seed=0, disjoint=False)


def order_genes(evidence, order):
    """What another data set would say, in which gene i is as gene order[i] is here."""
    return [
        dataclasses.replace(
            item,
            genes=tuple(
                dataclasses.replace(b, values=b.values[order], covered=b.covered[order])
                for b in item.genes
            ),
            pairs=tuple(dataclasses.replace(b, values=b.values[:, order]) for b in item.pairs),
        )
        for item in evidence
    ]


def score_without_identity(fit):
    nameless = fit.grid._replace(known_target=np.zeros(GENES, np.float32))
    return np.asarray(score_members(fit.learned.members, nameless)).mean(axis=0)


def test_a_gene_scores_by_its_features_there_and_keeps_its_identity(evidence, fitted):
    bank, fit = fitted
    order = np.random.default_rng(2).permutation(GENES)
    given = give_features(fit, bank, order_genes(evidence, order))
    expected = score_without_identity(fit)
    assert np.abs(expected - expected[:, order]).max() > 0.1
    np.testing.assert_allclose(score_without_identity(given), expected[:, order], atol=1e-3)
    same = give_features(fit, bank, evidence)
    np.testing.assert_allclose(same.member_logits(), fit.member_logits(), atol=1e-3)
    assert np.abs(given.member_logits() - fit.member_logits()[..., order]).max() > 0.1


def test_evidence_without_a_source_of_the_run_is_refused(evidence, fitted):
    bank, fit = fitted
    with pytest.raises(ConfigError, match="lacks 1 .*partners"):
        give_features(fit, bank, evidence[:1])


def test_random_features_stand_for_the_genes_of_the_run_alone(evidence, fitted):
    _, fit = fitted
    wide = build_bank(evidence, AT, GENES, labelled=AT, most_genes=10)
    with pytest.raises(ConfigError, match="random features"):
        give_features(fit, wide, evidence)


def test_evidence_with_other_columns_is_refused(evidence, fitted):
    bank, fit = fitted
    block = evidence[0].genes[0]
    narrow = dataclasses.replace(
        evidence[0], genes=(dataclasses.replace(block, values=block.values[:, :3]),)
    )
    with pytest.raises(ConfigError, match="numbers: 3 columns in the other data set and 4"):
        give_features(fit, bank, [narrow, evidence[1]])
