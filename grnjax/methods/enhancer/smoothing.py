"""Sparse accessibility filled in by low rank: which peaks are open where counts are 0 by chance.

Counts are cut to 0 and 1, weighted as words of a text are (TF-IDF), and rebuilt from their leading
singular vectors, without what falls below 0. It takes the place of the topic models of SCENIC+.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.linalg import svds

from grnjax.config import Count, Settings
from grnjax.errors import ConfigError

PEAKS_AT_ONCE = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmoothingConfig(Settings):
    """How accessibility is filled in."""

    rank: Count = 50
    """Singular vectors that it is rebuilt from; 0 leaves it as it was counted, open or closed."""


@dataclasses.dataclass(frozen=True, eq=False)
class Smoothed:
    """Accessibility of cells as a product of factors, or as it was where there are none."""

    weighted: sparse.csc_matrix  # [cell, peak]
    cells: Float[np.ndarray, "cell rank"] | None
    peaks: Float[np.ndarray, "rank peak"] | None

    def average(
        self, weights: sparse.csr_matrix, peaks: Int[np.ndarray, " peak"]
    ) -> Float[np.ndarray, "metacell peak"]:
        """The mean over the cells of each meta-cell, of these peaks."""
        if self.cells is None or self.peaks is None:
            return np.asarray((weights @ self.weighted[:, peaks]).todense())
        rebuilt = np.maximum(self.cells @ self.peaks[:, peaks], 0)
        return weights @ rebuilt

    def blocks(
        self, weights: sparse.csr_matrix, peaks: Int[np.ndarray, " peak"]
    ) -> Iterator[tuple[Int[np.ndarray, " peak"], Float[np.ndarray, "metacell peak"]]]:
        """`average` of some peaks after others, so that cells x peaks are never held at once."""
        for first in range(0, len(peaks), PEAKS_AT_ONCE):
            block = peaks[first : first + PEAKS_AT_ONCE]
            yield block, self.average(weights, block)


def smooth(counts: sparse.csr_matrix, config: SmoothingConfig, *, seed: int) -> Smoothed:
    """The accessibility of cells x peaks, filled in.

    Raises:
        ConfigError: nothing is open anywhere.
    """
    is_open = sparse.csr_matrix((counts > 0).astype(np.float64))
    cells, peaks = is_open.shape
    if is_open.nnz == 0:
        raise ConfigError(
            f"all {peaks:,} peaks are closed in all {cells:,} cells that are used; give counts of "
            "the same cells."
        )
    if not config.rank:
        return Smoothed(is_open.tocsc(), None, None)
    share = 1 / np.maximum(np.asarray(is_open.sum(axis=1)).ravel(), 1)
    rarity = np.log1p(cells / np.maximum(np.asarray(is_open.sum(axis=0)).ravel(), 1))
    weighted = sparse.csr_matrix(sparse.diags(share) @ is_open @ sparse.diags(rarity))
    rank = min(config.rank, min(is_open.shape) - 1)
    if rank < 1:
        return Smoothed(weighted.tocsc(), None, None)
    start = np.random.default_rng([seed, 2]).normal(size=min(is_open.shape))
    left, singular, right = svds(weighted, rank, v0=start)
    return Smoothed(weighted.tocsc(), left * singular, right)
