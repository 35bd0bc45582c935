"""The scorer of lists starts at the look-up, and treats genes and TFs alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.list_scorer import ListScorer, ListScorerConfig

MODEL = ListScorer(ListScorerConfig(width=4), (0, 1))


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(3, 7, 5))), jnp.asarray(rng.normal(size=(3, 2)))


def perturb(parameters):
    """Parameters as training may leave them."""
    keys = iter(jax.random.split(jax.random.key(1), 20))
    return jax.tree.map(lambda x: x + 0.3 * jax.random.normal(next(keys), x.shape), parameters)


@pytest.mark.slow
def test_it_starts_at_the_sum_of_its_columns(inputs):
    variables = MODEL.init(jax.random.key(0), *inputs)
    found = MODEL.apply(variables, *inputs)
    np.testing.assert_allclose(found, inputs[0][..., 0] + inputs[0][..., 1], rtol=1e-6)


@pytest.mark.slow
def test_each_gene_is_scored_by_itself_and_its_tf(inputs):
    pairs, tfs = inputs
    variables = perturb(MODEL.init(jax.random.key(0), *inputs))
    order = np.array([3, 0, 6, 1, 5, 2, 4])
    found, moved = MODEL.apply(variables, *inputs), MODEL.apply(variables, pairs[:, order], tfs)
    np.testing.assert_allclose(moved, found[:, order], rtol=1e-5, atol=1e-6)
    other = MODEL.apply(variables, pairs, tfs.at[1].add(1.0))
    np.testing.assert_allclose(other[::2], found[::2], rtol=1e-5, atol=1e-6)
    assert np.ptp(np.asarray(other[1] - found[1])) > 1e-3  # not a shift of all genes alone
