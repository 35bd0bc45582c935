"""One pure update of the model, and one epoch of them."""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.training.losses import pair_loss, sum_over
from grnjax.types import GeneBatch, PairBatch


class TrainState(NamedTuple):
    """Everything a run needs to go on exactly where it stopped."""

    parameters: Any
    collections: Any  # other variables of the model, batch statistics for one
    optimizer: Any
    step: Int[Array, ""]
    epoch: Int[Array, ""]  # the data position: epochs are shuffled by (seed, epoch)
    finite: Bool[Array, ""]  # False from the first update that was refused as not finite
    best_parameters: Any
    best_collections: Any
    best_score: Float[Array, ""]
    best_epoch: Int[Array, ""]
    worse: Int[Array, ""]  # evaluations since the best one
    stopped: Bool[Array, ""]


def fresh_state(
    parameters: Any, collections: Any, optimizer: optax.GradientTransformation
) -> TrainState:
    """The state before the first step."""
    return TrainState(
        parameters=parameters,
        collections=collections,
        optimizer=optimizer.init(parameters),
        step=jnp.zeros((), jnp.int32),
        epoch=jnp.zeros((), jnp.int32),
        finite=jnp.ones((), bool),
        best_parameters=jax.tree.map(jnp.copy, parameters),
        best_collections=jax.tree.map(jnp.copy, collections),
        best_score=jnp.full((), -jnp.inf, jnp.float32),
        best_epoch=jnp.zeros((), jnp.int32),
        worse=jnp.zeros((), jnp.int32),
        stopped=jnp.zeros((), bool),
    )


def keep_better(
    state: TrainState,
    score: Float[Array, ""],
    *,
    patience: int,
    epochs: int,
    counts: Bool[Array, ""] | bool = True,
) -> TrainState:
    """The state after an evaluation: its variables are kept if this score is the best so far.

    Args:
        patience: evaluations without a better score after which the fit stops.
        epochs: after which it stops anyway.
        counts: False where the evaluation comes too early to be chosen.
    """
    better = counts & (score > state.best_score)

    def keep(new, old):
        return jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)

    worse = jnp.where(counts & ~better, state.worse + 1, 0)
    return state._replace(
        best_parameters=keep(state.parameters, state.best_parameters),
        best_collections=keep(state.collections, state.best_collections),
        best_score=jnp.where(better, score, state.best_score),
        best_epoch=jnp.where(better, state.epoch, state.best_epoch),
        worse=worse,
        stopped=(worse >= patience) | (state.epoch >= epochs) | ~state.finite,
    )


class FitData(NamedTuple):
    """One fit's arrays; every fit of a run has the same shapes, so there is one compilation."""

    genes: GeneBatch
    train: PairBatch
    validation: PairBatch
    edge_fold: Int[Array, " edge"]  # fold that supervises an edge; -1 for loops and padding


class Model(Protocol):
    """A Flax module that scores pairs of genes."""

    def init(self, rngs, genes: GeneBatch, pairs: PairBatch, *, train: bool):
        """Fresh variables."""

    def apply(self, variables, genes: GeneBatch, pairs: PairBatch, *, train: bool, rngs: dict):
        """Logits [pair]."""


def train_step(
    state, batch, data, key, *, model, optimizer, penalty, edge_folds, unseen_share, axis=None
):
    """One update of `state` from one batch of pairs, and its loss.

    Randomness depends on (key, step) only. An update that is not finite is refused: the state
    keeps its parameters and `finite` turns False.

    Args:
        axis: of `jax.pmap`, whose devices hold a part of the train pairs each; their losses and
            gradients are summed over it, as `jit` does by itself.
    """
    dropout_key, unseen_key = jax.random.split(jax.random.fold_in(key, state.step))
    weight = sum_over(axis, jnp.sum(data.train.weights))
    genes, ridge = data.genes, 1.0 / jnp.maximum(weight, 1.0)
    if unseen_share:  # every second step, or round of folds, so that no fold is always hidden
        hiding = state.step // max(edge_folds, 1) % 2
        drawn = jax.random.uniform(unseen_key, (len(genes.nodes),))
        kept = (drawn >= unseen_share * hiding).astype(jnp.float32)
        genes, batch = hide_genes(genes, kept), hide_topology(batch, kept)
        ridge = ridge * (1 - hiding)  # a learned vector that is hidden must not shrink
    if edge_folds:
        supervised = state.step % edge_folds
        batch = batch._replace(weights=batch.weights * (batch.fold == supervised))
        kept = genes.graph.edges * (data.edge_fold != supervised)
        genes = genes._replace(graph=genes.graph._replace(edges=kept))

    def loss_of(parameters):
        logits, collections = model.apply(
            {"params": parameters, **state.collections},
            genes,
            batch,
            train=True,
            rngs={"dropout": dropout_key},
            mutable=list(state.collections),
        )
        loss = pair_loss(logits, batch.labels, batch.weights, axis)
        return loss + ridge * penalty(parameters) / sum_over(axis, 1), collections

    (loss, collections), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.parameters)
    loss, gradient = sum_over(axis, (loss, gradient))
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.parameters)
    moved = state._replace(
        parameters=optax.apply_updates(state.parameters, updates),
        collections=collections,
        optimizer=optimizer_state,
        step=state.step + 1,
    )
    reached = loss, moved.parameters, moved.collections, moved.optimizer
    finite = state.finite & all_finite(reached)
    weight = sum_over(axis, jnp.sum(batch.weights))
    learns = finite & (weight > 0)  # a batch of padding must not move anything
    kept = jax.tree.map(lambda new, old: jnp.where(learns, new, old), moved, state)
    return kept._replace(step=state.step + finite, finite=finite), loss


def all_finite(tree) -> Bool[Array, ""]:
    """Whether no number of the tree is infinite or NaN."""
    numbers = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in numbers]).all()


def hide_genes(genes: GeneBatch, kept: Float[Array, " node"]) -> GeneBatch:
    """The batch with the genes where `kept` is 0 made unseen: no learned vectors, no edges.

    What a model learns on such a step must hold for genes it knows from their features alone.
    """
    graph = genes.graph
    both = jnp.minimum(kept[graph.senders], kept[graph.receivers])
    alive = jnp.where(graph.senders == graph.receivers, 1.0, both)
    return genes._replace(
        seen=genes.seen * kept[:, None], graph=graph._replace(edges=graph.edges * alive)
    )


def hide_topology(batch: PairBatch, kept: Float[Array, " node"]) -> PairBatch:
    """The pairs without what train edges say of those whose TF or target is hidden."""
    both = jnp.minimum(kept[batch.pairs[:, 0]], kept[batch.pairs[:, 1]])
    return batch._replace(topology=batch.topology * both[:, None])


def train_epoch(state, data, key, *, batch_size, step):
    """One pass over the train pairs, shuffled by (key, epoch); the mean loss of its batches."""
    pairs = len(data.train.labels)
    if batch_size >= pairs:
        state, loss = step(state, data.train, data, key)
        return state._replace(epoch=state.epoch + 1), loss
    shuffle = jax.random.uniform(jax.random.fold_in(key, -1 - state.epoch), (pairs,))
    order = jnp.argsort(jnp.where(data.train.weights > 0, shuffle, 2.0))  # padding comes last
    batches = order[: pairs // batch_size * batch_size].reshape(-1, batch_size)

    def one_batch(state, index):
        return step(state, jax.tree.map(lambda a: a[index], data.train), data, key)

    state, losses = jax.lax.scan(one_batch, state, batches)
    return state._replace(epoch=state.epoch + 1), losses.mean()
