"""Files opened: text tables, plain or gzipped, parquet tables, .h5ad files and .zarr folders.

Every complaint names the file and is of the class that the caller passes as `error`, because
only the caller knows whether the file was meant to be a network or an expression matrix.
"""

import contextlib
import csv
import dataclasses
import gzip
import io
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.errors import GrnjaxError

ANNOTATED = (".h5ad", ".zarr")
NEEDS_PYARROW = "parquet files need pyarrow, which pip install 'grnjax[formats]' brings."
MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}


def read_rows(path: str | Path, error: type[GrnjaxError]) -> Iterator[list[str]]:
    """Yields the fields of each line that is not blank.

    Tab, comma or blanks separate the fields, whichever the first line has, and gzip is
    recognised by its first bytes: neither depends on the name of the file.
    """
    is_empty = True
    try:
        with open(path, "rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
            for fields in split_lines(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")):
                is_empty = False
                yield fields
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise error(f"{path}: the gzip file is truncated or damaged ({problem}).") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise error(f"{path}: not a text table ({problem}).") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}).") from problem
    if is_empty:
        raise error(f"{path}: the file is empty.")


def split_lines(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yields the fields of each line that is not blank, without their quotes."""
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((mark for mark in "\t," if mark in first), None)
    lines = itertools.chain([first], lines)
    if delimiter is None:
        rows = ([field.strip('"') for field in line.split()] for line in lines)
    else:
        rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return (fields for fields in rows if any(fields))


def read_table_rows(
    path: str | Path, error: type[GrnjaxError]
) -> tuple[list[str], Iterator[list[str]]]:
    """The headings of a text table, and the fields of each row, as many as there are headings.

    R writes no heading over the names of the rows; it becomes "".
    """
    lines = read_rows(path, error)
    headings = [field.strip() for field in next(lines)]
    first = next(lines, None)
    if first is not None and len(first) == len(headings) + 1:
        headings = ["", *headings]
    lines = [] if first is None else itertools.chain([first], lines)
    return headings, check_widths(lines, len(headings), path, error)


def check_widths(
    lines: Iterable[list[str]], width: int, path: str | Path, error: type[GrnjaxError]
) -> Iterator[list[str]]:
    """Yields the lines, each of which must have this many fields."""
    for number, fields in enumerate(lines, start=1):
        if len(fields) != width:
            raise error(
                f"{path}: row {number} ({fields[0]}) has {len(fields):,} fields where {width:,} "
                "are expected."
            )
        yield fields


@dataclasses.dataclass(frozen=True, eq=False)
class NamedMatrix:
    """A matrix of numbers with the names of its rows and columns, as the file has it."""

    values: np.ndarray  # [row, column] float32
    rows: list[str]
    columns: list[str]


def read_text_matrix(path: str | Path, error: type[GrnjaxError]) -> NamedMatrix:
    """The numbers of a text table whose first line and first column hold names.

    Each number is parsed in float64 and rounded once, so that a text file and an .h5ad file of
    the same values give the same bits. Missing entries become NaN.
    """
    (_, *columns), lines = read_table_rows(path, error)
    rows, values = [], []
    for fields in lines:
        rows.append(fields[0].strip())
        values.append(parse_numbers(fields[1:], path, rows[-1], columns, error))
    if not values or not columns:
        raise error(f"{path}: no matrix found: one line or one column only.")
    check_matrix_names(rows, columns, path, error)
    return NamedMatrix(np.stack(values), rows, columns)


def check_matrix_names(
    rows: list[str], columns: list[str], path: str | Path, error: type[GrnjaxError]
) -> None:
    """Refuses measurements where the names of the rows and columns should stand."""
    for axis, names in (("first line", columns), ("first column", rows)):
        if hold_measurements(names):
            raise error(
                f"{path}: the {axis} holds numbers ({', '.join(names[:3])}) where names are "
                "expected. Add the names of the genes and of the cells."
            )


def parse_numbers(
    fields: list[str], path: str | Path, row: str, columns: list[str], error: type[GrnjaxError]
) -> np.ndarray:
    """One row of a matrix as float32."""
    try:
        numbers = np.array(fields, dtype=np.float64)
    except ValueError:
        fields = ["nan" if field.strip().lower() in MISSING else field for field in fields]
        for field, column in zip(fields, columns, strict=True):
            if not is_number(field):
                raise error(
                    f"{path}: {field!r} at row {row}, column {column} is not a number."
                ) from None
        numbers = np.array(fields, dtype=np.float64)
    return round_once(numbers)


def round_once(numbers: np.ndarray) -> np.ndarray:
    """The numbers as float32 without negative zeros; what is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32) + np.float32(0)


