"""STGRNS and scGREAT read a pair as a short sequence: its windows of cells, or its two genes."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.methods.method import Problem
from grnjax.methods.pair_models import PairInputConfig
from grnjax.methods.scgreat import ScGREATMethod
from grnjax.methods.stgrns import STGRNSMethod, order_cells
from grnjax.models.pair_encoder import EncoderLayer, sinusoids
from grnjax.models.scgreat import ScGREAT, ScGREATConfig
from grnjax.models.stgrns import STGRNS, STGRNSConfig, cut_windows
from grnjax.types import GeneBatch, PairBatch

PAIRS = np.array([[0, 1], [1, 0], [2, 3]], np.int32)


@pytest.fixture(scope="module")
def problem(dataset):
    tfs = dataset.genes.tfs
    return Problem(dataset=dataset, parts=(), tfs=tfs, trainable=tfs)


def score(module, nodes, pairs=PAIRS, embedding=None):
    """Logits of pairs by the module with fresh parameters, which depend on its key alone."""
    blank, none = np.zeros(len(pairs), np.float32), np.zeros((len(pairs), 0), np.float32)
    embedding = np.zeros((len(nodes), 0), np.float32) if embedding is None else embedding
    genes = GeneBatch(nodes, blank, embedding, np.zeros((len(nodes), 2)), np.arange(4), None)
    batch = PairBatch(pairs, none, none, blank, blank, blank.astype(int))
    run = jax.jit(lambda key: module.init_with_output(key, genes, batch, train=False)[0])
    return np.asarray(run(jax.random.key(0)))


def test_a_window_holds_the_tf_s_values_and_then_the_target_s():
    nodes = jnp.arange(4 * 7.0).reshape(4, 7)
    tokens = cut_windows(nodes, jnp.asarray(PAIRS), 3)
    assert tokens.shape == (3, 2, 6)  # the seventh cell is in no whole window
    assert tokens[0, 1].tolist() == [3, 4, 5, 10, 11, 12]
    assert tokens[1, 1].tolist() == [10, 11, 12, 3, 4, 5]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["STGRNS", "scGREAT"])
def test_the_score_knows_which_gene_is_the_tf_and_not_where_a_pair_stands(name):
    nodes = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    module = {
        "STGRNS": STGRNS(STGRNSConfig(window=4, feed_forward=8)),
        "scGREAT": ScGREAT(
            ScGREATConfig(hidden=8, width=8, heads=2, feed_forward=8, widths=(8, 4), layers=1)
        ),
    }[name]
    scores = score(module, nodes)
    assert scores[0] != scores[1]
    np.testing.assert_allclose(score(module, nodes, PAIRS[::-1]), scores[::-1], rtol=1e-4)


@pytest.mark.slow
def test_windows_are_told_apart_by_where_they_stand():
    nodes = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    module = STGRNS(STGRNSConfig(window=4, feed_forward=8))
    moved = nodes.reshape(5, 3, 4)[:, [1, 0, 2]].reshape(5, 12)
    assert np.abs(score(module, moved) - score(module, nodes)).max() > 1e-3
    last = np.concatenate([nodes, np.full((5, 3), 9, np.float32)], axis=1)
    np.testing.assert_array_equal(score(module, last), score(module, nodes))


@pytest.mark.slow
def test_vectors_of_names_change_what_scgreat_says():
    nodes = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    vectors = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    module = ScGREAT(
        ScGREATConfig(hidden=8, width=8, heads=2, feed_forward=8, widths=(8, 4), layers=1)
    )
    plain = score(module, nodes)
    np.testing.assert_allclose(score(module, nodes, embedding=0 * vectors), plain, rtol=1e-5)
    assert np.abs(score(module, nodes, embedding=vectors) - plain).max() > 1e-3


@pytest.mark.slow
def test_the_layer_is_the_usual_one_and_knows_no_order():
    layer = EncoderLayer(2, 16, 0.1)
    x = jax.random.normal(jax.random.key(0), (3, 5, 8))
    parameters = layer.init(jax.random.key(1), x, train=False)
    run = jax.jit(functools.partial(layer.apply, train=False))
    out = run(parameters, x)
    np.testing.assert_allclose(out.mean(axis=-1), 0, atol=1e-5)
    order = np.array([4, 2, 0, 1, 3])
    np.testing.assert_allclose(run(parameters, x[:, order]), out[:, order], atol=1e-5)
    places = sinusoids(50, 6)
    assert places.shape == (50, 6) and len(np.unique(np.round(places, 5), axis=0)) == 50
    np.testing.assert_allclose(places[:, ::2] ** 2 + places[:, 1::2] ** 2, 1, atol=1e-5)


def test_parameters_of_the_published_sizes():
    """A layer of width 768 with 2,048 in between has 5,513,984, as PyTorch's has."""
    x = jnp.zeros((1, 2, 768))
    shapes = jax.eval_shape(
        lambda: EncoderLayer(4, 2048, 0.1).init(jax.random.key(0), x, train=False)
    )
    assert sum(p.size for p in jax.tree.leaves(shapes)) == 4 * (768**2 + 768) + 2 * 2048 * 768 + (
        2048 + 768 + 4 * 768
    )


