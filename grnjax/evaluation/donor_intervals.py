"""Shares, means and correlations with intervals over donors, the sample that speaks for others.

Cells of one donor are no independent draws: what differs between donors is in all of them. So here
donors are resampled, by the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9:130): a resample
weighs each donor's cells by a draw from a flat Dirichlet, by which no group of cells ever loses all
of its donors, as it might where donors are drawn whole. With few donors a resampled deviation is
too small and the tails too light: it is widened by the root of (donors + 1) / (donors - 1), which
makes it that of a mean of donors, and the interval is that of Student's t.

A figure is a function of sums over the cells of each donor, so a resample is a product with those.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr
from scipy.stats import false_discovery_control
from scipy.stats import t as student

from grnjax.evaluation.group_differences import NORMAL, Contrast, Interval

CONSTANT = 1e-8  # a deviation that is rounding, of values of size 1
LIMIT = 1 - 1e-12  # of a correlation whose Fisher's z is finite


class DonorSums(NamedTuple):
    """Sums over the cells of each donor."""

    cells: Float[np.ndarray, " donor"]
    values: Float[np.ndarray, "donor gene"]
    squares: Float[np.ndarray, "donor gene"]


def draw_weights(
    donors: int, resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, "resample donor"]:
    """The weight of the cells of each donor in each resample, 1 on average."""
    return rng.dirichlet(np.ones(donors), size=resamples) * donors


def add_up(values: np.ndarray, of_cell: Int[np.ndarray, " cell"], donors: int) -> DonorSums:
    """The sums of each donor, also of one without a cell here.

    Args:
        values: [cell, gene].
        of_cell: the number of the donor of each cell.
    """
    x = values.astype(np.float64)
    is_of = np.eye(donors)[of_cell].T  # [donor, cell]
    return DonorSums(is_of.sum(axis=1), is_of @ x, is_of @ x**2)


def resample_means(
    sums: DonorSums, weights: Float[np.ndarray, "resample donor"]
) -> Float[np.ndarray, "resample gene"]:
    """The mean over cells in each resample."""
    return (weights @ sums.values) / (weights @ sums.cells)[:, None]


def resample_correlations(
    values: Float[np.ndarray, "cell gene"],
    of_cell: Int[np.ndarray, " cell"],
    tfs: Int[np.ndarray, " pair"],
    targets: Int[np.ndarray, " pair"],
    weights: Float[np.ndarray, "resample donor"],
) -> Float[np.ndarray, "resample pair"]:
    """Pearson's r over cells in each resample; NaN where either gene does not vary.

    Args:
        tfs: columns of `values`, the first of each pair.
    """
    donors, z = weights.shape[1], values - values.mean(axis=0, dtype=np.float64)
    scale = z.std(axis=0)
    z /= np.where(scale > CONSTANT * np.abs(values).max(axis=0, initial=0), scale, np.inf)
    sums = add_up(z, of_cell, donors)
    products = np.zeros((donors, len(tfs)))
    for donor in np.unique(of_cell):
        x = z[of_cell == donor]
        products[donor] = np.einsum("cp,cp->p", x[:, tfs], x[:, targets])
    cells = (weights @ sums.cells)[:, None]
    mean, square = weights @ sums.values / cells, weights @ sums.squares / cells
    variance = square - mean**2
    joint = weights @ products / cells - mean[:, tfs] * mean[:, targets]
    varies = variance > CONSTANT
    spread = np.where(varies, variance, np.nan)
    return np.clip(joint / np.sqrt(spread[:, tfs] * spread[:, targets]), -1, 1)


def widen_deviation(deviation: np.ndarray, degrees: np.ndarray | float) -> np.ndarray:
    """A resampled deviation as one over other donors, where `degrees` are one less than donors."""
    return deviation * np.sqrt((degrees + 2) / degrees)


def bound_figures(
    value: np.ndarray, resampled: Float[np.ndarray, "resample figure"], donors: int
) -> Interval:
    """Figures with their interval over donors, two or more."""
    deviation = widen_deviation(resampled.std(axis=0), donors - 1)
    reach = student.ppf(0.975, donors - 1) * deviation
    return Interval(value, value - reach, value + reach)


def bound_correlations(
    value: np.ndarray, resampled: Float[np.ndarray, "resample pair"], donors: int
) -> Interval:
    """Correlations with their interval over donors, on the scale of Fisher's z."""
    z, drawn = (np.arctanh(np.clip(x, -LIMIT, LIMIT)) for x in (value, resampled))
    _, low, high = bound_figures(z, drawn, donors)
    return Interval(value, np.tanh(low), np.tanh(high))


def join_intervals(one: Interval, other: Interval) -> Interval:
    """The figures of the first with what either interval holds; NaN counts for none."""
    return Interval(one.value, np.fmin(one.low, other.low), np.fmax(one.high, other.high))


def resample_contrasts(
    resampled: Float[np.ndarray, "resample group row"], has: Bool[np.ndarray, "group row"]
) -> tuple[Float[np.ndarray, "group row"], Float[np.ndarray, "group row"]]:
    """Deviations over resamples: of each group's difference from the others' mean, and its own.

    Args:
        has: which groups have a figure; the others count for none, and their deviation is NaN.
    """
    filled = np.where(has, resampled, 0)
    others = has.sum(axis=0) - has
    count = np.where(others > 0, others, np.nan)
    difference = filled - (filled.sum(axis=1, keepdims=True) - filled) / count
    of_difference, of_group = (np.where(has, x.std(axis=0), np.nan) for x in (difference, filled))
    return of_difference, of_group


def contrast_donors(
    over_cells: Contrast,
    of_difference: Float[np.ndarray, "group row"],
    of_group: Float[np.ndarray, "group row"],
    donors: Int[np.ndarray, " group"],
) -> Contrast:
    """Differences over cells with intervals that hold those over donors too, and the larger q.

    A donor's cells in several groups are drawn together, so that what is the donor's in all of
    them is no difference. Degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2:110).

    Args:
        over_cells: by `contrast_groups`.
        of_difference: by `resample_contrasts`, as is `of_group`.
        donors: how many have cells in each group; of fewer than two nothing is told.
    """
    has = np.isfinite(of_group) & (donors[:, None] > 1)
    others = np.maximum(has.sum(axis=0) - 1, 1)
    variance = np.where(has, of_group**2, 0)
    loss = variance**2 / np.maximum(donors - 1, 1)[:, None]
    of_others = [x.sum(axis=0) - x for x in (variance, loss)]
    total = (variance + of_others[0] / others**2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = total / (loss + of_others[1] / others**4)
        degrees = np.where(total > 0, degrees, 1)
        deviation = widen_deviation(of_difference, degrees)
        size = np.abs(over_cells.difference)
        reach = student.ppf(0.975, degrees) * deviation
        p = np.fmax(
            2 * ndtr(-NORMAL * over_cells.distance), 2 * student.sf(size / deviation, degrees)
        )
        distance = np.where(size == 0, 0, np.fmin(over_cells.distance, size / reach))
    p = np.where(size == 0, 1, p)
    q, told = np.full(p.shape, np.nan), np.isfinite(over_cells.difference)
    if told.any():
        q[told] = false_discovery_control(p[told])
    low = np.fmin(over_cells.low, over_cells.difference - reach)
    high = np.fmax(over_cells.high, over_cells.difference + reach)
    return Contrast(over_cells.difference, low, high, distance, q)
