"""Bins of each gene's log expression over cells: what images of pairs of genes are counted from."""

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int, Shaped

from grnjax.errors import ConfigError

OFFSET = 0.01
GENES_AT_ONCE = 512


def bin_genes(
    expression: Shaped[np.ndarray, "cell gene"] | scipy.sparse.spmatrix | scipy.sparse.sparray,
    bins: int = 32,
) -> Int[np.ndarray, "gene cell"]:
    """The bin of log10(x + 0.01) of each cell, of equal widths from a gene's least to its largest.

    Bins are closed below, and the last one above, too, as in NumPy's histograms; a gene that does
    not vary has all cells in the middle bin. An image of two genes (CNNC) is then a count of pairs
    of bins. A sparse matrix is never dense as a whole: genes are taken some at a time.

    Args:
        expression: of 0 and above, dense or sparse.
        bins: at most 127.

    Returns:
        int8 [gene, cell].

    Raises:
        ConfigError: a value below 0, or none that is finite.
    """
    cells, genes = expression.shape
    sparse = scipy.sparse.issparse(expression)
    columns = expression.tocsc() if sparse else expression
    found = np.empty((genes, cells), np.int8)
    for first in range(0, genes, GENES_AT_ONCE):
        block = columns[:, first : first + GENES_AT_ONCE]
        block = np.asarray(block.toarray() if sparse else block, np.float64)
        wrong = ~(np.isfinite(block) & (block >= 0))
        count = np.count_nonzero(wrong)
        if wrong.any():
            raise ConfigError(
                f"images of pairs are of logs, and {count:,} values of expression "
                f"are below 0 or not finite, such as {block[wrong][0]:g}; give expression that was "
                "not scaled."
            )
        found[first : first + GENES_AT_ONCE] = bin_block(np.log10(block + OFFSET).T, bins)
    return found


def bin_block(values: Float[np.ndarray, "gene cell"], bins: int) -> Int[np.ndarray, "gene cell"]:
    """The bins of some genes' values."""
    if not values.size:
        return np.empty(values.shape, np.int8)
    least, most = values.min(axis=1), values.max(axis=1)
    constant = least == most
    least, most = np.where(constant, least - 0.5, least), np.where(constant, most + 0.5, most)
    edges = np.linspace(least, most, bins + 1, axis=1)[:, 1:-1]
    return np.stack([np.searchsorted(e, v, side="right") for e, v in zip(edges, values)])


def list_neighbours(
    expression: Float[np.ndarray, "cell gene"], count: int, *, absolute: bool = False
) -> Int[np.ndarray, "gene neighbour"]:
    """The genes of the largest covariance with each gene, itself left out, largest first.

    Args:
        absolute: whether negative covariance counts by its size.
    """
    centred = expression - expression.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / max(len(centred), 1)
    covariance = np.abs(covariance) if absolute else covariance
    np.fill_diagonal(covariance, -np.inf)
    return np.argsort(-covariance, axis=1, kind="stable")[:, :count].astype(np.int32)
