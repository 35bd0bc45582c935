"""Enrichment scores are those of a running sum, gene by gene; the null is that of random sets."""

import numpy as np
import pytest

from grnjax.methods.enhancer.leading_edge import (
    GeneSet,
    LeadingEdgeConfig,
    find_leading_edges,
    running_extremes,
)


def run_through(members, weights):
    """The score and the size of the leading edge by the definition, one gene after another."""
    is_member = np.isin(np.arange(len(weights)), members)
    total, missing = weights[members].sum(), len(weights) - len(members)
    height, heights = 0.0, []
    for weight, member in zip(weights, is_member):
        height += weight / total if member else -1 / missing
        heights.append(height)
    heights = np.array(heights)
    place = np.abs(heights).argmax()
    if heights[place] > 0:
        return heights[place], is_member[: place + 1].sum()
    return heights[place], is_member[place + 1 :].sum()


@pytest.mark.parametrize("seed", range(20))
def test_the_score_is_the_largest_deviation_of_the_running_sum(seed):
    rng = np.random.default_rng(seed)
    weights = np.sort(rng.exponential(size=60))[::-1]
    weights[rng.integers(30, 60) :] = 0
    members = np.sort(rng.choice(60, rng.integers(3, 40), replace=False))
    score, edge = running_extremes(members, weights)
    expected, size = run_through(members, weights)
    assert score == pytest.approx(expected, abs=1e-12) and edge == size


def test_many_sets_at_once_are_as_each_alone():
    rng = np.random.default_rng(0)
    weights = np.sort(rng.random(50))[::-1]
    sets = np.sort(np.array([rng.choice(50, 8, replace=False) for _ in range(30)]), axis=1)
    scores, edges = running_extremes(sets, weights)
    for members, score, edge in zip(sets, scores, edges):
        assert (score, edge) == running_extremes(members, weights)


def test_sets_without_weight_and_sets_of_all_genes_have_no_score():
    weights = np.array([3.0, 1, 0, 0, 0])
    assert running_extremes(np.array([2, 4]), weights) == (0, 0)
    assert running_extremes(np.arange(5), weights) == (0, 0)


def test_planted_sets_are_enriched_and_random_ones_are_not():
    rng = np.random.default_rng(1)
    weights = np.sort(rng.exponential(size=(2, 400)), axis=1)[:, ::-1]
    planted = [GeneSet(i % 2, np.sort(rng.choice(80, 20, replace=False))) for i in range(10)]
    chance = [GeneSet(i % 2, np.sort(rng.choice(400, 20, replace=False))) for i in range(200)]
    config = LeadingEdgeConfig()
    found = find_leading_edges(weights, planted + chance, config, seed=0)
    passed = found.passes(config)
    assert passed[:10].all() and passed[10:].sum() <= 2
    assert 0.01 < (found.p[10:] < 0.05).mean() < 0.1, "p is uniform under the null"
    again = find_leading_edges(weights, (planted + chance)[::-1], config, seed=0)
    np.testing.assert_array_equal(again.p[::-1], found.p)
    np.testing.assert_array_equal(again.q[::-1], found.q)
    other = find_leading_edges(weights, planted + chance, config, seed=1)
    assert (other.p != found.p).any()


def test_p_counts_random_sets_of_the_same_size():
    weights = np.sort(np.random.default_rng(2).exponential(size=40))[::-1]
    members = np.array([0, 1, 3, 6, 9])
    config = LeadingEdgeConfig(permutations=2000)
    found = find_leading_edges(weights[None], [GeneSet(0, members)], config, seed=0)
    rng = np.random.default_rng(3)
    null = [run_through(rng.choice(40, 5, replace=False), weights)[0] for _ in range(2000)]
    expected = (np.sum(np.array(null) >= found.score[0]) + 1) / 2001
    assert abs(found.p[0] - expected) < 4 * np.sqrt(expected / 2000)
    ups = np.array([x for x in null if x > 0])
    assert found.normalised[0] == pytest.approx(found.score[0] / ups.mean(), rel=0.03)


def test_no_sets_are_no_trouble():
    found = find_leading_edges(np.zeros((0, 5)), [], LeadingEdgeConfig(), seed=0)
    assert len(found.p) == 0 and not found.passes(LeadingEdgeConfig()).any()
