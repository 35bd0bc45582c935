"""From expression and known regulation to a ranked network of every TF-gene candidate.

Pairs that are not known are unlabelled, not negative. So a method that learns is cross-fitted: the
candidates are assigned to folds, and a pair is scored only by models that did not train on it,
whether it is a known edge or a new one. What the scores are worth is then read off those
out-of-fold scores, beside the trivial rows on the same folds. A method that learns from no known
edge ranks at once (`expression_ranking`).
"""

import bisect
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jax.sharding import Mesh
from scipy.special import expit

from grnjax.config import Positive, Share, renamed
from grnjax.data.candidates import Listing, list_candidates
from grnjax.errors import ConfigError
from grnjax.evaluation.member_logits import mean_logit
from grnjax.evidence.gather import clear_evidence
from grnjax.evidence.types import Evidence
from grnjax.graphs.walks import InferredNetwork
from grnjax.methods.few_cells import tell_few_cells
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.method import Cost, MethodConfig, Problem
from grnjax.progress import describe_time, logger
from grnjax.storage.memory import find_free, find_held
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds, choose_folds, cross_fit
from grnjax.tasks.edge_table import lay_out, name_scores, rank_candidates, tell_cut
from grnjax.tasks.expression_ranking import (
    fit_without_labels,
    name_status,
    rank_pairs,
    score_candidates,
    score_every_pair,
    sign_by_expression,
)
from grnjax.tasks.judging import judge_folds, trivial_out_of_fold
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import Dataset, GeneTable, LabelledPairs

MOST_FITS = 10_000
MOST_LISTED = 2_000_000
SECONDS_A_ROW, BYTES_A_ROW = 2e-5, 600  # of a table: 1.5 million rows took 27 s; bytes by count


@renamed(members="repeats")
@dataclasses.dataclass(frozen=True, kw_only=True)
class InferenceConfig(CrossFitConfig):
    """How a network is inferred."""

    method: MethodConfig = KernelFactorMethod()
    """The method; the command line takes another by its name, --method=scRegNet, and its settings
    under --method. Some read expression alone, and known edges only judge their ranking."""
    allow: tuple[str, ...] = ()
    """Networks among the evidence to use although their labels look like a copy of the known ones.
    """
    explain: bool = False
    """Write for each edge the terms of its logit."""
    known_share: Share | None = None
    """Share of the true edges that is known, for `probability_true`; by default estimated."""
    prevalence: Share | None = None
    """Share of true edges among the candidates; by default that of known ones, a lower bound."""
    top: Positive | Literal["all"] = MOST_LISTED
    """Pairs that tables list, the best; of more, a matrix has the scores of all."""
    top_per_target: Positive | None = None
    """The most of one target, its best; by default as many as --top leaves."""

    @property
    def listing(self) -> Listing:
        """Which pairs tables list."""
        return Listing(None if self.top == "all" else self.top, self.top_per_target)


