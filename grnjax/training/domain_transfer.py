"""Fitting the adversarial transfer: labelled bulk rows and unlabelled single cells, side by side.

An epoch is one pass over the single cells; bulk rows are drawn with replacement, both classes
alike. The published protocol tests the last epoch. There is nothing to stop by: labels of the
target must not be seen, and the source's say nothing of the transfer.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Weight
from grnjax.models.domain_transfer import DomainTransfer, DomainTransferConfig
from grnjax.training.cell_batches import divide_cells
from grnjax.training.objective import BatchLoss, Objective, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferTrainingConfig(Settings):
    """How the adversarial transfer is fitted."""

    model: DomainTransferConfig = DomainTransferConfig()
    domain_weight: Weight = 0.6
    """Weight of telling bulk from single cells (lambda); 0 turns the adaptation off."""
    epochs: Positive = 20
    """Passes over the single cells."""
    batch_size: Positive = 32
    """Bulk rows a step, and as many single cells."""
    learning_rate: Rate = 1e-3
    """Of Adagrad."""
    evaluate_every: Positive = 5
    checkpoint_seconds: Seconds = 10.0

    @property
    def patience(self) -> int:
        """None is lost: all epochs are made."""
        return self.epochs + 1


class TransferData(NamedTuple):
    """The arrays of a fit."""

    source: Float[Array, "bulk gene"]
    labels: Float[Array, " bulk"]  # 1 sensitive, 0 resistant
    target: Float[Array, "cell gene"]
    train: Int[Array, " train"]  # single cells that are seen, without labels


class TransferStep(NamedTuple):
    """Rows of one step."""

    source: Int[Array, " bulk"]
    target: Int[Array, " cell"]
    weights: Float[Array, " cell"]  # 0 for those that only fill the batch up


@dataclasses.dataclass(frozen=True)
class TransferObjective(Objective):
    """The adversarial transfer; its last epoch is the selected one, as published."""

    config: TransferTrainingConfig
    steps: int  # of an epoch
    metrics = ("source_loss",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings; no epoch but the last counts."""
        return Schedule.of(self.config, patience=self.config.patience)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adagrad, whose accumulators start at 0 as PyTorch's."""
        return optax.adagrad(self.config.learning_rate, initial_accumulator_value=0.0, eps=1e-10)

    def init(self, key, data: TransferData):
        """Fresh parameters and batch statistics."""
        model = DomainTransfer(self.config.model)
        variables = dict(jax.jit(lambda k: model.init(k, data.source[:2], train=False))(key))
        return variables.pop("params"), variables

    def divide(self, data: TransferData, key, epoch):
        """Batches of single cells, in an order drawn by (seed, epoch)."""
        return divide_cells(data.train, self.steps, self.config.batch_size, key, epoch)

    def batch(self, data: TransferData, part, key) -> TransferStep:
        """The cells of a part, and bulk rows drawn with both classes alike."""
        positive = data.labels > 0.5
        chance = jnp.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
        size = (self.config.batch_size,)
        source = jax.random.choice(key, len(data.labels), size, p=chance)
        return TransferStep(source, *part)

    def loss(self, state, batch: TransferStep, data: TransferData, key, *, axis=None) -> BatchLoss:
        """Cross-entropy of the class on bulk, and of the domain on both."""
        rows = jnp.concatenate([data.source[batch.source], data.target[batch.target]])
        bulk = len(batch.source)
        is_source = jnp.arange(len(rows)) < bulk
        weights = jnp.concatenate([jnp.ones(bulk), batch.weights])
        (label, domain), updated = DomainTransfer(self.config.model).apply(
            {"params": state.parameters, **state.collections},
            rows,
            train=True,
            bulk=bulk,
            is_real=weights > 0,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        of_class = optax.sigmoid_binary_cross_entropy(label, data.labels[batch.source])
        of_domain = optax.sigmoid_binary_cross_entropy(domain, is_source.astype(jnp.float32))
        loss = of_class.mean() + self.config.domain_weight * (
            jnp.sum(of_domain * weights) / weights.sum()
        )
        return BatchLoss(loss, updated)

    def predict(self, variables, rows: Float[Array, "row gene"]) -> Float[Array, " row"]:
        """Logits of being sensitive."""
        return DomainTransfer(self.config.model).apply(variables, rows, train=False)[0]

    def evaluate(self, state, data: TransferData, key):
        """The epoch, so that the last one is selected; the loss on bulk, for the log."""
        variables = {"params": state.parameters, **state.collections}
        logits = self.predict(variables, data.source)
        loss = optax.sigmoid_binary_cross_entropy(logits, data.labels).mean()
        return state.epoch.astype(jnp.float32), {"source_loss": loss}

    def count_rows(self, data: TransferData) -> int:
        """Genes."""
        return data.source.shape[1]
