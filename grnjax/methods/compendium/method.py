"""The method `compendium`: networks of cells that nobody has assayed, by other cells' lists.

    grnjax infer CELLS
    grnjax infer CELLS --method=compendium --method.without K562

No known edge of these cells is needed, and none is read. What the same TFs bind in other cells, how
often a gene is bound at all and what the TF's motif says rank the pairs; each TF says what its
ranking rests on, how far such rankings could be trusted where cells were left out, and a TF of
which nothing is known is left out by default. One step a file of this folder:

    sources      species, and the lists over the genes of the run
    features     what they say of each pair
    scoring      one score of it: the look-up that fits nothing, or the scorer that has learnt
    calibration  probabilities, by cell types left out in turn
    classes      what each TF rests on, and what that was worth
    audit        refuses lists that are a copy of the labels that judge
    pretraining  how the scorer learns
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from jax.sharding import Mesh
from jaxtyping import Float
from scipy.special import expit

from grnjax.baselines.controls import scores_at
from grnjax.baselines.correlation import absolute_pearson
from grnjax.config import Share
from grnjax.data.compendium.folder import list_own, load_compendium
from grnjax.data.expression_features import find_varying
from grnjax.data.label_matrix import locate_edges
from grnjax.data.names import list_names
from grnjax.data.species import Species
from grnjax.errors import ConfigError
from grnjax.methods.compendium.audit import refuse_copies
from grnjax.methods.compendium.calibration import ListCalibration, calibrate
from grnjax.methods.compendium.classes import (
    LISTS,
    NOTHING,
    Figures,
    TfClasses,
    classify,
    tabulate_classes,
)
from grnjax.methods.compendium.scoring import By, PairScore, choose_score
from grnjax.methods.compendium.sources import KnownLists, place_lists
from grnjax.methods.expression_only import mark, refuse_many_pairs
from grnjax.methods.method import Cost, MethodConfig, Problem, Scorer, check_expression
from grnjax.progress import logger
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split

MIDGET = 1e-3  # what co-expression may add to the logit of a TF of which nothing else is known


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompendiumMethod(MethodConfig):
    """What other cells' lists say of these cells' TFs, with no label of theirs."""

    PAPER: ClassVar[str] = "unpublished; lists of ENCODE (2012, Nature 489:57)"
    READS: ClassVar[frozenset[str]] = frozenset({"expression"})
    READS_CELLS: ClassVar[bool] = False
    GIVES: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    by: By = "auto"
    """What scores pairs: what was trained on lists, or the look-up that fits nothing. auto takes
    the scorer, or the look-up where no scorer is at hand that has not seen what is left out."""
    checkpoint: str | None = None
    """Folder of a trained scorer (grnjax pretrain); by default the one that comes with grnjax."""
    without: tuple[str, ...] = ()
    """Cell types whose lists are left out, from all sources and under every name."""
    species: Species = "auto"
    """What the genes are of; auto tells it from how their symbols are written."""
    own_lists: bool = True
    """Whether lists that you have added count (grnjax data compendium add)."""
    unknown: Literal["leave-out", "co-expression", "rate"] = "leave-out"
    """TFs without lists or motif: left out, ranked by |Pearson| in these cells, or by what is known
    of the gene alone, mostly how often other TFs bind it. They are marked either way."""
    prevalence: Share | None = None
    """Share of a TF's candidates that are targets, which probabilities assume; by default that of
    the lists in other cells."""

    def files(self) -> dict[str, str | None]:
        """The trained scorer, and the user's own lists."""
        own = list_own() if self.own_lists else {}
        lists = {f"lists/{name}": str(path) for name, path in own.items()}
        return {"checkpoint": self.checkpoint, **lists}

    def check(self, problem: Problem) -> None:
        """Refuses what it does not read, and a data set without expression."""
        super().check(problem)
        check_expression(problem, self)

    def estimate(self, tfs: int, genes: int, cells: int, fits: int) -> Cost:
        """By 19 cell types of 15,458 genes."""
        return Cost(5 + 1e-3 * genes, 5e8 + 150 * tfs * genes)

    def fit_all(
        self,
        problem: Problem,
        parts: Sequence[Part],
        recorder: FitRecorder,
        *,
        mesh: Mesh | None = None,
    ) -> Iterator["CompendiumScorer"]:
        """The same scorer for each part, as no part is learned from.

        Raises:
            SplitError: the lists are a copy of labels that judge.
        """
        del recorder, mesh
        genes = dataclasses.replace(problem.dataset.genes, is_tf=mark(problem))
        refuse_many_pairs(len(genes.tfs), len(genes.names))
        compendium = load_compendium(with_own=self.own_lists)
        known = place_lists(compendium, genes.names, self.species, self.without)
        score = choose_score(self.checkpoint, self.by, self.without, known.motifs)
        fit = rank(genes, known, self, score, seed=problem.seed)
        if len(problem.dataset.known.positives):
            fit.check_labels(problem.dataset, [part.split for part in parts])
        for _ in parts:
            yield fit


