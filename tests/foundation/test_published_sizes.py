"""The published sizes without their weights: parameters counted, memory of whole cells bounded."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import pytest

from grnjax.foundation import scbert, scfoundation
from grnjax.foundation.performer import Performer, PerformerConfig


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_scbert_has_its_published_parameters():
    """8.39M with the vectors of genes, which are not learned, and without random directions."""
    config = scbert.ScBertConfig()
    variables = jax.eval_shape(config.init, jax.random.key(0))
    vectors = variables["buffers"].pop("pos_emb")
    assert f"{(count(variables['params']) + vectors.size) / 1e6:.2f}" == "8.39"
    assert f"{vectors.size / 1e6:.2f}" == "3.38"
    layer = config.performer
    assert count(variables["buffers"]) == layer.layers * layer.features * layer.head_width


@pytest.mark.slow
def test_scfoundation_has_its_published_parameters():
    config = scfoundation.ScFoundationConfig()
    variables = jax.eval_shape(config.init, jax.random.key(0))
    assert f"{count(variables['params']) / 1e6:.2f}" == "119.25"


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        PerformerConfig(width=200, layers=2, heads=10, feed_forward=800),
        PerformerConfig(width=512, layers=2, heads=8, feed_forward=2048, bias=True),
    ],
    ids=["scBERT", "scFoundation"],
)
def test_memory_of_a_whole_cell_is_bounded(config):
    """As many tokens as scFoundation decodes; features of queries or keys never stand whole."""
    tokens = 19_266
    x = jax.ShapeDtypeStruct((1, tokens, config.width), jnp.float32)

    def measure(features):
        model = Performer(dataclasses.replace(config, features=features))
        variables = describe(model, x)
        run = functools.partial(model.apply, train=False)
        compiled = jax.jit(run).lower(variables, x).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    few, many = measure(config.features), measure(4 * config.features)
    whole = tokens * config.heads * 3 * config.features * 4  # what one side would take more
    assert many - few < whole / 10
    assert few < 600 * 2**20


@pytest.mark.slow
@pytest.mark.usefixtures("compile_quickly")
def test_memory_of_a_training_step_grows_little_with_layers_that_are_computed_again():
    """By the inputs of the layers, which are kept; without it, by all that is computed in them."""
    x = jax.ShapeDtypeStruct((1, 4096, 64), jnp.float32)

    def measure(layers, recompute):
        model = Performer(
            PerformerConfig(
                width=64,
                layers=layers,
                heads=2,
                head_width=16,
                features=20,
                feed_forward=2048,
                recompute=recompute,
            )
        )

        def loss(params, buffers, x):
            given = {"params": params, "buffers": buffers}
            return jnp.sum(model.apply(given, x, train=False) ** 2)

        variables = describe(model, x)
        step = jax.jit(jax.grad(loss)).lower(variables["params"], variables["buffers"], x)
        return step.compile().memory_analysis().temp_size_in_bytes

    again = measure(4, True) - measure(2, True)
    kept = measure(4, False) - measure(2, False)
    assert again < kept / 4


def describe(model, x):
    """The form of the variables."""
    return jax.eval_shape(functools.partial(model.init, train=False), jax.random.key(0), x)
