"""scBERT: a cell for itself, genes by their place, random weights of any size."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from grnjax.foundation.performer import PerformerConfig
from grnjax.foundation.scbert import RULES, ScBertConfig, read_config, to_published
from grnjax.foundation.weights import to_flax

pytestmark = pytest.mark.usefixtures("compile_quickly")

LAYERS = PerformerConfig(width=12, layers=2, heads=3, head_width=8, features=20, feed_forward=24)
CONFIG = ScBertConfig(genes=31, bins=7, performer=LAYERS)


@pytest.fixture(scope="module")
def variables():
    """Norms and biases drawn too, so that all of them count."""
    rng = np.random.default_rng(0)
    drawn = jax.jit(CONFIG.init)(jax.random.key(0))
    return jax.tree.map(lambda x: x + rng.normal(size=x.shape, scale=0.2).astype("f4"), drawn)


@pytest.fixture(scope="module")
def tokens():
    tokens = np.random.default_rng(1).integers(0, CONFIG.bins + 1, (4, CONFIG.genes + 1))
    tokens[:, -1] = 0
    tokens[0, 3] = CONFIG.mask
    return tokens.astype(np.int32)


def run(variables, tokens, config=CONFIG):
    apply = functools.partial(config.make().apply, train=False)
    return np.asarray(jax.jit(apply)(variables, tokens))


@pytest.mark.slow
def test_a_cell_does_not_depend_on_its_batch_or_its_place_in_it(variables, tokens):
    whole = run(variables, tokens)
    order = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(run(variables, tokens[order]), whole[order], atol=1e-5)
    for cell in range(len(tokens)):
        alone = run(variables, tokens[[cell]])
        np.testing.assert_allclose(alone[0], whole[cell], atol=1e-5)


@pytest.mark.slow
def test_with_the_maximum_of_the_batch_it_does(variables, tokens):
    layers = dataclasses.replace(LAYERS, key_maximum="batch")
    coupled = run(variables, tokens, dataclasses.replace(CONFIG, performer=layers))
    assert np.abs(coupled - run(variables, tokens)).max() > 1e-5


@pytest.mark.slow
def test_a_gene_is_known_by_its_place(variables, tokens):
    """The same bins over genes in another order are another cell, but for the vectors of places."""
    order = np.append(np.random.default_rng(0).permutation(CONFIG.genes), CONFIG.genes)
    whole = run(variables, tokens)
    assert np.abs(run(variables, tokens[:, order]) - whole[:, order]).max() > 0.01
    moved = {"buffers": dict(variables["buffers"]), "params": variables["params"]}
    moved["buffers"]["pos_emb"] = variables["buffers"]["pos_emb"][order]
    np.testing.assert_allclose(run(moved, tokens[:, order]), whole[:, order], atol=1e-5)


@pytest.mark.parametrize("missing", [1, 5])
def test_genes_that_were_not_aligned_are_refused(variables, tokens, missing):
    """Fewer genes would receive the vectors of the first ones of the list, without a word."""
    with pytest.raises(ValueError, match=f"{tokens.shape[1] - missing} tokens a cell, and scBERT"):
        run(variables, tokens[:, missing:])


def test_what_is_written_is_read_again_with_the_same_sizes(variables):
    written = to_published(variables)
    config = read_config(written)
    assert config == CONFIG
    read = to_flax(written, RULES, jax.eval_shape(config.init, jax.random.key(0)))
    jax.tree.map(np.testing.assert_array_equal, read, variables)


@pytest.mark.slow
def test_bfloat16_is_near_float32(variables, tokens):
    layers = dataclasses.replace(LAYERS, dtype="bfloat16")
    near = run(variables, tokens, dataclasses.replace(CONFIG, performer=layers))
    whole = run(variables, tokens)
    assert 0 < np.abs(near - whole).max() < 0.05 * np.abs(whole).max()


@pytest.mark.slow
def test_without_the_last_layer(variables, tokens):
    """As if there were one less."""
    model = CONFIG.make()
    shorter = jax.jit(
        lambda v, t: model.apply(v, t, train=False, method="encode", without_last=True)
    )
    layers = dataclasses.replace(LAYERS, layers=1)
    one = dataclasses.replace(CONFIG, performer=layers).make()
    kept = jax.tree.map(lambda x: x, variables)
    for collection in kept.values():
        del collection["performer"]["layer_1"]
    wanted = one.apply(kept, tokens, train=False, method="encode")
    np.testing.assert_allclose(shorter(variables, tokens), wanted, atol=1e-5)
