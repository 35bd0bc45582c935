"""Fits on the splits of one data set, all with the same padded shapes, and their figures."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.config import Settings
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.negatives import match_negatives
from grnjax.evaluation.rewiring import rewire_labels
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.inputs import InputConfig, make_scregnet_trainer, model_inputs
from grnjax.training.batches import (
    ModelInputs,
    Sizes,
    add_topology,
    build_fit_data,
    build_pair_batch,
    list_other_pairs,
    shared_sizes,
)
from grnjax.training.keeper import FitResult
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import FitData, TrainingConfig
from grnjax.training.recorder import FitRecorder, Job, derive_seed
from grnjax.types import Dataset, LabelledPairs, Split

MATCHED = {"auroc": "matched_auroc", "average_precision": "matched_average_precision"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitSettings(Settings):
    """What one fit needs to know."""

    model: ScRegNetConfig | GTGRNConfig
    inputs: InputConfig
    training: TrainingConfig
    reference_selection: bool = False
    control: str | None = None  # one of those of the model's inputs


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A fit to be made on a split."""

    split: Split
    settings: FitSettings
    seed: int
    label: str  # tells its checkpoints from those of other settings

    @property
    def name(self) -> str:
        """Its name in a run folder."""
        return f"draw{self.split.draw}-{self.label}-seed{self.seed}"

    @property
    def own_seed(self) -> int:
        """The seed of whatever it draws."""
        return derive_seed(self.seed, self.split.draw)

    @property
    def train(self) -> LabelledPairs:
        """The pairs it learns from."""
        return self._alter(self.split.train)

    @property
    def validation(self) -> LabelledPairs:
        """The pairs it is selected on."""
        if self.settings.reference_selection:
            return self._alter(self.split.test)
        return self._alter(self.split.validation)

    def _alter(self, pairs: LabelledPairs) -> LabelledPairs:
        """The pairs with the labels that the control says."""
        if self.settings.control == "labels-rewired":
            return rewire_labels(pairs, seed=self.own_seed)
        return pairs


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """One fit with what it was made from."""

    result: FitResult
    inputs: ModelInputs
    data: FitData
    trainer: Trainer
    seed: int


