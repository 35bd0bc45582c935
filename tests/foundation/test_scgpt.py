"""scGPT on small random models: what must change nothing, and what must be refused."""

import dataclasses
import functools
import json

import anndata
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.errors import CheckpointError, ConfigError
from grnjax.foundation.scgpt import RULES, ScGPT, ScGPTConfig, find_heads, read_config
from grnjax.foundation.token_stream import Bucket
from grnjax.foundation.tokenise_scgpt import ScGPTTokeniserConfig
from grnjax.foundation.tokenisers import scgpt_tokeniser
from grnjax.foundation.weights import to_flax, to_torch
from tests.foundation.opened import open_tokens

CONFIG = ScGPTConfig(
    layers=2, width=16, heads=2, feed_forward=8, norm_epsilon=1e-5, vocabulary=30, dropout=0.2
)
ARGS = {
    "nlayers": 2,
    "embsize": 16,
    "nheads": 2,
    "d_hid": 8,
    "dropout": 0.2,
    "n_layers_cls": 3,
    "input_emb_style": "continuous",
    "n_bins": 51,
}
VOCABULARY = {f"G{i}": i for i in range(27)}  # the special tokens are appended


def make_inputs(cells=3, tokens=11):
    rng = np.random.default_rng(2)
    genes = rng.integers(0, 27, (cells, tokens)).astype(np.int32)
    values = rng.integers(0, 51, (cells, tokens)).astype(np.float32)
    genes[:, 0], values[:, 0] = 28, -2
    is_real = np.arange(tokens) < np.array([tokens, 4, 1])[:cells, None]
    return genes, values, is_real


def describe(config):
    """Shapes and types of the variables."""
    init = functools.partial(ScGPT(config).init, train=False)
    return jax.eval_shape(lambda: init(jax.random.key(0), *make_inputs()))


@functools.cache
def make_variables(config=CONFIG):
    """Random variables, biases and scales too, which are 0 and 1 before training."""
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.normal(0.3, 0.3, leaf.shape).astype("f4"), describe(config)
    )


@functools.cache
def compile_model(config):
    model = ScGPT(config)
    return jax.jit(lambda *a: model.apply(*a, train=False))


def run(inputs, config=CONFIG, variables=None):
    variables = make_variables() if variables is None else variables
    return compile_model(config)(variables, *inputs)


def assert_close(one, other, tolerance=1e-5):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=tolerance, rtol=0)


@pytest.mark.slow
def test_genes_have_no_positions():
    inputs, order = (
        make_inputs(),
        np.concatenate([[0], 1 + np.random.default_rng(0).permutation(10)]),
    )
    found, moved = run(inputs), run([array[:, order] for array in inputs])
    assert_close(found.hidden[:, order], moved.hidden)
    assert_close(found.cell, moved.cell)
    assert_close(found.cell_expression[:, order], moved.cell_expression)


@pytest.mark.slow
def test_what_stands_at_padding_changes_nothing_and_gets_no_gradient():
    genes, values, is_real = make_inputs()
    found = run((genes, values, is_real))
    other = run((np.where(is_real, genes, 5), np.where(is_real, values, 40), is_real))
    assert_close(found.hidden[is_real], other.hidden[is_real], 0)
    assert_close(found.classes, other.classes, 0)

    def read_cell(values):
        return run((genes, values, is_real)).cell.sum()

    gradient = np.asarray(jax.grad(read_cell)(jnp.asarray(values)))
    assert (gradient[~is_real] == 0).all() and (gradient[0, 1:] != 0).all()


@pytest.mark.slow
def test_values_above_the_largest_are_the_largest():
    genes, values, is_real = make_inputs()
    at, above, below = (np.where(values == values[0, 3], x, values) for x in (512, 9e9, 511))
    assert_close(run((genes, at, is_real)).hidden, run((genes, above, is_real)).hidden, 0)
    assert np.abs(run((genes, at, is_real)).hidden - run((genes, below, is_real)).hidden).max() > 0


@pytest.mark.slow
def test_blocks_stop_where_they_are_told_to():
    model, inputs = ScGPT(CONFIG), make_inputs()
    read = functools.partial(model.apply, make_variables(), *inputs, train=False)
    states = read(method="hidden_states")
    assert len(states) == CONFIG.layers + 1
    assert_close(states[-1], read().hidden, 1e-6)
    fewer = read(method="hidden_states", blocks=1)
    assert len(fewer) == 2
    assert_close(fewer[-1], states[1], 0)
    genes, values = model.apply(make_variables(), *inputs[:2], train=False, method="embed")
    assert_close(states[0], genes + values, 0)


@pytest.mark.slow
def test_the_table_has_the_vector_of_every_gene():
    genes, values, _ = make_inputs()
    table = ScGPT(CONFIG).apply(make_variables(), method="gene_table")
    assert table.shape == (30, 16)
    embedded = ScGPT(CONFIG).apply(make_variables(), genes, values, train=False, method="embed")
    assert_close(table[genes], embedded[0], 1e-6)


