"""The score of any pair of a ranked network: every TF with every gene has one.

A learning method scores each pair by models that did not train on it, so that what is looked up
here is out of fold, which a fit asked again would not be.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from grnjax.data.names import list_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.types import GeneTable

COLUMNS = ("importance", "probability", "probability_true", "low", "high", "expression_sign")
WORDS = ("status",)


def look_up_pairs(
    pairs: Iterable[tuple[str, str]],
    edges: pd.DataFrame,
    genes: GeneTable,
    *,
    every_score: pd.DataFrame | None,
    calibration: Mapping[str, float],
) -> pd.DataFrame:
    """A row a pair, in their order, with the columns of the edges that say how likely it is.

    A pair that the table leaves out has its score from the matrix of all, and its probability by
    the calibration of the run, or as the score where that is a probability; by a method that lists
    scores above 0, it has 0.

    Args:
        pairs: (TF, target) each.
        every_score: scores [tf, gene], where the edges are the best of them alone.
        calibration: slope and offset on the logit scale.

    Raises:
        ConfigError: what is given are no pairs.
        GeneMismatchError: a name is no TF, or no gene, of the run.
    """
    asked = [tuple(pair) if not isinstance(pair, str) else () for pair in pairs]
    if not asked or any(len(pair) != 2 for pair in asked):
        raise ConfigError("give pairs of names, [(TF, target), ...].")
    names, tfs = set(genes.names), set(genes.names[genes.is_tf])
    for role, known, what in ((0, tfs, "TFs"), (1, names, "genes")):
        missing = sorted({pair[role] for pair in asked} - known)
        if missing:
            raise GeneMismatchError(
                f"{len(missing):,} of the names ({list_names(missing)}) are not among the "
                f"{len(known):,} {what} that the run has ranked; infer again with them, as by a "
                "longer --tfs."
            )
    itself = [tf for tf, target in asked if tf == target]
    if itself:
        raise GeneMismatchError(
            f"{list_names(itself)} with itself: no method scores a TF as its own target."
        )
    index = pd.MultiIndex.from_tuples(asked, names=["tf", "target"])
    shown = [name for name in (*COLUMNS, *WORDS) if name in edges]
    found = edges.set_index(["tf", "target"])[shown].reindex(index)
    absent = found["importance"].isna().to_numpy()
    found["listed"] = ~absent
    if absent.any():
        rest = index[absent]
        scores = np.zeros(len(rest))
        if every_score is not None:
            row = every_score.index.get_indexer(rest.get_level_values(0))
            column = every_score.columns.get_indexer(rest.get_level_values(1))
            scores = np.nan_to_num(every_score.to_numpy()[row, column])
        found.loc[absent, "importance"] = scores
        if "probability" in found and "slope" in calibration:
            raw = logit(np.clip(scores.astype(float), 1e-7, 1 - 1e-7))
            probability = expit(calibration["slope"] * raw + calibration["offset"])
            found.loc[absent, "probability"] = probability
        elif "probability" in found and edges["probability"].equals(edges["importance"]):
            found.loc[absent, "probability"] = scores
    return found.reset_index()
