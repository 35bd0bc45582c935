"""Moments, correlations and principal components of expression that comes in chunks of cells.

A chunk is written out and multiplied on the device in float32, as standardised values, and what
comes of it is added up in float64 on the host: over a million cells nothing is lost to rounding.
"""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse

from grnjax.types import Moments

MOST_EXACT_GENES = 4096
"""Genes up to which components are found from the products of all of them."""
POWER_ITERATIONS = 7
OVERSAMPLES = 10
FLAT = 1e-8  # deviation, by the largest value if that is above 1, of a gene that is constant


@dataclasses.dataclass(frozen=True)
class Chunks:
    """Cells that are read again for each pass over them."""

    cells: int
    genes: int
    read: Callable[[], Iterator[sparse.csr_array]]  # from the first cell on, float32 [cell, gene]


def sum_moments(chunks: Chunks) -> Moments:
    """The moments of each gene, joined over chunks (Chan, Golub and LeVeque 1983, equation 2.1).

    Squares are of the distance from the mean of a chunk, so that those of a gene with a high mean
    are as exact.
    """
    genes, done = chunks.genes, 0
    mean, squares, seen = np.zeros(genes), np.zeros(genes), np.zeros(genes)
    least, largest = np.full(genes, np.inf), np.full(genes, -np.inf)
    for chunk in chunks.read():
        cells, columns = chunk.shape[0], chunk.tocsc()
        values, stored = columns.data.astype(np.float64), np.diff(columns.indptr)
        own_mean = reduce_columns(np.add, values, columns.indptr) / cells
        centred = values - np.repeat(own_mean, stored)
        own_squares = reduce_columns(np.add, centred**2, columns.indptr)
        own_squares += (cells - stored) * own_mean**2
        step, total = own_mean - mean, done + cells
        mean += step * (cells / total)
        squares += own_squares + step**2 * (done * cells / total)
        seen += reduce_columns(np.add, values > 0, columns.indptr)
        is_full = stored == cells
        for bound, ufunc in ((least, np.minimum), (largest, np.maximum)):
            own_bound = reduce_columns(ufunc, values, columns.indptr)
            ufunc(bound, np.where(is_full, own_bound, ufunc(own_bound, 0)), out=bound)
        done = total
    count = max(done, 1)
    return Moments(mean, np.sqrt(squares / count), seen / count, least, largest)


def reduce_columns(ufunc: np.ufunc, values: np.ndarray, pointers: np.ndarray) -> np.ndarray:
    """Each column's values added up, or the least or largest of them; 0 where it has none."""
    found, is_filled = np.zeros(len(pointers) - 1), np.diff(pointers) > 0
    if is_filled.any():
        kind = {} if ufunc is not np.add else {"dtype": np.float64}
        found[is_filled] = ufunc.reduceat(values, pointers[:-1][is_filled], **kind)
    return found


def find_scale(moments: Moments) -> Float[np.ndarray, " gene"]:
    """One over each gene's deviation, 0 for a gene that is constant but for rounding."""
    size = np.maximum(np.abs(moments.least), np.abs(moments.largest))
    is_flat = moments.deviation <= FLAT * np.maximum(1, size)
    return np.where(is_flat, 0, 1 / np.where(is_flat, 1, moments.deviation))


def correlate(
    chunks: Chunks, moments: Moments, tfs: Int[np.ndarray, " tf"]
) -> Float[np.ndarray, "tf gene"]:
    """Pearson r of these genes with every gene, in one pass; 0 for one that is constant. float64"""
    found, places = np.zeros((len(tfs), chunks.genes)), jnp.asarray(tfs)
    for values, mean, scale in standardising(chunks, moments):
        found += np.asarray(multiply(values, mean, scale, places))
    found /= max(chunks.cells, 1)
    return found


def find_scores(
    chunks: Chunks, moments: Moments, count: int
) -> Float[np.ndarray, "gene component"]:
    """Scores of the leading components of standardised genes, [gene, cell] decomposed.

    Up to `MOST_EXACT_GENES` genes, from their products with one another, in one pass. Of more, by
    the same randomised decomposition and random numbers as of expression in memory
    (`expression_features.leading_scores`), a pass for each iteration: the products of a chunk with
    vectors over the genes, and back.
    """
    if chunks.genes <= MOST_EXACT_GENES:
        products = correlate(chunks, moments, np.arange(chunks.genes)) * chunks.cells
        values, vectors = np.linalg.eigh(products)
        leading = slice(-1, -count - 1, -1)
        return vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0))
    width = min(count + OVERSAMPLES, chunks.genes)
    basis = np.random.RandomState(0).normal(size=(chunks.genes, width))
    for _ in range(POWER_ITERATIONS):
        basis = np.linalg.qr(project(chunks, moments, basis))[0]
    image = project(chunks, moments, basis)  # Zt Z B; of Z B, these are the products:
    values, vectors = np.linalg.eigh(basis.T @ image)
    kept = values > values[-1] * 1e-12
    left, singular, _ = np.linalg.svd(
        image @ (vectors[:, kept] / np.sqrt(values[kept])), full_matrices=False
    )
    return left[:, :count] * singular[:count]


def project(
    chunks: Chunks, moments: Moments, basis: Float[np.ndarray, "gene vector"]
) -> Float[np.ndarray, "gene vector"]:
    """The products of all genes with one another, times some vectors, in one pass."""
    found, vectors = np.zeros(basis.shape), jnp.asarray(basis, jnp.float32)
    for values, mean, scale in standardising(chunks, moments):
        found += np.asarray(multiply_back(values, mean, scale, vectors))
    return found


def standardising(chunks: Chunks, moments: Moments) -> Iterator[tuple[Array, Array, Array]]:
    """Each chunk written out on the device, with what standardises it."""
    mean = jnp.asarray(moments.mean, jnp.float32)
    scale = jnp.asarray(find_scale(moments), jnp.float32)
    for chunk in chunks.read():
        yield jnp.asarray(chunk.toarray()), mean, scale


@jax.jit
def multiply(values: Array, mean: Array, scale: Array, tfs: Array) -> Array:
    """Products [tf, gene] of standardised values, summed over the cells of a chunk."""
    z = (values - mean) * scale
    return jnp.matmul(z[:, tfs].T, z, precision="highest")


@jax.jit
def multiply_back(values: Array, mean: Array, scale: Array, basis: Array) -> Array:
    """Zt (Z B) of a chunk."""
    z = (values - mean) * scale
    return jnp.matmul(z.T, jnp.matmul(z, basis, precision="highest"), precision="highest")
