"""Supervised edge prediction on splits: the benchmark of scRegNet, GENELink and their kin.

For every draw of the split and every seed one fit, judged on the test pairs beside the trivial
rows fitted on the same train pairs. Validation pairs alone choose epochs, ridges and options.
"""

import dataclasses
import functools
from pathlib import Path

import jax
import numpy as np

from grnjax import config as settings
from grnjax.baselines.controls import scores_at, trivial_rows
from grnjax.errors import ConfigError
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import paired_differences, summarise
from grnjax.evaluation.splits import SplitKind, check_split, draw_split
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.progress import logger
from grnjax.tasks.inputs import Control, InputConfig, make_scregnet_trainer, model_inputs
from grnjax.training.batches import (
    ModelInputs,
    build_fit_data,
    build_pair_batch,
    shared_sizes,
)
from grnjax.training.loop import FitResult, Trainer, TrainingConfig
from grnjax.training.step import FitData
from grnjax.training.study import Study, derive_seed
from grnjax.types import Dataset, LabelledPairs, Split

MODEL = "scRegNet"


def check_seeds(name: str, seeds: tuple[int, ...]) -> None:
    """Refuses seeds that are missing, repeated or negative."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"{name} must be different whole numbers from 0 on, got {seeds}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Which pairs train, validate and test."""

    kind: SplitKind = "standard"
    """What a test pair may share with the train pairs; unused with published files."""
    draws: tuple[int, ...] = (0,)
    """Seeds of the draws."""

    def __post_init__(self):
        check_seeds("draws", self.draws)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkPredictionConfig:
    """A study: a model on the draws of a split, over seeds."""

    model: ScRegNetConfig = ScRegNetConfig()
    inputs: InputConfig = InputConfig()
    training: TrainingConfig = TrainingConfig()
    split: SplitConfig = SplitConfig()
    seeds: tuple[int, ...] = (0,)
    """Seeds of the model; each is fitted on every draw."""
    controls: tuple[Control, ...] = ()
    """Altered inputs on which the model is fitted again."""
    reference_selection: bool = False
    """Select on the test pairs, as the published code does; only to show the size of the effect."""
    choose: tuple[str, ...] = ()
    """Options tried on each draw with the first seed; the best on validation serves all seeds.
    Each is one or more settings, such as training.edge-folds=0,inputs.negative-weight=0.2."""

    def __post_init__(self):
        check_seeds("seeds", self.seeds)


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """Rows (method, draw, seed, metrics) with what is said about them."""

    rows: list[dict]
    splits: list[dict]  # sizes and leakage counts of each draw
    chosen: dict  # draw -> the option chosen on validation

    @property
    def summary(self):
        """Means and intervals over draws, one line per method and metric."""
        return summarise(self.rows)

    def record(self) -> dict:
        """Everything above for a JSON file."""
        methods = dict.fromkeys(row["method"] for row in self.rows)
        return {
            "rows": self.rows,
            "splits": self.splits,
            "chosen_on_validation": self.chosen,
            "summary": self.summary.to_dict("records"),
            "paired_differences": {
                method: paired_differences(self.rows, MODEL, method)
                for method in methods
                if method != MODEL
            },
        }


def draw_splits(dataset: Dataset, config: SplitConfig) -> list[Split]:
    """One split for each draw of the settings, from the data set's positives."""
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    return [draw_split(config.kind, edges, genes, draw) for draw in config.draws]


def run_study(
    dataset: Dataset,
    splits: list[Split],
    config: LinkPredictionConfig,
    *,
    embedding: np.ndarray | None = None,
    folder: Path | None = None,
) -> Results:
    """Fits and judges the model, its controls and the trivial rows on every split.

    Args:
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        folder: run folder for checkpoints and metrics; None keeps nothing.

    Raises:
        SplitError: a split leaks, or a part of it lacks a class.
        ConfigError: an option or a control cannot be had.
    """
    reports = [check_split(split) for split in splits]
    for option in config.choose:
        with_options(config, option)
    for control in config.controls:
        if control.startswith("embedding") and embedding is None:
            raise ConfigError(f"the control {control} needs an embedding: give --data.embedding.")
    rows, chosen = [], {}
    variants = [None, *config.controls]
    tried = len(config.choose) + 1 if config.choose else 0
    fits = len(splits) * (len(variants) * len(config.seeds) + tried)
    bench = Bench(dataset, splits, embedding)
    with Study(folder, fits, config.training.epochs, "fitting") as study:
        for split in splits:
            rows += bench.trivial(split)
            used = config
            if config.choose:
                option, used = choose_on_validation(bench, study, split, config)
                chosen[split.draw] = option
            for control in variants:
                for seed in config.seeds:
                    rows.append(bench.model(study, split, used, seed, control))
    return Results(rows, reports, chosen)


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """One fit with what it was made from."""

    result: FitResult
    inputs: ModelInputs
    data: FitData
    trainer: Trainer


