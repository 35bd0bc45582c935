import dataclasses
import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.terms import Term
from grnjax.training.pair_objective import (
    PairObjective,
    TrainingConfig,
    hide_genes,
    hide_topology,
)
from grnjax.training.step import all_finite, train_epoch, train_step

KEY = jax.random.key(7)
FOLDS = 4


@jax.jit
def hide(genes, share):
    return hide_genes(genes, (jax.random.uniform(KEY, (len(genes.nodes),)) >= share) * 1.0)


@pytest.fixture(scope="module")
def data(problem):
    return problem.build(folds=FOLDS)


@pytest.fixture(scope="module")
def start(tiny_trainer, data):
    """A fresh state; the extra parameter reaches the loss through the penalty only."""
    state, optimizer = tiny_trainer.start(jax.random.key(0), data), tiny_trainer.objective.optimizer
    parameters = state.parameters | {"ridge": {"value": jnp.zeros(())}}
    return state._replace(parameters=parameters, optimizer=optimizer.init(parameters))


class LinearPenalty(Term):
    """A penalty that is its parameter."""

    ridge: float = 1.0

    @nn.nowrap
    def penalty(self, parameters):
        return parameters["value"]


@pytest.fixture(scope="module")
def run(tiny_model):
    """One jitted full-batch step of the tiny model; returns the new state and the loss."""

    @functools.cache
    def make(unseen_share=0.4, edge_folds=0):
        config = TrainingConfig(unseen_share=unseen_share, edge_folds=edge_folds)
        objective = PairObjective(tiny_model, config)
        vars(objective)["terms"] = [LinearPenalty(name="ridge")]
        step = functools.partial(train_step, objective=objective)
        return jax.jit(lambda state, data, key: step(state, data.train, data, key))

    def run(state, data, key=KEY, **settings):
        return make(**settings)(state, data, key)

    return run


