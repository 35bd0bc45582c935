"""Expression cut into states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnjax.baselines.discretise import StateConfig, bayesian_blocks, cut, find_states
from grnjax.types import GeneTable

BLOCKS = StateConfig()
EQUAL = StateConfig(states="equal-width", bins=4)


def slow_fitness(values, edges):
    """Fitness of a histogram as Bayesian blocks sees it, block by block."""
    distinct = np.unique(values)
    total = 0
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        last = high == edges[-1]
        inside = np.sum((values >= low) & ((values < high) | last))
        k = np.sum((distinct < high) | last)
        total += inside * np.log(inside / (high - low)) - 4 + np.log(73.53 * 0.05 * k**-0.478)
    return total


@given(st.lists(st.integers(0, 30), min_size=2, max_size=7, unique=True), st.integers(0, 1000))
def test_no_other_histogram_is_fitter(levels, seed):
    rng = np.random.default_rng(seed)
    values = np.repeat(np.sort(levels).astype(float), rng.integers(1, 9, size=len(levels)))
    middles = np.unique(values)[:-1] + np.diff(np.unique(values)) / 2
    best = -np.inf
    for chosen in range(2 ** len(middles)):
        inner = middles[[bool(chosen >> i & 1) for i in range(len(middles))]]
        edges = np.concatenate([values[:1], inner, values[-1:]])
        best = max(best, slow_fitness(values, edges))
    assert slow_fitness(values, bayesian_blocks(values)) == pytest.approx(best, abs=1e-9)


def test_two_kinds_of_cells_become_two_kinds_of_states():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 0.1, 100), rng.normal(5, 0.1, 100)
    state = cut(np.concatenate([low, high]), BLOCKS)
    of_both = set(state[:100]) & set(state[100:])  # one may reach across the gap
    assert np.isin(state, list(of_both)).sum() <= 4
    assert len(set(state)) < 12


def test_cells_without_counts_are_a_state_of_their_own():
    rng = np.random.default_rng(1)
    values = np.concatenate([np.zeros(60), rng.uniform(1, 3, 140)])
    state = cut(values, BLOCKS)
    assert set(state[:60]) == {0} and 0 not in state[60:]


def test_states_do_not_depend_on_the_order_of_cells_or_on_the_unit():
    rng = np.random.default_rng(2)
    values, order = rng.gamma(0.5, size=150), rng.permutation(150)
    for config in (BLOCKS, EQUAL):
        state = cut(values, config)
        np.testing.assert_array_equal(cut(values[order], config), state[order])
        np.testing.assert_array_equal(cut(8 * values, config), state)
        assert (np.diff(state[np.argsort(values)]) >= 0).all() and state.max() > 0


def test_equal_widths_are_equal():
    values = np.array([0.0, 0.9, 1.0, 1.9, 2.5, 3.1, 4.0])
    np.testing.assert_array_equal(cut(values, EQUAL), [0, 0, 1, 1, 2, 3, 3])


def test_only_genes_with_two_states_are_kept_and_every_cell_is_in_one_of_them():
    rng = np.random.default_rng(4)
    expression = np.concatenate([np.zeros((80, 2)), rng.integers(0, 2, (80, 3)) * 4.0], axis=1)
    expression[:, 1] = 2
    genes = GeneTable(
        np.array(list("ABCDE")),
        np.ones(5, bool),
        expression.astype(np.float32),
        np.array([True, True, True, False, True]),
    )
    states = find_states(genes, np.array([4, 0, 1, 2, 3]), EQUAL)
    np.testing.assert_array_equal(states.genes, [2, 4])
    np.testing.assert_array_equal(states.sizes, [2, 2])
    np.testing.assert_array_equal(states.starts, [0, 2])
    np.testing.assert_array_equal(states.is_in[:, 1], expression[:, 2] / 4)
    assert (states.is_in[:, :2].sum(axis=1) == 1).all()
    one = states.take(np.array([1]))
    np.testing.assert_array_equal(one.is_in, states.is_in[:, 2:])
    assert list(one.genes) == [4]


def test_a_single_bin_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        StateConfig(bins=1)
