"""Sparse matrices checked before any product: a wrong index in one ends the interpreter.

Neither AnnData nor scipy looks at the indices that a file or another program gives.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from grnjax.errors import ExpressionFormatError, GrnjaxError
from grnjax.storage.memory import find_total

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

PARTS = ("layers", "obsm", "varm", "obsp", "varp")


def check_annotated(data: "AnnData", path: object, error: type[GrnjaxError]) -> None:
    """Refuses AnnData with a sparse matrix, in any of its parts, that `check_sparse` refuses."""
    matrices: dict[str, Any] = {"X": data.X}
    if data.raw is not None:
        matrices["raw.X"] = data.raw.X
    for part in PARTS:
        held: Mapping[str, Any] = getattr(data, part)
        matrices |= {f"{part}[{key!r}]": held[key] for key in held}
    for name, matrix in matrices.items():
        check_sparse(matrix, f"{path}: {name}", error)


def check_sparse(matrix: Any, where: str, error: type[GrnjaxError]) -> None:
    """Refuses a sparse matrix whose pointers or indices are out of range; passes all else."""
    if not sparse.issparse(matrix):
        return
    if matrix.format == "coo":
        for size, places in zip(matrix.shape, matrix.coords, strict=True):
            check_indices(places, size, where, error)
    elif matrix.format in ("csr", "csc"):
        size, across = matrix.shape if matrix.format == "csr" else matrix.shape[::-1]
        check_pointers(matrix.indptr, size, len(matrix.indices), where, error)
        check_indices(matrix.indices, across, where, error)
        if len(matrix.data) != len(matrix.indices):
            raise error(
                f"{where} is damaged: it has {len(matrix.data):,} values and "
                f"{len(matrix.indices):,} indices. Write it again."
            )


def check_pointers(
    pointers: Any, size: int, count: int, where: str, error: type[GrnjaxError]
) -> None:
    """Refuses pointers that do not rise from 0 to `count` in `size` steps."""
    pointers = np.asarray(pointers)
    if (
        pointers.dtype.kind not in "iu"
        or pointers.shape != (size + 1,)
        or pointers[0] != 0
        or pointers[-1] != count
        or (pointers[1:] < pointers[:-1]).any()
    ):
        raise error(
            f"{where} is damaged: its pointers ({pointers.size:,} from {pointers[:1]} to "
            f"{pointers[-1:]}) do not rise from 0 to {count:,} in {size:,} steps. Write it again."
        )


def check_indices(indices: Any, size: int, where: str, error: type[GrnjaxError]) -> None:
    """Refuses indices that are not whole numbers from 0 to below `size`."""
    indices = np.asarray(indices)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise error(f"{where} is damaged: its indices are {indices.dtype} of {indices.ndim}-d.")
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        raise error(
            f"{where} is damaged: its indices run from {indices.min():,} to {indices.max():,} "
            f"where {size:,} places are. Write it again."
        )


def to_native(values: Any) -> Any:
    """A matrix as scipy takes it: half precision as float32, and bytes in this machine's order."""
    kind = values.dtype
    if kind.kind == "f" and kind.itemsize == 2:
        return values.astype(np.float32)
    return values if kind.isnative else values.astype(kind.newbyteorder("="))


def check_memory(shape: tuple[int, ...]) -> None:
    """Refuses a matrix that takes more than the machine's memory when all its zeros are written."""
    needed = 4 * math.prod(map(int, shape))
    there = find_total()
    if needed > there:
        raise ExpressionFormatError(
            f"a sparse matrix of {' x '.join(f'{size:,}' for size in shape)} takes "
            f"{needed / 2**30:,.0f} GiB with its zeros, and this machine has "
            f"{there / 2**30:,.0f}. Keep the cells that passed a filter, as in "
            "filtered_feature_bc_matrix of 10x."
        )
