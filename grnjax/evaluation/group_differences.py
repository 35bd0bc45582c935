"""How far groups of cells differ: shares, means and correlations, with intervals over cells.

A group's own interval comes first: Wilson's for a share (1927, J Am Stat Assoc 22:209), which does
not shrink to a point where no cell has the gene, and the percentile bootstrap over cells for means
and correlations. Of two genes that few cells have, and none has both, a resample never draws one
that has both, so that the interval of a correlation is at least Fisher's: over all pairings of two
sets of values, however sparse, r has the variance 1 / (cells - 1).

A group is then held against the mean of the other groups, each counting alike, so that the largest
does not stand for all, and a correlation is never one between groups. The limits of that difference
follow from those of the groups, which have no cell in common (MOVER: Zou and Donner 2008, Stat Med
27:1693, equation 5).

No cell is copied: a resample is how often each cell was drawn, and figures are products with it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr, ndtri
from scipy.stats import false_discovery_control

LIMITS = (0.025, 0.975)
NORMAL = float(ndtri(0.975))
NUMBERS_AT_ONCE = 2**25  # bounds memory: of [resample, cell] and [cell, pair]
LEAST_VARIANCE = 1e-6  # of a resample, of a gene with variance 1


class Interval(NamedTuple):
    """A figure with its 95 % interval; NaN where it could not be told."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Contrast(NamedTuple):
    """Each group's figure less the mean of the other groups', [group, row]."""

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    distance: np.ndarray  # of the difference from 0, in reaches of its interval: above 1 it is told
    q: np.ndarray  # share of false finds among all rows of no larger q (Benjamini and Hochberg)


def bound_share(detected: Int[np.ndarray, " row"], cells: int) -> Interval:
    """Shares of so many cells with Wilson's interval."""
    share, z2 = detected / cells, NORMAL**2
    centre = (share + z2 / (2 * cells)) / (1 + z2 / cells)
    reach = NORMAL * np.sqrt(share * (1 - share) / cells + z2 / (4 * cells**2)) / (1 + z2 / cells)
    return Interval(share, np.minimum(centre - reach, share), np.maximum(centre + reach, share))


def bootstrap_cells(
    values: Float[np.ndarray, "cell gene"],
    tfs: Int[np.ndarray, " pair"],
    targets: Int[np.ndarray, " pair"],
    *,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[Interval, Interval]:
    """The mean of each gene and Pearson's r of each pair, with intervals over cells.

    Args:
        values: of the cells of one group.
        tfs: columns of `values`, the first of each pair.
        targets: the second.
        resamples: how often as many cells are drawn with replacement.

    Returns:
        Means [gene] in the unit of the values, and correlations [pair]; r is NaN where either gene
        is the same in all cells.
    """
    cells, pairs = len(values), len(tfs)
    mean, deviation = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    varies = deviation > 1e-6 * np.maximum(1, np.abs(mean))
    z = np.where(varies, (values - mean) / np.where(varies, deviation, 1), 0).astype(np.float32)
    means = np.empty((resamples, z.shape[1]), np.float32)
    r = np.empty((resamples, pairs), np.float32)
    some = max(1, NUMBERS_AT_ONCE // cells)
    for begin in range(0, resamples, some):
        rows = slice(begin, min(begin + some, resamples))
        count = rows.stop - begin
        drawn = rng.multinomial(cells, np.full(cells, 1 / cells), size=count)
        weights = (drawn / cells).astype(np.float32)  # [resample, cell]
        means[rows] = weights @ z
        variance = np.maximum(weights @ z**2 - means[rows] ** 2, 0)
        for start in range(0, pairs, some):
            part = slice(start, start + some)
            i, j = tfs[part], targets[part]
            joint = weights @ (z[:, i] * z[:, j]) - means[rows][:, i] * means[rows][:, j]
            spread = variance[:, i] * variance[:, j]
            is_open = spread <= LEAST_VARIANCE**2  # no cell was drawn that differs
            r[rows, part] = np.where(is_open, 0, joint / np.sqrt(np.where(is_open, 1, spread)))
    products = (z[:, i] @ z[:, j] for i, j in zip(tfs, targets, strict=True))
    r_here = np.clip(np.fromiter(products, np.float64, pairs) / cells, -1, 1)
    low, high = np.quantile(means, LIMITS, axis=0)
    of_means = _hold(mean, mean + low * deviation, mean + high * deviation)
    low, high = np.quantile(r, LIMITS, axis=0) if pairs else np.empty((2, 0))
    by_fisher = bound_correlation(r_here, cells)
    low, high = np.minimum(low, by_fisher.low), np.maximum(high, by_fisher.high)
    known = varies[tfs] & varies[targets]
    of_pairs = Interval(*(np.where(known, x, np.nan) for x in _hold(r_here, low, high)))
    return of_means, of_pairs


def bound_correlation(r: Float[np.ndarray, " pair"], cells: int) -> Interval:
    """Correlations of so many cells with the interval by Fisher's z."""
    z, reach = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), NORMAL / np.sqrt(max(cells - 3, 1))
    return _hold(r, np.tanh(z - reach), np.tanh(z + reach))


def contrast_groups(
    value: Float[np.ndarray, "group row"],
    low: Float[np.ndarray, "group row"],
    high: Float[np.ndarray, "group row"],
) -> Contrast:
    """Each group against the mean of the others, with 95 % interval and q over all of the table.

    A NaN is no figure of that group, and the others are those that have one. The p-value behind q
    is where the normal with this interval's reach towards 0 has 0.
    """
    has = np.isfinite(value)
    others = has.sum(axis=0) - has
    count = np.where(others > 0, others, np.nan)

    def of_others(x: np.ndarray) -> np.ndarray:
        filled = np.where(has, x, 0)
        return np.maximum(filled.sum(axis=0) - filled, 0)

    filled = np.where(has, value, 0)
    difference = value - (filled.sum(axis=0) - filled) / count
    down, up = (value - low) ** 2, (high - value) ** 2
    below = np.sqrt(down + of_others(up) / count**2)
    above = np.sqrt(up + of_others(down) / count**2)
    reach = np.where(difference > 0, below, above)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(difference == 0, 0, np.abs(difference) / reach)
    q, told = np.full(value.shape, np.nan), np.isfinite(difference)
    if told.any():
        q[told] = false_discovery_control(2 * ndtr(-NORMAL * distance[told]))
    return Contrast(difference, difference - below, difference + above, distance, q)


def _hold(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> Interval:
    """An interval that holds its figure, as percentiles of a skewed one may not."""
    return Interval(value, np.minimum(low, value), np.maximum(high, value))
