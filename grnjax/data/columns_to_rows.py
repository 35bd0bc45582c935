"""A sparse matrix that is stored by columns, read by rows: turned once, on disk.

Some columns at a time become rows, which lie in files of their own until the context ends; rows of
all columns are these side by side. Memory holds one such part, whatever the number of cells.
"""

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from grnjax.data.safe_sparse import check_indices, to_native
from grnjax.errors import GrnjaxError
from grnjax.progress import logger

AT_ONCE = 2**24  # values of a part, unless one column has more


@dataclasses.dataclass(frozen=True)
class Part:
    """Some columns, by rows, in three files."""

    folder: Path
    shape: tuple[int, int]
    types: dict[str, np.dtype]

    def load(self, name: str, start: int, count: int) -> np.ndarray:
        """Numbers of one of the files."""
        kind = self.types[name]
        return np.fromfile(self.folder / name, kind, count, offset=start * kind.itemsize)

    def read(self, start: int, stop: int) -> sparse.csr_array:
        """The rows from `start` to before `stop`."""
        pointers = self.load("pointers", start, stop - start + 1)
        first, count = int(pointers[0]), int(pointers[-1] - pointers[0])
        data, indices = self.load("data", first, count), self.load("indices", first, count)
        shape = stop - start, self.shape[1]
        return sparse.csr_array((data, indices, pointers - pointers[0]), shape=shape)


@contextlib.contextmanager
def turn_columns(
    group: Any, pointers: np.ndarray, shape: tuple[int, int], where: str, error: type[GrnjaxError]
) -> Iterator[Callable[[int, int], sparse.csr_array]]:
    """What reads rows of an HDF5 group of `data` and `indices` that is stored by columns.

    Args:
        pointers: where each column begins, checked.
        where: what messages call the matrix.
        error: raised for a damaged index, and where the disk has no room.
    """
    values, free = group["data"], shutil.disk_usage(tempfile.gettempdir()).free
    needed = len(values) * (values.dtype.itemsize + 4) + 8 * shape[0]
    place = tempfile.gettempdir()
    if needed > free:
        raise error(
            f"{where}: it is stored by columns, and to read it by rows {needed / 1e9:,.1f} GB are "
            f"needed on the disk of {place}, which has {free / 1e9:,.1f}. Set TMPDIR to another "
            "folder, or write it by rows: adata.X = adata.X.tocsr()."
        )
    logger.info(f"{where}: stored by columns; its rows are put into {place} while it is read")
    with tempfile.TemporaryDirectory(prefix="grnjax-rows-") as folder:
        parts = []
        for first, last in cut_columns(pointers):
            own = slice(int(pointers[first]), int(pointers[last]))
            rows = group["indices"][own]
            check_indices(rows, shape[0], where, error)
            content = to_native(values[own]), rows, pointers[first : last + 1] - pointers[first]
            by_column = sparse.csc_array(content, shape=(shape[0], last - first))
            parts.append(write_part(Path(folder) / str(len(parts)), by_column.tocsr()))
        yield lambda start, stop: sparse.csr_array(
            sparse.hstack([part.read(start, stop) for part in parts], format="csr")
        )


def cut_columns(pointers: np.ndarray) -> Iterator[tuple[int, int]]:
    """The first column of each part, and the first beyond it."""
    first, columns = 0, len(pointers) - 1
    while first < columns:
        last = int(np.searchsorted(pointers, pointers[first] + AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), columns)
        yield first, last
        first = last


def write_part(folder: Path, rows: sparse.csr_array) -> Part:
    """Keeps some columns by rows."""
    folder.mkdir()
    arrays = {"pointers": rows.indptr, "indices": rows.indices, "data": rows.data}
    for name, array in arrays.items():
        array.tofile(folder / name)
    return Part(folder, rows.shape, {name: array.dtype for name, array in arrays.items()})
