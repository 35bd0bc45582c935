"""Which regulons belong to which group of cells: specificity, and differences in activity.

Cells are what is compared, so that p-values are small wherever there are many cells; of donors or
batches they say nothing. The effects (AUROC, difference of means) do not grow with the cells.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import ndtr, rel_entr
from scipy.stats import false_discovery_control, rankdata

from grnjax.errors import ConfigError

COLUMNS = ("group", "regulon", "mean", "mean_elsewhere", "difference", "auroc", "p", "q", "cells")


def find_groups(groups: np.ndarray) -> np.ndarray:
    """The names of the groups, sorted; cells named "" are in none.

    Raises:
        ConfigError: fewer than two.
    """
    names = np.unique(groups[groups != ""])
    if len(names) < 2:
        raise ConfigError(
            f"{len(names)} group of cells ({', '.join(names) or 'none'}): specificity and "
            "differences compare at least two; give --groups another column."
        )
    return names


def measure_specificity(
    activity: Float[np.ndarray, "cell regulon"], groups: np.ndarray, regulons: np.ndarray
) -> pd.DataFrame:
    """Regulon specificity scores, groups x regulons (Suo et al. 2018, Cell Reports 25: 1436).

    1 less the square root of the Jensen-Shannon divergence, in bits, between the activity of a
    regulon over cells, as shares of its sum, and the same share for each cell of the group: 1 where
    all activity is in the group and even there, 0 where none is. pySCENIC takes natural logarithms,
    so that its scores are higher, in the same order. NaN for a regulon without any activity.

    Args:
        groups: [cell] str; cells without one ("") count in no group and in no sum.
        regulons: their names.

    Raises:
        ConfigError: activities below 0, which are no shares, or fewer than two groups.
    """
    if activity.min(initial=0) < 0:
        raise ConfigError(
            "regulon specificity takes activities of 0 or more, as AUCell gives them, and the "
            f"least here is {activity.min():.3g}; leave out --specificity, or take --method=aucell."
        )
    names, is_in = find_groups(groups), groups != ""
    activity, groups = activity[is_in].astype(np.float64), groups[is_in]
    total = activity.sum(axis=0)
    p = activity / np.where(total > 0, total, 1)
    scores = np.empty((len(names), p.shape[1]))
    for row, name in enumerate(names):
        q = ((groups == name) / (groups == name).sum())[:, None]
        middle = (p + q) / 2
        divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=0) / (2 * np.log(2))
        scores[row] = 1 - np.sqrt(np.clip(divergence, 0, 1))
    scores[:, total == 0] = np.nan
    return pd.DataFrame(scores, pd.Index(names, name="group"), regulons)


def compare_activity(
    activity: Float[np.ndarray, "cell regulon"], groups: np.ndarray, regulons: np.ndarray
) -> pd.DataFrame:
    """Each group against all other cells: Wilcoxon's rank-sum test, a row a group and regulon.

    Columns: group, regulon, mean (in the group), mean_elsewhere, difference, auroc (how often a
    cell of the group has more, ties one half), p (two-sided, by the normal with a correction for
    ties and continuity, as scipy's mannwhitneyu), q (over all rows, Benjamini-Hochberg) and cells.
    Sorted by group, then p. A regulon that is the same everywhere has p = 1.

    Raises:
        ConfigError: fewer than two groups.
    """
    names, is_in = find_groups(groups), groups != ""
    activity, groups = activity[is_in].astype(np.float64), groups[is_in]
    cells = len(activity)
    ranks = rankdata(activity, axis=0)
    ties = np.array([tie_sum(column) for column in ranks.T])
    rows = []
    for name in names:
        own = groups == name
        n, others = int(own.sum()), int((~own).sum())
        u = ranks[own].sum(axis=0) - n * (n + 1) / 2
        variance = n * others / 12 * (cells + 1 - ties / (cells * (cells - 1)))
        away = np.maximum(np.abs(u - n * others / 2) - 0.5, 0)
        z = away / np.sqrt(np.where(variance > 0, variance, np.inf))
        mean, elsewhere = activity[own].mean(axis=0), activity[~own].mean(axis=0)
        rows.append(
            pd.DataFrame(
                {
                    "group": name,
                    "regulon": regulons,
                    "mean": mean,
                    "mean_elsewhere": elsewhere,
                    "difference": mean - elsewhere,
                    "auroc": u / (n * others),
                    "p": np.minimum(2 * ndtr(-z), 1.0),
                    "cells": n,
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    table["q"] = false_discovery_control(table["p"])
    order = np.lexsort((table["regulon"], -table["auroc"], table["p"], table["group"]))
    return table.iloc[order][list(COLUMNS)].reset_index(drop=True)


def tie_sum(ranks: Float[np.ndarray, " cell"]) -> float:
    """The sum over sets of equal values of t^3 - t, with t values in the set."""
    _, counts = np.unique(ranks, return_counts=True)
    counts = counts.astype(np.float64)
    return float((counts**3 - counts).sum())
