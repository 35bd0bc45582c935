"""Expression that stays in its file: cells in chunks, scaled and in logs as they are read.

Cells keep the order of the file, unlike those in memory, which are sorted by content: no moment
depends on it but for the last bits.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from grnjax.data import chunk_sums
from grnjax.data.canonical import COUNTS_PER_CELL
from grnjax.data.cell_rows import CellRows
from grnjax.data.chunk_sums import Chunks
from grnjax.data.tables import round_once
from grnjax.errors import ExpressionFormatError
from grnjax.progress import logger
from grnjax.storage.memory import GIB, find_free
from grnjax.types import Moments, StreamedExpression

AT_ONCE = 2**25  # values of a chunk, zeros too


@dataclasses.dataclass(frozen=True, eq=False)
class CellStream(StreamedExpression):
    """Some cells and genes of a file."""

    rows: CellRows
    columns: Int[np.ndarray, " gene"]  # of the file; -1 for a gene that it lacks, which is zeros
    is_kept: Bool[np.ndarray, " cell"]  # of the cells of the file
    totals: Float[np.ndarray, " cell"] | None  # of each cell of the file, to scale by; None: as is
    content: str  # SHA-256 of the file's numbers
    kept: dict[str, tuple] = dataclasses.field(default_factory=dict, init=False)  # last answers

    @functools.cached_property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        """Cells and genes."""
        return int(np.count_nonzero(self.is_kept)), len(self.columns)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the file's numbers and of what was kept of them."""
        digest = hashlib.sha256(f"{self.content} {self.totals is not None}".encode())
        for array in (self.columns.astype(np.int64), self.is_kept):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def chunks(self) -> Chunks:
        """The cells, to be read as often as there are passes over them."""
        return Chunks(*self.shape, self.read_chunks)

    def read_chunks(self) -> Iterator[sparse.csr_array]:
        """The values of some cells after the others, [cell, gene] float32."""
        step = max(AT_ONCE // max(len(self.columns), len(self.rows.var), 1), 1)
        for start in range(0, len(self.rows), step):
            here = np.arange(start, min(start + step, len(self.rows)))
            block = self.rows.read(start, start + step)
            block.sum_duplicates()
            if not self.is_kept[here].all():
                block, here = block[np.flatnonzero(self.is_kept[here])], here[self.is_kept[here]]
            if len(here):
                totals = None if self.totals is None else self.totals[here]
                yield place_genes(scale_cells(block, totals), self.columns)

    @functools.cached_property
    def found_moments(self) -> Moments:
        """The moments, once they have been asked for."""
        return chunk_sums.sum_moments(self.chunks)

    def moments(self) -> Moments:
        """Of each gene."""
        return self.found_moments

    def correlate(self, tfs: np.ndarray, *, keep: bool = True) -> Float[np.ndarray, "tf gene"]:
        """Pearson r, float32; the last answer is kept unless told otherwise."""
        of, r = self.kept.get("correlations", (None, None))
        if of is None or not np.array_equal(of, tfs):
            r = chunk_sums.correlate(self.chunks, self.moments(), tfs).astype(np.float32)
            if keep:
                self.kept["correlations"] = np.array(tfs), r
        return r

    def find_components(self, count: int) -> Float[np.ndarray, "gene component"]:
        """Scores of the leading components."""
        return chunk_sums.find_scores(self.chunks, self.moments(), min(count, *self.shape))

    def take(self, order: np.ndarray, axis: int) -> "CellStream":
        """The genes at `order`; -1 for zeros."""
        if axis != 1:
            raise NotImplementedError("a stream of cells takes genes, not cells")
        columns = np.where(order < 0, -1, self.columns[order])
        return dataclasses.replace(self, columns=columns)

    @functools.cached_property
    def dense(self) -> Float[np.ndarray, "cell gene"]:
        """All values in memory."""
        found = self.write_out()
        size = f"{found.nbytes / GIB:,.1f} GiB of memory"
        logger.warning(f"{self.rows.name}: all cells are read into {size}, as single ones are read")
        return found

    def write_out(self) -> Float[np.ndarray, "cell gene"]:
        """All values, chunk by chunk.

        Raises:
            ExpressionFormatError: there is not enough memory for them.
        """
        (cells, genes), needed, free = self.shape, 4 * self.size, find_free()
        if needed > free:
            raise ExpressionFormatError(
                f"{self.rows.name}: {cells:,} cells x {genes:,} genes take {needed / GIB:,.1f} GiB "
                f"when single cells are read, and {free / GIB:,.1f} are free. Take fewer cells, "
                "genes or TFs, or --method=pearson, which reads cells in chunks."
            )
        found, first = np.empty(self.shape, np.float32), 0
        for chunk in self.read_chunks():
            chunk.toarray(out=found[first : first + chunk.shape[0]])
            first += chunk.shape[0]
        return found

    def read_genes(self, genes: Int[np.ndarray, " some"]) -> Float[np.ndarray, "cell some"]:
        """The values of some genes, each once, in memory."""
        return self.take(genes, axis=1).write_out()

    def __reduce__(self):
        raise ExpressionFormatError(
            f"{self.rows.name}: cells that stay in their file cannot be pickled; give "
            "grnjax.infer a folder=, which grnjax.read reads."
        )

    def to_dense(self) -> Float[np.ndarray, "cell gene"]:
        """All values in memory, which is said."""
        return self.dense


def scale_cells(block: sparse.csr_array, totals: np.ndarray | None) -> sparse.csr_array:
    """The values as `canonical.normalise_counts` leaves them, or as they are without totals."""
    data = round_once(block.data)
    if totals is not None:
        factors = COUNTS_PER_CELL / np.maximum(totals, 1)
        scaled = data.astype(np.float64) * np.repeat(factors, np.diff(block.indptr))
        data = np.log1p(scaled).astype(np.float32)
    return sparse.csr_array((data, block.indices, block.indptr), shape=block.shape)


def place_genes(block: sparse.csr_array, columns: np.ndarray) -> sparse.csr_array:
    """The block with its columns where the genes have them; each column is one gene at most."""
    is_there = columns >= 0
    if len(columns) == block.shape[1] and (columns == np.arange(len(columns))).all():
        return block
    place = np.full(block.shape[1], -1, np.int64)
    place[columns[is_there]] = np.flatnonzero(is_there)
    if np.count_nonzero(place >= 0) < np.count_nonzero(is_there):
        raise ValueError("a gene of a stream stands twice")
    indices = place[block.indices]
    kept = indices >= 0
    counts = np.concatenate([[0], np.cumsum(kept)])[block.indptr]
    content = block.data[kept], indices[kept], counts
    return sparse.csr_array(content, shape=(block.shape[0], len(columns)))
