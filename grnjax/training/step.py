"""One pure update of an objective's state, and one epoch of them."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from grnjax.training.losses import sum_over
from grnjax.training.objective import Objective, PyTree, Schedule, TrainState


def fresh_state(objective: Objective, key: jax.Array, data: PyTree) -> TrainState:
    """The state before the first step."""
    parameters, collections = objective.init(key, data)
    return TrainState(
        parameters=parameters,
        collections=collections,
        optimizer=objective.optimizer.init(parameters),
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


def keep_better(state: TrainState, score: Float[Array, ""], schedule: Schedule) -> TrainState:
    """The state after an evaluation: its variables are kept if this score is the best so far."""
    counts = state.epoch >= schedule.first_choice
    better = counts & (score > state.best_score)

    def keep(new, old):
        return jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)

    worse = jnp.where(counts & ~better, state.worse + 1, 0)
    ended = (worse >= schedule.patience) | (state.epoch >= schedule.epochs)
    return state._replace(
        best_parameters=keep(state.parameters, state.best_parameters),
        best_collections=keep(state.collections, state.best_collections),
        best_score=jnp.where(better, score, state.best_score),
        best_epoch=jnp.where(better, state.epoch, state.best_epoch),
        worse=worse,
        stopped=ended | ~state.finite,
    )


def train_step(
    state: TrainState,
    batch: PyTree,
    data: PyTree,
    key: jax.Array,
    *,
    objective: Objective,
    axis: str | None = None,
) -> tuple[TrainState, Float[Array, ""]]:
    """One update of `state` from one batch, and its loss.

    Randomness depends on (key, step) only. An update that is not finite is refused: the state
    keeps its parameters and `finite` turns False.

    Args:
        axis: of `jax.pmap`, whose devices hold a part of the batch each; their losses and
            gradients are summed over it, as `jit` does by itself.
    """
    key = jax.random.fold_in(key, state.step)

    def loss_of(parameters):
        found = objective.loss(state._replace(parameters=parameters), batch, data, key, axis=axis)
        return found.loss, found

    (loss, found), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.parameters)
    loss, gradient = sum_over(axis, (loss, gradient))
    updates, optimizer = objective.optimizer.update(gradient, state.optimizer, state.parameters)
    moved = state._replace(
        parameters=optax.apply_updates(state.parameters, updates),
        collections=found.collections,
        optimizer=optimizer,
    )
    finite = state.finite & all_finite((loss, moved.parameters, moved.collections, moved.optimizer))
    learns = finite & (found.weight > 0)  # a batch of padding must not move anything
    kept = jax.tree.map(lambda new, old: jnp.where(learns, new, old), moved, state)
    return kept._replace(step=state.step + finite, finite=finite), loss


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether no number of the tree is infinite or NaN."""
    numbers = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in numbers]).all()


def train_epoch(
    state: TrainState, data: PyTree, key: jax.Array, *, objective: Objective, step: Callable
) -> tuple[TrainState, Float[Array, ""]]:
    """One pass over what the objective divides the data into, and the mean loss of its batches.

    Args:
        step: from (state, batch, data, key) to the next state and the loss.
    """

    def one_step(state, part):
        batch = objective.batch(data, part, jax.random.fold_in(key, state.step))
        return step(state, batch, data, key)

    parts = objective.divide(data, key, state.epoch)
    if parts is None:
        state, loss = one_step(state, None)
    else:
        state, losses = jax.lax.scan(one_step, state, parts)
        loss = losses.mean()
    return state._replace(epoch=state.epoch + 1), loss