def is_number(field: str) -> bool:
    """Whether the text reads as a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def hold_measurements(names: list[str]) -> bool:
    """Whether the names are numbers that cannot be running numbers: broken or repeated ones."""
    if not all(is_number(name) for name in names):
        return False
    return len(set(names)) < len(names) or not all(float(name).is_integer() for name in names)


def read_parquet(path: str | Path, error: type[GrnjaxError]) -> pd.DataFrame:
    """The table of a parquet file; what pandas or another program saved as its index is that."""
    with open_parquet(path, error) as file:
        return file.read().to_pandas()


@contextlib.contextmanager
def open_parquet(path: str | Path, error: type[GrnjaxError]):
    """A `pyarrow.parquet.ParquetFile`; what fails while it is open is a complaint of the path."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as problem:
        raise error(f"{path}: {NEEDS_PYARROW}") from problem
    try:
        with open(path, "rb") as stream:
            yield parquet.ParquetFile(stream)
    except (pyarrow.ArrowException, OSError) as problem:
        reason = getattr(problem, "strerror", None) or f"not a readable parquet file: {problem}"
        raise error(f"{path}: {reason}.") from problem


def read_parquet_matrix(path: str | Path, error: type[GrnjaxError]) -> NamedMatrix:
    """The numbers of a parquet table; its index or else its first column names the rows.

    Without either, the rows go by their running numbers: cells need no names.
    """
    frame = read_parquet(path, error)
    if isinstance(frame.index, pd.RangeIndex) and len(frame.columns):
        first = frame.iloc[:, 0]
        if not pd.api.types.is_numeric_dtype(first):
            frame = frame.iloc[:, 1:].set_axis(first, axis=0)
    if frame.empty:
        raise error(f"{path}: no matrix found: no rows or no columns of numbers.")
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(dtype):
            raise error(f"{path}: column {column} holds {dtype}, not numbers.")
    rows, columns = list(map(str, frame.index)), list(map(str, frame.columns))
    check_matrix_names(rows, columns, path, error)
    return NamedMatrix(round_once(frame.to_numpy(np.float64, na_value=np.nan)), rows, columns)


def read_annotated(path: str | Path, error: type[GrnjaxError]):
    """The AnnData object of an .h5ad file or a .zarr folder."""
    return (read_zarr if Path(path).suffix == ".zarr" else read_h5ad)(path, error)


def read_h5ad(path: str | Path, error: type[GrnjaxError]):
    """The AnnData object of an .h5ad file."""
    import anndata
    import h5py

    if not os.path.isfile(path):
        raise error(f"{path}: no such file.")
    try:
        with h5py.File(path) as file:
            is_annotated = "obs" in file and "var" in file
        if is_annotated:
            return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as problem:
        raise error(f"{path}: not a readable .h5ad file ({problem}).") from problem
    raise error(f"{path}: not an .h5ad file: it is HDF5, but without obs and var.")


def read_zarr(path: str | Path, error: type[GrnjaxError]):
    """The AnnData object of a .zarr folder.

    Of all that zarr can hold, only pickled arrays may execute code when read; they are refused.
    """
    import anndata
    import zarr

    if not os.path.isdir(path):
        raise error(f"{path}: no such folder.")
    try:
        store = zarr.open_group(str(path), mode="r")
        for name, array in store.members(max_depth=None):
            metadata = array.metadata.to_dict()
            codecs = [metadata.get(key) for key in ("filters", "compressor", "codecs")]
            if "pickle" in str(codecs).lower():
                raise error(f"{path}: {name} is pickled, so reading it could execute code.")
        if "obs" in store and "var" in store:
            return anndata.io.read_zarr(store)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as problem:
        raise error(f"{path}: not a readable .zarr folder ({problem}).") from problem
    raise error(f"{path}: not an AnnData folder: it is zarr, but without obs and var.")


def to_dense(values) -> np.ndarray:
    """A sparse or dense matrix of any number type as dense float32."""
    values = values.toarray() if sparse.issparse(values) else np.asarray(values)
    return round_once(values)
