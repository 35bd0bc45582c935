"""Geneformer reads any published size, and a cell is read alike in every batch."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.foundation.geneformer import RULES, Geneformer, GeneformerConfig, read_config
from grnjax.foundation.pooling import GeneMeans, average_tokens, sum_genes
from grnjax.foundation.transformer import count_blocks
from grnjax.foundation.weights import to_flax, to_torch
from tests.foundation.coarse import list_coarse

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = {
    "model_type": "bert",
    "num_hidden_layers": 2,
    "hidden_size": 24,
    "num_attention_heads": 3,
    "intermediate_size": 48,
    "layer_norm_eps": 1e-12,
    "hidden_act": "relu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.2,
    "vocab_size": 50,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}
PUBLISHED = {  # layers, width, heads, feed-forward, positions, vocabulary; millions of parameters
    "V1-10M": ((6, 256, 4, 512, 2048, 25426), 10.29),
    "12L-30M": ((12, 512, 8, 1024, 2048, 25426), 39.59),
    "12L-95M": ((12, 512, 8, 1024, 4096, 20275), 38.00),
    "20L-95M": ((20, 896, 14, 1792, 4096, 20275), 151.31),
    "V2-104M": ((12, 768, 12, 3072, 4096, 20275), 104.39),
    "V2-316M": ((18, 1152, 18, 4608, 4096, 20275), 316.35),
}


def make_variables(config, seed=0):
    """Variables of a model, biases and norms random as well."""
    rng = np.random.default_rng(seed)
    draw = lambda x: 0.3 * rng.normal(size=x.shape).astype(np.float32)  # noqa: E731
    return jax.tree.map(draw, describe(config))


def describe(config):
    init = functools.partial(Geneformer(config).init, train=False)
    tokens, is_real = jax.ShapeDtypeStruct((1, 2), np.int32), jax.ShapeDtypeStruct((1, 2), bool)
    return jax.eval_shape(init, jax.random.key(0), tokens, is_real)


@functools.partial(jax.jit, static_argnums=0)
def run(model, variables, tokens, is_real):
    return model.apply(variables, tokens, is_real, train=False, method="hidden_states")


@pytest.fixture(scope="module")
def model():
    return Geneformer(read_config(SMALL))


@pytest.fixture(scope="module")
def variables(model):
    return make_variables(model.config)


def draw_cells(lengths, width, seed=0):
    rng = np.random.default_rng(seed)
    is_real = np.arange(width) < np.array(lengths)[:, None]
    return np.where(is_real, rng.integers(2, 50, is_real.shape), 0), is_real


# Sizes


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_have_the_published_number_of_parameters(name):
    (layers, width, heads, feed_forward, positions, vocabulary), millions = PUBLISHED[name]
    sizes = {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads}
    sizes |= {"intermediate_size": feed_forward, "max_position_embeddings": positions}
    shapes = describe(read_config({**SMALL, **sizes, "vocab_size": vocabulary}))
    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    assert round(count / 1e6, 2) == millions


def test_settings_are_those_of_the_config_file():
    config = read_config(SMALL, dtype="bfloat16", recompute=True)
    assert config == GeneformerConfig(
        layers=2,
        width=24,
        heads=3,
        feed_forward=48,
        norm_epsilon=1e-12,
        dropout=0.1,
        attention_dropout=0.2,
        vocabulary=50,
        positions=40,
        dtype="bfloat16",
        recompute=True,
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hidden_act": "swish"}, "activation"),
        ({"hidden_size": 25}, "25 cannot be divided"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"model_type": "roberta"}, "roberta"),
        ({"layer_norm_eps": 0}, "norm_epsilon"),
    ],
)
def test_a_config_file_of_another_model_is_refused(changes, problem):
    with pytest.raises(ConfigError, match=problem):
        read_config({**SMALL, **changes})


def test_a_config_file_without_sizes_is_refused():
    with pytest.raises(ConfigError, match="needs layer_norm_eps, vocab_size"):
        read_config({k: v for k, v in SMALL.items() if k not in ("vocab_size", "layer_norm_eps")})


def test_layers_have_names():
    assert [count_blocks(20, x) for x in ("last", "penultimate", "0", "7")] == [20, 19, 0, 7]
    for wrong in ("21", "-1", "first", ""):
        with pytest.raises(ConfigError, match="0 to 20"):
            count_blocks(20, wrong)


def test_arrays_there_and_back_are_bit_equal(variables):
    np.testing.assert_equal(to_flax(to_torch(variables, RULES), RULES, variables), variables)


# Meaning


@pytest.mark.slow
def test_padding_batch_and_place_change_no_cell(model, variables):
    tokens, is_real = draw_cells([20, 9, 1, 17], 20)
    states = run(model, variables, tokens, is_real)
    padded = run(model, variables, *(np.pad(x, [(0, 3), (0, 10)]) for x in (tokens, is_real)))
    order = np.array([2, 0, 3, 1])
    moved = run(model, variables, tokens[order], is_real[order])
    for cell in (0, 1):
        length = is_real[cell].sum()
        alone = run(model, variables, tokens[[cell], :length], is_real[[cell], :length])
        place = int(np.flatnonzero(order == cell)[0])
        for state, a, b, c in zip(states, alone, padded, moved, strict=True):
            for found in (a[0], b[cell, :length], c[place, :length]):
                np.testing.assert_allclose(found, state[cell, :length], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_token_at_another_place_or_of_padding_matters(model, variables):
    tokens, is_real = draw_cells([20], 20)
    state = run(model, variables, tokens, is_real)[-1]
    assert np.abs(run(model, variables, tokens[:, ::-1], is_real)[-1][:, ::-1] - state).max() > 0.01
    shown = run(model, variables, np.pad(tokens, [(0, 0), (0, 4)]), np.ones((1, 24), bool))[-1]
    assert np.abs(shown[:, :20] - state).max() > 0.001


def test_a_cell_without_tokens_stays_finite(model, variables):
    tokens, is_real = np.zeros((1, 8), int), np.zeros((1, 8), bool)
    assert np.isfinite(run(model, variables, tokens, is_real)[-1]).all()


def test_more_tokens_than_positions_are_refused(model, variables):
    tokens, is_real = draw_cells([41], 41)
    with pytest.raises(ConfigError, match="41 tokens, and the model has 40"):
        run(model, variables, tokens, is_real)


@pytest.mark.slow
def test_earlier_blocks_do_not_need_the_later_ones(model, variables):
    tokens, is_real = draw_cells([12, 5], 12)
    states = run(model, variables, tokens, is_real)
    params = {name: x for name, x in variables["params"].items() if name != "layer_1"}
    part = jax.jit(functools.partial(model.apply, train=False, method="hidden_states", blocks=1))
    found = part({"params": params}, tokens, is_real)
    assert len(found) == 2
    np.testing.assert_allclose(found[-1], states[1], atol=1e-6)


@pytest.mark.slow
def test_bfloat16_computes_nearly_the_same(model, variables):
    """States have a spread of 1; weights of 0.3, and of 0.02 as before training."""
    tokens, is_real = draw_cells([30, 9], 30)
    coarse = Geneformer(dataclasses.replace(model.config, dtype="bfloat16"))
    fresh = model.config.init(jax.random.key(0))
    for given, bound in ((variables, 0.3), (fresh, 0.02)):
        expected = run(model, given, tokens, is_real)[-1]
        found = run(coarse, given, tokens, is_real)[-1]
        assert found.dtype == jnp.float32
        error = np.abs(found - expected)[is_real]
        assert 1e-4 < error.max() < bound and error.mean() < bound / 10


@pytest.mark.parametrize("changes", [{}, {"scan": True, "recompute": True}])
def test_only_products_are_in_bfloat16(model, variables, changes):
    """Softmax, norms and all sums are float32, those of gradients too."""
    tokens, is_real = draw_cells([30, 9], 30)
    coarse = Geneformer(dataclasses.replace(model.config, dtype="bfloat16", **changes))

    def loss(params):
        rngs = {"dropout": jax.random.key(0)}
        return jnp.sum(coarse.apply({"params": params}, tokens, is_real, train=True, rngs=rngs))

    program = jax.make_jaxpr(jax.value_and_grad(loss))(variables["params"])
    assert list_coarse(program) == {"dot_general"}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"recompute": True}, {"scan": True, "recompute": True}])
def test_how_blocks_are_run_changes_no_gradient(model, variables, changes):
    tokens, is_real = draw_cells([10, 6], 10)

    def differentiate(model):
        def loss(params):
            logits = model.apply({"params": params}, tokens, is_real, train=False)
            return jnp.mean(jnp.where(is_real[..., None], logits, 0) ** 2)

        return jax.jit(jax.grad(loss))(variables["params"])

    again = Geneformer(dataclasses.replace(model.config, **changes))
    expected, found = differentiate(model), differentiate(again)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected
    )


@pytest.mark.slow
def test_blocks_compiled_as_one_have_the_same_states_and_parameters(model, variables):
    scanned = Geneformer(dataclasses.replace(model.config, scan=True))
    assert jax.tree.structure(describe(scanned.config)) == jax.tree.structure(variables)
    tokens, is_real = draw_cells([12, 5], 12)
    expected, found = (run(x, variables, tokens, is_real) for x in (model, scanned))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)

    def train(seed):
        rngs = {"dropout": jax.random.key(seed)}
        return scanned.apply(variables, tokens, is_real, train=True, rngs=rngs)

    assert np.abs(train(0) - train(1)).max() > 0.01
    np.testing.assert_array_equal(train(0), train(0))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dropout", "attention_dropout", "inner_dropout"])
@pytest.mark.parametrize("scan", [False, True])
def test_dropout_is_of_training_alone(model, variables, kind, scan):
    tokens, is_real = draw_cells([10], 10)
    rates = {"dropout": 0.0, "attention_dropout": 0.0, kind: 0.3}
    dropping = Geneformer(dataclasses.replace(model.config, **rates, scan=scan))

    def start(seed, train=True):
        rngs = {"dropout": jax.random.key(seed)}
        return dropping.apply(variables, tokens, is_real, train=train, rngs=rngs)

    np.testing.assert_allclose(
        start(0, train=False), model.apply(variables, tokens, is_real, train=False), atol=1e-6
    )
    assert np.abs(start(0) - start(1)).max() > 0.01
    np.testing.assert_array_equal(start(0), start(0))


# Means


def test_means_of_genes_are_over_the_cells_that_have_them():
    rng = np.random.default_rng(0)
    tokens, is_real = draw_cells([7, 3, 5, 6], 7)
    x = rng.normal(size=(*tokens.shape, 4)).astype(np.float32)
    means = GeneMeans(50, 4)
    for part in (slice(0, 3), slice(3, 4)):
        means.add(*sum_genes(x[part], tokens[part], is_real[part], genes=50))
    for gene in range(50):
        rows = x[(tokens == gene) & is_real]
        assert means.counts[gene] == len(rows)
        expected = rows.mean(axis=0) if len(rows) else np.zeros(4)
        np.testing.assert_allclose(means.means()[gene], expected, rtol=1e-5, atol=1e-6)
    counted = is_real & (tokens != tokens[0, 0])
    found = average_tokens(jnp.asarray(x), jnp.asarray(counted))
    np.testing.assert_allclose(found[0], x[0][counted[0]].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert (average_tokens(jnp.asarray(x), jnp.zeros_like(counted)) == 0).all()
