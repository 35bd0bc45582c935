"""The perturbation model: what a push reaches, what padding does not, its loss, its equations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.models.perturbation import (
    PerturbationGraphs,
    PerturbationModel,
    PerturbationModelConfig,
)
from grnjax.training.perturbation import PerturbationTrainingConfig, weigh_errors

GENES, PUSHES = 7, 4
MODULE = PerturbationModel(PerturbationModelConfig(width=6), GENES, PUSHES)
apply = jax.jit(MODULE.apply, static_argnames=("train", "mutable"))


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation."""


def make_graphs(padded=None, vectors=0):
    coexpression = np.array([[0, 1], [1, 0], [2, 3], [5, 3]])
    shared = np.array([[0, 1], [1, 0]])
    options = {"symmetric": False, "self_loops": True, "padded_edges": padded}
    table = np.random.default_rng(3).normal(size=(GENES, vectors))
    return PerturbationGraphs(
        build_graph(coexpression, GENES, weights=np.full(4, 0.5), **options),
        build_graph(shared, PUSHES, **options),
        jnp.asarray(table, jnp.float32),
    )


@pytest.fixture(scope="module")
def model():
    """A model with random batch statistics and the cells that it is asked for."""
    control = jnp.asarray(np.random.default_rng(0).uniform(0, 3, (5, GENES)), jnp.float32)
    pairs = jnp.array([[0, PUSHES], [1, 2], [2, 1], [PUSHES, PUSHES], [3, PUSHES]])
    init = jax.jit(MODULE.init, static_argnames="train")
    variables = init(jax.random.key(0), control, pairs, make_graphs(), train=False)
    key = jax.random.key(7)
    noise = jax.tree.map(
        lambda x: x + 0.5 * jax.random.uniform(key, x.shape) - 0.4, variables["batch_stats"]
    )
    return {**variables, "batch_stats": noise}, control, pairs


@pytest.mark.slow
def test_doubles_have_no_order_and_more_padding_edges_change_nothing(model):
    variables, control, pairs = model
    found = apply(variables, control, pairs, make_graphs(), train=False)
    swapped = apply(variables, control, pairs[:, ::-1], make_graphs(), train=False)
    np.testing.assert_allclose(swapped, found, atol=1e-6)
    padded = apply(variables, control, pairs, make_graphs(48), train=False)
    np.testing.assert_allclose(padded, found, atol=1e-6)
    same = apply(variables, control[:1].repeat(2, 0), pairs[1:3], make_graphs(), train=False)
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)


def test_the_change_does_not_depend_on_the_cell_and_differs_by_push(model):
    """y' - x is a function of the perturbation alone (GEARS, Methods)."""
    variables, control, _ = model
    pairs = jnp.array([[0, PUSHES]] * 5)
    change = apply(variables, control, pairs, make_graphs(), train=False) - control
    np.testing.assert_allclose(change, change[:1].repeat(5, 0), atol=1e-5)
    other = apply(variables, control, pairs.at[:, 0].set(2), make_graphs(), train=False) - control
    assert np.abs(other - change).max() > 1e-3


@pytest.mark.slow
def test_an_unseen_push_hears_those_with_which_it_shares_sets(model):
    variables, control, _ = model

    def change(table):
        parameters = {**variables["params"], "perturbation_vectors": table}
        all_variables = {**variables, "params": parameters}
        pair = jnp.array([[0, PUSHES]])
        return apply(all_variables, control[:1], pair, make_graphs(), train=False).sum()

    slope = jax.jit(jax.grad(change))(variables["params"]["perturbation_vectors"])
    assert np.abs(slope[:2]).sum(axis=1).min() > 0  # its own and its neighbour's
    assert not slope[2:].any()


@pytest.mark.slow
def test_rows_that_fill_a_batch_up_change_neither_outputs_nor_statistics(model):
    variables, control, pairs = model

    def run(control, pairs, is_real):
        return apply(
            variables,
            control,
            pairs,
            make_graphs(),
            train=True,
            is_real=is_real,
            mutable="batch_stats",
        )

    found, state = run(control, pairs, jnp.ones(5, bool))
    filled = jnp.concatenate([control, control[:2] * 50]), jnp.concatenate([pairs, pairs[:2]])
    again, after = run(*filled, jnp.arange(7) < 5)
    np.testing.assert_allclose(again[:5], found, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), after, state)


