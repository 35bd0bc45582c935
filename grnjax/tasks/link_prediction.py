"""Supervised edge prediction on splits: the benchmark of scRegNet, GENELink and their kin.

For every draw of the split and every seed one fit, judged on the test pairs beside the trivial
rows fitted on the same train pairs. Validation pairs alone choose epochs, ridges and options.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from grnjax import config as settings
from grnjax.errors import ConfigError
from grnjax.evaluation.bootstrap import bootstrap_over_tfs
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import paired_differences, summarise
from grnjax.evaluation.splits import SplitKind, check_split, draw_split
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.progress import logger
from grnjax.tasks.bench import Bench, FitSettings
from grnjax.tasks.inputs import Control, InputConfig
from grnjax.training.loop import TrainingConfig
from grnjax.training.study import Study
from grnjax.types import Dataset, Split, SplitProtocol

MODEL = "scRegNet"
CHOSEN_ON = ("auroc", "average_precision")


def check_seeds(name: str, seeds: tuple[int, ...]) -> None:
    """Refuses seeds that are missing, repeated or negative."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"{name} must be different whole numbers from 0 on, got {seeds}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """Which pairs train, validate and test."""

    kind: SplitKind = "standard"
    """What a test pair may share with the train pairs, or `balanced`, the published rule of
    Non-Specific, STRING and LOF/GOF networks; unused with published files."""
    protocol: SplitProtocol = "corrected"
    """Whether balanced splits, drawn or published, keep the train pairs that their published
    rule puts among the test pairs, labelled 0 (as-published), or not (corrected)."""
    prevalence: float | None = None
    """Share of positives among the test pairs of a drawn balanced split; by default the density
    of the network."""
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
    """Altered inputs, or rewired labels, on which the model is fitted again."""
    reference_selection: bool = False
    """Select on the test pairs, as the published code does; only to show the size of the effect."""
    choose: tuple[str, ...] = ()
    """Options tried on each draw with the first seed; the best on validation serves all seeds.
    Each is one or more settings, such as training.edge-folds=0,inputs.negative-weight=0.2."""

    bootstrap: int = 0
    """How many times the TFs are resampled for the intervals of each draw, with the first seed;
    0 leaves them out."""

    def __post_init__(self):
        check_seeds("seeds", self.seeds)
        if self.bootstrap < 0:
            raise ValueError(f"bootstrap must be at least 0, got {self.bootstrap}")


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """Rows (method, draw, seed, metrics) with what is said about them."""

    rows: list[dict]
    splits: list[dict]  # sizes and leakage counts of each draw
    chosen: dict  # draw -> the option chosen on validation
    intervals: list[dict]  # of the resampled TFs: one line per draw, method and metric

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
            "bootstrap_over_tfs": self.intervals,
            "summary": self.summary.to_dict("records"),
            "paired_differences": {
                method: paired_differences(self.rows, MODEL, method)
                for method in methods
                if method != MODEL
            },
        }


def draw_splits(dataset: Dataset, config: SplitConfig) -> list[Split]:
    """One split for each draw of the settings, from the data set's positives."""
    edges, genes = dataset.known.positives, dataset.genes
    return [
        draw_split(
            config.kind,
            edges,
            len(genes.names),
            draw,
            tfs=genes.tfs,
            protocol=config.protocol,
            prevalence=config.prevalence,
        )
        for draw in config.draws
    ]


