"""A push spreads along paths: the closed form is the sum over them, with signs, without cycles."""

import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.propagation import propagate


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, 9)) * (rng.random((4, 9)) < 0.6)
    tfs = np.array([0, 2, 3, 7], np.int32)
    weights[np.arange(4), tfs] = 0
    return weights.astype(np.float32), tfs


def test_the_closed_form_is_the_sum_over_all_paths(network):
    weights, tfs = network
    whole = np.zeros((9, 9))
    heard = np.abs(weights).sum(axis=0)
    whole[tfs] = weights / np.where(heard > 0, heard, 1)
    total, power = np.zeros((9, 9)), np.eye(9)
    for _ in range(200):
        power = 0.5 * power @ whole
        total += power
    found = propagate(jnp.asarray(weights), jnp.asarray(tfs), 0.5)
    np.testing.assert_allclose(found, total[tfs], atol=1e-5)


def test_a_chain_damps_and_multiplies_its_signs():
    weights = np.zeros((2, 3), np.float32)
    weights[0, 1], weights[1, 2] = -2.0, 3.0  # 0 -| 1 -> 2
    found = np.asarray(propagate(jnp.asarray(weights), jnp.arange(2), 0.5))
    np.testing.assert_allclose(found[0], [0, -0.5, -0.25], atol=1e-6)
    np.testing.assert_allclose(found[1], [0, 0, 0.5], atol=1e-6)


def test_renamed_genes_permute_the_effects(network):
    weights, tfs = network
    order = np.random.default_rng(1).permutation(9)
    place = np.argsort(order).astype(np.int32)  # where each gene went
    found = propagate(jnp.asarray(weights), jnp.asarray(tfs), 0.5)
    moved = propagate(jnp.asarray(weights[:, order]), jnp.asarray(place[tfs]), 0.5)
    np.testing.assert_allclose(moved, np.asarray(found)[:, order], atol=1e-6)