class Bench:
    """A data set with its splits, for fits of scRegNet; all of them have the same padded shapes."""

    def __init__(
        self,
        dataset: Dataset,
        splits: list[Split],
        embedding: np.ndarray | None,
        mesh: Mesh | None = None,
    ):
        self.dataset, self.splits, self.embedding = dataset, splits, embedding
        parts = [part for s in splits for part in (s.train, s.validation, s.test)]
        self.tfs = np.unique(np.concatenate([part.pairs[:, 0] for part in parts]))
        self.validation_size = max(len(split.validation) for split in splits)
        self.test_size = max(len(split.test) for split in splits)
        self.scored_size = max(self.validation_size, self.test_size)
        self.mesh = mesh
        self.trainer = functools.cache(self._make_trainer)
        self._cached_inputs = functools.cache(self._make_inputs)

    def leaves_pairs_unlabelled(self, split: Split) -> bool:
        """Whether the train pairs are a balanced choice, drawn or published, among many more."""
        if split.kind.startswith("balanced"):
            return True
        listed = sum(len(part) for part in (split.train, split.validation, split.test))
        every = len(self.tfs) * (len(self.dataset.genes.names) - 1)
        return split.kind.startswith("published") and listed < every / 2

    def validation_like_test(self, split: Split) -> LabelledPairs:
        """The validation pairs; of a balanced split, its positives among all that is unlabelled.

        Balanced validation pairs have as many negatives as positives for each TF, test pairs
        have negatives of all TFs: what chooses well on the former need not on the latter. So the
        positives are set against a random part of the pairs that are neither train nor validation
        pairs. Test positives are among them, as nobody knows.
        """
        if not self.leaves_pairs_unlabelled(split):
            return split.validation
        positives = split.validation.positives
        labelled = np.concatenate([split.train.pairs, split.validation.pairs])
        others = list_other_pairs(labelled, self.tfs, len(self.dataset.genes.names))
        room = min(len(others), max(len(split.test), len(split.validation)) - len(positives))
        drawn = np.random.default_rng(split.draw).choice(len(others), room, replace=False)
        return LabelledPairs(
            np.concatenate([positives, others[drawn]]),
            np.repeat(np.float32([1, 0]), [len(positives), room]),
        )

    def trivial(self, split: Split) -> dict[str, np.ndarray]:
        """Scores of the test pairs by each trivial method."""
        blocks = trivial_rows(self.dataset.genes, split.train, split.validation, self.tfs)
        return {name: scores_at(block, split.test, self.tfs) for name, block in blocks.items()}

    def score(self, fitted: Fitted, pairs: LabelledPairs) -> np.ndarray:
        """Logits of validation or test pairs by a fit."""
        batch = build_pair_batch(fitted.inputs, pairs, self.scored_size)
        key = jax.random.key(fitted.seed)
        logits = fitted.trainer.score(fitted.result.variables, fitted.data.genes, batch, key)
        return np.asarray(logits)[: len(pairs)]

    def fit_all(self, recorder: FitRecorder, requests: Iterable[Request]) -> Iterator[Fitted]:
        """The fit of each request, in order.

        Requests in a row that have the same settings may be fitted side by side.
        """
        for settings, alike in itertools.groupby(requests, lambda request: request.settings):
            alike = list(alike)
            trainer = self.trainer(settings.model, settings.training)
            jobs = [Job(r.name, r.own_seed, functools.partial(self._build, r)) for r in alike]
            fits = recorder.fit_all(trainer, jobs)
            for request, (result, data) in zip(alike, fits, strict=True):
                inputs = self._inputs_of(request)
                yield Fitted(result, inputs, data, trainer, request.own_seed)

    def _build(self, request: Request) -> FitData:
        """The arrays of a fit."""
        settings = request.settings
        return build_fit_data(
            self._inputs_of(request),
            request.train,
            request.validation,
            folds=settings.training.edge_folds,
            seed=request.own_seed,
            negative_weight=settings.inputs.negative_weight,
            unlabelled_weight=settings.inputs.unlabelled_weight,
            validation_size=(
                self.test_size if settings.reference_selection else self.validation_size
            ),
        )

    def _inputs_of(self, request: Request) -> ModelInputs:
        """The inputs of a fit, to which some models add what its own train edges say."""
        inputs = self.inputs(request.settings, request.split.draw)
        if getattr(request.settings.model, "topology", False):
            inputs = add_topology(inputs, request.train)
        return inputs

    def inputs(self, settings: FitSettings, seed: int) -> ModelInputs:
        """The arrays that fits with these settings share; `seed` draws what a control alters."""
        alters = settings.control not in (None, "labels-rewired")
        return self._cached_inputs(
            settings.inputs,
            settings.training.batch_size,
            settings.model.coexpression,
            settings.control if alters else None,
            seed if alters else 0,
        )

    def _make_trainer(self, model: ScRegNetConfig, training: TrainingConfig) -> Trainer:
        return make_scregnet_trainer(model, training, self.mesh)

    def _make_inputs(self, config, batch_size, coexpression, control, seed) -> ModelInputs:
        return model_inputs(
            self.dataset.genes,
            self.embedding,
            self.tfs,
            config,
            self._share_sizes(config, batch_size),
            coexpression=coexpression,
            control=control,
            seed=seed,
        )

    def _share_sizes(self, config: InputConfig, batch_size: int) -> Sizes:
        """Padded sizes for the fits of all splits."""
        genes = len(self.dataset.genes.names)
        every_pair = len(self.tfs) * (genes - 1)
        return shared_sizes(
            [split.train for split in self.splits],
            genes,
            batch_size,
            least_pairs=every_pair if config.unlabelled_weight else 0,
        )

    def judge(self, method: str, split: Split, seed: int, scores: np.ndarray) -> dict:
        """A results row: the method's metrics on the test pairs of a split.

        `matched_...` are those of the positives against as many negatives of the same degrees,
        the same ones for every method.
        """
        test, genes = split.test, len(self.dataset.genes.names)
        metrics = evaluate_pairs(test.pairs, test.labels, scores)
        kept = match_negatives(split.train, test, genes, seed=split.draw)
        matched = evaluate_pairs(test.pairs[kept], test.labels[kept], scores[kept])
        metrics |= {name: matched[key] for key, name in MATCHED.items()}
        return {"method": method, "draw": split.draw, "seed": seed, **metrics}
