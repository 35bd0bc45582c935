"""Performer attention is that of its formulas, whatever its blocks, and approaches the softmax."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.foundation import performer
from grnjax.foundation.performer import (
    Performer,
    PerformerConfig,
    attend_by_features,
    draw_directions,
)
from tests.foundation.coarse import list_coarse

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = PerformerConfig(width=12, layers=2, heads=3, head_width=8, features=20, feed_forward=24)


def make_heads(cells=2, tokens=23, heads=3, dim=8, scale=1.0):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, cells, tokens, heads, dim), scale=scale)
    return [jnp.asarray(x, jnp.float32) for x in values]


def make_directions(features=20, dim=8):
    return draw_directions(jax.random.key(1), features, dim)


def attend_by_formula(query, key, value, directions, over_batch):
    """The formulas of the module as they stand, in float64."""
    query, key, value, directions = (
        np.asarray(x, np.float64) for x in (query, key, value, directions)
    )
    dim, features = query.shape[-1], len(directions)

    def project(x):
        return (x * dim**-0.25) @ directions.T, (x**2).sum(axis=-1, keepdims=True) / 2 / dim**0.5

    u, g = project(query)
    phi_query = features**-0.5 * (np.exp(u - g - u.max(axis=-1, keepdims=True)) + 1e-4)
    u, g = project(key)
    most = u.max() if over_batch else u.max(axis=(1, 2, 3), keepdims=True)
    phi_key = features**-0.5 * (np.exp(u - g - most) + 1e-4)
    weights = np.einsum("cqhm,ckhm->chqk", phi_query, phi_key)
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("chqk,ckhd->cqhd", weights, value)


@pytest.fixture(params=["one block", "blocks"])
def blocks(request, monkeypatch):
    if request.param == "blocks":
        monkeypatch.setattr(performer, "FEATURES_AT_ONCE", 600)  # 5 tokens of 23


@pytest.mark.slow
@pytest.mark.parametrize("over_batch", [False, True])
@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_attention_is_that_of_the_formulas(blocks, over_batch, scale):
    heads, directions = make_heads(scale=scale), make_directions()
    actual = attend_by_features(*heads, directions, over_batch=over_batch)
    wanted = attend_by_formula(*heads, directions, over_batch)
    np.testing.assert_allclose(actual, wanted, atol=2e-6, rtol=1e-5)


@pytest.mark.slow
def test_gradients_do_not_depend_on_blocks(monkeypatch):
    heads, directions = make_heads(), make_directions()

    def gradient():
        loss = lambda *heads: jnp.sum(jnp.sin(attend_by_features(*heads, directions)))  # noqa: E731
        return jax.grad(loss, argnums=(0, 1, 2))(*heads)

    whole = gradient()
    monkeypatch.setattr(performer, "FEATURES_AT_ONCE", 600)
    for one, other in zip(whole, gradient(), strict=True):
        assert np.abs(one).max() > 1e-2
        np.testing.assert_allclose(one, other, atol=2e-6)


@pytest.mark.slow
def test_many_features_come_near_softmax_attention(monkeypatch):
    """But for the epsilon, which draws the weights together however many features there are."""
    monkeypatch.setattr(performer, "KERNEL_EPSILON", 0.0)
    query, key, value = make_heads(scale=0.4)
    wanted = jax.nn.dot_product_attention(query, key, value)
    attend = jax.jit(attend_by_features)
    errors = [
        np.abs(attend(query, key, value, make_directions(m)) - wanted).mean() for m in (8, 2048)
    ]
    assert errors[0] > 5 * errors[1], errors
    assert errors[1] < 0.05 * np.abs(wanted).mean(), errors


@pytest.mark.slow
def test_a_cell_depends_on_the_others_only_with_the_maximum_of_the_batch():
    heads, directions = make_heads(cells=3, scale=2.0), make_directions()
    alone = [attend_by_features(*(x[i : i + 1] for x in heads), directions)[0] for i in range(3)]
    np.testing.assert_allclose(attend_by_features(*heads, directions), alone, atol=2e-6)
    turned = attend_by_features(*(x[::-1] for x in heads), directions)[::-1]
    np.testing.assert_allclose(turned, alone, atol=2e-6)
    coupled = attend_by_features(*heads, directions, over_batch=True)
    assert np.abs(coupled - np.stack(alone)).max() > 1e-4


def test_directions_are_orthogonal_by_blocks_and_as_long_as_gaussian_vectors():
    directions = np.asarray(draw_directions(jax.random.key(0), 600, 64))
    assert directions.shape == (600, 64)
    products = directions[:64] @ directions[:64].T
    lengths = np.linalg.norm(directions, axis=1)
    np.testing.assert_allclose(products, np.diag(lengths[:64] ** 2), atol=1e-3)
    assert abs(lengths.mean() - np.sqrt(63.5)) < 0.1 and lengths.std() > 0.5


@pytest.mark.slow
def test_directions_are_no_parameters():
    variables = start(SMALL)
    assert {*variables} == {"params", "buffers"}
    names = {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(variables)}
    assert {name for name in names if "projection" in name} == {
        "['buffers']['layer_0']['projection']",
        "['buffers']['layer_1']['projection']",
    }
    first, second = (variables["buffers"][f"layer_{i}"]["projection"] for i in range(2))
    assert np.abs(first - second).max() > 0.1


def make_tokens(cells=2, tokens=23):
    rng = np.random.default_rng(2)
    return jnp.asarray(rng.normal(size=(cells, tokens, SMALL.width)), jnp.float32)


def start(config):
    return Performer(config).init(jax.random.key(0), make_tokens(), train=False)


@pytest.mark.slow
def test_layers_follow_their_tokens():
    """Tokens in another order come out in that order: only their vectors say their place."""
    x, variables = make_tokens(), start(SMALL)
    order = np.random.default_rng(0).permutation(x.shape[1])
    whole = Performer(SMALL).apply(variables, x, train=False)
    turned = Performer(SMALL).apply(variables, x[:, order], train=False)
    np.testing.assert_allclose(turned, whole[:, order], atol=5e-6)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"recompute": True}, {"scan": True}])
def test_how_layers_are_run_changes_neither_results_nor_gradients(changes):
    x, variables = make_tokens(), start(SMALL)

    def learn(config):
        def loss(params):
            buffers = {"buffers": variables["buffers"]}
            given = {"params": params} | buffers
            return jnp.sum(jnp.sin(Performer(config).apply(given, x, train=False)))

        return jax.jit(jax.value_and_grad(loss))(variables["params"])

    plain, again = learn(SMALL), learn(dataclasses.replace(SMALL, **changes))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), plain, again)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"scan": True}])
def test_dropout_is_of_training_alone(changes):
    x, variables = make_tokens(), start(SMALL)
    model = Performer(dataclasses.replace(SMALL, dropout=0.2, **changes))

    def run(seed=0, train=True):
        return model.apply(variables, x, train=train, rngs={"dropout": jax.random.key(seed)})

    whole = Performer(SMALL).apply(variables, x, train=False)
    np.testing.assert_allclose(run(train=False), whole, atol=1e-5)
    np.testing.assert_array_equal(run(), run())
    assert np.abs(run(0) - run(1)).max() > 0.01


@pytest.mark.slow
def test_bfloat16_is_near_float32_and_its_parameters_are_float32():
    x, half = make_tokens(), dataclasses.replace(SMALL, dtype="bfloat16")
    variables = start(half)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    whole, near = (Performer(config).apply(variables, x, train=False) for config in (SMALL, half))
    assert near.dtype == jnp.float32
    difference = np.abs(near - whole).max()
    assert 0 < difference < 0.05 * np.abs(whole).max()

    def loss(params):
        given = {"params": params, "buffers": variables["buffers"]}
        return jnp.sum(Performer(half).apply(given, x, train=False) ** 2)

    assert list_coarse(jax.make_jaxpr(loss)(variables["params"])) == {"dot_general"}
    backward = list_coarse(jax.make_jaxpr(jax.grad(loss))(variables["params"]))
    assert backward == {"dot_general", "exp"}  # that of the slope of GELU
