"""Each gene's profile over cells, or over pools of cells where there are too many to keep.

A layer over 200,000 cells is 400 MB for every 512 units, and 20,000 genes by 200,000 cells are
16 GB. Pools make both small: cells are assigned at random to a few thousand groups of equal size,
and a gene's profile is the sum of its standardised values in each group. Cells are in one pool
each, so pools share nothing, and products of profiles estimate those over single cells.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from grnjax.errors import ExpressionFormatError
from grnjax.types import GeneTable

CELLS_A_BLOCK = 1024
MOST_POOLS = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class GeneProfiles:
    """Standardised expression, one row a gene."""

    values: Float[np.ndarray, "gene pool"]  # mean square about 1; zeros where not covered
    covered: Bool[np.ndarray, " gene"]  # measured, and not the same in every cell


def build_profiles(genes: GeneTable, *, most_pools: int = MOST_POOLS, seed: int) -> GeneProfiles:
    """The profiles of the genes of a run.

    Beside the expression no more is kept than one number for each gene and pool, a few for each
    gene, and one block. Mean and deviation are joined over blocks (Chan, Golub and LeVeque 1983,
    equation 2.1).

    Args:
        most_pools: with more cells than this, so many pools; else every cell is its own.
        seed: deals the cells into pools.

    Raises:
        ExpressionFormatError: a value is missing or infinite.
    """
    cells, count = genes.expression.shape
    pool_of = deal_cells(cells, most_pools, seed)
    sizes = np.bincount(pool_of)
    pooled = np.zeros((len(sizes), count), np.float32)
    mean, squares, largest = (np.zeros(count) for _ in range(3))
    for start in range(0, cells, CELLS_A_BLOCK):
        values = genes.expression[start : start + CELLS_A_BLOCK]
        if not np.isfinite(values).all():
            raise ExpressionFormatError(
                f"{(~np.isfinite(values)).sum():,} values among the cells from {start:,} on are "
                "missing or infinite. Remove or fill them first."
            )
        done = start + len(values)
        for pool, cell in zip(pool_of[start:done], values, strict=True):
            pooled[pool] += cell
        own_mean = values.mean(axis=0, dtype=np.float64)
        own_squares = ((values - own_mean) ** 2).sum(axis=0)
        step = own_mean - mean
        mean = mean + step * (len(values) / done)
        squares += own_squares + step**2 * (start * len(values) / done)
        largest = np.maximum(largest, np.abs(values).max(axis=0))
    deviation = np.sqrt(squares / max(cells, 1))
    varies = deviation > 1e-8 * np.maximum(1, largest)
    for pool, size in zip(pooled, sizes, strict=True):
        centred = (pool - size * mean) / np.where(varies, deviation, 1)
        pool[:] = np.where(varies, centred, 0) / np.sqrt(size)
    covered = varies & genes.measured
    profiles = np.ascontiguousarray(pooled.T)
    return GeneProfiles(np.where(covered[:, None], profiles, 0), covered)


def deal_cells(cells: int, most_pools: int, seed: int) -> np.ndarray:
    """The pool of each cell: its own, or one of `most_pools` whose sizes differ by 1 at most."""
    if cells <= most_pools:
        return np.arange(cells)
    return np.random.default_rng(seed).permutation(cells) % most_pools
