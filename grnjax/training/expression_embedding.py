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
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Count, Positive, Rate, Seconds, Settings, Share, Weight
from grnjax.data.canonical import order_rows
from grnjax.data.gene_profiles import GeneProfiles
from grnjax.errors import GeneMismatchError
from grnjax.models.autoencoder import Autoencoder, AutoencoderConfig, kl_to_standard_normal
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.keeper import FitLog, Keeper, train_to_the_end
from grnjax.training.step import TrainState, all_finite, fresh_state, keep_better

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
) -> ExpressionEmbedding:
    """The vectors of the genes; goes on from `store` where an earlier fit left off.

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
    start_key, train_key = jax.random.split(jax.random.key(seed))
    keeper = Keeper("expression embedding", store, log)
    # from numpy arrays: arrays restored onto one device would compile the chunk once more
    state = keeper.begin(jax.device_get(_start(start_key, data, model=model, config=config)))
    state = train_to_the_end(
        [keeper],
        jax.tree.map(jnp.asarray, state),
        lambda state: _train_chunk(state, data, train_key, model=model, config=config),
        lambda tree: [tree],
        config.checkpoint_seconds,
    )
    result = keeper.finish(jax.device_get(state), config.learning_rate)
    vectors = np.zeros((len(profiles.covered), model.dim), np.float32)
    vectors[found] = _encode(result.variables["params"], data, model=model)
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


@functools.partial(jax.jit, static_argnames=("model", "config"))
def _start(key, data, *, model, config) -> TrainState:
    cells = data.profiles.shape[1]
    parameters = Autoencoder(model, cells).init(key, data.profiles[:1], None)["params"]
    return fresh_state(parameters, {}, optax.adam(config.learning_rate))


@functools.partial(jax.jit, static_argnames=("model", "config"))
def _train_chunk(state, data, key, *, model, config) -> tuple[TrainState, dict]:
    """The epochs until the next evaluation, and that; nothing where the fit has stopped."""

    def go_on(state):
        epochs = config.evaluate_every
        state, losses = jax.lax.scan(
            lambda state, _: train_epoch(state, data, key, model, config), state, length=epochs
        )
        score = held_out_share(state.parameters, data, model)
        return select(state, score, config), (losses[-1], score)

    def stay(state):
        return state, (jnp.full((), jnp.nan), jnp.full((), jnp.nan))

    trained = ~state.stopped
    state, (loss, score) = jax.lax.cond(trained, go_on, stay, state)
    return state, {
        "loss": loss,
        "held_out": score,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "trained": trained,
        "stopped": state.stopped,
    }


def train_epoch(state, data, key, model, config) -> tuple[TrainState, Float[Array, ""]]:
    """One pass over the genes in an order drawn by (seed, epoch), and its mean loss."""
    genes = len(data.profiles)
    size = min(config.batch_size, genes)
    steps = -(-genes // size)
    order = jax.random.permutation(jax.random.fold_in(key, state.epoch), genes)
    place = jnp.arange(steps * size)  # the last batch is filled up with genes that weigh nothing
    batches = order[place % genes].reshape(steps, size)
    weights = (place < genes).astype(jnp.float32).reshape(steps, size)

    def one(state, batch):
        return train_step(state, *batch, data, key, model=model, config=config)

    state, losses = jax.lax.scan(one, state, (batches, weights))
    return state._replace(epoch=state.epoch + 1), losses.mean()


def train_step(
    state, batch, weights, data, key, *, model, config
) -> tuple[TrainState, Float[Array, ""]]:
    """One update from a batch of genes; its noise depends on (seed, step) only.

    The loss of a gene is twice the negative evidence lower bound under noise of variance 1, for
    each of its cells: their mean squared error, and the KL divergence of its code.

    An update that is not finite is refused: the state keeps its parameters and `finite` turns
    False.
    """
    x = data.profiles[batch]
    shown = 1 - data.is_hidden_cell
    counted = 1 - data.is_hidden_gene[batch][:, None] * data.is_hidden_cell
    # one more fold, as the order of an epoch is drawn from the first
    noise_key = jax.random.fold_in(jax.random.fold_in(key, state.step), 1)
    noise = jax.random.normal(noise_key, (len(batch), model.dim))

    def loss_of(parameters):
        out = Autoencoder(model, x.shape[1]).apply({"params": parameters}, x * shown, noise)
        losses = jnp.sum(counted * (out.profiles - x) ** 2, axis=1)
        if model.variational:
            kl = kl_to_standard_normal(out.mean, out.log_variance)
            losses += 2 * kl_weight(state.epoch, config) * kl
        return jnp.sum(weights * losses / counted.sum(axis=1)) / weights.sum()

    loss, gradient = jax.value_and_grad(loss_of)(state.parameters)
    optimizer = optax.adam(config.learning_rate)
    updates, moments = optimizer.update(gradient, state.optimizer, state.parameters)
    moved = state._replace(
        parameters=optax.apply_updates(state.parameters, updates),
        optimizer=moments,
        step=state.step + 1,
    )
    finite = state.finite & all_finite((loss, moved.parameters, moved.optimizer))
    kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, state)
    return kept._replace(finite=finite), loss


def kl_weight(epoch: Int[Array, ""], config: EmbeddingTrainingConfig) -> Float[Array, ""]:
    """The weight of the KL term in an epoch: a line from 0 to the full weight."""
    return config.kl_weight * jnp.minimum(1.0, epoch / max(config.warm_up, 1))


def held_out_share(parameters, data: ProfileData, model: AutoencoderConfig) -> Float[Array, ""]:
    """Share of the sum of squares of the held-out values that the decoded means explain."""
    x = data.profiles[data.hidden_genes]
    shown = 1 - data.is_hidden_cell
    out = Autoencoder(model, x.shape[1]).apply({"params": parameters}, x * shown, None)
    missed = jnp.sum(data.is_hidden_cell * (x - out.profiles) ** 2)
    return 1 - missed / jnp.sum(data.is_hidden_cell * x**2)


def select(
    state: TrainState, score: Float[Array, ""], config: EmbeddingTrainingConfig
) -> TrainState:
    """Keeps the parameters if they are the best since the warm-up; stops after enough worse."""
    return keep_better(
        state,
        score,
        patience=config.patience,
        epochs=config.epochs,
        counts=state.epoch >= config.warm_up,
    )


@functools.partial(jax.jit, static_argnames=("model",))
def _encode(parameters, data, *, model) -> Float[Array, "gene dim"]:
    """The mean of every gene's code, from the cells that are not held out."""
    autoencoder = Autoencoder(model, data.profiles.shape[1])
    shown = data.profiles * (1 - data.is_hidden_cell)
    return autoencoder.apply({"params": parameters}, shown, method="encode")[0]
