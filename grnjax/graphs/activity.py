"""AUCell: how far up the genes of a regulon stand in a cell (Aibar et al. 2017; SCENIC).

Genes of a cell are ranked by falling expression, the highest with rank 1, and of the top c ranks
each counts by what is left of them: hit = sum over the genes g of the regulon of max(c - r_g, 0),
the area under the staircase of recovered genes up to c. Divided by c * |S| (ctxcore, pySCENIC and
AUCell in R) it stays below 1, by the largest hit that |S| genes can have (decoupler) it reaches 1;
for a fixed c these differ by a factor a regulon.

Of c, 5 % of the genes, at most c - 1 genes of a cell count, all of them detected in most cells, so
only what a sparse row holds is sorted, and a matrix of ranks is never made. Equal values, which
counts have in plenty, stand in one random order of the genes, drawn by the seed from their names in
alphabetical order: the order and number of the cells, their chunks and the order of the genes
change nothing.
"""

import concurrent.futures
import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse

from grnjax.config import Settings, Share
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.storage.memory import count_cores
from grnjax.types import shapes

AT_ONCE = 1 << 20
"""Stored values of cells that are ranked in one go, 60 MB of work space a thread."""
CELLS_ON_DEVICE = 1024
TIE = np.uint64(2**32 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AUCellConfig(Settings):
    """How activity is measured."""

    normalisation: Literal["ctxcore", "decoupler"] = "ctxcore"
    """By c * |S|, as pySCENIC and AUCell in R, or by the most that |S| genes can reach."""
    top_share: Share = 0.05
    """Share of the genes, the c highest of a cell, that count."""
    cut: Literal["round", "ceil"] = "round"
    """How c becomes a whole number: as ctxcore does, or as decoupler."""
    weighted: bool = False
    """Targets count by the absolute weights of their edges (ctxcore's normalisation only)."""

    def __post_init__(self):
        super().__post_init__()
        if self.weighted and self.normalisation == "decoupler":
            raise ConfigError(
                "weighted=true needs normalisation=ctxcore: decoupler's has no weights."
            )


def count_top(genes: int, config: AUCellConfig) -> int:
    """The cut c, in ranks, among so many genes.

    Raises:
        ConfigError: fewer than 2, of which no gene could count.
    """
    share = config.top_share * genes
    top = round(share) if config.cut == "round" else int(np.ceil(share))
    if top < 2:
        raise ConfigError(
            f"{config.top_share:.3g} of {genes:,} genes are {top} ranks, and AUCell needs 2 or "
            "more; give all measured genes, or a larger top_share (--aucell.top-share)."
        )
    return top


def order_ties(names: np.ndarray, seed: int) -> Int[np.ndarray, " gene"]:
    """The place of each gene in the random order in which equal values stand.

    Drawn from the names in alphabetical order, so that it belongs to a gene and not to a column.

    Args:
        names: [gene] str, unique.
    """
    places = np.empty(len(names), np.int64)
    places[np.argsort(names)] = np.random.default_rng(seed).permutation(len(names))
    return places


def score_regulons(
    values: Float[np.ndarray, "cell gene"] | sparse.csr_matrix | sparse.csr_array,
    names: np.ndarray,
    membership: sparse.csr_matrix | sparse.csr_array,
    config: AUCellConfig = AUCellConfig(),
    *,
    seed: int,
    at_once: int = AT_ONCE,
    on_device: bool | None = None,
) -> Float[np.ndarray, "cell regulon"]:
    """AUCell activity of each regulon in each cell, float32; 0 for a regulon without genes.

    On a CPU numpy's sort of single rows, on as many threads as there are cores, is several times
    faster than the top_k that XLA has there (experiments/bench/activity.py), so jax computes on
    accelerators alone unless it is asked to. Both count the same whole numbers.

    Args:
        values: expression, dense or CSR; any scale that keeps the order of the genes in a cell.
        names: [gene] str, unique.
        membership: [gene, regulon], positive where the gene is a target: its weight.
        seed: draws the order of equal values.
        at_once: stored values in a chunk; it changes memory and time alone.
        on_device: whether jax ranks and sums; None does so where it has an accelerator.

    Raises:
        ConfigError: too few genes for the cut.
        ExpressionFormatError: a value is missing.
    """
    cut = count_top(len(names), config)
    values = values if isinstance(values, np.ndarray) else sparse.csr_array(values)
    check_finite(values)
    ties = order_ties(names, seed)
    members = sparse.csr_array(membership, dtype=np.float64)[np.argsort(ties)]
    if not config.weighted:
        members.data[:] = members.data > 0
    if on_device is None:
        on_device = jax.default_backend() != "cpu"
    entries = values if isinstance(values, np.ndarray) else values.data
    if on_device and has_float32_values(entries):
        hits = _count_on_device(values, ties, members, cut)
    else:
        hits = _count_on_host(values, ties, members, cut, at_once)
    return normalise(hits, members, cut, config).astype(np.float32)


def normalise(
    hits: Float[np.ndarray, "cell regulon"],
    members: sparse.csr_array,
    cut: int,
    config: AUCellConfig,
) -> Float[np.ndarray, "cell regulon"]:
    """Hits as shares of what the normalisation compares them with."""
    sizes = np.asarray(members.sum(axis=0)).ravel()  # of genes, or their weights
    if config.normalisation == "ctxcore":
        most = cut * sizes
    else:
        counted = np.minimum(sizes, cut - 1)
        most = counted * cut - counted * (counted + 1) / 2
    return hits / np.where(most > 0, most, 1)


def check_finite(values: np.ndarray | sparse.csr_array) -> None:
    """Refuses missing values, which have no rank."""
    entries = values if isinstance(values, np.ndarray) else values.data
    missing = int(np.isnan(entries).sum()) if entries.dtype.kind == "f" else 0
    if missing:
        raise ExpressionFormatError(
            f"{missing:,} values are missing (NaN), and a missing value has no rank. Remove or "
            "fill them first."
        )


def has_float32_values(entries: np.ndarray) -> bool:
    """Whether float32 keeps all of the values apart: counts, and whatever was float32 before."""
    return entries.dtype == np.float32 or bool((entries.astype(np.float32) == entries).all())


# On the host


def _count_on_host(values, ties, members, cut: int, at_once: int) -> np.ndarray:
    """Hits [cell, regulon], a chunk of cells after the other on each thread."""
    cells = values.shape[0]
    stored = values.nnz if sparse.issparse(values) else values.size
    step = max(1, int(at_once * cells // max(stored, 1)))
    hits = np.zeros((cells, members.shape[1]))

    def count(start: int) -> None:
        ranked = weigh_ranks(values[start : start + step], ties, cut)
        hits[start : start + step] = (ranked @ members).toarray()

    with concurrent.futures.ThreadPoolExecutor(count_cores()) as pool:
        list(pool.map(count, range(0, cells, step)))
    return hits


def weigh_ranks(
    values: np.ndarray | sparse.csr_array, ties: Int[np.ndarray, " gene"], cut: int
) -> sparse.csr_array:
    """What is left of the cut at each gene's rank, max(c - r, 0), [cell, place of the gene].

    Columns are genes in the order of `ties`. Detected genes come first, then those with 0, then
    negative values of scaled data.
    """
    values = sparse.csr_array(values)
    cells, genes = values.shape
    row = np.repeat(np.arange(cells), np.diff(values.indptr))
    is_positive = values.data > 0
    detected = np.bincount(row[is_positive], minlength=cells)
    keys = encode(values.data[is_positive]) | (
        TIE - ties[values.indices[is_positive]].astype(np.uint64)
    )
    width = int(detected.max(initial=0))
    padded = np.zeros((cells, width), np.uint64)
    padded[np.arange(width) < detected[:, None]] = keys
    padded.sort(axis=1)
    top = padded[:, ::-1][:, : cut - 1]  # [cell, rank]
    counted = np.minimum(detected, cut - 1)
    is_there = np.arange(top.shape[1]) < counted[:, None]
    left = np.broadcast_to(cut - 1.0 - np.arange(top.shape[1]), top.shape)
    columns = (TIE - (top[is_there] & TIE)).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(counted)])
    ranked = sparse.csr_array((left[is_there], columns, starts), shape=(cells, genes))
    short = np.flatnonzero(detected < min(cut - 1, genes))
    if len(short):
        ranked = ranked + _weigh_others(values, short, detected[short], ties, cut)
    return ranked


def encode(entries: np.ndarray) -> np.ndarray:
    """Positive values as whole numbers in the upper half of 64 bits, in the same order."""
    if has_float32_values(entries):  # whose bits are in the order of the values
        codes = entries.astype(np.float32).view(np.uint32)
    else:
        codes = (np.unique(entries, return_inverse=True)[1] + 1).astype(np.uint32)
    return codes.astype(np.uint64) << np.uint64(32)


def _weigh_others(values, cells, detected, ties, cut: int) -> sparse.csr_array:
    """What is left of the cut at genes that were not detected, in cells that have ranks for them.

    Args:
        cells: rows of `values`.
        detected: genes with a positive value in each.
    """
    others = values[cells]
    others.eliminate_zeros()
    stored = np.diff(others.indptr)
    genes, wanted = values.shape[1], cut - 1 - detected
    width = int(np.minimum((wanted + stored).max(), genes))  # no later zero can be wanted
    is_zero = np.ones((len(cells), width), bool)
    row, column = np.repeat(np.arange(len(cells)), stored), ties[others.indices]
    is_zero[row[column < width], column[column < width]] = False
    rank = np.cumsum(is_zero, axis=1, dtype=np.int32) + detected[:, None]
    row, column = np.nonzero(is_zero & (rank < cut))
    parts = [(cut - rank[row, column], cells[row], column)]
    for place in np.flatnonzero(genes - stored < wanted):  # negative values have ranks, too
        own = slice(*others.indptr[place : place + 2])
        below = np.flatnonzero(others.data[own] < 0)
        data, column = others.data[own][below], ties[others.indices[own][below]]
        order = np.lexsort((column, -data))[: cut - 1 - detected[place] - genes + stored[place]]
        ranks = detected[place] + genes - stored[place] + 1 + np.arange(len(order))
        parts.append((cut - ranks, np.full(len(order), cells[place]), column[order]))
    left, row, column = map(np.concatenate, zip(*parts, strict=True))
    return sparse.csr_array((left.astype(np.float64), (row, column)), shape=values.shape)


# On an accelerator


def _count_on_device(values, ties, members, cut: int) -> np.ndarray:
    """Hits [cell, regulon], from chunks of a fixed number of cells, which become dense there."""
    order, weights = np.argsort(ties), jnp.asarray(members.toarray(), jnp.float32)
    hits = np.zeros((values.shape[0], members.shape[1]))
    for start in range(0, values.shape[0], CELLS_ON_DEVICE):
        rows = values[start : start + CELLS_ON_DEVICE]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        chunk = np.zeros((CELLS_ON_DEVICE, values.shape[1]), np.float32)
        chunk[: len(rows)] = rows[:, order] + np.float32(0)  # there is no negative zero
        hits[start : start + len(rows)] = count_hits(chunk, weights, cut)[: len(rows)]
    return hits


@functools.partial(jax.jit, static_argnames="cut")
@shapes
def count_hits(
    values: Float[Array, "cell gene"], members: Float[Array, "gene regulon"], cut: int
) -> Float[Array, "cell regulon"]:
    """Sum over genes of w_g max(c - r_g, 0); of equal values the earlier column ranks higher."""
    _, top = jax.lax.top_k(values, min(cut - 1, values.shape[1]))
    left = cut - 1.0 - jnp.arange(top.shape[1], dtype=jnp.float32)
    ranked = jnp.zeros_like(values).at[jnp.arange(len(values))[:, None], top].set(left)
    return jnp.matmul(ranked, members, precision=jax.lax.Precision.HIGHEST)
