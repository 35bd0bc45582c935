import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.layers import Dropout, JoinedDense, LeakyMLP

SHAPE = (400, 300)


def drop(share, seed, x=None, *, train=True):
    x = jnp.ones(SHAPE) if x is None else x
    return Dropout(share).apply({}, x, train=train, rngs={"dropout": jax.random.key(seed)})


@pytest.mark.parametrize("share", [0.1748, 0.5, 0.93])
def test_dropout_zeros_its_share_and_keeps_the_mean(share):
    result = np.asarray(drop(share, 0))
    assert np.unique(result).tolist() == pytest.approx([0, 1 / (1 - share)])
    error = np.sqrt(share * (1 - share) / result.size)
    assert (result == 0).mean() == pytest.approx(share, abs=4 * error)


def test_dropout_decides_about_each_place_by_itself():
    """Neighbours in rows and columns, and the next seed, say nothing about a place."""
    kept = np.stack([np.asarray(drop(0.5, seed)) > 0 for seed in range(8)]) - 0.5
    for one, other in [
        (kept[:, 1:], kept[:, :-1]),
        (kept[:, :, 1:], kept[:, :, :-1]),
        (kept[1:], kept[:-1]),
    ]:
        assert abs((one * other).mean()) < 4 * 0.25 / np.sqrt(one.size)


@pytest.mark.slow
def test_dropout_depends_on_its_key_alone():
    assert (drop(0.5, 1) == drop(0.5, 1)).all()
    assert (drop(0.5, 1) != drop(0.5, 2)).any()
    together = jax.vmap(lambda seed: drop(0.5, seed))(jnp.arange(3))
    assert (together == jnp.stack([drop(0.5, seed) for seed in range(3)])).all()


def test_dropout_is_off_when_a_model_is_judged():
    x = jnp.arange(6.0)
    assert (drop(0.5, 0, x, train=False) == x).all()


@pytest.mark.slow
def test_a_joined_layer_equals_a_dense_one_on_the_joined_matrix():
    rng = np.random.default_rng(0)
    frozen, x = (jnp.asarray(rng.normal(size=(5, dim)), jnp.float32) for dim in (3, 2))
    layer = JoinedDense(4)
    variables = layer.init(jax.random.key(0), frozen, x)
    joined = jnp.concatenate([frozen, x], axis=1)

    def ours(params):
        return jnp.sum(jnp.sin(layer.apply({"params": params}, frozen, x)))

    def dense(params):
        return jnp.sum(jnp.sin(nn.Dense(4).apply({"params": params}, joined)))

    params = variables["params"]
    fresh = nn.Dense(4).init(jax.random.key(0), joined)["params"]
    np.testing.assert_array_equal(params["kernel"], fresh["kernel"])
    for one, other in zip(
        jax.tree.leaves(jax.value_and_grad(ours)(params)),
        jax.tree.leaves(jax.value_and_grad(dense)(params)),
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_an_mlp_without_a_frozen_part_has_the_usual_shape():
    x = jnp.ones((5, 3))
    variables = LeakyMLP((4, 2)).init(jax.random.key(0), x[:, :0], x, train=False)
    kernels = {name: layer["kernel"].shape for name, layer in variables["params"].items()}
    assert kernels == {"layer_0": (3, 4), "layer_1": (4, 2)}
