"""Vectors of cells and of genes from the vectors of tokens.

A cell's is the mean over its tokens. A gene's is the mean over the cells in which it is among the
tokens (Theodoris et al. 2023, Methods, "gene embeddings"), so sums and counts are added up batch by
batch and no batch is kept.
"""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from grnjax.types import AnyArray, shapes


@shapes
def average_tokens(
    x: Float[AnyArray, "cell token dim"], is_counted: Bool[AnyArray, "cell token"]
) -> Float[Array, "cell dim"]:
    """The mean over the tokens of each cell that count, in float32; 0 for a cell without any."""
    counted = is_counted[..., None].astype(jnp.float32)
    total = jnp.sum(x.astype(jnp.float32) * counted, axis=1)
    return total / jnp.maximum(counted.sum(axis=1), 1)


@functools.partial(jax.jit, static_argnames="genes")
def sum_genes(
    x: Float[AnyArray, "cell token dim"],
    tokens: Int[AnyArray, "cell token"],
    is_counted: Bool[AnyArray, "cell token"],
    *,
    genes: int,
) -> tuple[Float[Array, "gene dim"], Int[Array, " gene"]]:
    """The sum of the vectors of each token, in float32, and how many there are.

    Args:
        is_counted: the tokens to be added up; the others are left out.
        genes: tokens are below this number.
    """
    rows = jnp.where(is_counted, tokens, genes).reshape(-1)  # others go to a row of their own
    vectors = x.astype(jnp.float32).reshape(len(rows), -1)
    total = jax.ops.segment_sum(vectors, rows, genes + 1)[:genes]
    return total, jax.ops.segment_sum(jnp.ones(len(rows), jnp.int32), rows, genes + 1)[:genes]


class GeneMeans:
    """The mean vector of each gene over the cells of all batches, sums kept in float64."""

    def __init__(self, genes: int, width: int):
        self.totals = np.zeros((genes, width))
        self.counts = np.zeros(genes, np.int64)

    def add(self, totals: Float[AnyArray, "gene dim"], counts: Int[AnyArray, " gene"]) -> None:
        """Adds the sums of a batch, as `sum_genes` makes them."""
        self.totals += np.asarray(totals)
        self.counts += np.asarray(counts)

    def means(self) -> Float[np.ndarray, "gene dim"]:
        """The means, float32; 0 for a gene that was in no cell (`counts` is 0)."""
        return (self.totals / np.maximum(self.counts, 1)[:, None]).astype(np.float32)


def mark_tokens(tokens: np.ndarray, special: Iterable[int]) -> Bool[np.ndarray, "cell token"]:
    """Where the tokens are none of the special ones."""
    return ~np.isin(tokens, [*special])
