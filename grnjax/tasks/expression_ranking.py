"""Scores by expression alone: of every pair, as edges, and laid on candidates that judge them."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.candidates import EVERY_PAIR, Listing
from grnjax.data.expression_features import correlation
from grnjax.data.label_matrix import locate_edges, row_of_tf
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig, Problem, Scorer
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split


def fit_without_labels(method: MethodConfig, problem: Problem) -> Scorer:
    """The one fit of a method that learns from no known edge."""
    none = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    part = Part(Split(none, none, none, "all pairs", 0), "all", problem.seed)
    with FitRecorder(None, 0, 0, "") as recorder:
        [fit] = method.fit_all(problem, [part], recorder)
    return fit


def score_every_pair(genes: GeneTable, fit: Scorer) -> Float[np.ndarray, "tf gene"]:
    """The score of every TF with every gene, itself too."""
    targets = np.arange(len(genes.names))
    return np.stack([fit.scores(pair_with(tf, targets)) for tf in genes.tfs])


def pair_with(tf: int, targets: np.ndarray) -> LabelledPairs:
    """A TF with each of these genes, itself too."""
    pairs = np.stack([np.full_like(targets, tf), targets], axis=1).astype(np.int32)
    return LabelledPairs(pairs, np.zeros(len(targets), np.float32))


def rank_pairs(
    genes: GeneTable, scores: Float[np.ndarray, "tf gene"], listing: Listing = EVERY_PAIR
) -> pd.DataFrame:
    """The listed pairs with a score above 0, best first, ties by TF and then target.

    Raises:
        ConfigError: no pair has one, or all have the same, so that nothing is ranked.
    """
    row, target = np.nonzero(scores > 0)
    others = scores[genes.tfs[:, None] != np.arange(len(genes.names))]  # not a TF with itself
    if not len(row) or (len(others) > 1 and np.ptp(others) == 0):
        what = "have the same score" if len(row) else "have a score of 0 or none"
        raise ConfigError(
            f"all {len(others):,} pairs of {len(genes.tfs):,} TFs with {len(genes.names):,} genes "
            f"{what} by expression in {len(genes.expression):,} cells, so nothing is ranked. Give "
            "more cells, or another method."
        )
    importance = scores[row, target]
    best = listing.choose(importance, target)
    row, target, importance = row[best], target[best], importance[best]
    order = np.lexsort((target, row, -importance))
    names = genes.names.astype(object)
    return pd.DataFrame(
        {
            "tf": names[genes.tfs[row[order]]],
            "target": names[target[order]],
            "importance": importance[order],
        }
    )


def name_status(edges: pd.DataFrame, judged: Dataset) -> np.ndarray:
    """Whether each edge is one of the known ones: "known" or "new"."""
    names = judged.genes.names[judged.known.positives]
    known = pd.MultiIndex.from_arrays(names.T)
    is_known = pd.MultiIndex.from_frame(edges[["tf", "target"]]).isin(known)
    return np.where(is_known, "known", "new")


def sign_by_expression(edges: pd.DataFrame, genes: GeneTable) -> None:
    """Puts `expression_sign` beside the importance: the sign of the correlation over cells.

    1 or -1, and 0 where one of the two is constant or not measured. It says how TF and target go
    together, not what the one does to the other.
    """
    r = correlation(genes, genes.tfs)[locate_edges(edges, genes)]
    edges.insert(3, "expression_sign", np.sign(r).astype(int))


def score_candidates(
    scores: Float[np.ndarray, "tf gene"],
    genes: GeneTable,
    candidates: LabelledPairs,
    judged: Dataset,
) -> Float[np.ndarray, " candidate"]:
    """The scores at candidates of another data set; 0 for a gene or TF that was not scored.

    Args:
        genes: those of the scores.
        judged: what the candidates are of; its genes may be more, and have the same names.
    """
    place = np.searchsorted(judged.genes.names, genes.names)
    row = row_of_tf(place[genes.tfs], len(judged.genes.names))[candidates.pairs[:, 0]]
    column = row_of_tf(place, len(judged.genes.names))[candidates.pairs[:, 1]]
    return np.where((row >= 0) & (column >= 0), scores[row, column], 0)
