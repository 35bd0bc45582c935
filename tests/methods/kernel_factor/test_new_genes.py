import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.methods.kernel_factor.new_genes import score_new_genes, take_genes
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


def fit_on(evidence, genes, labels):
    of_run = take_genes(evidence, np.arange(genes))
    bank = build_bank(of_run, AT, genes, labelled=AT, most_genes=500)
    pairs = np.argwhere(np.ones((TFS, genes), bool)).astype(np.int32)
    every = LabelledPairs(pairs, labels[:, :genes].ravel().astype(np.float32))
    part = np.arange(len(pairs)) % 4
    train, validation = every.take(part > 0), every.take(part == 0)
    return bank, fit_kernel_factor(bank, train, validation, SETTINGS, seed=0, disjoint=False)


@pytest.fixture(scope="module")
def labels(evidence):
    reads = np.random.default_rng(1).normal(size=(TFS, 4))
    return (reads @ evidence[0].genes[0].values.T > 0.8).astype(int)


def test_a_copy_of_a_gene_scores_as_that_gene_without_its_identity(evidence, labels):
    bank, fit = fit_on(evidence, GENES, labels)
    nameless = fit.grid._replace(known_target=np.zeros(GENES, np.float32))
    expected = np.asarray(score_members(fit.learned.members, nameless)).mean(axis=0)
    copies = np.array([70, 3, 41])
    found = score_new_genes(fit, bank, take_genes(evidence, copies))
    np.testing.assert_allclose(found, expected[:, copies], atol=1e-3)


def test_genes_that_were_never_there_are_ranked_by_their_features(evidence, labels):
    bank, fit = fit_on(evidence, 70, labels)
    new = np.arange(70, GENES)
    scores = score_new_genes(fit, bank, take_genes(evidence, new))
    truth = labels[:, new]
    assert scores[truth == 1].mean() > scores[truth == 0].mean() + 0.5


def test_evidence_without_a_source_of_the_run_is_refused(evidence, labels):
    bank, fit = fit_on(evidence, GENES, labels)
    with pytest.raises(ConfigError, match="lacks 1 .*partners"):
        score_new_genes(fit, bank, take_genes(evidence[:1], np.arange(5)))


def test_random_features_have_no_new_genes(evidence, labels):
    bank, fit = fit_on(evidence, GENES, labels)
    wide = build_bank(evidence, AT, GENES, labelled=AT, most_genes=10)
    with pytest.raises(ConfigError, match="random features"):
        score_new_genes(fit, wide, evidence)


def test_evidence_read_apart_from_the_run_is_refused(evidence, labels):
    bank, fit = fit_on(evidence, GENES, labels)
    new = take_genes(evidence, np.arange(5))
    block = dataclasses.replace(new[0].genes[0], values=new[0].genes[0].values[:, :3])
    with pytest.raises(ConfigError, match="numbers: 3 columns for the new genes and 4"):
        score_new_genes(fit, bank, [dataclasses.replace(new[0], genes=(block,)), new[1]])
