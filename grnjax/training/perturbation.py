"""Fitting the perturbation model to pairs of a perturbed cell and a control.

The loss of GEARS (Roohani et al. 2024): for each condition of a batch, over the genes that any of
its cells has, the fourth power of the error, and the squared difference of the signs of predicted
and true change. The sign has no gradient, so that its term is printed and trains nothing;
`direction="smooth"` puts the hyperbolic tangent of the change in the place of the sign.
"""

import dataclasses
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Rate, Seconds, Settings, Weight
from grnjax.models.perturbation import (
    PerturbationGraphs,
    PerturbationModel,
    PerturbationModelConfig,
)
from grnjax.training.cell_batches import divide_cells
from grnjax.training.losses import sum_over
from grnjax.training.objective import BatchLoss, Objective, Schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbationTrainingConfig(Settings):
    """How the perturbation model is fitted."""

    model: PerturbationModelConfig = PerturbationModelConfig()
    direction_weight: Weight = 0.1
    """Weight of the term on directions of change."""
    direction: Literal["sign", "smooth"] = "sign"
    """The published term, which has no gradient, or one that has."""
    steepness: Rate = 5.0
    """Of the smooth term: tanh(steepness x change)."""
    epochs: Positive = 20
    """Passes over the train cells at most."""
    batch_size: Positive = 32
    """Cells a step."""
    learning_rate: Rate = 1e-3
    """Of the first epoch."""
    halve_every: Positive = 1
    """Epochs after which the learning rate is halved."""
    weight_decay: Weight = 5e-4
    """Added to gradients, as in PyTorch's Adam."""
    most_gradient: Rate = 1.0
    """The value that each number of a gradient is cut to."""
    evaluate_every: Positive = 1
    """Epochs between evaluations on the validation conditions."""
    patience: Positive = 20
    """Evaluations without a lower error before the fit stops."""
    checkpoint_seconds: Seconds = 10.0
    """Time between two checkpoints."""


class PerturbationData(NamedTuple):
    """The arrays of a fit."""

    expression: Float[Array, "cell gene"]
    before: Int[Array, " cell"]  # the control of each cell
    condition: Int[Array, " cell"]
    perturbed: Int[Array, "condition 2"]  # perturbations, one past the last for none
    counted: Bool[Array, "condition gene"]  # genes that the loss of a condition is over
    control: Float[Array, " gene"]  # mean of the control cells
    graphs: PerturbationGraphs
    train: Int[Array, " train"]  # cells
    references: Int[Array, " reference"]  # control cells that predictions are averaged over
    validation: Int[Array, " validation"]  # conditions
    validation_mean: Float[Array, "validation gene"]
    most_changed: Int[Array, "validation place"]


class PerturbationStep(NamedTuple):
    """Cells of one step."""

    cells: Int[Array, " cell"]
    weights: Float[Array, " cell"]  # 0 for those that only fill the batch up


@dataclasses.dataclass(frozen=True)
class PerturbationObjective(Objective):
    """The perturbation model, fitted to cells of the train conditions."""

    config: PerturbationTrainingConfig
    steps: int  # of an epoch
    perturbations: int  # genes that are perturbed
    metrics = ("validation_loss",)

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config)

    @property
    def optimizer(self) -> optax.GradientTransformation:
        """Adam on cut gradients with weight decay in them; the rate is halved now and then."""
        config = self.config
        rate = optax.exponential_decay(
            config.learning_rate, config.halve_every * self.steps, 0.5, staircase=True
        )
        return optax.chain(
            optax.clip(config.most_gradient),
            optax.add_decayed_weights(config.weight_decay),
            optax.adam(rate),
        )

    def make_model(self, data: PerturbationData) -> PerturbationModel:
        """The model over the genes and perturbations of the data."""
        genes = data.expression.shape[1]
        return PerturbationModel(self.config.model, genes, self.perturbations)

    def init(self, key, data: PerturbationData):
        """Fresh parameters and batch statistics."""
        control = data.expression[:2]
        model, perturbed = self.make_model(data), data.perturbed[:2]
        variables = dict(model.init(key, control, perturbed, data.graphs, train=False))
        return variables.pop("params"), variables

    def divide(self, data: PerturbationData, key, epoch):
        """Batches of train cells, in an order drawn by (seed, epoch)."""
        return divide_cells(data.train, self.steps, self.config.batch_size, key, epoch)

    def batch(self, data: PerturbationData, part, key) -> PerturbationStep:
        """The cells of a part."""
        return PerturbationStep(*part)

    def loss(self, state, batch: PerturbationStep, data: PerturbationData, key, *, axis=None):
        """The mean over the conditions of a batch."""
        condition, control = data.condition[batch.cells], data.expression[data.before[batch.cells]]
        predicted, updated = self.make_model(data).apply(
            {"params": state.parameters, **state.collections},
            control,
            data.perturbed[condition],
            data.graphs,
            train=True,
            is_real=batch.weights > 0,
            mutable=["batch_stats"],
        )
        true, counted = data.expression[batch.cells], data.counted[condition]
        errors = weigh_errors(predicted, true, data.control, self.config)
        weights = counted * batch.weights[:, None]  # [cell, gene]
        total = jnp.zeros(len(data.perturbed)).at[condition].add(jnp.sum(errors * weights, axis=1))
        count = jnp.zeros(len(data.perturbed)).at[condition].add(jnp.sum(weights, axis=1))
        total, count = sum_over(axis, (total, count))
        there = count > 0
        loss = jnp.sum(jnp.where(there, total / jnp.where(there, count, 1), 0)) / there.sum()
        return BatchLoss(loss, updated)

    def predict(
        self, variables, data: PerturbationData, perturbed: Int[Array, "condition 2"]
    ) -> Float[Array, "condition gene"]:
        """The mean expression after each perturbation, over the reference controls."""
        model, control = self.make_model(data), data.expression[data.references]

        def predict_one(pair):
            pairs = jnp.tile(pair, (len(control), 1))
            return model.apply(variables, control, pairs, data.graphs, train=False).mean(axis=0)

        return jax.lax.map(predict_one, perturbed)

    def evaluate(self, state, data: PerturbationData, key):
        """The squared error of validation means on the genes that change most (published: 20)."""
        variables = {"params": state.parameters, **state.collections}
        predicted = self.predict(variables, data, data.perturbed[data.validation])
        errors = (predicted - data.validation_mean) ** 2
        loss = jnp.take_along_axis(errors, data.most_changed, axis=1).mean()
        return -loss, {"validation_loss": loss}

    def count_rows(self, data: PerturbationData) -> int:
        """Genes."""
        return data.expression.shape[1]


def weigh_errors(
    predicted: Float[Array, "cell gene"],
    true: Float[Array, "cell gene"],
    control: Float[Array, " gene"],
    config: PerturbationTrainingConfig,
) -> Float[Array, "cell gene"]:
    """(y' - y)^4 + weight (s(y - control) - s(y' - control))^2, s the sign or its smooth form."""

    def direction(change):
        return (
            jnp.sign(change) if config.direction == "sign" else jnp.tanh(config.steepness * change)
        )

    apart = direction(true - control) - direction(predicted - control)
    return (predicted - true) ** 4 + config.direction_weight * apart**2
