"""Each gene's profile over cells, or over pools of cells where there are too many to keep.

A layer over 200,000 cells is 400 MB for every 512 units, and 20,000 genes by 200,000 cells are
16 GB. Pools make both small: cells are assigned at random to a few thousand groups of equal size,
and a gene's profile is the sum of its standardised values in each group. Cells are in one pool
each, so pools share nothing, and products of profiles estimate those over single cells.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from grnjax.data.annotated import open_hdf5
from grnjax.data.canonical import normalise_counts
from grnjax.data.safe_arrays import translate
from grnjax.data.tables import to_dense
from grnjax.errors import ExpressionFormatError
from grnjax.types import GeneTable

CELLS_A_BLOCK = 1024
MOST_POOLS = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class GeneProfiles:
    """Standardised expression, one row a gene."""

    values: Float[np.ndarray, "gene pool"]  # mean square about 1; zeros where not covered
    covered: Bool[np.ndarray, " gene"]  # measured, and not the same in every cell


@dataclasses.dataclass(frozen=True, eq=False)
class CellStream:
    """Expression of many cells, a block at a time.

    Cells come in the order of their file: unlike a gene table's, their pools depend on it.
    """

    genes: np.ndarray  # [gene] str, in the order of the columns
    cells: int
    blocks: Iterable[np.ndarray | sparse.sparray]  # [cell, gene] each, together all cells


def build_profiles(genes: GeneTable, *, most_pools: int = MOST_POOLS, seed: int) -> GeneProfiles:
    """The profiles of the genes of a run.

    Args:
        most_pools: with more cells than this, so many pools; else every cell is its own.
        seed: deals the cells into pools.
    """
    starts = range(0, len(genes.expression), CELLS_A_BLOCK)
    blocks = (genes.expression[start : start + CELLS_A_BLOCK] for start in starts)
    stream = CellStream(genes.names, len(genes.expression), blocks)
    profiles = pool_stream(stream, most_pools=most_pools, seed=seed)
    covered = profiles.covered & genes.measured
    return GeneProfiles(np.where(covered[:, None], profiles.values, 0), covered)


def pool_stream(stream: CellStream, *, most_pools: int = MOST_POOLS, seed: int) -> GeneProfiles:
    """The profiles of genes whose cells come in blocks, read once; arguments as above.

    No more is kept than one number for each gene and pool, a few for each gene, and one block.
    Mean and deviation are joined over blocks (Chan, Golub and LeVeque 1983, equation 2.1).
    """
    pool_of = deal_cells(stream.cells, most_pools, seed)
    sizes = np.bincount(pool_of)
    pooled = np.zeros((len(sizes), len(stream.genes)), np.float32)
    mean, squares, largest = (np.zeros(len(stream.genes)) for _ in range(3))
    done = 0
    for block in stream.blocks:
        values = to_dense(block)
        if not np.isfinite(values).all():
            raise ExpressionFormatError(
                f"{(~np.isfinite(values)).sum():,} values among the cells from {done:,} on are "
                "missing or infinite. Remove or fill them first."
            )
        for pool, cell in zip(pool_of[done : done + len(values)], values, strict=False):
            pooled[pool] += cell
        done += len(values)
        own_mean = values.mean(axis=0, dtype=np.float64)
        own_squares = ((values - own_mean) ** 2).sum(axis=0)
        step = own_mean - mean
        mean = mean + step * (len(values) / done)
        squares += own_squares + step**2 * ((done - len(values)) * len(values) / done)
        largest = np.maximum(largest, np.abs(values).max(axis=0))
    if done != stream.cells:
        raise ExpressionFormatError(f"{done:,} cells came where {stream.cells:,} were expected.")
    deviation = np.sqrt(squares / max(done, 1))
    covered = deviation > 1e-8 * np.maximum(1, largest)
    for pool, size in zip(pooled, sizes, strict=True):
        centred = (pool - size * mean) / np.where(covered, deviation, 1)
        pool[:] = np.where(covered, centred, 0) / np.sqrt(size)
    return GeneProfiles(np.ascontiguousarray(pooled.T), covered)


def deal_cells(cells: int, most_pools: int, seed: int) -> np.ndarray:
    """The pool of each cell: its own, or one of `most_pools` whose sizes differ by 1 at most."""
    if cells <= most_pools:
        return np.arange(cells)
    return np.random.default_rng(seed).permutation(cells) % most_pools


def stream_cells(path: str | Path, *, counts: bool) -> CellStream:
    """The X of an .h5ad file, cells in rows, read from the disk block by block.

    Args:
        counts: whether the values are counts, to be scaled and logged as `read_expression` does.
    """
    import anndata
    import h5py

    error = ExpressionFormatError
    with translate(path, ".h5ad file", error), open_hdf5(path, error) as file:
        genes = anndata.io.read_elem(file["var"]).index.to_numpy(str)
        is_sparse = isinstance(file["X"], h5py.Group)
        matrix = anndata.io.sparse_dataset(file["X"]) if is_sparse else file["X"]
        cells, by_gene = matrix.shape[0], is_sparse and matrix.format == "csc"
        if matrix.shape[1] != len(genes):
            raise error(f"{path}: X has {matrix.shape[1]:,} columns and var {len(genes):,} genes.")
    repeated = len(genes) - len(np.unique(genes))
    if repeated:
        raise ExpressionFormatError(f"{path}: {repeated:,} gene names stand repeatedly in var.")
    if by_gene:
        raise ExpressionFormatError(
            f"{path}: X is sparse by columns (csc), which cannot be read cell by cell. Write it "
            "again with X = X.tocsr()."
        )
    return CellStream(genes, cells, read_blocks(path, counts))


def read_blocks(path: str | Path, counts: bool) -> Iterator[np.ndarray]:
    """Yields blocks of the cells of an .h5ad file, dense."""
    import anndata
    import h5py

    error = ExpressionFormatError
    with translate(path, ".h5ad file", error), open_hdf5(path, error) as file:
        matrix = file["X"]
        if isinstance(matrix, h5py.Group):
            matrix = anndata.io.sparse_dataset(matrix)
        for start in range(0, matrix.shape[0], CELLS_A_BLOCK):
            block = to_dense(matrix[start : start + CELLS_A_BLOCK])
            if counts:
                normalise_counts(block)
            yield block