def test_it_computes_the_published_equations(model):
    """By numpy, from the description (grnformer reference, 7.2), on the same parameters."""
    variables, control, pairs = model
    p = jax.tree.map(np.asarray, variables["params"])
    stats = jax.tree.map(np.asarray, variables["batch_stats"])

    def norm(x, own, stats):
        return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5) * own["scale"] + own["bias"]

    def mlp(x, name):
        """Each of the two layers has batch statistics in the published program."""
        own, seen = p[name], stats[name]
        x = x @ own["hidden"]["kernel"] + own["hidden"]["bias"]
        x = np.maximum(norm(x, own["hidden_norm"], seen["hidden_norm"]), 0)
        x = x @ own["out"]["kernel"] + own["out"]["bias"]
        return norm(x, own["out_norm"], seen["out_norm"])

    def convolve(x, edges, weights, name):
        adjacency = np.eye(len(x))
        adjacency[edges[:, 1], edges[:, 0]] = weights
        degree = adjacency.sum(axis=1)
        adjacency = adjacency / np.sqrt(degree[:, None] * degree[None])
        return adjacency @ (x @ p[name]["linear"]["kernel"]) + p[name]["bias"]

    coexpression = np.array([[0, 1], [1, 0], [2, 3], [5, 3]])
    base = np.maximum(norm(p["gene_vectors"], p["base_norm"], stats["base_norm"]), 0)
    position = convolve(p["positions"][:GENES], coexpression, 0.5, "coexpression")
    base = np.maximum(mlp(base + 0.2 * position, "base"), 0)
    pushes = convolve(
        p["perturbation_vectors"][:PUSHES], np.array([[0, 1], [1, 0]]), 1, "shared_sets"
    )
    expected = []
    for cell, pair in zip(np.asarray(control), np.asarray(pairs), strict=True):
        own = [x for x in pair if x < PUSHES]
        state = base + (np.maximum(mlp(pushes[own].sum(axis=0), "push"), 0) if own else 0)
        state = mlp(np.maximum(norm(state, p["state_norm"], stats["state_norm"]), 0), "state")
        read = np.sum(state * p["read"], axis=1) + p["read_bias"]
        cross = mlp(read, "cross")
        joined = np.concatenate([read[:, None], np.tile(cross, (GENES, 1))], axis=1)
        expected.append(cell + np.sum(joined * p["last"], axis=1) + p["last_bias"])
    found = apply(variables, control, pairs, make_graphs(), train=False)
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-4, atol=1e-5)


def test_frozen_vectors_take_the_place_of_the_learned_ones():
    control, pairs = jnp.ones((2, GENES)), jnp.zeros((2, 2), int)
    graphs = make_graphs(vectors=3)
    variables = jax.eval_shape(
        lambda key: MODULE.init(key, control, pairs, graphs, train=False), jax.random.key(0)
    )
    assert "gene_vectors" not in variables["params"]
    assert variables["params"]["gene_projection"]["kernel"].shape == (3, 6)


@pytest.mark.slow
def test_the_sign_term_is_printed_and_trains_nothing_and_the_smooth_one_does():
    config = PerturbationTrainingConfig(direction_weight=0.5)
    true, control = jnp.array([[2.0, 0.0, 1.0]]), jnp.array([1.0, 1.0, 1.0])
    predicted = jnp.array([[0.5, 0.5, 1.0]])
    found = weigh_errors(predicted, true, control, config)
    np.testing.assert_allclose(found, [[1.5**4 + 0.5 * 4, 0.5**4, 0]], rtol=1e-6)

    def slope(config):
        return jax.grad(lambda x: weigh_errors(x, true, control, config).sum())(predicted)

    without = dataclasses.replace(config, direction_weight=0.0)
    np.testing.assert_array_equal(slope(config), slope(without))
    smooth = dataclasses.replace(config, direction="smooth")
    assert not np.allclose(slope(smooth), slope(without))