def assert_same_bits(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def differ(one, other):
    return any(
        not np.allclose(left, right)
        for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.mark.slow
def test_randomness_depends_on_the_key_and_the_step_only(run, start, data):
    first, _ = run(start, data)
    second, _ = run(first, data)
    assert_same_bits(run(start, data)[0], first)
    elsewhere = start._replace(epoch=start.epoch + 3, worse=start.worse + 1)
    assert_same_bits(run(elsewhere, data)[0].parameters, first.parameters)
    later, _ = run(start._replace(step=start.step + 2), data)
    other, _ = run(start, data, key=jax.random.key(8))
    assert differ(first.parameters, later.parameters)
    assert differ(first.parameters, other.parameters)
    assert int(second.step) == 2 and differ(first.collections, second.collections)


@pytest.mark.slow
def test_hidden_genes_lose_their_identity_and_their_edges_but_not_their_loop(data):
    graph = data.genes.graph
    hidden = hide(data.genes, 0.4)
    genes = len(data.genes.seen) - 1
    is_hidden = ~hidden.seen[:genes].any(axis=1) & data.genes.seen[:genes].any(axis=1)
    assert 0.2 < is_hidden.mean() < 0.6
    np.testing.assert_array_equal(
        hidden.seen[:genes], np.where(is_hidden[:, None], 0, data.genes.seen[:genes])
    )
    real = graph.senders < genes
    loop = graph.senders == graph.receivers
    touched = np.zeros(len(real), bool)
    touched[real] = is_hidden[graph.senders[real]] | is_hidden[graph.receivers[real]]
    np.testing.assert_array_equal(hidden.graph.edges, graph.edges * (loop | ~touched))
    assert graph.edges[touched & ~loop].any() and graph.edges[~touched & ~loop].any()
    assert_same_bits(hidden._replace(seen=0, graph=0), data.genes._replace(seen=0, graph=0))


def test_hiding_no_gene_changes_nothing(data):
    assert_same_bits(hide(data.genes, 0.0), data.genes)


def test_train_edges_say_nothing_of_a_pair_with_a_hidden_gene(data):
    topology = np.ones((len(data.train.labels), 3), np.float32)
    kept = np.arange(len(data.genes.nodes)) % 3 > 0
    batch = hide_topology(data.train._replace(topology=topology), kept.astype(np.float32))
    np.testing.assert_array_equal(batch.topology.all(axis=1), kept[data.train.pairs].all(axis=1))
    assert 0 < batch.topology.mean() < 1


@pytest.mark.slow
def test_every_second_step_hides_genes_and_spares_the_ridge(run, start, data):
    """The ridge stands on the scale of the summed loss, so its share falls with the pairs."""
    for step in range(4):
        state = start._replace(step=start.step + step)
        _, loss = run(state, data)
        ridge = {"ridge": {"value": jnp.float32(1000)}}
        penalised = state._replace(parameters=state.parameters | ridge)
        _, with_ridge = run(penalised, data)
        _, all_seen = run(state, data, unseen_share=0.0)
        expected = 0 if step % 2 else 1000 / data.train.weights.sum()
        assert float(with_ridge - loss) == pytest.approx(expected, rel=1e-2, abs=1e-5)
        assert np.isclose(loss, all_seen) == (step % 2 == 0)


@pytest.mark.slow
def test_every_fold_is_supervised_with_hidden_genes_and_without(run, start, data):
    hidden = np.zeros((FOLDS, 2), int)
    for step in range(2 * FOLDS):
        state = start._replace(step=start.step + step)
        _, loss = run(state, data, edge_folds=FOLDS)
        _, all_seen = run(state, data, edge_folds=FOLDS, unseen_share=0.0)
        hidden[step % FOLDS, int(not np.isclose(loss, all_seen))] += 1
    assert (hidden == 1).all()


@pytest.mark.slow
def test_no_message_of_a_supervised_edge_reaches_the_loss(run, start, data):
    """The loss has slope 0 by the weight of each such edge, whichever way it points."""

    @functools.partial(jax.jit, static_argnames="folds")
    @jax.grad
    def slopes(edges, step, folds):
        graph = data.genes.graph._replace(edges=edges)
        moved = data._replace(genes=data.genes._replace(graph=graph))
        return run(start._replace(step=step), moved, edge_folds=folds, unseen_share=0.0)[1]

    edges = jnp.asarray(data.genes.graph.edges)
    for supervised in range(FOLDS):
        is_supervised = data.edge_fold == supervised
        is_kept = (data.edge_fold >= 0) & ~is_supervised
        slope = np.abs(slopes(edges, supervised, folds=FOLDS))
        assert is_supervised.any() and not slope[is_supervised].any()
        assert (slope[is_kept] > 0).mean() > 0.9
    leaky = np.abs(slopes(edges, 0, folds=0))
    assert (leaky[data.edge_fold >= 0] > 0).mean() > 0.9


@pytest.mark.slow
def test_with_folds_only_the_pairs_of_one_fold_are_supervised(run, start, data):
    for supervised in range(FOLDS):
        state = start._replace(step=start.step + supervised)
        labels = np.where(data.train.fold == supervised, data.train.labels, 1 - data.train.labels)
        lied_to = data._replace(train=data.train._replace(labels=labels))
        settings = {"edge_folds": FOLDS, "unseen_share": 0.0}
        assert_same_bits(run(state, data, **settings), run(state, lied_to, **settings))
        assert differ(run(state, data)[1], run(state, lied_to)[1])


@pytest.mark.slow
def test_padding_moves_no_parameter(run, problem, start, data):
    roomy = dataclasses.replace(
        problem.inputs,
        padded_pairs=problem.inputs.padded_pairs + 37,
        padded_edges=problem.inputs.padded_edges * 2,
    )
    padded = problem.build(inputs=roomy, folds=FOLDS)
    (one, loss), (other, same_loss) = run(start, data), run(start, padded)
    assert float(loss) == pytest.approx(float(same_loss), rel=1e-5)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_an_update_that_is_not_finite_is_refused_and_stays_refused(run, start, data):
    good, _ = run(start, data)
    nodes = data.genes.nodes.copy()
    nodes[0, 0] = np.nan
    broken = data._replace(genes=data.genes._replace(nodes=nodes))
    refused, loss = run(good, broken)
    assert np.isnan(loss) and not refused.finite
    assert_same_bits(refused._replace(finite=good.finite), good)
    again, _ = run(refused, data)
    assert_same_bits(again, refused)


@pytest.mark.slow
def test_an_update_whose_optimizer_state_overflows_is_refused(run, start, data):
    """Weight decay of huge parameters squares to infinity while loss and gradient are finite."""
    huge = jax.tree.map(lambda x: x, start.parameters)
    huge["head"]["target_bias"]["bias"] += 3e34
    refused, loss = run(start._replace(parameters=huge), data)
    assert np.isfinite(loss) and not refused.finite
    assert all_finite(refused.optimizer)


class Visits(NamedTuple):
    """Stands for a TrainState and counts which pairs the steps have seen."""

    epoch: jax.Array
    count: jax.Array  # [pair]
    order: jax.Array  # [pair] the step at which a pair was seen last
    step: jax.Array


def visit(state, batch, data, key):
    """Stands for a step; labels hold the number of each pair."""
    place = batch.labels.astype(int)
    state = state._replace(
        count=state.count.at[place].add(batch.weights > 0),
        order=state.order.at[place].set(state.step),
        step=state.step + 1,
    )
    return state, jnp.sum(batch.weights)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [64, 10_000])
def test_an_epoch_visits_each_pair_once_in_an_order_of_its_own(tiny_model, data, batch_size):
    pairs = len(data.train.labels)
    numbered = data._replace(train=data.train._replace(labels=np.arange(pairs, dtype=np.float32)))
    objective = PairObjective(tiny_model, TrainingConfig(batch_size=batch_size))
    epoch = jax.jit(functools.partial(train_epoch, objective=objective, step=visit))
    zero, zeros = jnp.int32(0), jnp.zeros(pairs, jnp.int32)
    start = Visits(zero, zeros, zeros, zero)
    one, weight = epoch(start, numbered, KEY)
    np.testing.assert_array_equal(one.count, data.train.weights > 0)
    steps = max(1, pairs // batch_size)
    assert int(one.step) == steps and int(one.epoch) == 1
    assert float(weight) == pytest.approx(data.train.weights.sum() / steps)
    two, _ = epoch(one._replace(step=zero), numbered, KEY)
    np.testing.assert_array_equal(two.count, 2 * (data.train.weights > 0))
    assert_same_bits(epoch(start, numbered, KEY)[0], one)
    other, _ = epoch(start, numbered, jax.random.key(8))
    if steps > 1:
        assert not np.array_equal(one.order, two.order), "each epoch shuffles the pairs"
        assert not np.array_equal(one.order, other.order), "and so does each seed"
        padding = data.train.weights == 0
        assert (one.order[padding] == steps - 1).all(), "padding comes last"
