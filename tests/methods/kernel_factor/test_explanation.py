"""Terms add up to the logit, and what a block is worth is what a run loses without it."""

import numpy as np
import pytest

from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.methods.kernel_factor.bank import build_bank
from grnjax.methods.kernel_factor.explanation import (
    FIXED,
    WORTH,
    explain_fit,
    measure_worth,
    summarise_worth,
)
from grnjax.methods.kernel_factor.fit import KernelFactorSettings, fit_kernel_factor
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.types import LabelledPairs

TFS, GENES = 8, 120
NEW_TF, NEW_TARGETS = 7, np.arange(100, GENES)  # without train pairs
SETTINGS = KernelFactorSettings(
    training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=10)
)


def make_evidence():
    """Drivers of the labels, and as much noise of the same kinds."""
    rng = np.random.default_rng(0)
    values, noise = rng.normal(size=(2, GENES, 3)).astype(np.float32)
    own, own_noise = rng.normal(size=(2, TFS, GENES)).astype(np.float32)
    direction = rng.normal(size=(TFS, 3))
    alike = np.corrcoef(direction).astype(np.float32)
    covered = np.arange(GENES) % 10 > 0  # of the noise some genes are not
    drivers = Evidence(
        "drivers",
        "table",
        {},
        genes=(GeneBlock("planted", values, np.ones(GENES, bool), ("rbf", "linear")),),
        pairs=(PairBlock("planted pairs", own),),
        similarities=(TfSimilarity("planted likeness", alike),),
    )
    others = Evidence(
        "noise",
        "table",
        {},
        genes=(GeneBlock("noise", noise * covered[:, None], covered, ("rbf", "linear")),),
        pairs=(PairBlock("noise pairs", own_noise),),
    )
    drive = 1.5 * direction @ values.T + 1.5 * own + rng.logistic(size=own.shape) - 1.5
    return [drivers, others], (drive > 0).astype(np.float32)


@pytest.fixture(scope="module")
def problem():
    """A bank, a fit without pairs of one TF and some targets, and pairs to judge it on."""
    evidence, labels = make_evidence()
    tf, target = np.nonzero(np.arange(TFS)[:, None] != np.arange(GENES))
    pairs = LabelledPairs(np.stack([tf, target], axis=1).astype(np.int32), labels[tf, target])
    part = np.random.default_rng(1).integers(8, size=len(pairs))
    is_new = (tf == NEW_TF) | np.isin(target, NEW_TARGETS)
    train, validation = pairs.take(~is_new & (part > 2)), pairs.take(~is_new & (part == 0))
    bank = build_bank(
        evidence, np.arange(TFS), GENES, labelled=np.unique(train.pairs[:, 0]), most_genes=500
    )
    fit = fit_kernel_factor(bank, train, validation, SETTINGS, seed=0, disjoint=False)
    return bank, fit, pairs.take(~is_new & (part == 1) | (part == 2))


@pytest.fixture(scope="module")
def explanation(problem):
    bank, fit, _ = problem
    return explain_fit(fit, bank)


def test_the_terms_are_named_in_the_order_of_the_equation(explanation):
    genes, pairs = ("planted", "noise", "coverage"), ("planted pairs", "noise pairs")
    likeness = ("similar TFs: planted likeness",)
    assert explanation.names == FIXED + genes + pairs + likeness
    assert explanation.kinds == ("fixed",) * 4 + ("genes",) * 3 + ("pairs",) * 3
    assert explanation.values.shape == (10, TFS, GENES)


def test_the_terms_add_up_to_the_logit_of_every_pair_seen_or_not(problem, explanation):
    _, fit, _ = problem
    logits = fit.logits()
    np.testing.assert_allclose(explanation.values.sum(axis=0), logits, rtol=0, atol=1e-5)
    assert logits[NEW_TF].std() > 0.1 and logits[:, NEW_TARGETS].std(axis=1).min() > 0.1


