"""Fitting a scorer of other cells' lists to lists that it has not been told, each as much as any.

A list is a row of training: its genes with labels, and what lists of all other cell types say of
them. The loss is cross-entropy around the share of genes that the list has, so that a scorer learns
which genes a TF binds and not which TFs bind many. Lists of some cell types choose the epoch.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Weight
from grnjax.models.list_scorer import ListScorer, ListScorerConfig
from grnjax.training.losses import ranking_scores, sum_over, weighted_mean
from grnjax.training.objective import BatchLoss, Objective


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListTrainingConfig(Settings):
    """How a scorer of lists is fitted."""

    model: ListScorerConfig = ListScorerConfig()
    epochs: Positive = 120
    """Passes over the lists at most."""
    batch_size: Positive = 8
    """Lists a step."""
    learning_rate: Rate = 1e-2
    weight_decay: Weight = 1e-3
    """AdamW's; of matrices, not of biases."""
    evaluate_every: Positive = 4
    """Epochs between evaluations on lists of the cell types that are kept aside."""
    patience: Positive = 6
    """Evaluations without a better one before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""
    side_by_side: bool | None = False
    """Whether members train side by side."""


class ListData(NamedTuple):
    """The arrays of a fit; each list has as many genes, drawn once."""

    pairs: Float[Array, "list gene feature"]
    tfs: Float[Array, "list gate"]
    labels: Float[Array, "list gene"]
    offsets: Float[Array, " list"]  # logit of the share of all genes that the list has
    is_aside: Bool[Array, " list"]  # lists that choose the epoch, and no step is taken on


@dataclasses.dataclass(frozen=True)
class ListObjective(Objective):
    """A scorer of lists, fitted to cross-entropy, its epoch chosen by the mean AUROC of lists."""

    config: ListTrainingConfig
    start: tuple[int, ...]
    metrics = ("within_tf_auroc", "average_precision")

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW."""
        return optax.adamw(
            self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            mask=lambda parameters: jax.tree.map(lambda x: x.ndim > 1, parameters),
        )

    @property
    def model(self) -> ListScorer:
        """The scorer."""
        return ListScorer(self.config.model, self.start)

    def init(self, key, data: ListData):
        """Fresh parameters."""
        return self.model.init(key, data.pairs[:1], data.tfs[:1])["params"], {}

    def divide(self, data: ListData, key, epoch):
        """Batches of lists in an order drawn by (seed, epoch); the last few wait their turn."""
        size = min(self.config.batch_size, len(data.labels))
        order = jax.random.permutation(jax.random.fold_in(key, -1 - epoch), len(data.labels))
        return order[: len(order) // size * size].reshape(-1, size)

    def batch(self, data: ListData, part, key) -> Int[Array, " list"]:
        """The lists of a step."""
        del data, key
        return part

    def loss(self, state, batch, data: ListData, key, *, axis=None) -> BatchLoss:
        """The mean cross-entropy of the lists of a step that are not kept aside."""
        del key
        logits = self.score(state.parameters, data, batch) + data.offsets[batch, None]
        losses = optax.sigmoid_binary_cross_entropy(logits, data.labels[batch]).mean(axis=1)
        weights = (~data.is_aside[batch]).astype(jnp.float32)
        return BatchLoss(
            weighted_mean(losses, weights, axis), state.collections, sum_over(axis, weights.sum())
        )

    def evaluate(self, state, data: ListData, key):
        """Mean AUROC and average precision within the lists kept aside."""
        del key
        logits, labels = self.score(state.parameters, data, slice(None)), data.labels
        scores = jax.vmap(ranking_scores)(logits, labels, jnp.ones_like(labels))
        auroc, precision = (jnp.nanmean(jnp.where(data.is_aside, x, jnp.nan)) for x in scores)
        return auroc, {"within_tf_auroc": auroc, "average_precision": precision}

    def score(self, parameters, data: ListData, lists) -> Float[Array, "list gene"]:
        """Logits of these lists, without their offsets."""
        return self.model.apply({"params": parameters}, data.pairs[lists], data.tfs[lists])
