"""Fitting models of drug response to pairs of a line and a drug; stopped by validation pairs.

DeepCDR stops where Pearson's correlation on the test set no longer rises; here it is that on
validation pairs, which no figure is of.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Weight
from grnjax.models.drug_response import DrugTable, MeanResidualConfig, ResponseModelConfig
from grnjax.training.cell_batches import divide_cells
from grnjax.training.losses import sum_over
from grnjax.training.objective import BatchLoss, Objective, Schedule

AT_ONCE = 2048  # pairs in evaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResponseTrainingConfig(Settings):
    """How a model of drug response is fitted."""

    model: ResponseModelConfig = MeanResidualConfig()
    epochs: Positive = 100
    """Passes over the train pairs at most."""
    batch_size: Positive = 2048
    """Pairs a step."""
    learning_rate: Rate = 2e-3
    weight_decay: Weight = 1e-2
    """AdamW's, of all parameters."""
    evaluate_every: Positive = 1
    patience: Positive = 10
    """Evaluations without a higher correlation on validation pairs before the fit stops."""
    checkpoint_seconds: Seconds = 10.0


class ResponseData(NamedTuple):
    """The arrays of a fit; values are beyond what is subtracted of them before."""

    vectors: Float[Array, "line feature"]
    drugs: DrugTable
    line: Int[Array, " pair"]
    drug: Int[Array, " pair"]
    value: Float[Array, " pair"]
    base: Float[Array, " pair"]  # what was subtracted; validation is on the sum
    train: Int[Array, " train"]  # pairs
    validation: Int[Array, " validation"]


class ResponseStep(NamedTuple):
    """Pairs of one step."""

    pairs: Int[Array, " pair"]
    weights: Float[Array, " pair"]


@dataclasses.dataclass(frozen=True)
class ResponseObjective(Objective):
    """A model of drug response, fitted to squared error."""

    config: ResponseTrainingConfig
    steps: int  # of an epoch
    metrics = ("validation_pcc",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """AdamW at a constant rate; without decay Adam."""
        return optax.adamw(self.config.learning_rate, weight_decay=self.config.weight_decay)

    def init(self, key, data: ResponseData):
        """Fresh parameters and batch statistics."""
        model, one = self.config.model.make(), data.train[:2]
        variables = dict(
            jax.jit(
                lambda k: model.init(k, data.vectors, data.drugs, *self.at(data, one), train=False)
            )(key)
        )
        return variables.pop("params"), variables

    @staticmethod
    def at(data: ResponseData, pairs) -> tuple[Array, Array]:
        """The lines and drugs of pairs."""
        return data.line[pairs], data.drug[pairs]

    def divide(self, data: ResponseData, key, epoch):
        """Batches of train pairs, in an order drawn by (seed, epoch)."""
        return divide_cells(data.train, self.steps, self.config.batch_size, key, epoch)

    def batch(self, data: ResponseData, part, key) -> ResponseStep:
        """The pairs of a part."""
        return ResponseStep(*part)

    def loss(self, state, batch: ResponseStep, data: ResponseData, key, *, axis=None) -> BatchLoss:
        """The mean squared error of the batch."""
        predicted, updated = self.config.model.make().apply(
            {"params": state.parameters, **state.collections},
            data.vectors,
            data.drugs,
            *self.at(data, batch.pairs),
            train=True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        errors = (predicted - data.value[batch.pairs]) ** 2
        total = sum_over(axis, batch.weights.sum())
        loss = jnp.sum(errors * batch.weights) / jnp.maximum(total, 1)
        return BatchLoss(loss, {**state.collections, **updated})

    def predict(self, variables, data: ResponseData, pairs) -> Float[Array, " pair"]:
        """The values of pairs, with what had been subtracted."""
        model, count = self.config.model.make(), len(pairs)
        padded = jnp.pad(pairs, (0, -count % AT_ONCE), mode="edge").reshape(-1, AT_ONCE)

        def predict_some(some):
            at = self.at(data, some)
            return model.apply(variables, data.vectors, data.drugs, *at, train=False)

        found = jax.lax.map(predict_some, padded).reshape(-1)[:count]
        return found + data.base[pairs]

    def evaluate(self, state, data: ResponseData, key):
        """Pearson's correlation on validation pairs."""
        variables = {"params": state.parameters, **state.collections}
        predicted = self.predict(variables, data, data.validation)
        true = data.value[data.validation] + data.base[data.validation]
        pcc = jnp.corrcoef(predicted, true)[0, 1]
        pcc = jnp.where(jnp.isfinite(pcc), pcc, -1.0)
        return pcc, {"validation_pcc": pcc}

    def count_rows(self, data: ResponseData) -> int:
        """Lines."""
        return len(data.vectors)
