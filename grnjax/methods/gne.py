"""GNE as a method: vectors of genes from undirected train edges, then a logistic regression.

Kishan, Li, Cui and Haake 2019 (BMC Systems Biology 13:38); the model is `models/gne.py`.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int
from sklearn.linear_model import LogisticRegression

from grnjax.config import Positive, Rate
from grnjax.errors import ConfigError
from grnjax.methods.method import Problem
from grnjax.methods.pair_models import PairInputConfig, PairScorer, balance_pairs
from grnjax.methods.profiles import ProfileMethod
from grnjax.models.gne import GNE, GNEConfig
from grnjax.training.losses import sum_over, weighted_mean
from grnjax.training.objective import BatchLoss
from grnjax.training.pair_objective import Model
from grnjax.training.recorder import FitRecorder
from grnjax.training.scheduled import ScheduledConfig, ScheduledObjective
from grnjax.types import LabelledPairs, Part


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNETraining(ScheduledConfig):
    """How GNE's vectors are trained."""

    negatives: Positive = 10
    """Genes drawn for each batch, among which the neighbour is to be named."""
    flip_validation: bool = False
    """Count a validation AUROC below one half as one above, as the published code does."""

    def make_objective(self, model: Model) -> "NeighbourObjective":
        return NeighbourObjective(model, self)


@dataclasses.dataclass(frozen=True, eq=False)
class NeighbourObjective(ScheduledObjective):
    """The cross-entropy of a gene's neighbour among drawn genes, both ways along each edge."""

    config: GNETraining

    def loss(self, state, batch, data, key, *, axis=None) -> BatchLoss:
        """The sampled softmax of the batch's edges; pairs labelled 0 count nothing."""
        draw, dropout = jax.random.split(key)
        joint, neighbours = self.model.apply(  # type: ignore[call-arg]
            {"params": state.parameters},
            data.genes,
            train=True,
            rngs={"dropout": dropout},
            method="encode",
        )
        weights = batch.weights * batch.labels
        genes = jnp.concatenate([batch.pairs[:, 0], batch.pairs[:, 1]])
        others = jnp.concatenate([batch.pairs[:, 1], batch.pairs[:, 0]])
        drawn = jax.random.randint(draw, (self.config.negatives,), 0, len(joint) - 1)
        losses = sampled_softmax(joint[genes], neighbours, others, drawn)
        loss = weighted_mean(losses, jnp.concatenate([weights, weights]), axis)
        return BatchLoss(loss, state.collections, sum_over(axis, jnp.sum(weights)))

    def evaluate(self, state, data, key):
        """Scores of the validation pairs."""
        score, scores = super().evaluate(state, data, key)
        if self.config.flip_validation:
            score = jnp.maximum(score, 1 - score)
        return score, scores


def sampled_softmax(
    vectors: Float[Array, "row dim"],
    table: Float[Array, "node dim"],
    wanted: Int[Array, " row"],
    drawn: Int[Array, " draw"],
) -> Float[Array, " row"]:
    """The cross-entropy of each row's wanted entry of the table among it and the drawn ones.

    Draws are uniform, so that no correction is due; a drawn entry that is wanted counts once.
    """
    own = jnp.sum(vectors * table[wanted], axis=-1, keepdims=True)
    others = jnp.where(drawn == wanted[:, None], -jnp.inf, vectors @ table[drawn].T)
    return -jax.nn.log_softmax(jnp.concatenate([own, others], axis=-1), axis=-1)[:, 0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNEMethod(ProfileMethod):
    """GNE with its published settings."""

    PAPER: ClassVar[str] = "Kishan et al. 2019, BMC Syst. Biol. 13:38"

    model: GNEConfig = GNEConfig()
    training: GNETraining = GNETraining(epochs=20, batch_size=256, learning_rate=5e-3, patience=3)
    inverse_ridge: Rate = 1.0
    """scikit-learn's C of the logistic regression."""
    balance: bool = True
    """Fit it to as many negatives as there are positives, as published; False takes all."""

    def make_module(self) -> GNE:
        """What makes vectors of genes."""
        return GNE(self.model)

    def check(self, problem: Problem) -> None:
        if self.inputs != PairInputConfig():
            raise ConfigError(
                "GNE's vectors are trained on edges alone and pass no messages, so "
                "--method.inputs would change nothing; leave it out."
            )
        super().check(problem)

    def choose_train(self, part: Part) -> LabelledPairs:
        """The train edges."""
        return part.split.train.take(part.split.train.labels > 0)

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["GNEScorer"]:
        """Vectors of each part, and the regression of its train labels on their products."""
        for part, fit in zip(
            parts, super().fit_all(problem, parts, recorder, mesh=mesh), strict=True
        ):
            joint, neighbours = fit.trainer.objective.model.apply(  # type: ignore[attr-defined]
                fit.result.variables, fit.data.genes, train=False, method="encode"
            )
            vectors = np.asarray(joint + neighbours)
            train = balance_pairs(part) if self.balance else part.split.train
            weight = 1 if self.balance else part.negative_weight
            weights = np.where(train.labels > 0, 1, weight)
            regression = LogisticRegression(C=self.inverse_ridge, max_iter=1_000)
            regression.fit(multiply(vectors, train), train.labels, weights)
            fields = {x.name: getattr(fit, x.name) for x in dataclasses.fields(fit)}
            coefficients = np.append(regression.coef_[0], regression.intercept_)
            yield GNEScorer(**fields, vectors=vectors, coefficients=coefficients)


def multiply(
    vectors: Float[np.ndarray, "node dim"], pairs: LabelledPairs
) -> Float[np.ndarray, "pair dim"]:
    """The elementwise product of the vectors of each pair."""
    return vectors[pairs.pairs[:, 0]] * vectors[pairs.pairs[:, 1]]


@dataclasses.dataclass(frozen=True, eq=False)
class GNEScorer(PairScorer):
    """The regression on products of vectors."""

    vectors: Float[np.ndarray, "node dim"]
    coefficients: Float[np.ndarray, " dim+1"]

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """Its logits."""
        *slopes, intercept = self.coefficients
        return (multiply(self.vectors, pairs) @ np.asarray(slopes) + intercept)[None]