def test_a_new_tf_or_target_has_no_term_of_its_identity(explanation):
    term = dict(zip(explanation.names, explanation.values, strict=True))
    old_tfs, old_targets = np.arange(NEW_TF), np.arange(NEW_TARGETS[0])
    assert not term["TF bias"][NEW_TF].any() and term["TF bias"][old_tfs].all()
    assert not term["target bias"][:, NEW_TARGETS].any()
    assert term["target bias"][:, old_targets].all()
    assert not term["identity"][NEW_TF].any() and not term["identity"][:, NEW_TARGETS].any()
    likeness = term["similar TFs: planted likeness"]
    assert not likeness[:, NEW_TARGETS].any() and likeness[:, old_targets].any()
    assert term["planted"][NEW_TF].std() > 0 and term["planted"][:, NEW_TARGETS].std() > 0
    assert len(np.unique(term["base"])) == 1


def test_terms_of_pairs_are_those_of_the_block(explanation):
    rows, genes = np.array([2, 0, 7]), np.array([5, 119, 0])
    for place, (row, gene) in enumerate(zip(rows, genes, strict=True)):
        found = explanation.at(rows, genes)[:, place]
        np.testing.assert_array_equal(found, explanation.values[:, row, gene])


def test_a_planted_source_is_worth_much_and_noise_next_to_nothing(problem, explanation):
    bank, fit, judged = problem
    rows = measure_worth(explanation, fit, bank, judged, seed=0)
    assert [row["name"] for row in rows] == list(explanation.names[len(FIXED) :])
    worth = {row["name"]: row for row in rows}
    for planted, noise in (("planted", "noise"), ("planted pairs", "noise pairs")):
        for metric in ("auroc", "average_precision", "within_tf_auroc", "swap_micro"):
            drop = f"drop_{metric}"
            assert worth[planted][drop] > 0.05, (planted, metric)
            assert abs(worth[noise][drop]) < 0.03, (noise, metric)
    assert worth["planted"]["weight"] > 2 * worth["noise"]["weight"]
    weights = [row["weight"] for row in rows if row["kind"] == "genes"]
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert {row["weight"] for row in rows if row["kind"] == "pairs"} == {None}


def test_a_metric_that_the_pairs_do_not_allow_has_no_drop(problem, explanation):
    bank, fit, judged = problem
    of_one_tf = judged.take(judged.pairs[:, 0] == 0)
    rows = measure_worth(explanation, fit, bank, of_one_tf, seed=0)
    assert {row["drop_swap_micro"] for row in rows} == {None}  # a swap takes two TFs
    assert all(row["drop_auroc"] is not None for row in rows)
    assert {row["drop_swap_micro"] for row in summarise_worth(rows)} == {None}


def worth_row(name, draw, drop, *, weight=0.5, swap=0.0):
    row = {"name": name, "kind": "genes", "weight": weight, "draw": draw}
    row |= {f"drop_{metric}": drop for metric in WORTH}
    return row | {"drop_swap_micro": swap}


def test_worth_is_summarised_by_means_and_t_intervals():
    drops = [0.1, 0.2, 0.3]
    rows = [worth_row("small", draw, drop / 10, weight=0.1) for draw, drop in enumerate(drops)]
    rows += [worth_row("large", draw, drop, weight=draw) for draw, drop in enumerate(drops)]
    large, small = summarise_worth(rows)
    assert large["name"] == "large" and small["name"] == "small"
    assert large["weight"] == pytest.approx(1) and small["weight"] == pytest.approx(0.1)
    half = 4.302653 * 0.1 / 3**0.5  # t of 2 degrees of freedom, deviation .1
    assert large["drop_auroc"] == pytest.approx(0.2)
    assert large["drop_auroc_low"] == pytest.approx(0.2 - half, abs=1e-6)
    assert large["drop_auroc_high"] == pytest.approx(0.2 + half, abs=1e-6)


def test_a_figure_that_some_draws_lack_is_the_mean_of_the_others():
    rows = [worth_row("x", 0, 0.1, swap=0.4), worth_row("x", 1, 0.3, swap=None)]
    [summary] = summarise_worth(rows)
    assert summary["drop_swap_micro"] == 0.4 and "drop_swap_micro_low" not in summary
    assert summary["drop_auroc"] == pytest.approx(0.2)
