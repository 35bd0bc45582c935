"""A ranking by expression alone, which known edges judge and never change."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.candidates import list_candidates
from grnjax.data.label_matrix import row_of_tf
from grnjax.methods.method import MethodConfig, Problem
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.tasks.judging import judge_folds, trivial_out_of_fold
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split


def rank_by_expression(
    problem: Problem, method: MethodConfig, *, judged: Dataset, folds: int
) -> RankedNetwork:
    """Pairs by falling importance: columns tf, target, importance, and status if edges are known.

    These are the columns of arboreto and SCENIC; a pair that is not listed has a score of 0.

    Args:
        judged: the known edges, among at least the genes of the problem by name.
        folds: on which known edges judge the ranking, beside the trivial rows.
    """
    genes = problem.dataset.genes
    none = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    part = Part(Split(none, none, none, "all pairs", 0), "all", problem.seed)
    with FitRecorder(None, 0, 0, "") as recorder:
        [fit] = method.fit_all(problem, [part], recorder)
    targets = np.arange(len(genes.names))
    scores = np.stack([fit.scores(pair_with(tf, targets)) for tf in genes.tfs])
    edges = rank_pairs(genes, scores)
    if not len(judged.known.positives):
        return RankedNetwork(method=method.name(), genes=genes, edges=edges, rows=[])
    names = judged.genes.names[judged.known.positives]
    is_known = pd.MultiIndex.from_frame(edges[["tf", "target"]]).isin(
        pd.MultiIndex.from_arrays(names.T)
    )
    edges["status"] = np.where(is_known, "known", "new")
    rows = judge_scores(judged, genes, scores, method.name(), seed=problem.seed, folds=folds)
    return RankedNetwork(method=method.name(), genes=judged.genes, edges=edges, rows=rows)


def pair_with(tf: int, targets: np.ndarray) -> LabelledPairs:
    """A TF with each of these genes, itself too."""
    pairs = np.stack([np.full_like(targets, tf), targets], axis=1).astype(np.int32)
    return LabelledPairs(pairs, np.zeros(len(targets), np.float32))


def rank_pairs(genes: GeneTable, scores: Float[np.ndarray, "tf gene"]) -> pd.DataFrame:
    """The pairs with a score above 0, best first, ties by TF and then target."""
    row, target = np.nonzero(scores > 0)
    importance = scores[row, target]
    order = np.lexsort((target, row, -importance))
    names = genes.names.astype(object)
    return pd.DataFrame(
        {
            "tf": names[genes.tfs[row[order]]],
            "target": names[target[order]],
            "importance": importance[order],
        }
    )


def judge_scores(
    dataset: Dataset,
    genes: GeneTable,
    scores: Float[np.ndarray, "tf gene"],
    method: str,
    *,
    seed: int,
    folds: int = 5,
) -> list[dict]:
    """Results rows: how known edges rank above the other pairs of their TFs, beside trivial rows.

    The trivial rows learn from known edges, so they are judged out of fold; the ranking is judged
    on the same folds. A pair of a gene that was not measured, or of a TF outside the list, has
    score 0.

    Args:
        dataset: what is known; its genes may be more than `genes`, and have the same names.
    """
    candidates = list_candidates(dataset)
    parts = list(assign_folds(candidates, CrossFitConfig(repeats=1, folds=folds), seed))
    place = np.searchsorted(dataset.genes.names, genes.names)
    row = row_of_tf(place[genes.tfs], len(dataset.genes.names))[candidates.pairs[:, 0]]
    column = row_of_tf(place, len(dataset.genes.names))[candidates.pairs[:, 1]]
    of_candidates = np.where((row >= 0) & (column >= 0), scores[row, column], 0)
    rows = {method: of_candidates, **trivial_out_of_fold(dataset, candidates, parts)}
    return judge_folds(candidates, rows, parts)