def infer(
    dataset: Dataset,
    config: InferenceConfig,
    *,
    seed: int,
    evidence: Sequence[Evidence] = (),
    embedding: np.ndarray | None = None,
    networks: Mapping[str, InferredNetwork] | None = None,
    judged: Dataset | None = None,
    folder: Path | None = None,
    mesh: Mesh | None = None,
) -> RankedNetwork:
    """Every TF x gene pair but self pairs, ranked by the mean out-of-fold logit of all fits.

    By a method that learns from no known edge, pairs of a score above 0, ranked by it.

    Args:
        dataset: genes, and the known edges (label 1) among them.
        evidence: what else is known of the genes, in the order of its TFs (`gather_evidence`).
        embedding: frozen gene vectors [gene, dim] in the order of the data set.
        networks: made elsewhere, by name, to walk on (`walk_networks.load_networks`).
        judged: known edges, perhaps of more genes, for a ranking that learns from none; by default
            those of the data set.
        folder: run folder for checkpoints and metrics; None keeps nothing.
        mesh: devices that share each fit; None leaves it to one.

    Raises:
        ConfigError: inputs that the method does not read, or lacks.
        SplitError: too few known edges, or evidence that is a copy of them.
    """
    method = config.method
    judged = judged or dataset
    check_settings(config, has_known=len(judged.known.positives) > 0)
    problem = Problem(
        dataset=dataset,
        parts=(),
        tfs=dataset.genes.tfs,
        trainable=np.unique(dataset.known.positives[:, 0]),
        evidence=evidence,
        embedding=embedding,
        networks=networks or {},
        seed=seed,
        folder=folder,
    )
    method.check(problem)
    tell_few_cells(method, dataset.genes)
    tell_size(config, dataset.genes)
    if "labels" not in method.READS:
        return rank_by_expression(method, problem, judged, config)
    candidates = list_candidates(dataset)
    negatives = len(dataset.known) - len(dataset.known.positives)
    if negatives:
        logger.warning("%d pairs labelled 0 count as unlabelled, like all that is new", negatives)
    folds = choose_folds(candidates, config, seed, folder, method.TRAINS_ON_ALL_PAIRS)
    parts = [fold.part for fold in folds]
    splits = [fold.part.split for fold in folds if fold.repeat == 0]
    used, overlap = clear_evidence(dataset, evidence, splits, config.allow)
    problem = dataclasses.replace(problem, parts=parts, evidence=used)
    method.check(problem)
    problem = method.prepare(problem)
    with method.open_recorder(folder, len(folds), f"inferring by {method.name()}") as recorder:
        fitted = cross_fit(
            method, problem, candidates, folds, recorder, mesh=mesh, explain=config.explain
        )
    mean = mean_logit(fitted.logits)
    scores = {method.name(): mean, **trivial_out_of_fold(dataset, candidates, folds)}
    edges, calibration = rank_candidates(
        dataset.genes.names,
        candidates,
        fitted.logits,
        fitted.terms,
        prevalence=config.prevalence,
        known_share=config.known_share,
        seed=seed,
        listing=config.listing,
    )
    cut = tell_cut(edges, len(candidates), config.listing)
    sign_by_expression(edges, dataset.genes)
    return RankedNetwork(
        method=method.name(),
        genes=dataset.genes,
        edges=edges,
        rows=judge_folds(candidates, scores, folds),
        calibration=calibration,
        candidates=candidates,
        scores=scores,
        folds=folds,
        evidence={item.name: item.report for item in used},
        overlap=overlap,
        worth=fitted.worth,
        every_score=lay_out(dataset.genes, candidates, expit(mean)) if cut else None,
    )


def check_settings(config: InferenceConfig, *, has_known: bool) -> None:
    """Refuses settings of the design that the method would not read."""
    method, default = config.method, InferenceConfig()
    if config.repeats * config.folds > MOST_FITS:
        raise ConfigError(
            f"--repeats={config.repeats:,} of --folds={config.folds:,} are "
            f"{config.repeats * config.folds:,} fits, more than {MOST_FITS:,}; give fewer."
        )
    unread = {
        "most_train_pairs": method.TRAINS_ON_ALL_PAIRS,
        "explain": "terms" not in method.GIVES,
        "allow": "evidence" not in method.READS,
    }
    if "labels" not in method.READS:
        unread |= dict.fromkeys(("repeats", "prevalence", "known_share", "most_train_pairs"), True)
        unread["folds"] = not has_known
    for name, ignored in unread.items():
        if ignored and getattr(config, name) != getattr(default, name):
            needs = " without --network" if name == "folds" else ""
            raise ConfigError(
                f"--{name.replace('_', '-')} is no setting of {method.name()}{needs}; leave it out "
                "or choose another --method."
            )


def rank_by_expression(
    method: MethodConfig, problem: Problem, judged: Dataset, config: InferenceConfig
) -> RankedNetwork:
    """Pairs by falling importance, the sign of their correlation, and status if edges are known.

    The first columns are those of arboreto and SCENIC; a pair that is not listed has a score of 0.
    Known edges judge the ranking on folds, beside the trivial rows, which learn from the others.

    Args:
        judged: the known edges, among at least the genes of the problem by name.
    """
    fit = fit_without_labels(method, problem)
    genes, rows = problem.dataset.genes, []
    scores = score_every_pair(genes, fit)
    edges = rank_pairs(genes, scores, config.listing)
    cut = tell_cut(edges, np.count_nonzero(scores > 0), config.listing)
    edges = edges.assign(**fit.columns(edges))
    sign_by_expression(edges, genes)
    fit.check_labels(judged)
    if len(judged.known.positives):
        edges["status"] = name_status(edges, judged)
        candidates = list_candidates(judged)
        parts = list(
            assign_folds(candidates, CrossFitConfig(repeats=1, folds=config.folds), problem.seed)
        )
        found = {method.name(): score_candidates(scores, genes, candidates, judged)}
        found |= trivial_out_of_fold(judged, candidates, parts)
        genes, rows = judged.genes, judge_folds(candidates, found, parts)
    return RankedNetwork(
        method=method.name(),
        genes=genes,
        edges=edges,
        rows=rows,
        tables=fit.tables(),
        report=fit.report(),
        every_score=name_scores(problem.dataset.genes, fit.importances(scores)) if cut else None,
    )


