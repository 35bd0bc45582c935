"""Intervals of groups of cells: they hold what is true, and find what differs."""

import numpy as np
import pytest

from grnjax.evaluation.group_differences import (
    bootstrap_cells,
    bound_correlation,
    bound_share,
    contrast_groups,
)

RNG = np.random.default_rng(0)


def draw_pair(cells, r):
    """Two genes with this correlation, [cell, 2]."""
    return RNG.multivariate_normal([2, 5], [[1, r], [r, 1]], size=cells)


def compare(groups, resamples=300):
    """Correlation of the first two genes of each group, and the contrast."""
    pair = np.array([0]), np.array([1])
    found = [
        bootstrap_cells(x, *pair, resamples=resamples, rng=np.random.default_rng(k))[1]
        for k, x in enumerate(groups)
    ]
    stacked = [np.stack(figures) for figures in zip(*found, strict=True)]
    return found, contrast_groups(*stacked)


def test_figures_are_those_of_numpy_and_lie_in_their_intervals():
    x = RNG.normal(size=(200, 4)) + np.arange(4)
    tfs, targets = np.array([0, 0, 3]), np.array([1, 2, 0])
    means, r = bootstrap_cells(x, tfs, targets, resamples=200, rng=np.random.default_rng(0))
    np.testing.assert_allclose(means.value, x.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(r.value, np.corrcoef(x.T)[tfs, targets], atol=1e-5)
    assert ((r.low < r.value) & (r.value < r.high)).all()
    error = x.std(axis=0) / np.sqrt(200)
    np.testing.assert_allclose(means.high - means.low, 2 * 1.96 * error, rtol=0.2)


def test_a_planted_difference_is_told_and_its_interval_holds_it():
    groups = [draw_pair(300, 0.7), draw_pair(300, 0.0), draw_pair(300, 0.0)]
    found, other = compare(groups)
    assert found[0].low > 0.5 and found[1].low < 0 < found[1].high
    assert other.low[0, 0] > 0 and other.q[0, 0] < 0.001
    assert other.low[0, 0] < 0.7 < other.high[0, 0]


def test_groups_alike_are_not_told_apart_more_often_than_stated():
    def differ():
        _, other = compare([draw_pair(80, 0.4) for _ in range(3)], resamples=100)
        return ((other.low > 0) | (other.high < 0)).ravel()

    share = np.mean([differ() for _ in range(60)])
    assert share < 0.1  # 5 % of 180, which has a deviation of 1.6 %


def test_sparse_genes_without_a_cell_in_common_are_not_sure_of_it():
    x = np.zeros((150, 2))
    x[:15, 0], x[15:30, 1] = 1, 1
    _, r = bootstrap_cells(
        x, np.array([0]), np.array([1]), resamples=200, rng=np.random.default_rng(0)
    )
    assert r.value[0] < -0.1 and r.high[0] > 0  # as of random pairings, with 1 / sqrt(149)


def test_a_gene_that_no_cell_has_may_be_in_some():
    share = bound_share(np.array([0, 15, 30]), 30)
    assert share.low[0] == 0 and 0.1 < share.high[0] < 0.13  # Wilson (1927)
    assert share.low[1] < 0.5 < share.high[1] and share.high[2] == 1


def test_large_groups_count_as_small_ones_and_missing_figures_not_at_all():
    value = np.array([[0.9], [0.1], [0.3], [np.nan]])
    other = contrast_groups(value, value - 0.05, value + 0.05)
    np.testing.assert_allclose(other.difference[:3, 0], [0.7, -0.5, -0.2])
    reach = np.sqrt(0.05**2 + 2 * 0.05**2 / 4)
    np.testing.assert_allclose(other.high[0] - other.difference[0], reach)
    assert np.isnan(other.q[3, 0]) and other.q[0, 0] < other.q[2, 0]
    alone = contrast_groups(value[:1], value[:1], value[:1])
    assert np.isnan(alone.difference).all() and np.isnan(alone.q).all()


def test_a_constant_gene_has_no_correlation():
    x = np.stack([np.full(50, 3.0), RNG.normal(size=50)], axis=1)
    means, r = bootstrap_cells(
        x, np.array([0]), np.array([1]), resamples=100, rng=np.random.default_rng(0)
    )
    assert np.isnan(r.value[0]) and means.low[0] == means.high[0] == 3


@pytest.mark.parametrize("r", [-1.0, 0.0, 1.0])
def test_fishers_interval_holds_r_at_its_ends(r):
    found = bound_correlation(np.array([r]), 50)
    assert found.low[0] <= r <= found.high[0] and np.isfinite(found).all()