def run_study(
    dataset: Dataset,
    splits: list[Split],
    config: LinkPredictionConfig,
    *,
    embedding: np.ndarray | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> Results:
    """Fits and judges the model, its controls and the trivial rows on every split.

    Args:
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit; None leaves it to one.

    Raises:
        SplitError: a split leaks, or a part of it lacks a class.
        ConfigError: an option or a control cannot be had.
    """
    reports = [check_split(split) for split in splits]
    for report in reports:
        if report.get("train_pairs_in_test"):
            logger.warning(
                "%(kind)s split, draw %(draw)d: %(train_pairs_in_test)d train pairs are test pairs "
                "labelled 0, of which %(train_positives_labelled_0)d are train positives",
                report,
            )
    bench = Bench(dataset, splits, embedding, mesh)
    for settled in (config, *(with_options(config, option) for option in config.choose)):
        check_settings(settled, bench)
    rows, chosen, intervals = [], {}, []
    variants = [None, *config.controls]
    tried = len(config.choose) + 1 if config.choose else 0
    fits = len(splits) * (len(variants) * len(config.seeds) + tried)
    with Study(folder, fits, config.training.epochs, "fitting") as study:
        for split in splits:
            scores = {(name, 0): values for name, values in bench.trivial(split).items()}
            used = config
            if config.choose:
                option, used = choose_on_validation(bench, study, split, config)
                chosen[split.draw] = option
            for control in variants:
                for seed in config.seeds:
                    label = control or "model"
                    fitted = bench.fit(study, split, fit_settings(used, control), seed, label)
                    scores[name_row(control), seed] = bench.score(fitted, split.test)
            if len(config.seeds) > 1:
                own = [scores[MODEL, seed] for seed in config.seeds]
                scores[f"{MODEL}, mean of {len(own)} seeds", 0] = np.mean(own, axis=0)
            rows += [bench.judge(name, split, seed, x) for (name, seed), x in scores.items()]
            if config.bootstrap:
                intervals += resample_tfs(split, scores, config)
    return Results(rows, reports, chosen, intervals)


def check_settings(config: LinkPredictionConfig, bench: Bench) -> None:
    """Refuses what the data or the splits cannot give, before anything is fitted."""
    if bench.embedding is None:
        for control in config.controls:
            if control.startswith("embedding"):
                raise ConfigError(
                    f"the control {control} needs an embedding: give --data.embedding."
                )
        if config.model.fusion == "cross-attention":
            raise ConfigError(
                "--model.fusion cross-attention needs frozen gene embeddings: give "
                "--data.embedding, or leave it at concatenate."
            )
    if config.inputs.unlabelled_weight:
        for split in bench.splits:
            if not bench.leaves_pairs_unlabelled(split):
                raise ConfigError(
                    f"--inputs.unlabelled-weight {config.inputs.unlabelled_weight:g}: in a "
                    f"{split.kind} split the pairs outside train are those that are held out; "
                    "leave it at 0."
                )


def name_row(control: Control | None) -> str:
    """The method's name in the results."""
    return MODEL if control is None else f"{MODEL}, {control.replace('-', ' ')}"


def fit_settings(config: LinkPredictionConfig, control: Control | None = None) -> FitSettings:
    """The part of the settings that one fit needs."""
    return FitSettings(
        model=config.model,
        inputs=config.inputs,
        training=config.training,
        reference_selection=config.reference_selection,
        control=control,
    )


def resample_tfs(split: Split, scores: dict, config: LinkPredictionConfig) -> list[dict]:
    """Intervals over resampled TFs of each method, and of the model's difference from it."""
    first: dict[str, np.ndarray] = {}
    for (name, _), values in scores.items():
        first.setdefault(name, values)
    table = bootstrap_over_tfs(
        split.test.pairs,
        split.test.labels,
        first,
        seed=split.draw,
        samples=config.bootstrap,
        reference=MODEL,
    )
    return table.assign(draw=split.draw).to_dict("records")


def choose_on_validation(
    bench: Bench, study: Study, split: Split, config: LinkPredictionConfig
) -> tuple[str, LinkPredictionConfig]:
    """The option with the best figures on the validation pairs, and the settings with it.

    What counts is the mean of AUROC and AP; swap concordance has too few quadruples to choose by.
    """
    best = (-np.inf, "", config)
    pairs = bench.validation_like_test(split)
    for place, option in enumerate(("", *config.choose)):
        option, tried = option or "as given", with_options(config, option)
        fitted = bench.fit(
            study, split, fit_settings(tried), config.seeds[0], f"option{place}"
        )
        metrics = evaluate_pairs(pairs.pairs, pairs.labels, bench.score(fitted, pairs))
        figure = np.mean([metrics[name] for name in CHOSEN_ON])
        logger.info("draw %d, %s: validation %.4f", split.draw, option, figure)
        best = max(best, (figure, option, tried), key=lambda entry: entry[0])
    return best[1:]


def with_options(config: LinkPredictionConfig, option: str) -> LinkPredictionConfig:
    """The settings with `key=value,key=value` applied."""
    items = [item.strip() for item in option.split(",") if item]
    for item in items:
        if not item.startswith(("model.", "inputs.", "training.")):
            raise ConfigError(
                f"--choose {item}: an option changes settings of model, inputs or training only."
            )
    flags = [f"--{item}" for item in items]
    return settings.parse(config, flags, program="--choose")
