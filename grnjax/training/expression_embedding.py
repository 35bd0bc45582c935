"""Fitting the expression autoencoder; a gene's vector is the mean of its code.

When to stop is judged on held-out cells. A gene is the sample and cells are its features, so a
cell cannot just be left out: no weight of the decoder would ever learn to predict it. Instead,

- held-out cells are zero in the encoder's input, of all genes and at all times;
- the decoder learns to predict them from most genes, as it does all other cells;
- of the held-out genes it never sees them, and these values, held-out cells of held-out genes,
  say how well a code predicts cells that did not enter it (bi-cross-validation: Owen and Perry
  2009, section 2). The other cells of those genes are trained on, so every gene gets a vector.

Genes are fitted in the order of their profiles, so neither names nor the order of a table matter.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count, Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.data.canonical import order_rows
from grnjax.data.gene_profiles import GeneProfiles
from grnjax.errors import GeneMismatchError
from grnjax.models.autoencoder import (
    Autoencoder,
    AutoencoderConfig,
    Reconstruction,
    kl_to_standard_normal,
)
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.keeper import FitLog
from grnjax.training.loop import fit, make_trainer
from grnjax.training.objective import BatchLoss, Objective, Schedule

FEWEST = 10  # genes, and cells or pools, that can be fitted


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingTrainingConfig(Settings):
    """How the autoencoder is fitted."""

    epochs: Positive = 400
    """Passes over the genes at most, rounded up to whole evaluations."""
    batch_size: Positive = 128
    """Genes a step."""
    learning_rate: Rate = 1e-3
    """Adam's."""
    kl_weight: Weight = 1.0
    """Weight of the KL divergence after the warm-up; 1 is the evidence lower bound of profiles with
    noise of variance 1, whatever the number of cells."""
    warm_up: Count = 20
    """Epochs over which that weight rises from 0; what is chosen comes from later ones."""
    held_out_cells: Share = 0.1
    held_out_genes: Share = 0.2
    """Shares of the cells and genes whose values in common are held out."""
    evaluate_every: Positive = 5
    """Epochs between evaluations on the held-out values."""
    patience: Positive = 10
    """Evaluations without a better one before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""

    def __post_init__(self):
        super().__post_init__()
        if self.warm_up >= self.epochs:
            raise ValueError(f"warm_up {self.warm_up} leaves none of {self.epochs} epochs")


class ProfileData(NamedTuple):
    """The arrays of a fit."""

    profiles: Float[Array, "gene cell"]
    hidden_genes: Int[Array, " hidden"]
    is_hidden_gene: Float[Array, " gene"]
    is_hidden_cell: Float[Array, " cell"]


class ProfileBatch(NamedTuple):
    """Genes of one step."""

    profiles: Float[Array, "gene cell"]
    weights: Float[Array, " gene"]  # 0 for those that only fill the batch up
    is_hidden: Float[Array, " gene"]
    noise: Float[Array, "gene dim"]  # that places each code in its distribution


@dataclasses.dataclass(frozen=True)
class EmbeddingObjective(Objective):
    """The autoencoder, fitted to profiles.

    The loss of a gene is twice the negative evidence lower bound under noise of variance 1, for
    each of its cells: their mean squared error, and the KL divergence of its code.
    """

    model: AutoencoderConfig
    config: EmbeddingTrainingConfig
    metrics = ("held_out",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings; no epoch of the warm-up is chosen."""
        return Schedule.of(self.config, first_choice=self.config.warm_up)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam."""
        return optax.adam(self.config.learning_rate)

    def init(self, key, data: ProfileData):
        """Fresh parameters."""
        autoencoder = Autoencoder(self.model, data.profiles.shape[1])
        return autoencoder.init(key, data.profiles[:1], None)["params"], {}

    def divide(self, data: ProfileData, key, epoch):
        """Batches of genes, in an order drawn by (seed, epoch), and their weights."""
        genes = len(data.profiles)
        size = min(self.config.batch_size, genes)
        steps = -(-genes // size)
        order = jax.random.permutation(jax.random.fold_in(key, epoch), genes)
        place = jnp.arange(steps * size)  # the last batch is filled up with genes that weigh 0
        weights = (place < genes).astype(jnp.float32)
        return order[place % genes].reshape(steps, size), weights.reshape(steps, size)

    def batch(self, data: ProfileData, part, key) -> ProfileBatch:
        """The profiles of a part, with the noise of their codes."""
        genes, weights = part
        # one more fold, as the order of an epoch is drawn from the first
        noise = jax.random.normal(jax.random.fold_in(key, 1), (len(genes), self.model.dim))
        return ProfileBatch(data.profiles[genes], weights, data.is_hidden_gene[genes], noise)

    def loss(self, state, batch: ProfileBatch, data: ProfileData, key, *, axis=None) -> BatchLoss:
        """The mean loss of the genes, without their held-out values."""
        x = batch.profiles
        counted = 1 - batch.is_hidden[:, None] * data.is_hidden_cell
        out = self.decode(state.parameters, x, data, batch.noise)
        losses = jnp.sum(counted * (out.profiles - x) ** 2, axis=1)
        if self.model.variational:
            kl = kl_to_standard_normal(out.mean, out.log_variance)
            losses += 2 * kl_weight(state.epoch, self.config) * kl
        loss = jnp.sum(batch.weights * losses / counted.sum(axis=1)) / batch.weights.sum()
        return BatchLoss(loss, state.collections)

    def evaluate(self, state, data: ProfileData, key):
        """Share of the sum of squares of the held-out values that the decoded means explain."""
        x = data.profiles[data.hidden_genes]
        out = self.decode(state.parameters, x, data, None)
        missed = jnp.sum(data.is_hidden_cell * (x - out.profiles) ** 2)
        share = 1 - missed / jnp.sum(data.is_hidden_cell * x**2)
        return share, {"held_out": share}

    def decode(self, parameters, x, data: ProfileData, noise) -> Reconstruction:
        """Profiles from their codes, which see no held-out cell."""
        autoencoder = Autoencoder(self.model, x.shape[1])
        return autoencoder.apply({"params": parameters}, x * (1 - data.is_hidden_cell), noise)

    def count_rows(self, data: ProfileData) -> int:
        """Genes."""
        return len(data.profiles)

    def pad_batch(self, batch: ProfileBatch, data: ProfileData, parts: int) -> ProfileBatch:
        """The genes, and as many that weigh nothing as make their number divide."""
        missing = -len(batch.weights) % parts
        return jax.tree.map(lambda x: jnp.pad(x, [(0, missing)] + [(0, 0)] * (x.ndim - 1)), batch)


@dataclasses.dataclass(frozen=True, eq=False)
class ExpressionEmbedding:
    """A vector for each gene whose expression varies."""

    vectors: Float[np.ndarray, "gene dim"]  # float32; zeros where not covered
    covered: Bool[np.ndarray, " gene"]
    held_out: float  # share of the variance of the held-out values that their prediction explains
    best_epoch: int
    epochs: int


def embed_expression(
    profiles: GeneProfiles,
    model: AutoencoderConfig,
    config: EmbeddingTrainingConfig,
    *,
    seed: int,
    store: CheckpointStore | None = None,
    log: FitLog | None = None,
    mesh: Mesh | None = None,
) -> ExpressionEmbedding:
    """The vectors of the genes; resumes from `store` where an earlier fit stopped.

    Args:
        mesh: devices that share the fit; without one, a single device.

    Raises:
        GeneMismatchError: too few genes or cells.
        NonFiniteError: an update was not finite; the last good state is in `store`.
    """
    found = np.flatnonzero(profiles.covered)
    if min(len(found), profiles.values.shape[1]) < FEWEST:
        raise GeneMismatchError(
            f"{len(found):,} genes that vary over {profiles.values.shape[1]:,} cells: an "
            f"autoencoder needs at least {FEWEST} of each."
        )
    found = found[order_rows(profiles.values[found])]
    data = hold_out(profiles.values[found], config, seed)
    trainer = make_trainer(EmbeddingObjective(model, config), mesh)
    result = fit(trainer, data, seed=seed, name="expression embedding", store=store, log=log)
    vectors = np.zeros((len(profiles.covered), model.dim), np.float32)
    vectors[found] = encode(result.variables["params"], data, model=model)
    return ExpressionEmbedding(
        vectors, profiles.covered, result.best_score, result.best_epoch, result.epochs
    )


def hold_out(
    profiles: Float[np.ndarray, "gene cell"], config: EmbeddingTrainingConfig, seed: int
) -> ProfileData:
    """The profiles, and which genes and cells are held out."""
    rng = np.random.default_rng(seed)
    genes, cells = profiles.shape
    hidden_genes = np.sort(rng.permutation(genes)[: max(1, round(genes * config.held_out_genes))])
    hidden_cells = rng.permutation(cells)[: max(1, round(cells * config.held_out_cells))]
    is_hidden_gene, is_hidden_cell = np.zeros(genes, np.float32), np.zeros(cells, np.float32)
    is_hidden_gene[hidden_genes], is_hidden_cell[hidden_cells] = 1, 1
    arrays = profiles, hidden_genes.astype(np.int32), is_hidden_gene, is_hidden_cell
    return ProfileData(*map(jnp.asarray, arrays))


def kl_weight(epoch: Int[Array, ""], config: EmbeddingTrainingConfig) -> Float[Array, ""]:
    """The weight of the KL term in an epoch: a line from 0 to the full weight."""
    return config.kl_weight * jnp.minimum(1.0, epoch / max(config.warm_up, 1))


@functools.partial(jax.jit, static_argnames=("model",))
def encode(parameters, data, *, model) -> Float[Array, "gene dim"]:
    """The mean of every gene's code, from the cells that are not held out."""
    autoencoder = Autoencoder(model, data.profiles.shape[1])
    shown = data.profiles * (1 - data.is_hidden_cell)
    return autoencoder.apply({"params": parameters}, shown, method="encode")[0]
