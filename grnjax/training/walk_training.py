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
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.graphs.walks import ENDED, WalkConfig, WalkGraph, draw_walks
from grnjax.models.walk_model import WalkModel, WalkModelConfig
from grnjax.models.walk_tokens import SPECIAL, MaskedWalks, make_sentences, mask_genes
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.keeper import FitLog, FitResult
from grnjax.training.loop import fit, make_trainer
from grnjax.training.losses import weighted_mean
from grnjax.training.objective import BatchLoss, Objective, Schedule


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


class WalkData(NamedTuple):
    """The arrays of a fit."""

    graph: WalkGraph
    held_out: MaskedWalks  # with a leading axis of batches


@dataclasses.dataclass(frozen=True)
class WalkObjective(Objective):
    """The language model, fitted to walks; an epoch is the steps between two evaluations."""

    config: WalkTrainingConfig
    genes: int
    epochs: int
    metrics = ("held_out_loss",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config, epochs=self.epochs, evaluate_every=1)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW, whose learning rate rises and falls once over all steps."""
        config, steps = self.config, self.epochs * self.config.evaluate_every
        rising = math.ceil(config.warm_up * (steps - 1))
        rate = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, rising, steps)
        return optax.adamw(
            rate,
            weight_decay=config.weight_decay,
            mask=lambda parameters: jax.tree.map(lambda x: x.ndim > 1, parameters),
        )

    @property
    def model(self) -> WalkModel:
        """The language model; a sentence has two tokens more than its walk."""
        return WalkModel(self.config.model, self.genes, self.config.walks.length + 2)

    def init(self, key, data: WalkData):
        """Fresh parameters."""
        sentences = make_sentences(jnp.full((1, self.config.walks.length), ENDED), self.genes)
        example = mask_genes(sentences, self.genes, self.config.masked_share, key)
        return self.model.init(key, example)["params"], {}

    def divide(self, data: WalkData, key, epoch):
        """The numbers of the steps."""
        return jnp.arange(self.config.evaluate_every)

    def batch(self, data: WalkData, part, key) -> MaskedWalks:
        """Walks that no other step has."""
        return draw_batch(data.graph, key, self.config, self.genes, hide_all=False)

    def loss(self, state, batch: MaskedWalks, data, key, *, axis=None) -> BatchLoss:
        """The mean cross-entropy of the genes to guess, in nats."""
        logits = self.model.apply({"params": state.parameters}, batch)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch.genes)
        return BatchLoss(weighted_mean(losses, batch.weights), state.collections)

    def evaluate(self, state, data: WalkData, key):
        """The loss on the held-out walks."""
        held_out = data.held_out
        losses = jax.lax.map(lambda batch: self.loss(state, batch, data, key).loss, held_out)
        loss = jnp.average(losses, weights=held_out.weights.sum(axis=1))
        return -loss, {"held_out_loss": loss}

    def split_seed(self, seed: int) -> jax.Array:
        """The last two of four; entropy and held-out walks have the others."""
        return jax.random.split(jax.random.key(seed), 4)[2:]

    def count_rows(self, data: WalkData) -> int:
        """Tokens."""
        return self.genes + SPECIAL


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
    mesh: Mesh | None = None,
) -> WalkFit:
    """Trains until the held-out loss stops falling; resumes from `store` where it stopped.

    Args:
        mesh: devices that share the fit; without one, a single device.

    Raises:
        NonFiniteError: an update was not finite; the last good state is in `store`.
    """
    objective = WalkObjective(config, genes, config.count_epochs(len(graph.starts)))
    data, entropy = prepare_walks(graph, genes, config, seed)
    trainer = make_trainer(objective, mesh)
    return WalkFit(fit(trainer, data, seed=seed, name=name, store=store, log=log), entropy)


def prepare_walks(
    graph: WalkGraph, genes: int, config: WalkTrainingConfig, seed: int
) -> tuple[WalkData, float]:
    """The arrays of a fit, and the entropy in nats of the genes in walks."""
    graph = jax.tree.map(jnp.asarray, graph)
    keys = jax.random.split(jax.random.key(seed), 4)
    held_out = draw_held_out(graph, keys[1], config=config, genes=genes)
    entropy = measure_unigram_entropy(graph, keys[0], config=config, genes=genes)
    return WalkData(graph, held_out), float(entropy)


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
