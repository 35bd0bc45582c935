"""Unsupervised association of TF and target expression: |Pearson| and |Spearman|."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import Settings
from grnjax.data.expression_features import correlation, standardise
from grnjax.types import GeneTable, StreamedExpression

RANKED_AT_ONCE = 2**26  # values of a stream
CELLS_ADDED = 2**14  # in float32


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorrelationConfig(Settings):
    """Which correlation."""

    coefficient: Literal["pearson", "spearman"] = "pearson"


def absolute_pearson(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """|r| of every TF with every gene over cells; 0 for a gene that is constant or not measured."""
    return np.abs(correlation(genes, tfs))


def score_targets(
    genes: GeneTable, targets: Int[np.ndarray, " target"], config: CorrelationConfig, *, seed: int
) -> Float[np.ndarray, "tf target"]:
    """|r| of every TF with the targets, of their values or of their ranks; 0 for self pairs.

    Cells of equal expression, as all those without any, share their mean rank. Where batches are
    told apart, a rank is one among the cells of a batch, as a share of them. Nothing is random, so
    the seed does not matter.
    """
    tfs = genes.tfs
    if genes.stream is not None and config.coefficient == "pearson":
        r = correlation(genes, tfs)[:, targets]
        return np.where(tfs[:, None] == targets, 0, np.abs(r)).astype(np.float32)
    if genes.stream is not None:
        r = correlate_ranks(genes.stream, tfs, targets)
        return np.where(tfs[:, None] == targets, 0, np.abs(r))
    expression = genes.in_memory
    if config.coefficient == "spearman" and len(expression):
        expression = rank_cells(genes)
    z = standardise(expression).astype(np.float64)
    r = z[:, tfs].T @ z[:, targets] / max(len(z), 1)
    return np.where(tfs[:, None] == targets, 0, np.abs(r)).astype(np.float32)


def correlate_ranks(
    stream: StreamedExpression, tfs: np.ndarray, targets: Int[np.ndarray, " target"]
) -> Float[np.ndarray, "tf target"]:
    """Spearman's r, some genes at a time; the ranks of the TFs alone are in memory, as float32.

    Products are float32 for some cells, and their sums float64.
    """
    from scipy.stats import rankdata

    def rank_some(genes: np.ndarray) -> Iterator[tuple[slice, Float[np.ndarray, "cell some"]]]:
        width = max(RANKED_AT_ONCE // max(len(stream), 1), 1)
        for first in range(0, len(genes), width):
            here = slice(first, first + width)
            yield here, standardise(rankdata(stream[:, genes[here]], axis=0)).astype(np.float32)

    of_tfs = np.empty((len(stream), len(tfs)), np.float32)
    for here, z in rank_some(tfs):
        of_tfs[:, here] = z
    r = np.empty((len(tfs), len(targets)), np.float32)
    for here, z in rank_some(targets):
        parts = (slice(first, first + CELLS_ADDED) for first in range(0, len(stream), CELLS_ADDED))
        total = sum((of_tfs[part].T @ z[part]).astype(np.float64) for part in parts)
        r[:, here] = total / max(len(stream), 1)
    return r


def rank_cells(genes: GeneTable) -> Float[np.ndarray, "cell gene"]:
    """The rank of each cell by each gene; in a batch, as a share of its cells, with mean 0."""
    from scipy.stats import rankdata  # its import costs half a second

    if genes.batches is None:
        return rankdata(genes.in_memory, axis=0)
    x, of_cell = genes.as_measured, genes.batches.of_cell
    ranks = np.empty(x.shape)
    for batch in range(of_cell.max() + 1):
        here = of_cell == batch
        count = np.count_nonzero(here)
        ranks[here] = (rankdata(x[here], axis=0) - (count + 1) / 2) / count
    return ranks
