"""Rows of an AnnData object a block at a time, on disk or in memory, for what never needs them all.

Of a file only names, tables and the pointers of its rows are held; the values of a block are read
when they are asked for, and their indices checked then. One that is stored by columns is turned
into rows on disk before (`columns_to_rows`).
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.annotated import name_layout, open_hdf5, read_annotated
from grnjax.data.columns_to_rows import turn_columns
from grnjax.data.names import list_names
from grnjax.data.safe_arrays import translate
from grnjax.data.safe_sparse import check_indices, check_pointers, check_sparse, to_native
from grnjax.data.sniff import identify
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

RAW = "raw"  # as a layer's name: .raw


@dataclasses.dataclass(frozen=True, eq=False)
class CellRows:
    """The cells of an object in their order, whose values are read in blocks."""

    name: str  # in messages
    obs: pd.DataFrame  # [cell]
    var: pd.DataFrame  # [gene]
    read_block: Callable[[int, int], Any]

    def __len__(self) -> int:
        return len(self.obs)

    def read(self, start: int, stop: int) -> sparse.csr_array:
        """The values [cell, gene] of the cells from `start` to before `stop`, in their own type."""
        with translate(self.name, "matrix", ExpressionFormatError):
            block = sparse.csr_array(to_native(self.read_block(start, min(stop, len(self)))))
        if block.dtype.kind not in "biuf":
            raise ExpressionFormatError(f"{self.name}: it holds {block.dtype}, not numbers.")
        return block

    def name_genes(self, column: str | None = None) -> np.ndarray:
        """The names of the columns, [gene] str, which may repeat: the index of var, or a column.

        Raises:
            ConfigError: there is no such column.
        """
        if column is not None and column not in self.var:
            raise ConfigError(
                f"{self.name}: .var has no column {column!r}; it has "
                f"{list_names(self.var.columns) or 'none'}."
            )
        names = self.var.index if column is None else self.var[column]
        return np.array(names, dtype=object).astype(str)

    def take_column(self, column: str) -> np.ndarray:
        """A column of numbers of obs, [cell] float64, such as the total counts.

        Raises:
            ConfigError: there is none, or it holds no numbers.
        """
        if column not in self.obs or not pd.api.types.is_numeric_dtype(self.obs[column]):
            numbers = [key for key in self.obs if pd.api.types.is_numeric_dtype(self.obs[key])]
            raise ConfigError(
                f"{self.name}: .obs has no column {column!r} of numbers; it has "
                f"{list_names(numbers) or 'none'}."
            )
        return self.obs[column].to_numpy(np.float64)


@contextlib.contextmanager
def open_rows(
    source: "str | Path | AnnData", *, layer: str | None = None, name: str = "AnnData object"
) -> Iterator[CellRows]:
    """The cells of a file or object, to be read in blocks while the context lasts.

    An .h5ad file and an object in backed mode stay on disk. Other kinds of files, and what is in
    memory anyhow, are held whole.

    Args:
        source: an AnnData object, or a path that `data.annotated.read_annotated` knows.
        layer: what to read in the place of X; raw is .raw.
        name: what messages call an object.

    Raises:
        ExpressionFormatError: no such file, layer or matrix, or one that is stored in no way that
            is known here.
        ConfigError: a view of an object in backed mode.
    """
    if isinstance(source, (str, Path)):
        if identify(source, ExpressionFormatError).kind == "hdf5":
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(open_hdf5(source, ExpressionFormatError))
                if name_layout(file) == "h5ad":
                    yield _open_file(file, str(source), None, layer, stack)
                    return
        source, name = read_annotated(source, ExpressionFormatError), str(source)
    if source.isbacked:
        if source.is_view:
            raise ConfigError(
                "A view of an AnnData object in backed mode cannot be read in blocks. Write it to "
                "a file of its own, or take it into memory (adata.to_memory())."
            )
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open_hdf5(source.filename, ExpressionFormatError))
            yield _open_file(file, str(source.filename), source, layer, stack)
        return
    values, var = _find_in_memory(source, layer, name)
    yield CellRows(name, source.obs, var, lambda i, j: values[i:j])


def _find_in_memory(data: "AnnData", layer: str | None, name: str) -> tuple[Any, pd.DataFrame]:
    """The matrix, by rows, and its var."""
    if layer in (None, "X"):
        values, var = data.X, data.var
    elif layer in data.layers:
        values, var = data.layers[layer], data.var
    elif layer == RAW and data.raw is not None:
        values, var = data.raw.X, data.raw.var
    else:
        raise ExpressionFormatError(_describe_lacking(layer, list(data.layers), name))
    if values is None:
        raise ExpressionFormatError(f"{name}: X is empty; name a layer.")
    check_sparse(values, f"{name}: {layer or 'X'}", ExpressionFormatError)
    if sparse.issparse(values) and values.format != "csr":
        logger.info("%s: stored as %s, turned into rows in memory", name, values.format)
        values = values.tocsr()
    return values if sparse.issparse(values) else np.asarray(values), var


def _open_file(
    file,
    name: str,
    data: "AnnData | None",
    layer: str | None,
    stack: contextlib.ExitStack,
) -> CellRows:
    """The rows of an open .h5ad file; tables are those of the object where there is one.

    Args:
        stack: closes what is open for them.
    """
    from anndata.io import read_elem

    place = {None: "X", "X": "X", RAW: "raw/X"}.get(layer, f"layers/{layer}")
    if place not in file:
        raise ExpressionFormatError(_describe_lacking(layer, list(file.get("layers", ())), name))
    with translate(name, ".h5ad file", ExpressionFormatError):
        obs = read_elem(file["obs"]) if data is None else data.obs
        var = read_elem(file["raw/var" if layer == RAW else "var"])
    if data is not None:
        var = data.raw.var if layer == RAW else data.var
    matrix, shape = file[place], (len(obs), len(var))
    where = f"{name}: {place}"
    if hasattr(matrix, "keys"):
        return CellRows(name, obs, var, _read_sparse(matrix, shape, where, stack))
    return CellRows(name, obs, var, _read_dense(matrix, shape, where))


def _read_dense(matrix, shape: tuple[int, int], where: str) -> Callable[[int, int], Any]:
    if matrix.shape != shape:
        raise ExpressionFormatError(
            f"{where}: {matrix.shape} numbers for {shape[0]:,} cells and {shape[1]:,} genes."
        )
    return lambda start, stop: matrix[start:stop]


def _read_sparse(
    group, shape: tuple[int, int], where: str, stack: contextlib.ExitStack
) -> Callable[[int, int], Any]:
    """Blocks of a matrix that is stored by rows, or by columns."""
    form = str(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "")))
    stored = tuple(map(int, group.attrs.get("shape", group.attrs.get("h5sparse_shape", ()))))
    by_columns = "csc" in form
    if "csr" not in form and not by_columns:
        raise ExpressionFormatError(
            f"{where}: it is stored as {form or 'something unknown'}, and only rows or columns can "
            "be read in blocks. Write it by rows: adata.X = adata.X.tocsr(); "
            "adata.write_h5ad('x.h5ad')."
        )
    if stored != shape:
        raise ExpressionFormatError(
            f"{where}: {stored} values for {shape[0]:,} cells and {shape[1]:,} genes."
        )
    indptr, indices, data = group["indptr"][()], group["indices"], group["data"]
    check_pointers(indptr, shape[by_columns], len(indices), where, ExpressionFormatError)
    if data.shape != indices.shape:
        raise ExpressionFormatError(
            f"{where} is damaged: it has {data.shape} values and {indices.shape} indices."
        )
    if by_columns:
        turned = turn_columns(group, indptr, shape, where, ExpressionFormatError)
        return stack.enter_context(turned)

    def read(start: int, stop: int) -> sparse.csr_array:
        own = slice(int(indptr[start]), int(indptr[stop]))
        columns = indices[own]
        check_indices(columns, shape[1], where, ExpressionFormatError)
        pointers = indptr[start : stop + 1] - indptr[start]
        return sparse.csr_array((data[own], columns, pointers), shape=(stop - start, shape[1]))

    return read


def _describe_lacking(layer: str | None, layers: list[str], name: str) -> str:
    return f"{name}: no layer {layer or 'X'!r}; it has {list_names(layers) or 'none'}."
