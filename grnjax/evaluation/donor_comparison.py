"""Figures of groups of cells, and their differences, with intervals over donors beside cells."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from grnjax.evaluation.donor_intervals import (
    add_up,
    bound_correlations,
    bound_figures,
    contrast_donors,
    join_intervals,
    resample_contrasts,
    resample_correlations,
    resample_means,
)
from grnjax.evaluation.group_differences import Contrast, Interval, contrast_groups
from grnjax.types import GeneTable

NUMBERS_AT_ONCE = 2**23  # of [resample, group, row]


def compare_over_donors(
    figures: Mapping[str, Interval],
    tables: Sequence[GeneTable],
    donors: Sequence[Int[np.ndarray, " cell"]],
    weights: Float[np.ndarray, "resample donor"],
    pairs: tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]],
) -> dict[str, tuple[Interval, Contrast]]:
    """Each figure with intervals that hold those over cells and those over donors.

    A group whose cells are of one donor keeps its intervals over cells and is not compared.

    Args:
        figures: [group, row] over cells: detected and expression, a row a TF, and correlation, a
            row a pair.
        tables: the cells of each group.
        donors: of those cells.
        weights: of all donors in each resample.
        pairs: the TFs, and the targets.
    """
    counts = np.array([len(np.unique(own)) for own in donors])
    tfs = tables[0].tfs
    rows = {"detected": (tfs,), "expression": (tfs,), "correlation": pairs}
    compared = {}
    for name, own in figures.items():
        is_compared = np.isfinite(own.value) & (counts[:, None] > 1)
        bounds = [np.full(own.value.shape, np.nan) for _ in range(4)]
        some = max(1, NUMBERS_AT_ONCE // (len(weights) * len(tables)))
        for start in range(0, own.value.shape[1], some):
            part = slice(start, start + some)
            chosen = tuple(index[part] for index in rows[name])
            drawn = resample_groups(name, tables, donors, weights, chosen)
            bounds[2][:, part], bounds[3][:, part] = resample_contrasts(drawn, is_compared[:, part])
            bound = bound_correlations if name == "correlation" else bound_figures
            for group in np.flatnonzero(counts > 1):
                found = bound(own.value[group, part], drawn[:, group], counts[group])
                bounds[0][group, part], bounds[1][group, part] = found.low, found.high
        low, high = bounds[:2]
        if name == "detected":
            low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        kept = Interval(*(np.where(is_compared, x, np.nan) for x in own))
        over_cells = contrast_groups(*kept)
        contrast = contrast_donors(over_cells, bounds[2], bounds[3], counts)
        compared[name] = join_intervals(own, Interval(own.value, low, high)), contrast
    return compared


def resample_groups(
    name: str,
    tables: Sequence[GeneTable],
    donors: Sequence[Int[np.ndarray, " cell"]],
    weights: Float[np.ndarray, "resample donor"],
    rows: tuple[np.ndarray, ...],
) -> Float[np.ndarray, "resample group row"]:
    """A figure of the cells of each group in each resample of donors.

    Args:
        rows: its genes; of a correlation the TFs, and the targets.
    """
    drawn = []
    used, at = np.unique(np.concatenate(rows), return_inverse=True)
    for genes, of_cell in zip(tables, donors, strict=True):
        if name == "correlation":
            values, (first, second) = genes.expression[:, used], np.split(at, 2)
            drawn.append(resample_correlations(values, of_cell, first, second, weights))
        else:
            values = genes.as_measured[:, rows[0]]
            values = values != 0 if name == "detected" else values
            drawn.append(resample_means(add_up(values, of_cell, weights.shape[1]), weights))
    return np.stack(drawn, axis=1)
