"""Files opened: text tables, plain or gzipped, and parquet tables.

Every complaint names the file and is of the class that the caller passes as `error`, because
only the caller knows whether the file was meant to be a network or an expression matrix.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.dialect import is_number, split_lines
from grnjax.data.safe_arrays import check_parquet, translate
from grnjax.data.safe_hdf5 import limit_memory
from grnjax.data.safe_sparse import check_memory
from grnjax.data.safe_text import read_lines, tell_unreadable
from grnjax.data.sniff import check_text
from grnjax.errors import GrnjaxError

NEEDS_PYARROW = "parquet files need pyarrow, which pip install 'grnjax[formats]' brings."
MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
NAMELESS = MISSING | {"---", "--", "-", ".", "?", "#n/a"}  # in the place of a name


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of the files that is there, plain or gzipped."""
    candidates = (folder / (name + suffix) for name in names for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def read_rows(path: str | Path, error: type[GrnjaxError]) -> Iterator[list[str]]:
    """Yields the fields of each line that is neither blank nor a comment.

    `dialect.split_lines` sees from the first lines what separates the fields, and gzip is
    recognised by its first bytes: neither depends on the name of the file.
    """
    is_empty = True
    with tell_unreadable(path, error):
        check_text(path, error)
        with open(path, "rb") as raw:
            for fields in split_lines(read_lines(raw, path, error), path):
                is_empty = False
                yield fields
    if is_empty:
        raise error(f"{path}: the file is empty, blank lines and comments aside.")


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
    corner: str = ""  # what a text table has above the names of its rows
    about: pd.DataFrame | None = None  # what else is known of the rows: .obs of AnnData


def read_text_matrix(
    path: str | Path, error: type[GrnjaxError], *, rows_have_names: bool = True
) -> NamedMatrix:
    """The numbers of a text table whose first line and first column hold names.

    Each number is parsed in float64 and rounded once, so that a text file and an .h5ad file of
    the same values give the same bits. Missing entries become NaN.

    Args:
        rows_have_names: whether numbers that can be no names are refused in the first column.
    """
    (corner, *columns), lines = read_table_rows(path, error)
    rows, values = [], []
    for fields in lines:
        rows.append(fields[0].strip())
        values.append(parse_numbers(fields[1:], path, rows[-1], columns, error))
    if not values or not columns:
        raise error(f"{path}: no matrix found: one line or one column only.")
    check_matrix_names(rows if rows_have_names else [""], columns, path, error)
    matrix = np.empty((len(rows), len(columns)), np.float32)
    for row in reversed(range(len(rows))):
        matrix[row] = values.pop()  # each is freed as it goes, so that none is held twice
    return NamedMatrix(matrix, rows, columns, corner)


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


def is_position(text: str) -> bool:
    """Whether the text is a whole number of at most 15 digits, as no place or index exceeds."""
    return len(text.strip()) <= 15 and text.strip().isdecimal()


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
        from pyarrow import parquet
    except ImportError as problem:
        raise error(f"{path}: {NEEDS_PYARROW}") from problem
    try:
        stream = open(path, "rb")
    except OSError as problem:
        raise error(f"{path}: {problem.strerror}.") from problem
    with stream, translate(path, "parquet file", error), limit_memory(path):
        file = parquet.ParquetFile(stream)
        check_parquet(file, path, error)
        yield file


def read_parquet_matrix(path: str | Path, error: type[GrnjaxError]) -> NamedMatrix:
    """The numbers of a parquet table; its index or else its first column names the rows.

    Without either, the rows go by their running numbers: cells need no names.
    """
    return name_frame(read_parquet(path, error), path, error)


def name_frame(frame: pd.DataFrame, path: str | Path, error: type[GrnjaxError]) -> NamedMatrix:
    """The numbers of a data frame, named as `read_parquet_matrix` says."""
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


def to_dense(values) -> np.ndarray:
    """A sparse or dense matrix of any number type as dense float32."""
    if sparse.issparse(values):
        check_memory(values.shape)
        values = values.toarray()
    return round_once(np.asarray(values))
