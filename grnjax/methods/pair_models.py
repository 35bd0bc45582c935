"""Any Flax model of TF-target pairs as a method: arrays of fits, fits, and their scores.

A subclass of `PairMethod` says which module it is and what the module sees of the genes. All fits
of a run have the same padded shapes, so that they compile once.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from grnjax.config import Range, Settings
from grnjax.data.candidates import leaves_pairs_unlabelled
from grnjax.errors import ConfigError
from grnjax.graphs.build import pad_rows
from grnjax.methods.method import MethodConfig, Problem, Scorer
from grnjax.models.terms import PairModelConfig
from grnjax.training.batches import (
    ModelInputs,
    Sizes,
    add_topology,
    build_fit_data,
    build_pair_batch,
    shared_sizes,
)
from grnjax.training.keeper import FitResult
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import FitData, Model, TrainingConfig, make_pair_trainer
from grnjax.training.recorder import FitRecorder, Job
from grnjax.types import LabelledPairs, Part

SCORED_AT_ONCE = 65_536


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairInputConfig(Settings):
    """How train pairs reach a pair model."""

    messages: Literal["symmetric", "directed", "none"] = "none"
    """Whether messages pass both ways along a train edge, as published, from TF to target, or not
    at all: each gene then has its own features only, and labels act through the identity term.
    `none` is the default: where messages made a difference they cost precision."""
    negative_weight: Annotated[float, Range(0, 1, ends="(]")] = 1.0
    """Weight of a pair labelled 0 in the loss; below 1 where 0 only means unlabelled."""
    unlabelled_weight: Annotated[float, Range(0, 1)] = 0.0
    """Above 0, every pair outside the train pairs counts as a negative of this weight; for labels
    with few negatives, such as the balanced ones of Non-Specific and STRING networks."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairMethod(MethodConfig):
    """A method whose fits are those of a Flax model of pairs."""

    GIVES: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    model: Settings = PairModelConfig()
    inputs: PairInputConfig = PairInputConfig()
    training: TrainingConfig = TrainingConfig()

    @property
    def engine(self) -> TrainingConfig:
        """How its model is trained."""
        return self.training

    def make_module(self) -> Model:
        """The Flax module with the settings of `model`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its module")

    def make_inputs(self, problem: Problem, sizes: Sizes) -> ModelInputs:
        """What all fits share of the genes and pairs of a problem."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its module sees")

    def choose_train(self, part: Part) -> LabelledPairs:
        """The train pairs of a part that its fit takes; all of them unless a method says so."""
        return part.split.train

    def weigh_negatives(self, part: Part) -> float:
        """What a train negative counts: for those that were left out before, too."""
        return part.negative_weight

    def add_to_inputs(self, inputs: ModelInputs, train: LabelledPairs) -> ModelInputs:
        """The inputs of one fit, to which a model may add what its own train pairs say."""
        if getattr(self.model, "topology", False):
            return add_topology(inputs, train)
        return inputs

    def transfer(self, scorer: "PairScorer", problem: Problem) -> "PairScorer":
        """The fit with the features of another data set over the same genes."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is transferred")

    def check(self, problem: Problem) -> None:
        super().check(problem)
        genes = len(problem.dataset.genes.names)
        for part in problem.parts if self.inputs.unlabelled_weight else ():
            if not leaves_pairs_unlabelled(part.split, len(problem.tfs), genes):
                raise ConfigError(
                    f"--method.inputs.unlabelled-weight {self.inputs.unlabelled_weight:g}: in a "
                    f"{part.split.kind} split the pairs outside train are those that are held out; "
                    "leave it at 0."
                )

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["PairScorer"]:
        every = [part.split for part in problem.parts]
        genes = len(problem.dataset.genes.names)
        every_pair = len(problem.tfs) * (genes - 1)
        sizes = shared_sizes(
            [self.choose_train(part) for part in problem.parts],
            genes,
            self.training.batch_size,
            least_pairs=every_pair if self.inputs.unlabelled_weight else 0,
        )
        trainer = make_method_trainer(self, mesh)
        inputs = self.make_inputs(problem, sizes)
        validation_size = max(len(split.validation) for split in every)
        scored_size = max(validation_size, *(len(split.test) for split in every))

        def inputs_of(part: Part) -> ModelInputs:
            return self.add_to_inputs(inputs, part.split.train)

        def build(part: Part) -> FitData:
            return build_fit_data(
                inputs_of(part),
                self.choose_train(part),
                part.split.validation,
                folds=self.training.edge_folds,
                seed=part.seed,
                negative_weight=part.negative_weight * self.inputs.negative_weight,
                unlabelled_weight=self.inputs.unlabelled_weight,
                validation_size=validation_size,
            )

        jobs = [Job(part.name, part.seed, functools.partial(build, part)) for part in parts]
        fits = recorder.fit_all(trainer, jobs)
        for part, (result, data) in zip(parts, fits, strict=True):
            size = min(scored_size, SCORED_AT_ONCE)
            yield PairScorer(self, result, inputs_of(part), data, trainer, part.seed, size)


def balance_pairs(part: Part) -> LabelledPairs:
    """The train pairs without the negatives that are more than the positives, drawn once a fit."""
    train = part.split.train
    negatives = np.flatnonzero(train.labels == 0)
    spare = len(negatives) - len(train.positives)
    if spare <= 0:
        return train
    left_out = np.random.default_rng(part.seed).choice(negatives, spare, replace=False)
    return train.take(np.setdiff1d(np.arange(len(train)), left_out))


def make_method_trainer(method: PairMethod, mesh: Mesh | None) -> Trainer:
    """The trainer of a method's model; one serves all whose models and training are equal."""
    return make_equal_trainer(method.make_module(), method.training, mesh)