def count_fits(config: InferenceConfig) -> int:
    """Fits of a run; one of a method that learns from no known edge."""
    return config.repeats * config.folds if "labels" in config.method.READS else 1


def estimate_run(config: InferenceConfig, tfs: int, genes: GeneTable) -> Cost | None:
    """What the method takes with so many TFs, and long tables; None: not known."""
    sizes, fits = (tfs, len(genes.names)), count_fits(config)
    cost = config.method.estimate(*sizes, len(genes.expression), fits)
    if cost is None:
        return None
    if genes.stream is not None:
        beside = config.method.stream_bytes(*sizes, len(genes.expression))
        cost = Cost(cost.seconds, config.method.estimate(*sizes, 0, fits).bytes + beside)
    listing = config.listing
    listed = min(tfs, listing.of_target or tfs) * len(genes.names)
    listed = min(listed, listing.top or listed)
    more = max(listed - MOST_LISTED, 0)
    return Cost(cost.seconds + more * SECONDS_A_ROW, cost.bytes + more * BYTES_A_ROW)


def check_size(config: InferenceConfig, genes: GeneTable) -> Cost | None:
    """What a run will take, where that is known.

    Raises:
        ConfigError: more memory than there is, with what would fit.
    """
    sizes = len(genes.names), len(genes.expression)
    tfs, cost = len(genes.tfs), estimate_run(config, len(genes.tfs), genes)
    room = find_free() + find_held()  # with what has been read already
    if cost is None or cost.bytes <= room:
        return cost

    def fits_in(fewer_tfs: int) -> bool:
        smaller = estimate_run(config, fewer_tfs, genes)
        return smaller is not None and smaller.bytes <= room

    most = bisect.bisect_left(range(1, tfs), True, key=lambda count: not fits_in(count))
    advice = f"a list of at most {most:,} TFs (--tfs)" if most else "fewer genes or cells"
    if config.top == "all" or config.top > MOST_LISTED:
        advice += f", a shorter table (--top={MOST_LISTED})"
    raise ConfigError(
        f"{tfs:,} TFs x {sizes[0]:,} genes x {sizes[1]:,} cells need about {cost.bytes / 1e9:.1f} "
        f"GB by {config.method.name()}, and {room / 1e9:.1f} GB are free: give {advice}, or more "
        "memory."
    )


def tell_size(config: InferenceConfig, genes: GeneTable) -> None:
    """Says before the start how many pairs there are, and about what they will take.

    Raises:
        ConfigError: more memory than there is.
    """
    cost, fits = check_size(config, genes), count_fits(config)
    tfs, targets = len(genes.tfs), len(genes.names)
    about = ""
    if cost is not None:
        about = f"; about {describe_time(cost.seconds)} and {cost.bytes / 1e9:.1f} GB on two cores"
    logger.info(
        f"{tfs * targets - tfs:,} candidate pairs ({tfs:,} TFs x {targets:,} genes), {fits:,} "
        f"fit{'s' * (fits > 1)} by {config.method.name()}{about}"
    )


def judge_hidden(network: RankedNetwork, truth: pd.DataFrame) -> list[dict]:
    """Results rows for new edges that are true (but were hidden) against pairs that are not.

    Args:
        network: by a method that learns from known edges.
        truth: the whole true network, columns tf and target.
    """
    names, candidates = network.genes.names, network.candidates
    true = pd.MultiIndex.from_frame(truth[["tf", "target"]])
    pairs = pd.MultiIndex.from_arrays(names[candidates.pairs].T)
    hidden = LabelledPairs(candidates.pairs, pairs.isin(true).astype(np.float32))
    return judge_folds(hidden, network.scores, network.folds, among=candidates.labels == 0)
