"""Fitting the masked language model of walks, resumed bit for bit (GT-GRN, stage 2).

Every step draws its own walks. That takes less than a hundredth of the step, and nothing is stored,
no walk is learned by heart, and randomness depends on (seed, step) alone. The held-out walks are
others of the same networks, drawn once, with every gene to guess hidden: a model that knew only how
often each gene comes would lose there the entropy of the genes in walks, which is measured beside.
"""

import dataclasses
import functools
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.graphs.walks import ENDED, WalkConfig, WalkGraph, draw_walks
from grnjax.models.walk_model import WalkModel, WalkModelConfig
from grnjax.models.walk_tokens import MaskedWalks, make_sentences, mask_genes
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.keeper import FitLog, FitResult, Keeper, train_to_the_end
from grnjax.training.losses import weighted_mean
from grnjax.training.step import TrainState, all_finite, fresh_state, keep_better


@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkTrainingConfig(Settings):
    """How a language model is fitted to walks; what GT-GRN does is not published."""

    walks: WalkConfig = WalkConfig()
    model: WalkModelConfig = WalkModelConfig()
    walks_a_node: Positive = 40
    """Walks from each gene of each network, in the mean, if training does not stop before."""
    batch_size: Positive = 64
    """Walks a step."""
    masked_share: Share = 0.15
    """Share of the genes of a batch that are to be guessed."""
    learning_rate: Rate = 1e-3
    """Where the warm-up ends; from there it falls to 0. BERTwalk's 5e-4 left the held-out
    loss 0.1 nats higher on networks of the mDC cells."""
    warm_up: Share = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Weight = 0.01
    """AdamW's; of matrices, not of biases and scales."""
    evaluate_every: Positive = 200
    """Steps between evaluations, which are the epochs of logs and checkpoints."""
    held_out_walks: Positive = 2048
    """Walks to evaluate on, rounded up to whole batches."""
    patience: Positive = 5
    """Evaluations without a lower held-out loss before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""
    vector: Literal["states", "row"] = "states"
    """What stands for a gene: the mean of its last-layer states in walks, or its input row."""
    vector_walks: Positive = 10
    """Walks from each gene of each network whose states are averaged."""

    def count_epochs(self, starts: int) -> int:
        """Evaluations at most, where walks can start from that many nodes."""
        return math.ceil(starts * self.walks_a_node / self.batch_size / self.evaluate_every)


class WalkFit(NamedTuple):
    """A fitted language model and what its held-out loss is to be held against."""

    result: FitResult  # `best_score` is minus the held-out loss
    unigram_entropy: float  # nats; of the genes in walks


def fit_walks(
    graph: WalkGraph,
    genes: int,
    config: WalkTrainingConfig,
    *,
    seed: int,
    name: str = "walks",
    store: CheckpointStore | None = None,
    log: FitLog | None = None,
) -> WalkFit:
    """Trains until the held-out loss stops falling; goes on from `store` where it left off.

    Raises:
        NonFiniteError: an update was not finite; the last good state is in `store`.
    """
    graph = jax.tree.map(jnp.asarray, graph)
    keys = jax.random.split(jax.random.key(seed), 4)
    settings = {"config": config, "genes": genes}
    entropy = float(measure_unigram_entropy(graph, keys[0], **settings))
    held_out = draw_held_out(graph, keys[1], **settings)
    keeper = Keeper(name, store, log)
    # from numpy arrays, as in `loop.fit`: restored ones would compile the chunk once more
    state = keeper.begin(jax.device_get(start_fit(keys[2], **settings)))
    state = train_to_the_end(
        [keeper],
        jax.tree.map(jnp.asarray, state),
        lambda state: train_chunk(state, graph, held_out, keys[3], **settings),
        lambda tree: [tree],
        config.checkpoint_seconds,
    )
    return WalkFit(keeper.finish(jax.device_get(state), config.learning_rate), entropy)


def draw_sentences(
    graph: WalkGraph, key: jax.Array, config: WalkTrainingConfig, genes: int
) -> Int[Array, "walk token"]:
    """A batch of walks from random nodes, as sentences."""
    start_key, walk_key = jax.random.split(key)
    start = jax.random.randint(start_key, (config.batch_size,), 0, len(graph.starts))
    return make_sentences(draw_walks(graph, graph.starts[start], config.walks, walk_key), genes)


def draw_batch(
    graph: WalkGraph, key: jax.Array, config: WalkTrainingConfig, genes: int, hide_all: bool
) -> MaskedWalks:
    """A batch of walks from random nodes, with genes to guess."""
    walk_key, mask_key = jax.random.split(key)
    sentences = draw_sentences(graph, walk_key, config, genes)
    return mask_genes(sentences, genes, config.masked_share, mask_key, hide_all=hide_all)


@functools.partial(jax.jit, static_argnames=("config", "genes"))
def draw_held_out(graph, key, *, config, genes) -> MaskedWalks:
    """The walks to evaluate on, with a leading axis of batches."""
    batches = math.ceil(config.held_out_walks / config.batch_size)
    keys = jax.random.split(key, batches)
    return jax.lax.map(lambda key: draw_batch(graph, key, config, genes, hide_all=True), keys)


@functools.partial(jax.jit, static_argnames=("config", "genes"))
def measure_unigram_entropy(graph, key, *, config, genes) -> Float[Array, ""]:
    """Entropy, in nats, of which gene stands at a random place of a random walk.

    It is measured on ten walks a node, and too low by about genes / (2 places), some thousandths.
    """
    batches = math.ceil(10 * len(graph.starts) / config.batch_size)

    def count(counts, key):
        sentences = draw_sentences(graph, key, config, genes)
        return counts.at[sentences].add(1, mode="drop"), None  # other tokens lie past the genes

    counts, _ = jax.lax.scan(count, jnp.zeros(genes, jnp.int32), jax.random.split(key, batches))
    share = counts / counts.sum()
    return -jnp.sum(jax.scipy.special.xlogy(share, share))


@functools.partial(jax.jit, static_argnames=("config", "genes"))
def start_fit(key, *, config, genes) -> TrainState:
    """The state before the first step."""
    sentences = make_sentences(jnp.full((1, config.walks.length), ENDED), genes)
    example = mask_genes(sentences, genes, config.masked_share, key)
    parameters = WalkModel(config.model, genes, sentences.shape[1]).init(key, example)["params"]
    optimizer = make_optimizer(config, steps=1)  # how many is no part of its state
    return fresh_state(parameters, {}, optimizer)


def make_optimizer(config: WalkTrainingConfig, steps: int) -> optax.GradientTransformation:
    """AdamW, whose learning rate rises and falls once over that many steps."""
    rising = math.ceil(config.warm_up * (steps - 1))
    rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, rising, steps)
    return optax.adamw(
        rate,
        weight_decay=config.weight_decay,
        mask=lambda parameters: jax.tree.map(lambda x: x.ndim > 1, parameters),
    )


@functools.partial(jax.jit, static_argnames=("config", "genes"))
def train_chunk(state, graph, held_out, key, *, config, genes) -> tuple[TrainState, dict]:
    """The state after the steps until the next evaluation, that included, and its metrics."""
    epochs = config.count_epochs(len(graph.starts))
    optimizer = make_optimizer(config, epochs * config.evaluate_every)

    def one_step(state, _):
        batch_key = jax.random.fold_in(key, state.step)
        batch = draw_batch(graph, batch_key, config, genes, hide_all=False)
        return train_step(state, batch, config, genes, optimizer)

    def go_on(state):
        state, losses = jax.lax.scan(one_step, state, length=config.evaluate_every)
        state = state._replace(epoch=state.epoch + 1)
        state, loss = select(state, held_out, config, genes, epochs)
        return state, losses.mean(), loss

    def stay(state):
        return state, jnp.full((), jnp.nan), jnp.full((), jnp.nan)

    trained = ~state.stopped
    state, train_loss, held_out_loss = jax.lax.cond(trained, go_on, stay, state)
    return state, {
        "loss": train_loss,
        "held_out_loss": held_out_loss,
        "trained": trained,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "stopped": state.stopped,
    }


def train_step(state, batch, config, genes, optimizer) -> tuple[TrainState, Float[Array, ""]]:
    """One update from one batch, and its loss; an update that is not finite is refused."""
    loss, gradient = jax.value_and_grad(mean_loss)(state.parameters, batch, config, genes)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.parameters)
    moved = state._replace(
        parameters=optax.apply_updates(state.parameters, updates),
        optimizer=optimizer_state,
        step=state.step + 1,
    )
    finite = state.finite & all_finite((loss, moved.parameters, moved.optimizer))
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, state)
    return kept._replace(finite=finite), loss


def mean_loss(parameters, batch: MaskedWalks, config, genes) -> Float[Array, ""]:
    """Mean cross-entropy of the genes to guess, in nats."""
    model = WalkModel(config.model, genes, batch.tokens.shape[1])
    logits = model.apply({"params": parameters}, batch)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.genes)
    return weighted_mean(losses, batch.weights)


def select(state, held_out, config, genes, epochs) -> tuple[TrainState, Float[Array, ""]]:
    """Evaluates on the held-out walks and keeps the parameters if they are the best so far."""
    losses = jax.lax.map(lambda batch: mean_loss(state.parameters, batch, config, genes), held_out)
    loss = jnp.average(losses, weights=held_out.weights.sum(axis=1))
    return keep_better(state, -loss, patience=config.patience, epochs=epochs), loss
