"""Arrays written in the safetensors format: a header in JSON, and the numbers after it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from grnjax.foundation.reader import DTYPES
from grnjax.storage.files import replace_whole

ALIGNMENT = 8  # bytes; the header is padded with spaces


def write_safetensors(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the arrays, one after the other by type and name; the file is whole or not there.

    Raises:
        TypeError: an array is of a type that the format has not.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    for name, array in arrays.items():
        if array.dtype not in names:
            raise TypeError(f"{name} is of type {array.dtype}, which safetensors has not")
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # so all are aligned
    header: dict = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        start, end = end, end + arrays[name].nbytes
        about = {"dtype": names[arrays[name].dtype], "shape": [*arrays[name].shape]}
        header[name] = {**about, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    with replace_whole(path) as beside, open(beside, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
