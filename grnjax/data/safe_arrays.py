"""Arrays of .npz and columns of .parquet files, whose sizes are checked before they are read."""

import contextlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grnjax.data.safe_hdf5 import Budget, limit_memory
from grnjax.errors import GrnjaxError

if TYPE_CHECKING:
    from pyarrow import parquet

LAST_LETTER = 0x10FFFF  # the highest code of Unicode


@contextlib.contextmanager
def translate(path: str | Path, what: str, error: type[GrnjaxError]) -> Iterator[None]:
    """Turns whatever a library raises about bytes that it cannot parse into `error`, one sentence.

    Libraries raise of every class: zipfile alone has seven. Our own errors pass.
    """
    try:
        yield
    except GrnjaxError:
        raise
    except Exception as problem:
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
        if isinstance(problem, (MemoryError, RecursionError)):
            reason = "damaged, too large or too deep"
        raise error(f"{path}: not a readable {what} ({reason.rstrip('.')}).") from problem


def read_npz(
    path: str | Path, names: tuple[str, ...], error: type[GrnjaxError]
) -> list[np.ndarray]:
    """The arrays of an .npz file by name, numbers or text, no larger than the file can hold."""
    with translate(path, ".npz file", error), limit_memory(path), zipfile.ZipFile(path) as archive:
        budget = Budget(os.path.getsize(path), path, error)
        return [read_member(archive, name, budget) for name in names]


def read_member(archive: zipfile.ZipFile, name: str, budget: Budget) -> np.ndarray:
    """One array of an .npz file, whose header is checked before there is memory for it."""
    path, error = budget.path, budget.error
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if name not in members:
        there = ", ".join(members) or "nothing"
        raise error(f"{path}: it holds {there}; an array {name} is needed.")
    with archive.open(members[name]) as member:
        shape, dtype = read_header(member)
        if dtype.hasobject:
            raise error(
                f"{path}: {name} holds Python objects, and reading those could execute code. "
                f"Save it with {name}.astype(str) or .astype('float32')."
            )
        if dtype.kind not in "biufUS":
            raise error(f"{path}: {name} holds {dtype}, neither numbers nor text.")
        budget.spend(name, shape, dtype.itemsize)
    with archive.open(members[name]) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
    if dtype.kind == "U":
        codes = np.ascontiguousarray(array).reshape(-1).view(dtype.byteorder + "u4")
        if (codes > LAST_LETTER).any() or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise error(f"{path}: {name} holds text with codes that are no letters. Save it again.")
    return array


def read_header(member: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array of an .npy file."""
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):  # 3.0 differs in letters beyond Latin-1 only
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)
    return shape, dtype


def check_parquet(file: "parquet.ParquetFile", path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses a parquet file whose columns, read into memory, are far larger than the file.

    One long text in a dictionary page can stand in millions of rows, so texts are read as
    dictionaries first, and their lengths added up.
    """
    from pyarrow import compute, types

    budget = Budget(os.path.getsize(path), path, error)
    about = file.metadata
    budget.spend("its table", (about.num_rows, about.num_columns), 8)
    for group in range(about.num_row_groups):
        budget.spend(f"row group {group}", (about.row_group(group).total_byte_size,), 1)
    kinds = (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    texts = [field.name for field in file.schema_arrow if any(kind(field.type) for kind in kinds)]
    for batch in type(file)(path, read_dictionary=texts).iter_batches(columns=texts):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            lengths = compute.binary_length(column.dictionary)
            budget.spend(name, (compute.sum(lengths.take(column.indices)).as_py() or 0,), 1)
