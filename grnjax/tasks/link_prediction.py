"""Supervised edge prediction on splits: the benchmark of scRegNet, GENELink and their kin.

For every draw of the split and every seed one fit, judged on the test pairs beside the trivial
rows fitted on the same train pairs. Validation pairs alone choose epochs, ridges and options.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.errors import ConfigError
from grnjax.evaluation.bootstrap import bootstrap_over_tfs
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import paired_differences, summarise
from grnjax.evaluation.splits import SplitKind, check_split, draw_split
from grnjax.graphs.positional import PositionConfig
from grnjax.graphs.walks import InferredNetwork
from grnjax.models.gt_grn import GTGRNConfig
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.models.terms import PairModelConfig
from grnjax.progress import logger
from grnjax.tasks.bench import Bench, FitSettings, Request
from grnjax.tasks.gene_embeddings import GeneEmbeddingConfig, embed_dataset
from grnjax.tasks.gt_grn import GTGRNBench
from grnjax.tasks.inputs import InputConfig
from grnjax.tasks.model_kinds import KINDS, AnyControl, check_settings, name_model, name_row
from grnjax.tasks.reconstruction import judge_reconstruction, reconstruct
from grnjax.tasks.walk_networks import check_networks
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, Split, SplitProtocol

MODEL = KINDS[ScRegNetConfig].name
CHOSEN_ON = ("auroc", "average_precision")


def check_seeds(name: str, seeds: tuple[int, ...]) -> None:
    """Refuses seeds that are missing, repeated or negative."""
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"{name} must be different whole numbers from 0 on, got {seeds}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig(Settings):
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
        super().__post_init__()
        check_seeds("draws", self.draws)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkPredictionConfig(Settings):
    """A study: a model on the draws of a split, over seeds."""

    model: PairModelConfig = ScRegNetConfig()
    """The model; the command line takes another by its name, --model=GT-GRN."""
    embeddings: GeneEmbeddingConfig = GeneEmbeddingConfig()
    """GT-GRN's embeddings of genes, made with the first of `seeds`."""
    positions: PositionConfig = PositionConfig()
    """GT-GRN's positions of genes among train edges."""
    inputs: InputConfig = InputConfig()
    training: TrainingConfig = TrainingConfig()
    split: SplitConfig = SplitConfig()
    seeds: tuple[int, ...] = (0,)
    """Seeds of the model; each is fitted on every draw."""
    controls: tuple[AnyControl, ...] = ()
    """Altered inputs, or rewired labels, on which the model is fitted again."""
    reference_selection: bool = False
    """Select on the test pairs, as the published code does; only to show the size of the effect."""
    choose: tuple[str, ...] = ()
    """Options tried on each draw with the first seed; the best on validation serves all seeds.
    Each is one or more settings, such as training.edge-folds=0,inputs.negative-weight=0.2."""

    reconstruct: bool = False
    """Also judge the first seed on every pair of a TF and a gene, its train pairs included; the
    figures of those and of the other pairs stand apart."""
    bootstrap: int = 0
    """How many times the TFs are resampled for the intervals of each draw, with the first seed;
    0 leaves them out."""

    def __post_init__(self):
        super().__post_init__()
        check_seeds("seeds", self.seeds)
        if self.bootstrap < 0:
            raise ValueError(f"bootstrap must be at least 0, got {self.bootstrap}")


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """Rows (method, draw, seed, metrics) with what is said about them."""

    model: str  # its name in the rows
    rows: list[dict]
    splits: list[dict]  # sizes and leakage counts of each draw
    chosen: dict  # draw -> the option chosen on validation
    intervals: list[dict]  # of the resampled TFs: one line per draw, method and metric
    reconstructions: list[dict]  # rows on all pairs, where they were asked for
    embeddings: dict | None  # what GT-GRN's gene embeddings came to

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
            "reconstruction": self.reconstructions,
            "gene_embeddings": self.embeddings,
            "summary": self.summary.to_dict("records"),
            "paired_differences": {
                method: paired_differences(self.rows, self.model, method)
                for method in methods
                if method != self.model
            },
        }


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The option that was chosen for a draw."""

    option: str
    settings: LinkPredictionConfig  # with the option
    figure: float  # on the validation pairs


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
    networks: Mapping[str, InferredNetwork] | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> Results:
    """Fits and judges the model, its controls and the trivial rows on every split.

    Args:
        embedding: frozen gene vectors [gene, dim] in the order of the data set, for scRegNet.
        networks: made elsewhere, by name, for GT-GRN to walk on (`walk_networks.load_networks`).
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit; None leaves it to one.

    Raises:
        SplitError: a split or a network leaks, or a part of a split lacks a class.
        ConfigError: a setting, an option or a control cannot be had.
    """
    about_splits = [check_split(split) for split in splits]
    for about in about_splits:
        if about.get("train_pairs_in_test"):
            logger.warning(
                "%(kind)s split, draw %(draw)d: %(train_pairs_in_test)d train pairs are test pairs "
                "labelled 0, of which %(train_positives_labelled_0)d are train positives",
                about,
            )
    bench = Bench(dataset, splits, embedding, mesh)
    for settled in (config, *(with_options(config, option) for option in config.choose)):
        check_settings(settled, bench, networks or {})
    report = None
    if isinstance(config.model, GTGRNConfig):
        bench = embed_genes(bench, config, networks or {}, folder)
        report = bench.embeddings.report
    model = name_model(config.model)
    tried = len(config.choose) + 1 if config.choose else 0
    fits = len(splits) * ((1 + len(config.controls)) * len(config.seeds) + tried)
    scores: dict[int, dict] = {  # of each draw, by method and seed
        split.draw: {(name, 0): values for name, values in bench.trivial(split).items()}
        for split in splits
    }
    reconstructions = []
    with FitRecorder(folder, fits, config.training.epochs, "fitting") as recorder:
        chosen = choose_on_validation(bench, study, config) if config.choose else {}
        requests = list_requests(splits, config, chosen)
        for request, fitted in zip(requests, bench.fit_all(recorder, requests), strict=True):
            split, method = request.split, name_row(request.settings)
            scores[split.draw][method, request.seed] = bench.score(fitted, split.test)
            if config.reconstruct and method == model and request.seed == config.seeds[0]:
                figures = judge_reconstruction(*reconstruct(bench, fitted), split)
                reconstructions += [{"method": method, "draw": split.draw, **x} for x in figures]
    rows, intervals = [], []
    for split in splits:
        found = scores[split.draw]
        if len(config.seeds) > 1:
            own = [found[model, seed] for seed in config.seeds]
            found[f"{model}, mean of {len(own)} seeds", 0] = np.mean(own, axis=0)
        rows += [bench.judge(name, split, seed, x) for (name, seed), x in found.items()]
        if config.bootstrap:
            intervals += resample_tfs(split, found, config)
    options = {draw: best.option for draw, best in chosen.items()}
    return Results(model, rows, about_splits, options, intervals, reconstructions, report)


def embed_genes(
    bench: Bench,
    config: LinkPredictionConfig,
    networks: Mapping[str, InferredNetwork],
    folder: Path | None,
) -> GTGRNBench:
    """The bench of GT-GRN on the same splits, with one embedding of the genes for all of them."""
    genes = bench.dataset.genes
    check_networks(networks, bench.splits, bench.dataset)
    embeddings = embed_dataset(
        genes, config.embeddings, seed=config.seeds[0], folder=folder, networks=networks
    )
    return GTGRNBench(bench.dataset, bench.splits, embeddings, config.positions, bench.mesh)


def fit_settings(config: LinkPredictionConfig, control: AnyControl | None = None) -> FitSettings:
    """The part of the settings that one fit needs."""
    return FitSettings(
        model=config.model,
        inputs=config.inputs,
        training=config.training,
        reference_selection=config.reference_selection,
        control=control,
    )


def list_requests(
    splits: list[Split], config: LinkPredictionConfig, chosen: dict[int, Chosen]
) -> list[Request]:
    """The fits of the model and its controls: like ones in a row, to be fitted side by side."""
    used = {split.draw: config for split in splits}
    used |= {draw: best.settings for draw, best in chosen.items()}
    return [
        Request(split, fit_settings(used[split.draw], control), seed, control or "model")
        for control in (None, *config.controls)
        for split in splits
        for seed in config.seeds
    ]


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
        reference=name_model(config.model),
    )
    return table.assign(draw=split.draw).to_dict("records")


def choose_on_validation(
    bench: Bench, recorder: FitRecorder, config: LinkPredictionConfig
) -> dict[int, Chosen]:
    """For each draw the option with the best figures on its validation pairs.

    What counts is the mean of AUROC and AP; swap concordance has too few quadruples to choose by.
    """
    options = [("as given", config), *((x, with_options(config, x)) for x in config.choose)]
    tries = [
        (option, tried, Request(split, fit_settings(tried), config.seeds[0], f"option{place}"))
        for place, (option, tried) in enumerate(options)
        for split in bench.splits
    ]
    best: dict[int, Chosen] = {}
    fits = bench.fit_all(recorder, [request for *_, request in tries])
    for (option, tried, request), fitted in zip(tries, fits, strict=True):
        pairs, draw = bench.validation_like_test(request.split), request.split.draw
        metrics = evaluate_pairs(pairs.pairs, pairs.labels, bench.score(fitted, pairs))
        figure = np.mean([metrics[name] for name in CHOSEN_ON])
        logger.info("draw %d, %s: validation %.4f", draw, option, figure)
        if draw not in best or figure > best[draw].figure:
            best[draw] = Chosen(option, tried, figure)
    return best


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
