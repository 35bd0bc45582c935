"""Supervised edge prediction on splits: the benchmark of scRegNet, GENELink and their kin.

For every draw of the split and every seed one fit, judged on the test pairs beside the trivial
rows fitted on the same train pairs. Validation pairs alone choose epochs, ridges and options.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from grnjax.config import Count, Seeds, Settings, Share
from grnjax.data.candidates import choose_like_test, list_split_tfs
from grnjax.errors import ConfigError
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import paired_differences, summarise
from grnjax.evaluation.splits import SplitKind, check_split, draw_split
from grnjax.evidence.leak_check import check_leaks, drop_copied_columns
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.method import MethodConfig, Problem
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.progress import logger
from grnjax.tasks.judging import judge_split, resample_tfs, trivial_scores
from grnjax.tasks.reconstruction import judge_reconstruction, reconstruct
from grnjax.training.recorder import FitRecorder, derive_seed
from grnjax.types import Dataset, Part, Split, SplitProtocol

CHOSEN_ON = ("auroc", "average_precision")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitConfig(Settings):
    """Which pairs train, validate and test."""

    kind: SplitKind = "standard"
    """What a test pair may share with the train pairs, or `balanced`, the published rule of
    Non-Specific, STRING and LOF/GOF networks; unused with published files."""
    protocol: SplitProtocol = "corrected"
    """Whether balanced splits, drawn or published, keep the train pairs that their published
    rule puts among the test pairs, labelled 0 (as-published), or not (corrected)."""
    prevalence: Share | None = None
    """Share of positives among the test pairs of a drawn balanced split; by default the density
    of the network."""
    draws: Seeds = (0,)
    """Seeds of the draws."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LinkPredictionConfig(Settings):
    """A method on the draws of a split, over seeds."""

    method: MethodConfig = ScRegNetMethod()
    """The method; the command line takes another by its name, --method=GT-GRN, and its settings
    under --method."""
    split: SplitConfig = SplitConfig()
    seeds: Seeds = (0,)
    """Seeds of the method; each is fitted on every draw."""
    controls: tuple[str, ...] = ()
    """Permuted inputs, or rewired labels, on which the method is fitted again."""
    reference_selection: bool = False
    """Select on the test pairs, as the published code does; only to show the size of the effect."""
    reconstruct: bool = False
    """Also judge the first seed on every pair of a TF and a gene, its train pairs included; the
    figures of those and of the other pairs stand apart."""
    bootstrap: Count = 0
    """How many times the TFs are resampled for the intervals of each draw, with the first seed;
    0 leaves them out."""

    def __post_init__(self):
        super().__post_init__()
        known = self.method.controls()
        for control in self.controls:
            if control not in known:
                raise ConfigError(
                    f"{self.method.name()} has no control {control}; choose among "
                    f"{', '.join(known)}."
                )


