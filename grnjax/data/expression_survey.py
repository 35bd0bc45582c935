"""What must be known of expression before it is scaled, found in one pass over chunks of cells."""

import dataclasses
import hashlib

import numpy as np
from scipy import sparse

from grnjax.data.cell_rows import CellRows
from grnjax.data.cell_stream import AT_ONCE, place_genes
from grnjax.data.expression import DataConfig, check_values
from grnjax.data.tables import round_once
from grnjax.progress import ProgressBar


@dataclasses.dataclass(eq=False)
class Survey:
    """Figures of the values as they stand in the file; `columns` are those of its genes.

    Figures are of the cells that are kept, and of genes whose name stands once; what those whose
    name is repeated have is kept, and counted when it is known which of them stay (`add_genes`).
    """

    is_kept: np.ndarray  # [cell] bool: a cell, with any expression
    totals: np.ndarray  # [cell] float64
    repeated: np.ndarray  # [cell of those kept, repeated column] float32
    zero_cells: int
    is_whole: bool
    largest: float
    content: str  # SHA-256 of all numbers of the file

    def add_genes(self, values: np.ndarray) -> None:
        """Counts more genes, [kept cell, gene]."""
        if values.size:
            self.totals[self.is_kept] += values.sum(axis=1, dtype=np.float64)
            self.is_whole &= bool((values == np.rint(values)).all())
            self.largest = max(self.largest, float(values.max()))


def survey_cells(
    rows: CellRows,
    config: DataConfig,
    *,
    is_cell: np.ndarray,
    measured: np.ndarray,
    once: np.ndarray,
    repeated: np.ndarray,
) -> Survey:
    """Reads all cells once.

    Args:
        is_cell: mask of the rows that are cells.
        measured: columns of the file that are checked, and of which a cell must express one.
        once: those of genes whose name stands once.
        repeated: those of genes whose name is repeated.

    Raises:
        ExpressionFormatError: values that are missing, infinite, or negative and not meant to be.
    """
    cells = len(rows)
    is_kept, totals, kept_repeated = np.zeros(cells, bool), np.zeros(cells), []
    digests = [hashlib.sha256() for _ in range(3)]
    is_whole, largest = True, -np.inf
    step = max(AT_ONCE // max(len(rows.var), 1), 1)
    with ProgressBar(cells, f"looking through {rows.name}", unit="cell") as bar:
        for start in range(0, cells, step):
            block = rows.read(start, start + step)
            block.sum_duplicates()
            block = sparse.csr_array(
                (round_once(block.data), block.indices, block.indptr), shape=block.shape
            )
            here = slice(start, start + block.shape[0])
            sizes = np.diff(block.indptr).astype(np.int64)
            arrays = block.data, block.indices.astype(np.int32), sizes  # whatever the chunks
            for digest, array in zip(digests, arrays, strict=True):
                digest.update(np.ascontiguousarray(array).data)
            checked = place_genes(block, measured)
            check_chunk(checked, rows, measured, here, config)
            is_kept[here] = is_cell[here] & (sum_rows(checked.data != 0, checked.indptr) > 0)
            own = place_genes(block, once)[np.flatnonzero(is_kept[here])]
            totals[here][is_kept[here]] = sum_rows(own.data, own.indptr)
            if own.nnz:
                is_whole &= bool((own.data == np.rint(own.data)).all())
                largest = max(largest, float(own.data.max()))
            if own.nnz < own.shape[0] * own.shape[1]:
                largest = max(largest, 0.0)
            several = place_genes(block, repeated)[np.flatnonzero(is_kept[here])]
            kept_repeated.append(several.toarray())
            bar.update(block.shape[0])
    content = hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()
    zero_cells = int(np.count_nonzero(is_cell & ~is_kept))
    return Survey(
        is_kept, totals, np.concatenate(kept_repeated), zero_cells, is_whole, largest, content
    )


def check_chunk(
    chunk: sparse.csr_array, rows: CellRows, columns: np.ndarray, here: slice, config: DataConfig
) -> None:
    """Refuses what `check_values` refuses, and says in which cells."""
    data = chunk.data
    if np.isfinite(data).all() and (config.scaled or data.min(initial=0) >= 0):
        return
    names = rows.name_genes()[columns].tolist()
    where = f"{rows.name}, cells {here.start + 1:,} to {here.stop:,}"
    check_values(chunk.toarray(), names, rows.obs.index[here].astype(str).tolist(), config, where)


def sum_rows(values: np.ndarray, pointers: np.ndarray) -> np.ndarray:
    """The sum of each row's stored values, float64."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.diff(sums[pointers])
