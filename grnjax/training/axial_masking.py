"""GRN-Transformer's first stage as an objective: the error of masked values that are not 0."""

import dataclasses
import functools
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from grnjax.config import Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.models.grn_transformer import GRNTransformer, GRNTransformerConfig
from grnjax.training.drawn_batches import DrawnCellsObjective
from grnjax.training.objective import BatchLoss
from grnjax.types import AnyArray

CHECKED = 16  # cells by which the log follows the error


@dataclasses.dataclass(frozen=True, kw_only=True)
class AxialMaskingConfig(Settings):
    """How the encoder is fitted."""

    epochs: Positive = 300
    """Steps, of a batch each; the last one's maps are taken. Published are 1,500 passes over the
    cells at a learning rate of 1e-4."""
    batch_size: Positive = 32
    """Cells a step."""
    learning_rate: Rate = 1e-3
    weight_decay: Weight = 0.01
    clip: Rate = 1e-3
    """Of each number of the gradient."""
    masked: Share = 0.15
    """Of the values."""
    evaluate_every: Positive = 25
    """Steps between lines of the log."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""
    side_by_side: ClassVar[bool | None] = None  # there is one fit, which sees no label


class MatrixData(NamedTuple):
    """The arrays of a fit."""

    value: Float[AnyArray, "cell gene"]  # standardised over those that are not 0
    is_zero: Bool[AnyArray, "cell gene"]
    networks: Float[AnyArray, "network gene gene"]


class MaskedBatch(NamedTuple):
    """Cells of one step."""

    value: Float[Array, "cell gene"]
    is_zero: Bool[Array, "cell gene"]
    is_masked: Bool[Array, "cell gene"]


@dataclasses.dataclass(frozen=True)
class AxialMaskingObjective(DrawnCellsObjective):
    """The mean squared error of the values that are masked and not 0."""

    model: GRNTransformerConfig
    config: AxialMaskingConfig
    metrics = ("held_out_loss",)

    @functools.cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW on gradients whose numbers are clipped."""
        settings = self.config
        adam = optax.adamw(settings.learning_rate, weight_decay=settings.weight_decay)
        return optax.chain(optax.clip(settings.clip), adam)

    def init(self, key, data: MatrixData):
        """Fresh parameters."""
        few = MaskedBatch(data.value[:2], data.is_zero[:2], jnp.zeros(data.value[:2].shape, bool))
        return GRNTransformer(self.model).init(key, *few, data.networks)["params"], {}

    def batch(self, data: MatrixData, part, key) -> MaskedBatch:
        """Drawn cells, of which drawn values are masked."""
        cells, key = self.draw_cells(key, len(data.value))
        return self.mask(data.value[cells], data.is_zero[cells], key)

    def mask(self, value, is_zero, key) -> MaskedBatch:
        """The values with a drawn share masked."""
        return MaskedBatch(
            value, is_zero, jax.random.bernoulli(key, self.config.masked, value.shape)
        )

    def error(self, parameters, batch: MaskedBatch, data: MatrixData) -> Float[Array, ""]:
        """The mean squared error of the masked values that are not 0; 0 without any."""
        found, _ = GRNTransformer(self.model).apply({"params": parameters}, *batch, data.networks)
        asked = batch.is_masked & ~batch.is_zero
        squares = jnp.where(asked, (found - batch.value) ** 2, 0.0)
        return jnp.sum(squares) / jnp.maximum(jnp.sum(asked), 1)

    def loss(self, state, batch: MaskedBatch, data: MatrixData, key, *, axis=None) -> BatchLoss:
        """That error."""
        return BatchLoss(self.error(state.parameters, batch, data), state.collections)

    def evaluate(self, state, data: MatrixData, key):
        """The negative error on the first cells, with values masked by this step's key."""
        batch = self.mask(data.value[:CHECKED], data.is_zero[:CHECKED], key)
        error = self.error(state.parameters, batch, data)
        return -error, {"held_out_loss": error}


def map_genes(
    model: GRNTransformerConfig, parameters, data: MatrixData, size: int
) -> Float[Array, "layer head gene gene"]:
    """The maps over genes, the mean over all whole batches of cells, none of them masked."""
    networks = jnp.asarray(data.networks)

    @jax.jit
    def read(value, is_zero):
        nothing = jnp.zeros(value.shape, bool)
        inputs = value, is_zero, nothing, networks
        return GRNTransformer(model).apply({"params": parameters}, *inputs)[1]

    size = min(size, len(data.value))
    starts = range(0, len(data.value) - size + 1, size)
    total = sum(read(data.value[at : at + size], data.is_zero[at : at + size]) for at in starts)
    return total / len(starts)