class Bench:
    """A data set with its splits; every fit on it has the same padded shapes."""

    def __init__(self, dataset: Dataset, splits: list[Split], embedding: np.ndarray | None):
        self.dataset, self.splits, self.embedding = dataset, splits, embedding
        parts = [part for s in splits for part in (s.train, s.validation, s.test)]
        self.tfs = np.unique(np.concatenate([part.pairs[:, 0] for part in parts]))
        self.validation_size = max(len(split.validation) for split in splits)
        self.test_size = max(len(split.test) for split in splits)
        self.trainer = functools.cache(make_scregnet_trainer)
        self.inputs = functools.cache(self._inputs)

    def trivial(self, split: Split) -> list[dict]:
        """The rows of the trivial methods on one split."""
        scores = trivial_rows(self.dataset.genes, split.train, split.validation, self.tfs)
        return [
            judge(name, split, 0, scores_at(block, split.test, self.tfs))
            for name, block in scores.items()
        ]

    def model(
        self,
        study: Study,
        split: Split,
        config: LinkPredictionConfig,
        seed: int,
        control: Control | None = None,
    ) -> dict:
        """The row of one fit."""
        fitted = self.fit(study, split, config, seed, control)
        batch = build_pair_batch(fitted.inputs, split.test, self.test_size)
        key = jax.random.key(derive_seed(seed, split.draw))
        logits = fitted.trainer.score(fitted.result.variables, fitted.data.genes, batch, key)
        method = MODEL if control is None else f"{MODEL}, {control.replace('-', ' ')}"
        return judge(method, split, seed, np.asarray(logits)[: len(split.test)])

    def fit(
        self,
        study: Study,
        split: Split,
        config: LinkPredictionConfig,
        seed: int,
        control: Control | None = None,
        label: str = "",
    ) -> Fitted:
        """One fit on one split; `label` tells its checkpoints from those of other settings."""
        trainer = self.trainer(config.model, config.training)
        inputs = self.inputs(
            config.inputs,
            config.training,
            config.model.coexpression,
            control,
            0 if control is None else split.draw,
        )
        own_seed = derive_seed(seed, split.draw)
        data = build_fit_data(
            inputs,
            split.train,
            split.test if config.reference_selection else split.validation,
            folds=config.training.edge_folds,
            seed=own_seed,
            negative_weight=config.inputs.negative_weight,
            validation_size=(
                self.test_size if config.reference_selection else self.validation_size
            ),
        )
        name = f"draw{split.draw}-{label or control or 'model'}-seed{seed}"
        return Fitted(study.fit(trainer, data, name=name, seed=own_seed), inputs, data, trainer)

    def _inputs(self, config, training, coexpression, control, draw) -> ModelInputs:
        trains = [split.train for split in self.splits]
        genes = self.dataset.genes
        sizes = shared_sizes(trains, len(genes.names), training.batch_size)
        return model_inputs(
            genes,
            self.embedding,
            self.tfs,
            config,
            sizes,
            coexpression=coexpression,
            control=control,
            seed=draw,
        )


def choose_on_validation(
    bench: Bench, study: Study, split: Split, config: LinkPredictionConfig
) -> tuple[str, LinkPredictionConfig]:
    """The option with the best validation score on this split, and the settings with it."""
    best = (-np.inf, "", config)
    for place, option in enumerate(("", *config.choose)):
        option, tried = option or "as given", with_options(config, option)
        fitted = bench.fit(study, split, tried, config.seeds[0], label=f"option{place}")
        score = fitted.result.best_score
        logger.info("draw %d, %s: validation %.4f", split.draw, option, score)
        best = max(best, (score, option, tried), key=lambda entry: entry[0])
    return best[1:]


def with_options(config: LinkPredictionConfig, option: str) -> LinkPredictionConfig:
    """The settings with `key=value,key=value` applied."""
    flags = [f"--{item.strip()}" for item in option.split(",") if item]
    return settings.parse(config, flags, program="--choose")


def judge(method: str, split: Split, seed: int, scores: np.ndarray) -> dict:
    """A results row: the method's metrics on the test pairs of a split."""
    test: LabelledPairs = split.test
    metrics = evaluate_pairs(test.pairs, test.labels, scores)
    return {"method": method, "draw": split.draw, "seed": seed, **metrics}
