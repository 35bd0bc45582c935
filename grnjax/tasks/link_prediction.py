"""Supervised edge prediction on splits: the benchmark of scRegNet, GENELink and their kin.

For every draw of the split and every seed one fit, judged on the test pairs beside the trivial
rows fitted on the same train pairs. Validation pairs alone choose epochs, ridges and options.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jax.sharding import Mesh

from grnjax.data.candidates import choose_like_test
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.report import paired_differences, summarise
from grnjax.evaluation.splits import check_split
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.method import MethodConfig, Problem
from grnjax.progress import logger
from grnjax.tasks.judging import judge_split, resample_tfs, trivial_scores
from grnjax.tasks.reconstruction import judge_reconstruction, reconstruct
from grnjax.tasks.split_fits import (
    LinkPredictionConfig,
    Request,
    build_problems,
    fit_requests,
    list_requests,
)
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, Split

CHOSEN_ON = ("auroc", "average_precision")


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
        draw: ready
        if p is first
        else dataclasses.replace(p, prepared=ready.prepared, embedding=ready.embedding)
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
    reconstructions, name = [], method.name()
    with method.open_recorder(folder, count, "fitting") as recorder:
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