@pytest.mark.slow
def test_computing_in_bfloat16_is_near_and_gives_float32():
    exact = run(make_inputs())
    near = run(make_inputs(), dataclasses.replace(CONFIG, dtype="bfloat16"))
    for one, other in zip(exact, near):
        assert other.dtype == jnp.float32
        scale = float(jnp.abs(one).max())
        assert 0 < float(jnp.abs(one - other).max()) < 0.1 * scale


@pytest.mark.slow
def test_a_cell_of_a_file_is_the_same_in_every_batch(tmp_path):
    counts = np.random.default_rng(7).poisson(0.4, (9, 27))
    data = anndata.AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=[*VOCABULARY]))
    data.write_h5ad(tmp_path / "cells.h5ad")
    tokeniser = scgpt_tokeniser(VOCABULARY, ScGPTTokeniserConfig(length=28))

    def embed(buckets):
        cells = np.full((9, CONFIG.width), np.nan)
        with open_tokens(tmp_path / "cells.h5ad", tokeniser, buckets=buckets) as stream:
            for batch in stream:
                vectors = np.asarray(run((batch.tokens, batch.values, batch.is_real)).cell)
                cells[batch.cells[batch.cells >= 0]] = vectors[batch.cells >= 0]
        return cells

    one, other = embed((Bucket(28, 1),)), embed((Bucket(10, 2), Bucket(28, 4)))
    assert np.isfinite(one).all() and counts.any(axis=1).all()
    assert_close(one, other)


@pytest.mark.slow
def test_dropout_acts_in_training_alone():
    model, inputs = ScGPT(CONFIG), make_inputs()
    apply = jax.jit(lambda key: model.apply(make_variables(), *inputs, train=True, rngs=key).cell)
    one, same, other = (apply({"dropout": jax.random.key(i)}) for i in (0, 0, 1))
    assert (one == same).all() and (one != other).any()


def test_the_files_decide_the_sizes():
    config = read_config(json.loads(json.dumps(ARGS)), VOCABULARY)
    drops = {"attention_dropout": CONFIG.dropout, "inner_dropout": CONFIG.dropout}
    assert config == dataclasses.replace(CONFIG, activation="relu", **drops)
    assert config.vocabulary == len(VOCABULARY) + 3


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"nlayers": None}, "needs nlayers"),
        ({"input_emb_style": "category"}, "input_emb_style is 'category'"),
        ({"pre_norm": True}, "pre_norm is True"),
        ({"use_batch_labels": True}, "use_batch_labels"),
        ({"nheads": 3}, "cannot be divided among 3 heads"),
        ({"n_layers_cls": 40}, "class_layers is 40"),
    ],
)
def test_settings_of_another_model_are_refused(change, problem):
    args = {key: value for key, value in (ARGS | change).items() if value is not None}
    with pytest.raises(ConfigError, match=problem):
        read_config(args, VOCABULARY)


@pytest.mark.slow
def test_heads_that_a_file_lacks_are_left_out():
    arrays = to_torch(make_variables(), RULES)
    assert find_heads(arrays) == {"classes": 1, "expression_head": True, "cell_head": True}
    backbone = {
        name: array
        for name, array in arrays.items()
        if not name.startswith(("decoder.", "cls_decoder.", "mvc_decoder."))
    }
    heads = find_heads(backbone)
    assert heads == {"classes": 0, "expression_head": False, "cell_head": False}
    config = dataclasses.replace(CONFIG, **heads)
    bare = run(make_inputs(), config, to_flax(backbone, RULES, describe(config)))
    full = run(make_inputs())
    assert_close(bare.hidden, full.hidden, 1e-6)
    assert bare.expression is bare.cell_expression is bare.classes is None
    with pytest.raises(CheckpointError, match="missing"):
        to_flax(backbone, RULES, describe(CONFIG))
    with pytest.raises(CheckpointError, match="mvc_decoder"):
        to_flax(arrays, RULES, describe(config))


@pytest.mark.parametrize(
    "name",
    ["encoder.embedding.weight", "transformer_encoder.layers.1.self_attn.Wqkv.bias"],
)
def test_an_array_that_lacks_or_has_another_form_is_named(name):
    arrays = to_torch(make_variables(), RULES)
    with pytest.raises(CheckpointError, match=name):
        to_flax({key: x for key, x in arrays.items() if key != name}, RULES, describe(CONFIG))
    with pytest.raises(CheckpointError, match=name):
        to_flax(arrays | {name: arrays[name][:-3]}, RULES, describe(CONFIG))
    with pytest.raises(CheckpointError, match="bn.weight"):
        to_flax(arrays | {"bn.weight": arrays[name]}, RULES, describe(CONFIG))
