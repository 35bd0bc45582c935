"""scFoundation: a cell for itself, zeros and depths as they count, random weights of any size."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scfoundation import ScFoundationConfig, find_largest, pool_all
from grnjax.foundation.scfoundation_weights import RULES, to_published
from grnjax.foundation.transformer import TransformerConfig
from grnjax.foundation.weights import strip_prefix, to_flax

pytestmark = pytest.mark.usefixtures("compile_quickly")

CONFIG = ScFoundationConfig(
    genes=29,
    value_bins=6,
    encoder=TransformerConfig(layers=2, width=16, heads=2, feed_forward=24, norm_epsilon=1e-5),
    decoder=PerformerConfig(
        width=12, layers=2, heads=3, head_width=8, features=20, feed_forward=24, bias=True
    ),
)
PARTS = ("encoder", "decoder")


@pytest.fixture(scope="module")
def variables():
    """Norms and biases drawn too, so that all of them count."""
    rng = np.random.default_rng(0)
    drawn = jax.jit(CONFIG.init)(jax.random.key(0))
    return jax.tree.map(lambda x: x + rng.normal(size=x.shape, scale=0.2).astype("f4"), drawn)


@pytest.fixture(scope="module")
def values():
    """Three cells of 5, 11 and 20 expressed genes, and their depths."""
    rng = np.random.default_rng(1)
    values = np.zeros((3, CONFIG.places), np.float32)
    for cell, count in enumerate((5, 11, 20)):
        values[cell, rng.permutation(CONFIG.genes)[:count]] = rng.uniform(0.2, 6, count)
    values[:, CONFIG.genes :] = rng.uniform(2.5, 4, (3, 2))
    return values


def select(values, length=22):
    """The expressed places in order, padded: places and which are real."""
    counts = (values > 0).sum(axis=1)
    is_real = np.arange(length) < counts[:, None]
    places = np.full(is_real.shape, CONFIG.places, np.int32)
    places[is_real] = np.nonzero(values > 0)[1]
    return places, is_real


@functools.partial(jax.jit, static_argnums=4)
def decode(variables, values, places, is_real, config=CONFIG):
    """Vectors of all places."""
    model = config.make()
    picked = jnp.take_along_axis(values, places.clip(0, config.places - 1), axis=1)
    encoded = model.apply(variables, picked, places, is_real, train=False, method="encode")
    return model.apply(variables, values, encoded, places, is_real, train=False, method="decode")


def run(variables, values, length=22, config=CONFIG):
    return np.asarray(decode(variables, values, *select(values, length), config))


@pytest.mark.slow
@pytest.mark.parametrize("length", [22, 32, 64])
def test_a_cell_does_not_depend_on_its_batch_its_place_or_padding(variables, values, length):
    whole = run(variables, values)
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(run(variables, values[order], length), whole[order], atol=1e-5)
    for cell, own in enumerate((values > 0).sum(axis=1)):
        alone = run(variables, values[[cell]], int(own))  # without any padding
        np.testing.assert_allclose(alone[0], whole[cell], atol=1e-5)


@pytest.mark.slow
def test_with_the_maximum_of_the_batch_it_does(variables, values):
    decoder = dataclasses.replace(CONFIG.decoder, key_maximum="batch")
    coupled = run(variables, values, config=dataclasses.replace(CONFIG, decoder=decoder))
    assert np.abs(coupled - run(variables, values)).max() > 1e-5


@pytest.mark.slow
def test_genes_in_another_order_are_the_same_cell_with_their_vectors(variables, values):
    order = np.append(np.random.default_rng(0).permutation(CONFIG.genes), [29, 30])
    moved = jax.tree.map(lambda x: x, variables)
    table = variables["params"]["pos_emb"]["embedding"]
    moved["params"]["pos_emb"]["embedding"] = table[np.append(order, 31)]
    whole = run(variables, values)
    np.testing.assert_allclose(run(moved, values[:, order]), whole[:, order], atol=1e-5)
    assert np.abs(run(variables, values[:, order]) - whole[:, order]).max() > 0.01


@pytest.mark.slow
def test_the_depth_that_is_asked_for_changes_the_vectors(variables, values):
    deeper = values.copy()
    deeper[:, CONFIG.genes] += 1
    assert np.abs(run(variables, deeper) - run(variables, values)).max() > 1e-3


@pytest.mark.slow
def test_genes_that_were_not_aligned_are_refused(variables, values):
    with pytest.raises(ConfigError, match="30 values a cell, and the decoder needs 31: one for ea"):
        decode(variables, values[:, :-1], *select(values))


@pytest.mark.slow
def test_expression_of_the_whole_model(variables, values):
    """One call is the encoder, the decoder and the last map one after the other."""
    model, (places, is_real) = CONFIG.make(), select(values)
    whole = jax.jit(functools.partial(model.apply, train=False))
    expression = whole(variables, values, places, is_real)
    wanted = model.apply(variables, run(variables, values), method="express")
    assert expression.shape == values.shape
    np.testing.assert_allclose(expression, wanted, atol=1e-5)


def test_poolings_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    encoded = rng.normal(size=(4, 9, 3)).astype(np.float32)
    places = np.array([rng.permutation(12)[:9] for _ in range(4)])
    places[:, :2] = [[10, 11], [11, 10], [11, 10], [10, 11]]
    is_real = rng.random((4, 9)) < 0.7
    is_real[:, :2] = True
    is_real[3, 2:] = False  # no gene at all
    places[:, 2:] = np.minimum(places[:, 2:], 9)
    pooled = np.asarray(pool_all(encoded, places, is_real, genes=10))
    for cell in range(4):
        own, real = encoded[cell], is_real[cell]
        depth = [own[places[cell] == place][0] for place in (11, 10)]
        genes = own[real & (places[cell] < 10)]
        genes = genes if len(genes) else np.zeros((1, 3))
        wanted = np.concatenate([*depth, genes.max(axis=0), genes.mean(axis=0)])
        np.testing.assert_allclose(pooled[cell], wanted, atol=1e-6)
        largest = find_largest(encoded[[cell]], is_real[[cell]])[0]
        np.testing.assert_allclose(largest, own[real].max(axis=0))
    assert not np.asarray(find_largest(encoded, np.zeros((4, 9), bool))).any()


@pytest.mark.slow
def test_recomputing_and_bfloat16(variables, values):
    def change(**settings):
        parts = {n: dataclasses.replace(getattr(CONFIG, n), **settings) for n in PARTS}
        return run(variables, values, config=dataclasses.replace(CONFIG, **parts))

    whole = run(variables, values)
    np.testing.assert_allclose(change(recompute=True), whole, atol=1e-6)
    assert 0 < np.abs(change(dtype="bfloat16") - whole).max() < 0.1 * np.abs(whole).max()


@pytest.mark.slow
def test_what_is_written_is_read_again(variables):
    written = strip_prefix(to_published(variables), "model.")
    read = to_flax(written, RULES, jax.eval_shape(CONFIG.init, jax.random.key(0)))
    jax.tree.map(np.testing.assert_array_equal, read, variables)
