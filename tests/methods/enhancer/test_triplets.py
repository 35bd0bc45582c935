"""The chance of three ranks in closed form, by recursion, and by drawing them."""

import math

import numpy as np
import pytest

from grnjax.methods.enhancer.triplets import (
    order_statistic,
    rank_ratios,
    rank_triplets,
)


def order_statistic_by_recursion(ratios):
    """Of any number of ratios, V_k = sum over i of (-1)^(i-1) V_(k-i) / i! r_(n-k+1)^i."""
    ranked, size = sorted(ratios), len(ratios)
    values = [1.0]
    for k in range(1, size + 1):
        ratio = ranked[size - k]
        terms = (
            (-1) ** (i - 1) * values[k - i] / math.factorial(i) * ratio**i for i in range(1, k + 1)
        )
        values.append(sum(terms))
    return math.factorial(size) * values[size]


def test_the_closed_form_is_the_recursion():
    ratios = np.random.default_rng(0).random((500, 3))
    ratios[0], ratios[1] = 1, [0.5, 0.5, 1]
    expected = [order_statistic_by_recursion(row) for row in ratios]
    np.testing.assert_allclose(order_statistic(ratios), expected, rtol=0, atol=1e-14)


def test_it_is_the_chance_that_all_order_statistics_are_as_small():
    drawn = np.sort(np.random.default_rng(1).random((200_000, 3)), axis=1)
    for ratios in ([0.2, 0.5, 0.9], [0.1, 0.1, 0.6], [0.4, 0.8, 1.0]):
        share = (drawn <= np.sort(ratios)).all(axis=1).mean()
        assert order_statistic(np.array(ratios)) == pytest.approx(share, abs=0.005)
    assert order_statistic(np.ones(3)) == 1


def test_ranks_start_with_the_largest_and_equal_values_share_theirs():
    np.testing.assert_allclose(rank_ratios(np.array([5.0, 1, 5, 3])), [0.375, 1, 0.375, 0.75])


def test_the_best_triplet_has_rank_0_and_ties_depend_on_the_seed_alone():
    motif, worth = np.array([3.0, 2, 1, 1, 1]), np.array([9.0, 4, 4, 4, 4])
    score, rank = rank_triplets(motif, worth, worth, seed=0)
    assert rank[0] == 0 and rank[1] == 1 and sorted(rank) == [0, 1, 2, 3, 4]
    assert (np.diff(score[np.argsort(rank)]) >= 0).all()
    ranks = {tuple(rank_triplets(motif, worth, worth, seed=seed)[1]) for seed in range(9)}
    assert len(ranks) > 1
    assert tuple(rank_triplets(motif, worth, worth, seed=0)[1]) == tuple(rank)
