"""The denoiser of cells as an objective: the error of the predicted noise, and a sparse matrix."""

import dataclasses
import functools
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Weight
from grnjax.models.regdiffusion import Denoiser, DenoiserConfig, remaining_signal
from grnjax.training.drawn_batches import DrawnCellsObjective
from grnjax.training.objective import BatchLoss
from grnjax.types import AnyArray

CHECKED = 64  # cells by which the log follows the error


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenoisingConfig(Settings):
    """How the denoiser is fitted; rates and sparsity are ours, chosen on a planted network."""

    epochs: Positive = 1_000
    """Steps, of a batch each; the last one's matrix is taken."""
    batch_size: Positive = 128
    """Cells a step."""
    learning_rate: Rate = 1e-2
    """Adam's, of the layers."""
    matrix_rate: Rate = 0.1
    """Adam's, of the matrix, times the size of its entries at the start."""
    sparsity: Weight = 0.1
    """Weight of the mean size of the matrix's entries, beside those at the start."""
    evaluate_every: Positive = 50
    """Steps between lines of the log."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""
    side_by_side: ClassVar[bool | None] = None  # there is one fit, which sees no label


class CellData(NamedTuple):
    """The arrays of a fit."""

    cells: Float[AnyArray, "cell gene"]  # standardised
    tfs: Int[AnyArray, " tf"]


class NoisyBatch(NamedTuple):
    """Cells of one step."""

    noisy: Float[Array, "cell gene"]
    noise: Float[Array, "cell gene"]
    step: Int[Array, " cell"]


@dataclasses.dataclass(frozen=True)
class DenoisingObjective(DrawnCellsObjective):
    """The mean squared error of the predicted noise, at steps drawn evenly."""

    model: DenoiserConfig
    config: DenoisingConfig
    metrics = ("held_out_loss",)

    @functools.cached_property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam, with another rate for the matrix."""

        def scale(updates, parameters):
            size = 1 / max(parameters["adjacency"].shape[0] - 1, 1)
            moved = jax.tree.map(lambda x: -self.config.learning_rate * x, updates)
            return moved | {"adjacency": -self.config.matrix_rate * size * updates["adjacency"]}

        return optax.chain(optax.scale_by_adam(), optax.stateless(scale))

    def init(self, key, data: CellData):
        """Fresh parameters."""
        step = jnp.zeros(1, jnp.int32)
        return Denoiser(self.model).init(key, data.cells[:1], step, data.tfs)["params"], {}

    def batch(self, data: CellData, part, key) -> NoisyBatch:
        """Drawn cells with drawn noise, each of a drawn step."""
        cells, key = self.draw_cells(key, len(data.cells))
        return self.add_noise(data.cells[cells], key)

    def add_noise(self, cells: Float[Array, "cell gene"], key) -> NoisyBatch:
        """The cells at drawn steps (Ho et al. 2020, equation 4)."""
        of_step, of_noise = jax.random.split(key)
        step = jax.random.randint(of_step, (len(cells),), 0, self.model.steps)
        noise = jax.random.normal(of_noise, cells.shape)
        kept = remaining_signal(self.model)[step][:, None]
        return NoisyBatch(jnp.sqrt(kept) * cells + jnp.sqrt(1 - kept) * noise, noise, step)

    def error(self, parameters, batch: NoisyBatch, data: CellData) -> Float[Array, ""]:
        """The mean squared error of the predicted noise."""
        found = Denoiser(self.model).apply(
            {"params": parameters}, batch.noisy, batch.step, data.tfs
        )
        return jnp.mean((found - batch.noise) ** 2)

    def loss(self, state, batch: NoisyBatch, data: CellData, key, *, axis=None) -> BatchLoss:
        """That error and the mean size of the matrix's entries, 1 at the start."""
        size = jnp.mean(jnp.abs(state.parameters["adjacency"])) * max(len(data.tfs) - 1, 1)
        loss = self.error(state.parameters, batch, data) + self.config.sparsity * size
        return BatchLoss(loss, state.collections)

    def evaluate(self, state, data: CellData, key):
        """The negative error on the first cells, with noise of this step's key."""
        error = self.error(state.parameters, self.add_noise(data.cells[:CHECKED], key), data)
        return -error, {"held_out_loss": error}
