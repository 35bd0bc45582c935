"""Fits on the splits of one data set, all with the same padded shapes, and their figures."""

import dataclasses
import functools

import jax
import numpy as np
from jax.sharding import Mesh

from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.negatives import match_negatives
from grnjax.evaluation.rewiring import rewire_labels
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.inputs import Control, InputConfig, make_scregnet_trainer, model_inputs
from grnjax.training.batches import (
    ModelInputs,
    add_topology,
    build_fit_data,
    build_pair_batch,
    list_other_pairs,
    shared_sizes,
)
from grnjax.training.loop import FitResult, Trainer, TrainingConfig
from grnjax.training.step import FitData
from grnjax.training.study import Study, derive_seed
from grnjax.types import Dataset, LabelledPairs, Split

MATCHED = {"auroc": "matched_auroc", "average_precision": "matched_average_precision"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What one fit needs to know."""

    model: ScRegNetConfig
    inputs: InputConfig
    training: TrainingConfig
    reference_selection: bool
    control: Control | None


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """One fit with what it was made from."""

    result: FitResult
    inputs: ModelInputs
    data: FitData
    trainer: Trainer
    seed: int


class Bench:
    """A data set with its splits; every fit on it has the same padded shapes."""

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
        self.trainer = functools.cache(functools.partial(make_scregnet_trainer, mesh=mesh))
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

    def fit(
        self, study: Study, split: Split, settings: FitSettings, seed: int, label: str
    ) -> Fitted:
        """One fit on one split; `label` tells its checkpoints from those of other settings."""
        trainer = self.trainer(settings.model, settings.training)
        own_seed = derive_seed(seed, split.draw)
        train, validation = split.train, split.validation
        if settings.reference_selection:
            validation = split.test
        if settings.control == "labels-rewired":
            train = rewire_labels(train, seed=own_seed)
            validation = rewire_labels(validation, seed=own_seed)
        inputs = self.inputs(settings, split.draw)
        if settings.model.topology:
            inputs = add_topology(inputs, train)
        data = build_fit_data(
            inputs,
            train,
            validation,
            folds=settings.training.edge_folds,
            seed=own_seed,
            negative_weight=settings.inputs.negative_weight,
            unlabelled_weight=settings.inputs.unlabelled_weight,
            validation_size=(
                self.test_size if settings.reference_selection else self.validation_size
            ),
        )
        name = f"draw{split.draw}-{label}-seed{seed}"
        result = study.fit(trainer, data, name=name, seed=own_seed)
        return Fitted(result, inputs, data, trainer, own_seed)

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

    def _make_inputs(self, config, batch_size, coexpression, control, seed) -> ModelInputs:
        genes = self.dataset.genes
        every_pair = len(self.tfs) * (len(genes.names) - 1)
        sizes = shared_sizes(
            [split.train for split in self.splits],
            len(genes.names),
            batch_size,
            least_pairs=every_pair if config.unlabelled_weight else 0,
        )
        return model_inputs(
            genes,
            self.embedding,
            self.tfs,
            config,
            sizes,
            coexpression=coexpression,
            control=control,
            seed=seed,
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
