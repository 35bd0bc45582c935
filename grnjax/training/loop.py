"""Fitting any objective: jitted chunks of epochs, the best state kept, resumed bit for bit."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from grnjax.errors import ConfigError
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.storage.memory import GIB, find_memory
from grnjax.training import sharding
from grnjax.training.keeper import FitLog, FitResult, Keeper, train_to_the_end
from grnjax.training.objective import Objective, PyTree, Schedule, TrainState
from grnjax.training.step import fresh_state, keep_better, train_epoch, train_step


@dataclasses.dataclass(frozen=True, eq=False)
class Trainer:
    """An objective with its compiled chunk; one Trainer serves every fit of a run."""

    objective: Objective
    schedule: Schedule
    mesh: jax.sharding.Mesh | None
    step: Callable[..., tuple[TrainState, jax.Array]]  # `train_step` of the objective
    start: Callable[[jax.Array, PyTree], TrainState]
    chunk: Callable[[TrainState, PyTree, jax.Array], tuple[TrainState, dict]]
    score: Callable[..., jax.Array] | None  # logits of pairs by (variables, genes, pairs, key)

    @functools.cached_property
    def stacked(self) -> list[Callable]:
        """`start` and `chunk` of many fits at once, whose arrays are stacked on a leading axis."""
        return sharding.stack_fits(self.start, self.chunk)


@functools.lru_cache(maxsize=8)
def make_trainer(
    objective: Objective,
    mesh: jax.sharding.Mesh | None = None,
    *,
    score: Callable[..., jax.Array] | None = None,
) -> Trainer:
    """A trainer; its first fit compiles, and every later one of the same shapes reuses that.

    Equal objectives, as those of equal settings may be, have one trainer.

    Args:
        mesh: devices that share each fit (`sharding.make_mesh`); without one, a single device.
        score: of a pair model, compiled.

    Raises:
        ConfigError: fits that share devices are to train side by side.
    """
    schedule = objective.schedule
    if mesh is not None and schedule.side_by_side:
        raise ConfigError(
            f"fits that share {mesh.size} devices cannot train side by side, each on one of them: "
            "leave out --method.training.side-by-side."
        )
    step = functools.partial(train_step, objective=objective)
    batch_step = step if mesh is None else sharding.split_batches(step, objective, mesh)

    def start(key, data):
        return fresh_state(objective, key, data)

    def chunk(state, data, key):
        def one_epoch(state, _):
            return train_epoch(state, data, key, objective=objective, step=batch_step)

        def train(state):
            state, losses = jax.lax.scan(one_epoch, state, length=schedule.evaluate_every)
            score, metrics = objective.evaluate(state, data, jax.random.fold_in(key, state.step))
            return keep_better(state, score, schedule), {"loss": losses[-1], **metrics}

        def stay(state):
            return state, dict.fromkeys(("loss", *objective.metrics), jnp.full((), jnp.nan))

        trained = ~state.stopped
        state, metrics = jax.lax.cond(trained, train, stay, state)
        return state, {
            **metrics,
            "trained": trained,
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "stopped": state.stopped,
        }

    if mesh is None:
        start, chunk = jax.jit(start), jax.jit(chunk)
    else:
        start, chunk = sharding.share_work(mesh, objective, start, chunk)
    return Trainer(objective, schedule, mesh, step, start, chunk, score)


def fit(
    trainer: Trainer,
    data: Any,
    *,
    seed: int,
    name: str,
    store: CheckpointStore | None = None,
    log: FitLog | None = None,
) -> FitResult:
    """Trains from `seed` until evaluations stop improving; resumes from `store` where it stopped.

    Raises:
        NonFiniteError: an update was not finite; the last good state is in `store`.
        ConfigError: the mesh has devices for large tables, and there are none; or what is learned
            does not fit into the memory.
    """
    init_key, train_key = trainer.objective.split_seed(seed)
    keeper, mesh = Keeper(name, store, log), trainer.mesh
    if mesh is None:
        check_memory(trainer, init_key, data)
    if mesh is not None:
        data = sharding.place_data(data, trainer.objective, mesh)
    state = trainer.start(init_key, data)
    if mesh is not None:
        sharding.check_tables(data, state, trainer.objective, mesh)
    # from numpy arrays: arrays restored onto one device would compile the chunk once more
    state = keeper.begin(jax.device_get(state) if mesh is None else state)
    state = train_to_the_end(
        [keeper],
        jax.tree.map(jnp.asarray, state),
        lambda state: trainer.chunk(state, data, train_key),
        lambda tree: [tree],
        trainer.schedule.checkpoint_seconds,
    )
    return keeper.finish(sharding.fetch(state), trainer.schedule.learning_rate)


def check_memory(trainer: Trainer, key: jax.Array, data: Any) -> None:
    """Refuses a fit whose parameters alone are more than there is, before any is drawn.

    Counted are the state with optimizer and best parameters, once before and once after an update;
    what a batch takes beside them is not known here.

    Raises:
        ConfigError: with the numbers.
    """
    form = jax.eval_shape(trainer.start, key, data)
    learned = sum(leaf.size for leaf in jax.tree.leaves(form.parameters))
    needed = 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(form))
    there = find_memory(jax.local_devices()[:1])
    if needed > there:
        raise ConfigError(
            f"the model has {learned:,} parameters, and fitting them takes {needed / GIB:,.1f} GiB "
            f"at least, of which {there / GIB:,.1f} are free: take a smaller width or fewer layers "
            "or a machine with more memory."
        )
