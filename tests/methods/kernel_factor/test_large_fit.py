"""Above a number of pairs the same model is fitted by parts, with the same meaning."""

import json

import numpy as np
import pytest

from grnjax.data.label_matrix import label_matrix
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.methods.kernel_factor import large_fit as module
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.method import Problem
from grnjax.models.kernel_factor import KernelFactorConfig
from grnjax.models.nearest_genes import ask_nearest, find_nearest
from grnjax.models.random_features import FeatureSpace
from grnjax.training.factor_blocks import BlockConfig
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split

TFS, GENES, SILENT = 15, 240, 14
PAIRS = np.argwhere(np.ones((TFS, GENES), bool)).astype(np.int32)
SETTINGS = KernelFactorSettings(
    model=KernelFactorConfig(
        ranks=(4,), factor_ridges=(5.0,), factor_map_ridges=(5.0,), bias_map_ridges=(4.0,), copies=2
    ),
    kernels=KernelWeightConfig(episodes=4),
    training=EnsembleConfig(steps=90, evaluate_every=30),
    blocks=BlockConfig(above=TFS * GENES - 1, pairs=TFS * GENES // 4),
)


@pytest.fixture(scope="module")
def parts():
    """Train, validation and test pairs of a network that three numbers of a gene decide."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(GENES, 3)).astype(np.float32)
    logits = 1.5 * rng.normal(size=(TFS, 3)) @ values.T + rng.normal(size=(TFS, 1)) - 1
    labels = (rng.random((TFS, GENES)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    hint = (logits + 4 * rng.normal(size=logits.shape)).astype(np.float32)
    every = LabelledPairs(PAIRS, labels.ravel())
    part = rng.choice(3, size=len(PAIRS), p=(0.7, 0.1, 0.2))
    known = PAIRS[:, 0] != SILENT
    block = GeneBlock("values", values, np.ones(GENES, bool), ("rbf", "linear"))
    evidence = Evidence("source", "table", {}, (block,), (PairBlock("hint", hint),))
    return evidence, [every.take(known & (part == number)) for number in range(3)]


@pytest.fixture(scope="module")
def bank(parts):
    options = {"labelled": np.arange(SILENT), "most_genes": SETTINGS.most_genes}
    most_pairs = SETTINGS.blocks.above
    return build_bank([parts[0]], np.arange(TFS), GENES, most_pairs=most_pairs, **options)


def fit(bank, parts, recall=None):
    train, validation, _ = parts[1]
    return fit_kernel_factor(
        bank, train, validation, SETTINGS, seed=0, disjoint=False, recall=recall
    )


@pytest.fixture(scope="module")
def fitted(bank, parts):
    return fit(bank, parts)


def test_a_planted_network_is_found(bank, fitted, parts):
    assert fitted.is_large and isinstance(bank.space, FeatureSpace)
    test = parts[1][2]
    scores = fitted.logits_at(*test.pairs.T).mean(axis=0)
    found = evaluate_pairs(test.pairs, test.labels, scores)
    assert found["auroc"] > 0.8 and found["swap_micro"] > 0.75


def test_logits_by_blocks_of_tfs_are_those_of_all_pairs(fitted, monkeypatch):
    whole = fitted.member_logits()
    shuffle = np.random.default_rng(1).permutation(len(PAIRS))[:500]
    monkeypatch.setattr(module, "SCORED_AT_ONCE", 4 * GENES)
    for at in (slice(None), shuffle):
        rows, columns = PAIRS[at].T
        found = fitted.logits_at(rows, columns)
        np.testing.assert_allclose(found, whole[:, rows, columns], atol=1e-5)


def test_what_was_learned_is_enough_to_score_again(bank, fitted, parts):
    def recall(form, learn):
        for name, zeros in form().members.items():
            assert zeros.shape == fitted.learned.members[name].shape
        return fitted.learned

    again = fit(bank, parts, recall)
    np.testing.assert_array_equal(again.logits_at(*PAIRS.T), fitted.logits_at(*PAIRS.T))


def test_the_best_snapshot_is_kept(fitted):
    scores = fitted.learned.validation
    assert len(scores) == SETTINGS.training.snapshots
    assert int(fitted.learned.step) == 32 * (int(np.argmax(scores)) + 1)  # 24 epochs of 4 blocks


def test_snapshots_are_compared_on_all_validation_pairs_of_some_genes(parts, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPARED", 100)
    monkeypatch.setattr(module, "LEAST_POSITIVES", 0)
    validation = parts[1][1]
    panel = module.choose_panel(validation, np.arange(TFS), GENES, 0)
    is_kept = np.isin(validation.pairs[:, 1], panel.genes)
    np.testing.assert_array_equal(panel.pairs.pairs, validation.pairs[is_kept])
    assert 100 <= len(panel.pairs) < 130
    np.testing.assert_array_equal(panel.genes[panel.columns], panel.pairs.pairs[:, 1])


@pytest.mark.parametrize("least", [1, 20, 10**6])
def test_where_edges_are_few_genes_that_have_some_are_compared_too(parts, monkeypatch, least):
    monkeypatch.setattr(module, "MOST_COMPARED", 1)
    monkeypatch.setattr(module, "LEAST_POSITIVES", least)
    validation = parts[1][1]
    panel = module.choose_panel(validation, np.arange(TFS), GENES, 0)
    assert panel.pairs.labels.sum() >= min(least, validation.labels.sum())
    is_kept = np.isin(validation.pairs[:, 1], panel.genes)
    np.testing.assert_array_equal(panel.pairs.pairs, validation.pairs[is_kept])


def test_nearest_genes_are_asked_for_all_only_where_some_tell_enough(monkeypatch):
    """Operons of four genes with one profile and one set of regulators, and without them."""
    monkeypatch.setattr(module, "TFS_ASKED_FIRST", 5)
    rng = np.random.default_rng(0)
    operon = np.repeat(np.arange(GENES // 4), 4)
    profiles = rng.normal(size=(GENES // 4, 50))[operon] + 0.3 * rng.normal(size=(GENES, 50))
    labels = (rng.random((TFS, GENES // 4)) < 0.3)[:, operon].astype(np.float32)
    nearest = find_nearest(profiles.astype(np.float32).T)
    for own, tells in ((labels, True), (labels[:, rng.permutation(GENES)], False)):
        train = label_matrix(LabelledPairs(PAIRS, own.ravel()), np.arange(TFS), GENES)
        found = module.ask_some_first(nearest, train, (3, 10), least=0.25)
        assert (found is not None) == tells
        if tells:
            np.testing.assert_array_equal(found, ask_nearest(nearest, train, (3, 10), least=0.25))


@pytest.mark.slow
def test_a_run_that_was_cut_off_between_fits_ends_with_the_same_bits(tmp_path, parts):
    """The second of two fits is made in another run than the first, which is read back."""
    evidence, (train, validation, test) = parts
    names = np.array([f"G{i:03d}" for i in range(GENES)])
    cells = np.zeros((0, GENES), np.float32)
    genes = GeneTable(names, np.arange(GENES) < TFS, cells, np.zeros(GENES, bool))
    known = LabelledPairs(train.positives, np.ones(len(train.positives), np.float32))
    split = Split(train, validation, test, "cross-fitted", 0)
    fits = [Part(split, f"fit{seed}", seed) for seed in (0, 1)]
    method = KernelFactorMethod(**vars(SETTINGS))
    problem = Problem(
        dataset=Dataset(genes, known, {}),
        parts=fits,
        tfs=np.arange(TFS),
        trainable=np.arange(SILENT),
        evidence=[evidence],
    )

    def run(folder, count):
        with method.open_recorder(folder, count, "fitting") as recorder:
            found = method.fit_all(problem, fits[:count], recorder)
            return [fit.logits(test) for fit in found]

    whole = run(None, 2)
    run(tmp_path, 1)
    for one, other in zip(run(tmp_path, 2), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {line["epoch"] for line in lines} == {32, 64, 96}
