"""Masked-expression training of foundation models, as an objective of the one engine.

What the four models share: cells are tokens in memory, some of them are hidden at each step, and
held-out cells have tokens that are hidden once and for all. What is hidden and how it is judged
stands in `token_objectives.py`, the published settings in `published_training.py`.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count, Items, Positive, Range, Rate, Seconds, Settings, Share, Weight
from grnjax.errors import ConfigError
from grnjax.foundation.masking import choose_tokens
from grnjax.foundation.model_config import ModelConfig
from grnjax.training.cell_batches import divide_cells, pad_cells
from grnjax.training.freezing import gather, split_frozen
from grnjax.training.losses import sum_over
from grnjax.training.objective import BatchLoss, Objective, Schedule
from grnjax.training.warm_start import take_over

Chance = Annotated[float, Range(0, 1)]
Fall = Literal["constant", "linear", "cosine", "epochs"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenTrainingConfig(Settings):
    """How a foundation model is fitted to masked expression."""

    masked_shares: Annotated[tuple[Share, ...], Items()] = (0.15,)
    """Share of a cell's tokens that are to be predicted; of several, one is drawn for each cell."""
    replaced: Chance = 0.8
    """Share of these that become the mask while training; held-out ones all do."""
    others: Chance = 0.1
    """Share that becomes another token or value; the rest stays as it is."""
    epochs: Positive = 30
    """Passes over the train cells at most."""
    batch_size: Positive = 16
    """Cells a batch."""
    accumulate: Positive = 1
    """Batches whose mean gradient makes one update."""
    learning_rate: Rate = 1e-4
    """Where the warm-up ends."""
    schedule: Fall = "cosine"
    """How it falls from there: not at all, to 0 in a line or half a cosine, or by `decay` after
    each epoch."""
    decay: Annotated[float, Range(0, 1, ends="(]")] = 0.9
    """What the learning rate is multiplied by after an epoch, if the schedule is `epochs`."""
    warm_up: Count = 0
    """Updates over which the learning rate rises, published for millions of cells; fewer where
    these are more than `most_warm_up` of the updates."""
    most_warm_up: Chance = 0.1
    """Share of the updates that the warm-up takes at most."""
    weight_decay: Weight = 0.0
    """AdamW's; of matrices, not of biases and scales."""
    most_gradient: Rate = 1.0
    """The norm that gradients are cut to."""
    freeze: tuple[str, ...] = ()
    """Parameters that are not learned, by their paths and patterns of these, such as embeddings or
    layer_[0-3]."""
    evaluate_every: Positive = 1
    """Epochs between evaluations on the validation cells."""
    patience: Positive = 5
    """Evaluations without a lower validation loss before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""

    def __post_init__(self):
        super().__post_init__()
        if self.replaced + self.others > 1:
            raise ConfigError(
                f"replaced is {self.replaced} and others {self.others}, more than all together."
            )

    def count_warm_up(self, updates: int) -> int:
        """Updates of the warm-up, of so many."""
        return min(self.warm_up, math.ceil(self.most_warm_up * (updates - 1)))


class HiddenTokens(NamedTuple):
    """Cells to be judged on, each with tokens that are hidden once and for all."""

    cells: Int[Array, " cell"]
    is_hidden: Bool[Array, "cell token"]


class TokenData(NamedTuple):
    """The arrays of a fit: the cells of a data set as tokens of one length."""

    tokens: Int[Array, "cell token"]  # in the smallest type that holds them
    values: Float[Array, "cell token"] | None  # beside the tokens, where the model reads any
    lengths: Int[Array, " cell"]  # tokens of each that are real
    train: Int[Array, " train"]
    validation: HiddenTokens
    start: dict | None = None  # variables that the fit begins with, those of the whole model


class Cells(NamedTuple):
    """Some of the cells."""

    tokens: Int[Array, "cell token"]
    values: Float[Array, "cell token"] | None
    is_real: Bool[Array, "cell token"]


class HiddenBatch(NamedTuple):
    """Cells of one step."""

    cells: Cells  # as they are
    inputs: Any  # what the model sees of them, with a leading axis of cells
    is_hidden: Bool[Array, "cell token"]
    weights: Float[Array, " cell"]  # 0 for those that only fill the batch up


@dataclasses.dataclass(frozen=True)
class TokenObjective(Objective):
    """A foundation model and its masked-expression loss; a class a model, below this one."""

    config: TokenTrainingConfig
    model: ModelConfig
    steps: int  # of an epoch
    metrics = ("validation_loss",)
    unit: ClassVar[str] = "squared error"
    """Of the loss."""

    # What differs between models

    def find_eligible(self, cells: Cells) -> Bool[Array, "cell token"]:
        """Which tokens may be hidden."""
        raise NotImplementedError

    def hide(self, cells: Cells, is_hidden: Bool[Array, "cell token"], key: jax.Array | None):
        """What the model sees of cells; with a key, as in training."""
        raise NotImplementedError

    def alter(self, cells: Cells, key: jax.Array) -> Cells:
        """The cells of a training step as the model is to see them, before anything is hidden."""
        del key
        return cells

    def measure(self, variables: dict, batch: HiddenBatch, key: jax.Array | None) -> tuple:
        """Losses [cell, place] of hidden tokens, and which of the places count.

        Args:
            key: None outside of training.
        """
        raise NotImplementedError

    # What they share

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config)

    @property
    def updates(self) -> int:
        """Of the whole fit."""
        return -(-self.steps * self.config.epochs // self.config.accumulate)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW on clipped gradients, or Adam where no weight decays."""
        config = self.config
        matrices = functools.partial(jax.tree.map, lambda x: x.ndim > 1)
        found = optax.chain(
            optax.clip_by_global_norm(config.most_gradient),
            optax.adamw(self.rate, weight_decay=config.weight_decay, mask=matrices),
        )
        if config.accumulate == 1:
            return found
        return optax.MultiSteps(found, config.accumulate).gradient_transformation()

    def rate(self, update: Int[Array, ""]) -> Float[Array, ""] | float:
        """The learning rate of an update."""
        config, updates = self.config, self.updates
        rising = config.count_warm_up(updates)
        rise = jnp.minimum(1.0, update / max(rising, 1)) if rising else 1.0
        done = jnp.clip((update - rising) / max(updates - rising, 1), 0, 1)
        epoch = update * config.accumulate // self.steps
        falls: dict[Fall, Callable[[], Float[Array, ""] | float]] = {
            "constant": lambda: 1.0,
            "linear": lambda: 1 - done,
            "cosine": lambda: (1 + jnp.cos(jnp.pi * done)) / 2,
            "epochs": lambda: config.decay**epoch,
        }
        return config.learning_rate * rise * falls[config.schedule]()

    def init(self, key, data: TokenData):
        """Fresh variables but for those given; what is frozen is among the collections."""
        variables = take_over(jax.jit(self.model.init)(key), data.start)
        learned, frozen = split_frozen(variables["params"], self.config.freeze)
        others = {name: x for name, x in variables.items() if name != "params"}
        return learned, others | frozen

    def divide(self, data: TokenData, key, epoch):
        """Batches of train cells, in an order drawn by (seed, epoch), and their weights."""
        size = self.config.batch_size
        return divide_cells(data.train, self.steps, size, key, epoch)

    def take(self, data: TokenData, cells: Int[Array, " cell"]) -> Cells:
        """These cells."""
        is_real = jnp.arange(data.tokens.shape[1]) < data.lengths[cells][:, None]
        values = None if data.values is None else data.values[cells]
        return Cells(data.tokens[cells].astype(jnp.int32), values, is_real)

    def choose(self, cells: Cells, key: jax.Array) -> Bool[Array, "cell token"]:
        """The tokens to hide, a share of those that are eligible."""
        share_key, key = jax.random.split(key)
        return choose_tokens(self.find_eligible(cells), self.draw_shares(cells, share_key), key)

    def draw_shares(self, cells: Cells, key: jax.Array) -> Float[Array, " cell"]:
        """The share of each cell."""
        shares = jnp.array(self.config.masked_shares)
        return shares[jax.random.randint(key, (len(cells.tokens),), 0, len(shares))]

    def batch(self, data: TokenData, part, key) -> HiddenBatch:
        """The cells of a part, with tokens hidden as in no other step."""
        places, weights = part
        cells = self.take(data, places)
        seen = self.alter(cells, jax.random.fold_in(key, 2))
        choice_key, key = jax.random.split(jax.random.fold_in(key, 1))
        is_hidden = self.choose(seen, choice_key)
        return HiddenBatch(cells, self.hide(seen, is_hidden, key), is_hidden, weights)

    def loss(self, state, batch: HiddenBatch, data: TokenData, key, *, axis=None) -> BatchLoss:
        """The mean loss of hidden tokens."""
        losses, counts = self.measure(gather(state), batch, key)
        weights = counts * batch.weights[:, None]
        total = sum_over(axis, weights.sum())
        return BatchLoss(jnp.sum(losses * weights) / jnp.maximum(total, 1), state.collections)

    def evaluate(self, state, data: TokenData, key):
        """The loss on the validation cells, whose hidden tokens never change."""
        losses, counts = self.judge(gather(state), data, data.validation)
        loss = losses.sum() / jnp.maximum(counts.sum(), 1)
        return -loss, {"validation_loss": loss}

    def judge(
        self, variables: dict, data: TokenData, held_out: HiddenTokens
    ) -> tuple[Float[Array, " cell"], Int[Array, " cell"]]:
        """The summed loss of the hidden tokens of each held-out cell, and how many they are."""
        cells, size = len(held_out.cells), self.config.batch_size
        places = jnp.arange(-(-cells // size) * size).reshape(-1, size) % cells

        def judge_some(places):
            some, is_hidden = self.take(data, held_out.cells[places]), held_out.is_hidden[places]
            inputs = self.hide(some, is_hidden, None)
            batch = HiddenBatch(some, inputs, is_hidden, jnp.ones(len(places)))
            losses, counts = self.measure(variables, batch, None)
            return jnp.sum(losses * counts, axis=1), counts.sum(axis=1)

        losses, counts = jax.lax.map(judge_some, places)
        return losses.reshape(-1)[:cells], counts.reshape(-1)[:cells]

    def count_rows(self, data: TokenData) -> int:
        """Rows of the largest table that is learned, such as that of words."""
        form = jax.eval_shape(self.model.init, jax.random.key(0))["params"]
        tables = [x.shape[0] for x in jax.tree.leaves(form) if x.ndim == 2]
        return max(tables)

    def pad_batch(self, batch: HiddenBatch, data: TokenData, parts: int) -> HiddenBatch:
        """The cells, and as many that weigh nothing as make their number divide."""
        missing = -len(batch.weights) % parts

        weights = jnp.pad(batch.weights, (0, missing))
        return pad_cells(batch, missing)._replace(weights=weights)