@dataclasses.dataclass(frozen=True, eq=False)
class Results:
    """Rows (method, draw, seed, metrics) with what is to be said of them."""

    method: str  # its name in the rows
    rows: list[dict]
    splits: list[dict]  # sizes and leakage counts of each draw
    chosen: dict  # draw -> the option chosen on validation
    intervals: list[dict]  # of the resampled TFs: one line per draw, method and metric
    reconstructions: list[dict]  # rows on all pairs, where they were asked for
    embeddings: dict | None  # how the method's own gene embeddings came out

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
                method: paired_differences(self.rows, self.method, method)
                for method in methods
                if method != self.method
            },
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A fit to come: of a part of a problem, with the split that judges it."""

    method: MethodConfig
    problem: Problem
    place: int  # of its part among those of the problem (`build_problems`)
    split: Split
    seed: int
    row: str  # its method in the results
    label: str  # what tells it from other fits of its draw and seed in a run folder
    control: str | None = None  # that altered the problem

    @property
    def part(self) -> Part:
        """Its part of the problem, under its name."""
        name = f"draw{self.split.draw}-{self.label}-seed{self.seed}"
        return dataclasses.replace(self.problem.parts[self.place], name=name)


def seed_of(draw: int, seed: int) -> int:
    """The seed of what a fit draws."""
    return derive_seed(seed, draw)


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


def build_problems(
    dataset: Dataset,
    splits: Sequence[Split],
    config: LinkPredictionConfig,
    *,
    evidence: Sequence[Evidence] = (),
    **inputs,
) -> dict[int, Problem]:
    """The problem of each draw, with a part for each split and seed.

    They differ in evidence, where that is cleared of what train labels share with it.

    Args:
        evidence: in the order of `list_split_tfs(splits)`.
        inputs: the other fields of a `Problem`.
    """
    parts = []
    for split, seed in itertools.product(splits, config.seeds):
        chosen_on = split.test if config.reference_selection else split.validation
        fitted = dataclasses.replace(split, validation=chosen_on)
        parts.append(Part(fitted, "", seed_of(split.draw, seed)))
    tfs, names = list_split_tfs(splits), dataset.genes.names
    problem = Problem(
        dataset=dataset,
        parts=parts,
        tfs=tfs,
        trainable=tfs,
        evidence=evidence,
        seed=config.seeds[0],
        **inputs,
    )
    if all(item.kind == "expression" for item in evidence):
        return {split.draw: problem for split in splits}
    check_leaks([x for x in evidence if x.kind != "expression"], tfs, dataset, list(splits))
    cleared = {
        split.draw: [drop_copied_columns(item, tfs, names, split.train) for item in evidence]
        for split in splits
    }
    return {draw: dataclasses.replace(problem, evidence=x) for draw, x in cleared.items()}


def run_study(
    dataset: Dataset,
    splits: list[Split],
    config: LinkPredictionConfig,
    *,
    evidence: Sequence[Evidence] = (),
    embedding: np.ndarray | None = None,
    networks: Mapping[str, InferredNetwork] | None = None,
    options: Mapping[str, MethodConfig] | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> Results:
    """Fits and judges the method, its controls and the trivial rows on every split.

    Args:
        evidence: what else is known of the genes, in the order of `list_split_tfs(splits)`.
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        networks: made elsewhere, by name, to walk on (`walk_networks.load_networks`).
        options: settings by name that are tried on each draw with the first seed beside those of
            `config`; the best on validation serves all seeds.
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit; None leaves it to one.

    Raises:
        SplitError: a split or a network leaks, or a part of a split lacks a class.
        ConfigError: inputs that the method does not read, or lacks.
    """
    about_splits = [check_split(split) for split in splits]
    for about in about_splits:
        if about.get("train_pairs_in_test"):
            logger.warning(
                "%(kind)s split, draw %(draw)d: %(train_pairs_in_test)d train pairs are test pairs "
                "labelled 0, of which %(train_positives_labelled_0)d are train positives",
                about,
            )
    method, inputs = config.method, {"embedding": embedding, "networks": networks or {}}
    problems = build_problems(dataset, splits, config, evidence=evidence, folder=folder, **inputs)
    first = problems[splits[0].draw]
    for tried in (method, *(options or {}).values()):
        tried.check(first)
    ready = method.prepare(first)
    problems = {  # draws that had one problem still have one, so that they are fitted together
        draw: ready if p is first else dataclasses.replace(p, prepared=ready.prepared)
        for draw, p in problems.items()
    }
    scores: dict[int, dict] = {  # of each draw, by method and seed
        split.draw: {
            (name, 0): values
            for name, values in trivial_scores(dataset.genes, split, first.tfs).items()
        }
        for split in splits
    }
    count = len(splits) * (1 + len(config.controls)) * len(config.seeds)
    count += len(splits) * (len(options) + 1 if options else 0)
    epochs = method.engine.epochs if method.engine else 1
    reconstructions, name = [], method.name()
    with FitRecorder(folder, count, epochs, "fitting") as recorder:
        chosen = choose_on_validation(splits, problems, config, options or {}, recorder, mesh)
        requests = list_requests(splits, problems, config, chosen)
        for request, fit in fit_requests(requests, recorder, mesh=mesh):
            split = request.split
            scores[split.draw][request.row, request.seed] = fit.scores(split.test)
            if config.reconstruct and (request.row, request.seed) == (name, config.seeds[0]):
                every, values = reconstruct(dataset, first.tfs, fit)
                figures = judge_reconstruction(every, values, split)
                reconstructions += [{"method": name, "draw": split.draw, **x} for x in figures]
    rows, intervals, genes = [], [], len(dataset.genes.names)
    for split in splits:
        found = scores[split.draw]
        if len(config.seeds) > 1:
            own = [found[name, seed] for seed in config.seeds]
            found[f"{name}, mean of {len(own)} seeds", 0] = np.mean(own, axis=0)
        rows += [judge_split(split, genes, who, seed, x) for (who, seed), x in found.items()]
        if config.bootstrap:
            intervals += resample_tfs(split, found, samples=config.bootstrap, reference=name)
    chosen_names = {draw: option for draw, (option, _) in chosen.items()}
    report = getattr(ready.prepared, "report", None)
    return Results(name, rows, about_splits, chosen_names, intervals, reconstructions, report)


def list_requests(
    splits: Sequence[Split],
    problems: Mapping[int, Problem],
    config: LinkPredictionConfig,
    chosen: Mapping[int, tuple[str, MethodConfig]] | None = None,
) -> list[Request]:
    """The fits of the method and its controls: like ones in a row, to be fitted side by side."""
    requests, name = [], config.method.name()
    for control in (None, *config.controls):
        row = f"{name}, {control.replace('-', ' ')}" if control else name
        for number, split in enumerate(splits):
            problem, first = problems[split.draw], number * len(config.seeds)
            method = chosen[split.draw][1] if chosen else config.method
            if control:
                folder = problem.folder and problem.folder / f"draw{split.draw}-{control}"
                problem = method.controls()[control](problem, split.draw)
                problem = dataclasses.replace(problem, folder=folder)
            label = control or "model"
            requests += [
                Request(method, problem, first + place, split, seed, row, label, control)
                for place, seed in enumerate(config.seeds)
            ]
    return requests


def fit_requests(requests: Sequence[Request], recorder: FitRecorder, *, mesh: Mesh | None = None):
    """Each request with its scorer, in order; fits of one problem may be made side by side."""
    for _, alike in itertools.groupby(requests, lambda r: (r.method, id(r.problem))):
        alike = list(alike)
        method, problem = alike[0].method, alike[0].problem
        parts = [request.part for request in alike]
        yield from zip(alike, method.fit_all(problem, parts, recorder, mesh=mesh), strict=True)


def choose_on_validation(
    splits: Sequence[Split],
    problems: Mapping[int, Problem],
    config: LinkPredictionConfig,
    options: Mapping[str, MethodConfig],
    recorder: FitRecorder,
    mesh: Mesh | None,
) -> dict[int, tuple[str, MethodConfig]]:
    """For each draw the option with the best figures on its validation pairs; none without any.

    What counts is the mean of AUROC and AP; swap concordance has too few quadruples to choose by.
    """
    best: dict[int, tuple[str, MethodConfig]] = {}
    figures: dict[int, float] = {}
    if not options:
        return best
    every = {"as given": config.method, **options}
    requests = [
        Request(
            method,
            problems[split.draw],
            number * len(config.seeds),
            split,
            config.seeds[0],
            option,
            f"option{place}",
        )
        for place, (option, method) in enumerate(every.items())
        for number, split in enumerate(splits)
    ]
    for request, fit in fit_requests(requests, recorder, mesh=mesh):
        problem, draw = request.problem, request.split.draw
        pairs = choose_like_test(request.split, problem.tfs, len(problem.dataset.genes.names))
        metrics = evaluate_pairs(pairs.pairs, pairs.labels, fit.scores(pairs))
        figure = float(np.mean([metrics[name] for name in CHOSEN_ON]))
        logger.info("draw %d, %s: validation %.4f", draw, request.row, figure)
        if draw not in best or figure > figures[draw]:
            best[draw], figures[draw] = (request.row, request.method), figure
    return best
