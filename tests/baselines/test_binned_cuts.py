"""Cuts between bins against the walk over all cells, and where the bins are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.baselines import binned_cuts, boosting, sparse_cuts
from grnjax.baselines.binned_cuts import BINS, Binned, bin_values
from grnjax.baselines.boosting import MANY_CELLS, GRNBoost2Config
from grnjax.baselines.exact_cuts import Presorted
from grnjax.baselines.sparse_cuts import SparseBinned
from grnjax.baselines.trees import Plan
from grnjax.types import GeneTable

CELLS, TFS, TARGETS = 160, 10, 13
LEVELS = 7  # distinct values of a TF

find_splits = jax.jit(lambda search, *arrays: search.find_splits(*arrays))


@pytest.fixture(scope="module")
def coarse():
    """Genes that take few values, of which each target follows two TFs."""
    rng = np.random.default_rng(5)
    activity = rng.integers(LEVELS, size=(CELLS, TFS)) / 2
    edges = np.zeros((TFS, TARGETS), bool)
    for target in range(TARGETS):
        edges[rng.choice(TFS, 2, replace=False), target] = True
    targets = activity @ edges + rng.normal(size=(CELLS, TARGETS))
    expression = np.concatenate([activity, targets], axis=1).astype(np.float32)
    places = np.arange(TFS + TARGETS)
    names = np.array([f"G{place:02d}" for place in places])
    return GeneTable(names, places < TFS, expression, np.ones(len(places), bool))


# Bins


def test_few_values_have_bins_of_their_own():
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(BINS) ** 2, 5))
    np.testing.assert_array_equal(bin_values(values), np.sqrt(values))


def test_bins_keep_the_order_and_are_finest_at_the_ends():
    values = np.random.default_rng(0).normal(size=2000)
    bins = bin_values(values)
    assert (np.diff(bins[np.argsort(values)]) >= 0).all()
    sizes = np.bincount(bins)
    assert BINS - 3 <= len(sizes) <= BINS
    assert sizes[0] == sizes[-1] == 1
    middle = len(sizes) // 2
    assert (np.diff(sizes[:middle]) >= -10).all() and sizes[middle] > 150
    assert (np.diff(sizes[middle + 1 :]) <= 10).all()


def test_many_zeros_take_one_bin_only():
    values = np.maximum(np.random.default_rng(0).normal(size=2000) - 1, 0)
    bins = bin_values(values)
    assert len(np.unique(bins[values > 0])) >= BINS - 4
    assert (bins[values == 0] == 0).all() and (bins[values > 0] == 0).sum() <= 2


# Cuts


@pytest.mark.slow
def test_cuts_between_single_values_are_those_of_the_walk(coarse):
    """Values are whole numbers, of which all sums are exact, and their mean is 0 in each node."""
    rng, targets = np.random.default_rng(1), 6
    plan = Plan(depth=2, cells=CELLS, tfs=TFS, bag=140, tried=TFS, slots=TFS)
    draws = [kind(coarse.expression[:, :TFS]).draw(3, 0, plan) for kind in (Presorted, Binned)]
    node, values = np.zeros((2, CELLS, targets), np.int8)
    values += 9  # outside the bag, where they must not matter
    for target in range(targets):
        cells = rng.permutation(np.flatnonzero(draws[0].in_bag))
        values[cells[::2], target] = rng.integers(-5, 6, size=70)
        values[cells[1::2], target] = -values[cells[::2], target]
        node[cells[80:], target] = 1
    sizes = jnp.stack([jnp.full(targets, 80.0), jnp.full(targets, 60.0)])
    allowed = rng.random((2, TFS, targets)) < 0.8
    walked, binned = (
        find_splits(draw.search, jnp.float32(values), node, sizes, allowed) for draw in draws
    )
    np.testing.assert_array_equal(walked.slot, binned.slot)
    np.testing.assert_allclose(walked.gain, binned.gain, rtol=1e-6)
    np.testing.assert_array_equal(walked.cut, binned.cut / 2 + 0.25)
    assert (walked.gain > 0).all()


# Scores


@pytest.mark.slow
def test_scores_are_those_of_exact_cuts_where_values_are_few(coarse, monkeypatch):
    def score(cuts):
        config = GRNBoost2Config(rounds=30, depth=2, cuts=cuts)
        return boosting.score_targets(coarse, np.arange(TFS + TARGETS), config, seed=0)

    exact = score("exact")
    np.testing.assert_allclose(score("binned"), exact, atol=1e-5 * exact.max())
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(score("binned"), exact, atol=0.03 * exact.max())
    monkeypatch.setattr(binned_cuts, "FACTORS", jnp.float32)
    np.testing.assert_allclose(score("binned"), exact, atol=1e-5 * exact.max())


@pytest.mark.slow
def test_cells_without_counts_and_targets_among_tfs_have_the_same_trees(coarse, monkeypatch):
    """Most cells are in one bin, batches of targets are narrow, and some targets are TFs."""
    expression = coarse.expression.copy()
    expression[np.arange(CELLS) % 3 > 0, :TFS] = 0
    genes = dataclasses.replace(coarse, expression=expression)

    def score(cuts, targets=tuple(range(TFS + TARGETS))):
        config = GRNBoost2Config(rounds=20, depth=2, tf_share=0.4, cuts=cuts)
        return boosting.score_targets(genes, np.array(targets), config, seed=1)

    exact, binned = score("exact"), score("binned")
    agree = np.isclose(binned, exact, atol=1e-5 * exact.max())
    assert agree.mean() > 0.8  # but for TFs that cut few cells just like another
    monkeypatch.setattr(sparse_cuts, "WIDEST", 4)
    np.testing.assert_array_equal(score("binned"), binned)
    some = np.array([TFS + 2, 3])
    np.testing.assert_array_equal(score("binned", some), binned[:, some])


@pytest.mark.slow
def test_other_places_of_the_targets_permute_the_scores(coarse):
    config = GRNBoost2Config(rounds=40, cuts="binned")
    order = np.append(np.arange(TFS), TFS + np.random.default_rng(0).permutation(TARGETS))
    moved = dataclasses.replace(coarse, expression=coarse.expression[:, order])
    scores, permuted = (
        boosting.score_targets(table, np.arange(TFS + TARGETS), config, seed=0)
        for table in (coarse, moved)
    )
    np.testing.assert_array_equal(permuted, scores[:, order])


def test_many_cells_have_bins_unless_cuts_must_be_exact(monkeypatch):
    few, many = MANY_CELLS - 1, MANY_CELLS
    for backend, binned in ("gpu", Binned), ("cpu", SparseBinned):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        assert GRNBoost2Config().searcher(few) is Presorted
        assert GRNBoost2Config().searcher(many) is binned
        assert GRNBoost2Config(cuts="binned").searcher(few) is binned
        assert GRNBoost2Config(cuts="exact").searcher(many) is Presorted


def test_a_table_of_bins_adds_up_what_lies_below_each_cut():
    rng = np.random.default_rng(0)
    bins, values = rng.integers(BINS, size=(3, 50)), rng.integers(9, size=(50, 4))
    bins[:, :30] = 7
    found = sparse_cuts.sort_into_bins(bins).add_up(values, values.sum(axis=0))
    for cut, slot in np.ndindex(BINS - 1, 3):
        np.testing.assert_array_equal(found[cut, slot], values[bins[slot] <= cut].sum(axis=0))


def test_a_weak_cut_of_many_cells_is_found_although_values_are_far_from_0():
    """Sums of 400,000 values near 1,000 lose more to rounding than this TF explains."""
    rng, cells = np.random.default_rng(0), 400_000
    bins = rng.integers(3, size=(2, cells)).astype(np.int8)
    values = (1000 + rng.normal(size=(cells, 1)) + 0.02 * bins[1, :, None]).astype(np.float32)
    node = sparse_cuts.NodeSums(np.float32([cells]), values.sum(axis=0), np.ones(1, bool))
    inside, allowed = np.ones((cells, 1), bool), np.ones((2, 1), bool)
    cut = sparse_cuts.find_cut(sparse_cuts.sort_into_bins(bins), values, inside, node, allowed)
    assert cut.slot == [1] and cut.place in (0, 1) and cut.below.grows.all()
    np.testing.assert_array_equal(cut.below.size, (bins[1] <= cut.place).sum())
    below = values[bins[1] <= cut.place].astype(float)
    np.testing.assert_allclose(cut.below.mean, below.mean(), atol=1e-3)