def test_cells_stand_by_the_first_component_or_by_pseudotime(dataset):
    genes = dataset.genes
    order = order_cells(genes, "component")
    assert sorted(order.tolist()) == list(range(len(genes.expression)))
    swapped = dataclasses.replace(genes, expression=genes.expression[::-1])
    np.testing.assert_array_equal(len(order) - 1 - order_cells(swapped, "component"), order)


@pytest.mark.parametrize(
    "method, complaint",
    [
        (STGRNSMethod(), "a window must be full"),
        (
            STGRNSMethod(model=STGRNSConfig(window=10), order="pseudotime"),
            "nothing is known of the cells under `pseudotime`",
        ),
        (
            STGRNSMethod(
                model=STGRNSConfig(window=10), inputs=PairInputConfig(messages="directed")
            ),
            "STGRNS passes no messages",
        ),
        (ScGREATMethod(inputs=PairInputConfig(messages="symmetric")), "scGREAT passes no messages"),
    ],
)
def test_what_cannot_be_is_said(method, complaint, problem):
    few = dataclasses.replace(
        problem.dataset.genes, expression=problem.dataset.genes.expression[:90], cells=None
    )
    few = dataclasses.replace(problem, dataset=dataclasses.replace(problem.dataset, genes=few))
    with pytest.raises(ConfigError, match=complaint):
        method.check(few)


def test_vectors_of_texts_are_a_table_of_its_own(problem, tmp_path):
    names = problem.dataset.genes.names
    np.savez(tmp_path / "text.npz", genes=names[1:], embedding=np.ones((len(names) - 1, 5)))
    with pytest.raises(ConfigError, match="vectors of 5 numbers, which are added to tokens of 768"):
        ScGREATMethod(embedding=str(tmp_path / "text.npz")).prepare(problem)
    with pytest.raises(ConfigError, match="takes vectors of texts, and this is a folder"):
        ScGREATMethod(embedding=str(tmp_path)).prepare(problem)
    model = ScGREATConfig(width=5, heads=1)
    found = ScGREATMethod(model=model, embedding=str(tmp_path / "text.npz")).prepare(problem)
    assert found.embedding.shape == (len(names), 5) and not found.embedding[0].any()


def test_stgrns_refuses_values_that_have_no_log(problem):
    genes = problem.dataset.genes
    centred = dataclasses.replace(genes, expression=genes.expression - 1)
    centred = dataclasses.replace(problem.dataset, genes=centred)
    with pytest.raises(ConfigError, match="some of it is below 0"):
        STGRNSMethod(model=STGRNSConfig(window=10)).check(
            dataclasses.replace(problem, dataset=centred)
        )


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_attention_weights_drop_out_while_training_alone(dropout):
    layer, x = EncoderLayer(2, 8, dropout), jax.random.normal(jax.random.key(0), (3, 4, 6))
    variables = layer.init(jax.random.key(1), x, train=False)

    def attend(train, key):
        _, found = layer.apply(
            variables,
            x,
            train=train,
            rngs={"dropout": jax.random.key(key)},
            capture_intermediates=True,
        )
        return found["intermediates"]["attention"]["__call__"][0]

    np.testing.assert_array_equal(attend(False, 2), attend(False, 3))
    assert (dropout > 0) == bool(np.any(attend(True, 2) != attend(True, 3)))
