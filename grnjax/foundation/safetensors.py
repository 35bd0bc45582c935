"""Arrays in the safetensors format, through the package of that name.

Its parser is compiled, executes nothing, and takes a header of 100 MB at most that accounts for
each byte of the file, so no size is believed that the file has no room for.
"""

from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

from grnjax.errors import CheckpointError
from grnjax.storage.files import replace_whole

KINDS = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ml_dtypes.bfloat16)
DTYPES = frozenset(np.dtype(kind) for kind in KINDS)


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; they cannot be written to.

    Raises:
        CheckpointError: an array is of a type that no model has.
        SafetensorError: the file is damaged, or of another form.
    """
    arrays = load_file(path)
    for name, array in arrays.items():
        if array.dtype not in DTYPES:
            raise CheckpointError(f"{path}: {name} is of type {array.dtype}, which no model has.")
        array.flags.writeable = False
    return arrays


def write_safetensors(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the arrays as torch's programs read them; the file is whole or not there.

    Raises:
        TypeError: an array is of a type that no model has.
    """
    for name, array in arrays.items():
        if array.dtype not in DTYPES:
            raise TypeError(f"{name} is of type {array.dtype}, which no model has")
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replace_whole(path) as beside:
        save_file(dense, beside, metadata={"format": "pt"})
