"""Fitting one model: jitted chunks of epochs, selection on validation, resume bit for bit."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from grnjax.config import AtLeastTwo, Count, DropRate, Positive, Rate, Seconds, Settings, Weight
from grnjax.errors import ConfigError
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.keeper import FitLog, FitResult, Keeper, train_to_the_end
from grnjax.training.losses import ranking_scores
from grnjax.training.sharding import check_tables, fetch, place_data, share_work, split_batches
from grnjax.training.step import (
    FitData,
    Model,
    TrainState,
    fresh_state,
    keep_better,
    train_epoch,
    train_step,
)
from grnjax.training.whole_fits import stack_fits
from grnjax.types import GeneBatch, PairBatch


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig(Settings):
    """How a model is fitted."""

    epochs: Positive = 400
    """Passes over the train pairs at most, rounded up to whole evaluations."""
    batch_size: Count = 0
    """Pairs a step; 0 takes all of them, and the graph is then encoded once an epoch."""
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    learning_rate: Rate = 0.02
    weight_decay: Weight = 3e-3
    """L2 added to the gradient of the parameters that have no ridge, as torch optimisers do."""
    evaluate_every: Positive = 10
    """Epochs between evaluations on the validation pairs."""
    patience: Positive = 10
    """Evaluations without a better validation score before the fit stops."""
    select_on: Literal["average_precision", "auroc"] = "average_precision"
    """Validation score that chooses the epoch."""
    edge_folds: Literal[0] | AtLeastTwo = 0
    """With K >= 2 each step is supervised by one of K folds and passes messages over the other
    edges; 0 leaves the supervised edges in the graph, as scRegNet does."""
    unseen_share: DropRate = 0.3
    """Share of genes that every second step treats as never seen."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints of a fit."""
    side_by_side: bool | None = None
    """Whether fits of equal shapes train side by side, whole ones on each device; by default on the
    accelerators of one process. False where their memory does not hold several."""


@dataclasses.dataclass(frozen=True, eq=False)
class Trainer:
    """A model with its compiled chunk; one Trainer serves every fit of a run."""

    model: Model
    config: TrainingConfig
    mesh: jax.sharding.Mesh | None
    optimizer: optax.GradientTransformation
    step: Callable[..., tuple[TrainState, jax.Array]]  # `train_step` with all settings
    start: Callable[[jax.Array, FitData], TrainState]
    chunk: Callable[[TrainState, FitData, jax.Array], tuple[TrainState, dict]]
    score: Callable[[dict, GeneBatch, PairBatch, jax.Array], jax.Array]

    @functools.cached_property
    def stacked(self) -> list[Callable]:
        """`start` and `chunk` of many fits at once, whose arrays are stacked on a leading axis."""
        return stack_fits(self.start, self.chunk)


