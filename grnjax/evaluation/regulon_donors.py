"""Differences in the activity of regulons between groups of cells, with donors as the sample.

Cells of one donor are no independent samples: by Wilcoxon's test over cells, two conditions of
three donors each differ nearly always. Here each donor counts once, by the mean over its cells, as
pseudobulk tests do (Squair et al. 2021, Nat. Commun. 12:5692).
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import false_discovery_control, ttest_ind, ttest_rel

from grnjax.errors import ConfigError
from grnjax.evaluation.regulon_groups import compare_activity, find_groups

LEAST_CELLS = 10  # of a donor on one side of a comparison, for its mean to count
LEAST_DONORS = 2
COLUMNS = ("donors", "donor_difference", "donor_low", "donor_high", "donor_p", "donor_q")


def compare_groups(
    activity: Float[np.ndarray, "cell regulon"],
    groups: np.ndarray,
    donors: np.ndarray | None,
    regulons: np.ndarray,
) -> pd.DataFrame:
    """Each group against all other cells, over cells and, where donors are known, over them too.

    Returns:
        The table of `compare_activity`; with donors also the columns of `compare_donors`, by whose
        p the rows of a group stand in order.

    Raises:
        ConfigError: fewer than two groups, or donors, but not two.
    """
    table = compare_activity(activity, groups, regulons)
    if donors is None:
        return table
    over_donors = compare_donors(activity, groups, donors, regulons)
    table = table.merge(over_donors, on=["group", "regulon"], how="left")
    return table.sort_values(["group", "donor_p"], kind="stable", ignore_index=True)


def compare_donors(
    activity: Float[np.ndarray, "cell regulon"],
    groups: np.ndarray,
    donors: np.ndarray,
    regulons: np.ndarray,
) -> pd.DataFrame:
    """Each group against all other cells over donors: a row a group and regulon.

    Where two donors or more have cells on both sides, such as of a cell type and of others, their
    differences are tested (paired t-test); else the means of those in the group against the means
    of the others (Welch's t-test), as of conditions, of which a donor has one. A mean is over 10
    cells or more.

    Args:
        groups: [cell] str; cells without one ("") count nowhere.
        donors: [cell] str; the same.

    Returns:
        Columns group, regulon, donors (that were compared), donor_difference with the bounds of its
        95 % interval, donor_p and donor_q (Benjamini-Hochberg over all rows). NaN where fewer than
        two donors can be compared, or none differ in anything.

    Raises:
        ConfigError: fewer than two groups, or fewer than two donors.
    """
    is_in = (groups != "") & (donors != "")
    names, people = find_groups(groups[is_in]), np.unique(donors[is_in])
    if len(people) < LEAST_DONORS:
        raise ConfigError(
            f"{len(people)} donor ({', '.join(people) or 'none'}): differences over donors take at "
            "least two; give --donor another column, or leave it out."
        )
    rows = []
    for name in names:
        inside = average(activity, donors, people, is_in & (groups == name))
        outside = average(activity, donors, people, is_in & (groups != name))
        rows.append(pd.DataFrame({"group": name, "regulon": regulons, **contrast(inside, outside)}))
    table = pd.concat(rows, ignore_index=True)
    is_told = table["donor_p"].notna()
    table["donor_q"] = np.nan
    if is_told.any():
        q = false_discovery_control(table.loc[is_told, "donor_p"])
        table.loc[is_told, "donor_q"] = q
    return table[["group", "regulon", *COLUMNS]]


def average(
    activity: Float[np.ndarray, "cell regulon"],
    donors: np.ndarray,
    people: np.ndarray,
    is_own: np.ndarray,
) -> Float[np.ndarray, "donor regulon"]:
    """The mean of each donor's cells; NaN of a donor with too few."""
    means = np.full((len(people), activity.shape[1]), np.nan)
    for row, person in enumerate(people):
        own = is_own & (donors == person)
        if own.sum() >= LEAST_CELLS:
            means[row] = activity[own].mean(axis=0, dtype=np.float64)
    return means


def contrast(
    inside: Float[np.ndarray, "donor regulon"], outside: Float[np.ndarray, "donor regulon"]
) -> dict[str, np.ndarray | int]:
    """Donors, difference, bounds and p of each regulon."""
    is_inside, is_outside = (np.isfinite(side[:, :1]).ravel() for side in (inside, outside))
    both = is_inside & is_outside
    nothing = np.full(inside.shape[1], np.nan)
    if both.sum() >= LEAST_DONORS:
        own, others, count = inside[both], outside[both], int(both.sum())
        is_told = np.ptp(own - others, axis=0) > 0
        found = ttest_rel(own[:, is_told], others[:, is_told])
    else:
        own, others = inside[is_inside & ~both], outside[is_outside & ~both]
        count = len(own) + len(others)
        if min(len(own), len(others)) < LEAST_DONORS:
            empty = dict.fromkeys(("donor_difference", "donor_low", "donor_high"), nothing)
            return {"donors": count, **empty, "donor_p": nothing}
        is_told = (np.ptp(own, axis=0) > 0) | (np.ptp(others, axis=0) > 0)
        found = ttest_ind(own[:, is_told], others[:, is_told], equal_var=False)
    p, low, high = nothing.copy(), nothing.copy(), nothing.copy()
    bounds = found.confidence_interval()
    p[is_told], low[is_told], high[is_told] = found.pvalue, bounds.low, bounds.high
    return {
        "donors": count,
        "donor_difference": own.mean(axis=0) - others.mean(axis=0),
        "donor_low": low,
        "donor_high": high,
        "donor_p": p,
    }