@dataclasses.dataclass(frozen=True, eq=False)
class CompendiumScorer(Scorer):
    """Scores of all pairs by lists of other cells, and what they rest on."""

    genes: GeneTable
    matrix: Float[np.ndarray, "tf gene"]  # above 0 where a pair is ranked
    zero: float  # what a logit of 0 is in it
    known: KnownLists
    score: PairScore
    calibration: ListCalibration
    summary: pd.DataFrame  # a row a TF

    def logits(self, pairs: LabelledPairs) -> Float[np.ndarray, "1 pair"]:
        """The logit of the probability up to a constant, and 0 for what is not ranked."""
        return scores_at(self.matrix, pairs, self.genes.tfs)[None]

    def columns(self, edges: pd.DataFrame) -> dict[str, np.ndarray]:
        """Probability, which is the importance, and what the ranking of the TF rests on."""
        tf, target = locate_edges(edges, self.genes)
        logits = self.matrix[tf, target] - self.zero
        about = self.summary.iloc[tf].reset_index(drop=True)
        shown = ("rests_on", "cell_types", "left_out_within_tf_auroc", "left_out_swap")
        found = {"importance": expit(logits), "probability": expit(logits)}
        return found | {name: about[name].to_numpy() for name in shown}

    def importances(self, scores: Float[np.ndarray, "tf gene"]) -> Float[np.ndarray, "tf gene"]:
        """Probabilities, and 0 for what is not ranked."""
        return np.where(scores > 0, expit(scores - self.zero), 0)

    def tables(self) -> dict[str, pd.DataFrame]:
        """The TFs: what each rests on, and what that reached with cells left out."""
        return {"tfs": self.summary}

    def report(self) -> dict:
        """What the ranking was made from."""
        counts = self.summary["rests_on"].value_counts()
        return {
            "compendium": self.known.report,
            "ranked_by": self.score.report,
            "calibration": self.calibration.report,
            "tfs": {str(name): int(count) for name, count in counts.items()},
        }

    def check_labels(self, dataset: Dataset, splits: Sequence[Split] = ()) -> None:
        """Refuses labels that stand among the lists (`refuse_copies`)."""
        lists = self.known.lists
        if not np.array_equal(lists.genes, dataset.genes.names):
            lists = self.known.over(dataset.genes.names)
        refuse_copies(lists, dataset, splits)


def rank(
    genes: GeneTable, known: KnownLists, method: CompendiumMethod, score: PairScore, *, seed: int
) -> CompendiumScorer:
    """All steps but reading: scores, their probabilities, and what each TF rests on.

    Genes that do not vary over the cells are not ranked, as by any method, and no TF with itself.
    """
    tfs, names = genes.tfs, genes.names[genes.tfs]
    classes = classify(names, known.lists, known.motifs)
    curves = calibrate(known.lists, score, seed=seed)
    is_unknown, varies = classes.classes == NOTHING, find_varying(genes)
    is_asked = ~is_unknown | (method.unknown == "rate")
    logits = np.zeros((len(tfs), len(genes.names)))
    if is_asked.any():
        scores, has_lists = score(known.lists, names[is_asked].tolist()), classes.classes == LISTS
        logits[is_asked] = curves.logits(scores, has_lists[is_asked], method.prevalence)
    if method.unknown == "co-expression":
        strength = absolute_pearson(genes, tfs[is_unknown])
        prevalence = method.prevalence or curves.curves[False].prevalence
        logits[is_unknown] = np.log(prevalence / (1 - prevalence)) + MIDGET * (strength - 0.5)
    is_ranked = varies & varies[tfs][:, None]
    if method.unknown == "leave-out":
        is_ranked = is_ranked & ~is_unknown[:, None]
    is_ranked[np.arange(len(tfs)), tfs] = False
    if not is_ranked.any():
        raise ConfigError(
            f"nothing is known of the {len(tfs):,} TFs ({list_names(names)}), neither lists in "
            "other cells nor a motif; --method.unknown=rate or co-expression ranks them all the "
            "same."
        )
    zero = 1 - logits[is_ranked].min()
    matrix = np.where(is_ranked, logits + zero, 0)
    summary = tabulate_classes(classes, score.name)
    summary["ranked_by"] = name_ranks(classes, method, score)
    if method.unknown == "co-expression":  # figures are of rankings by lists
        summary.loc[is_unknown, [f"left_out_{name}" for name in Figures._fields]] = np.nan
    tell(summary)
    return CompendiumScorer(genes, matrix, float(zero), known, score, curves, summary)


def name_ranks(classes: TfClasses, method: CompendiumMethod, score: PairScore) -> np.ndarray:
    """What ranks each TF's genes."""
    unknown = {"leave-out": "left out", "co-expression": "|Pearson|", "rate": score.without_lists}
    by = {LISTS: score.name, NOTHING: unknown[method.unknown]}
    return np.array([by.get(name, score.without_lists) for name in classes.classes], dtype=object)


def tell(summary: pd.DataFrame) -> None:
    """Says on the screen what the rankings rest on and what that was worth."""
    logger.info("What the ranking of each TF rests on, and what such rankings reached where their")
    logger.info("cells were left out (.5 is chance; swap asks which TF, not only which gene):")
    for (rests_on, by), part in summary.groupby(["rests_on", "ranked_by"], sort=False):
        figures = part[["left_out_within_tf_auroc", "left_out_swap"]].mean()
        told = [
            f"{word} {figure:.2f}"
            for word, figure in zip(("within-TF AUROC", "swap"), figures, strict=True)
            if np.isfinite(figure) and by != "left out"
        ]
        shown = f"; {', '.join(told)}" if told else ""
        ranked = "not ranked" if by == "left out" else f"ranked by {by}"
        logger.info(f"  {len(part):,} TFs: {rests_on} ({list_names(part['tf'])}), {ranked}{shown}")