def make_trainer(
    model: Model,
    config: TrainingConfig,
    *,
    penalty: Callable[[Any], jax.Array] | None = None,
    decayed: Callable[[Any], Any] | None = None,
    mesh: jax.sharding.Mesh | None = None,
) -> Trainer:
    """A trainer; its first fit compiles, and every later one of the same shapes reuses that.

    Args:
        penalty: ridge of the parameters, on the scale of the loss summed over pairs.
        decayed: mask of the parameters that weight decay applies to; all by default.
        mesh: devices that share each fit (`sharding.make_mesh`); without one, a single device.

    Raises:
        ConfigError: fits that share devices are to train side by side.
    """
    if mesh is not None and config.side_by_side:
        raise ConfigError(
            f"fits that share {mesh.size} devices cannot train side by side, each on one of them: "
            "leave out --method.training.side-by-side."
        )
    optimizer = make_optimizer(config, decayed)
    step = functools.partial(
        train_step,
        model=model,
        optimizer=optimizer,
        penalty=penalty or (lambda parameters: jnp.zeros(())),
        edge_folds=config.edge_folds,
        unseen_share=config.unseen_share,
    )
    batch_step = step if mesh is None else split_batches(step, mesh)

    def start(key, data):
        variables = dict(model.init({"params": key}, data.genes, data.train, train=False))
        parameters = variables.pop("params")
        return fresh_state(parameters, variables, optimizer)

    def chunk(state, data, key):
        batch_size = config.batch_size or len(data.train.labels)

        def one_epoch(state, _):
            return train_epoch(state, data, key, batch_size=batch_size, step=batch_step)

        def go_on(state):
            state, losses = jax.lax.scan(one_epoch, state, length=config.evaluate_every)
            state, scores = select(model, state, data, config, key)
            return state, {"loss": losses[-1], **scores, "trained": jnp.ones((), bool)}

        def stay(state):
            none = jnp.full((), jnp.nan)
            scores = {"auroc": none, "average_precision": none}
            return state, {"loss": none, **scores, "trained": jnp.zeros((), bool)}

        state, metrics = jax.lax.cond(state.stopped, stay, go_on, state)
        return state, {
            **metrics,
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "stopped": state.stopped,
        }

    def score(variables, genes, pairs, key):
        return model.apply(variables, genes, pairs, train=False, rngs={"dropout": key})

    functions = start, chunk, score
    if mesh is None:
        compiled = map(jax.jit, functions)
    else:
        compiled = share_work(mesh, *functions)
    return Trainer(model, config, mesh, optimizer, step, *compiled)


def make_optimizer(
    config: TrainingConfig, decayed: Callable[[Any], Any] | None = None
) -> optax.GradientTransformation:
    """The optimiser in torch's convention: weight decay joins the gradient before scaling."""
    rule = {
        "adam": optax.scale_by_adam(),
        "rmsprop": optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False),
        "sgd": optax.identity(),
    }[config.optimizer]
    decay = optax.add_decayed_weights(config.weight_decay, decayed)
    return optax.chain(decay, rule, optax.scale(-config.learning_rate))


def select(model, state, data, config, key) -> tuple[TrainState, dict]:
    """Scores the validation pairs and keeps the parameters if they are the best so far.

    The key matters only to a model that asks for dropout at evaluation.
    """
    variables = {"params": state.parameters, **state.collections}
    rngs = {"dropout": jax.random.fold_in(key, state.step)}
    logits = model.apply(variables, data.genes, data.validation, train=False, rngs=rngs)
    auroc, average_precision = ranking_scores(
        logits, data.validation.labels, data.validation.weights
    )
    scores = {"auroc": auroc, "average_precision": average_precision}
    state = keep_better(
        state, scores[config.select_on], patience=config.patience, epochs=config.epochs
    )
    return state, scores


def fit(
    trainer: Trainer,
    data: FitData,
    *,
    seed: int,
    name: str,
    store: CheckpointStore | None = None,
    log: FitLog | None = None,
) -> FitResult:
    """Trains from `seed` until validation stops improving; goes on from `store` where it left off.

    Raises:
        NonFiniteError: an update was not finite; the last good state is in `store`.
        ConfigError: the mesh has devices for large tables, and there are none.
    """
    init_key, train_key = jax.random.split(jax.random.key(seed))
    keeper, mesh = Keeper(name, store, log), trainer.mesh
    if mesh is not None:
        data = place_data(data, mesh, batch_size=trainer.config.batch_size)
    state = trainer.start(init_key, data)
    if mesh is not None:
        check_tables(data, state, mesh)
    # from numpy arrays: arrays restored onto one device would compile the chunk once more
    state = keeper.begin(jax.device_get(state) if mesh is None else state)
    state = train_to_the_end(
        [keeper],
        jax.tree.map(jnp.asarray, state),
        lambda state: trainer.chunk(state, data, train_key),
        lambda tree: [tree],
        trainer.config.checkpoint_seconds,
    )
    return keeper.finish(fetch(state), trainer.config.learning_rate)