@functools.lru_cache(maxsize=8)
def make_equal_trainer(model: Model, training: TrainingConfig, mesh: Mesh | None) -> Trainer:
    """The one trainer of equal models and settings: methods may differ in inputs alone."""
    return make_pair_trainer(model, training, mesh)


@dataclasses.dataclass(frozen=True, eq=False)
class PairScorer(Scorer):
    """A fit of a pair model with what it was made from."""

    method: PairMethod
    result: FitResult
    inputs: ModelInputs
    data: FitData
    trainer: Trainer
    seed: int
    size: int  # pairs that are scored at once, padded to it so that scoring compiles once

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """Logits of the selected model, in blocks of one size."""
        scores, key, score = [], jax.random.key(self.seed), self.trainer.score
        assert score is not None  # a pair trainer's always scores
        for start in range(0, len(pairs), self.size):
            block = pairs.take(slice(start, start + self.size))
            batch = build_pair_batch(self.inputs, block, self.size)
            logits = score(self.result.variables, self.data.genes, batch, key)
            scores.append(np.asarray(logits)[: len(block)])
        return np.concatenate(scores)[None]

    def on(self, problem: Problem) -> "PairScorer":
        """The fit with another data set's features, as its method transfers it."""
        return self.method.transfer(self, problem)


def put_features(scorer: PairScorer, inputs: ModelInputs) -> PairScorer:
    """The fit with these features of the same genes; what it learned of them stays as it is."""
    nodes = len(inputs.genes.names) + 1
    embedding = np.zeros((nodes, 0)) if inputs.embedding is None else inputs.embedding
    genes = scorer.data.genes._replace(
        nodes=pad_rows(inputs.nodes, nodes),
        measured=pad_rows(inputs.genes.measured.astype(np.float32), nodes),
        embedding=pad_rows(embedding.astype(np.float32), nodes),
        tfs=np.asarray(inputs.tfs, np.int32),
    )
    return dataclasses.replace(
        scorer,
        inputs=dataclasses.replace(inputs, topology=scorer.inputs.topology),
        data=scorer.data._replace(genes=genes),
    )
