"""Weights and dictionaries of published models as numpy arrays, from files that nobody vouches for.

Three forms hold weights: .safetensors, a header in JSON and the numbers after it; the zip archive
that torch has written since 1.6 (.pth, .pt, .bin, .ckpt), a pickle and one member of raw numbers a
storage; and what torch wrote before, pickles with the storages after them. None needs torch. A
pickle is interpreted as data (`pickles.py`), the archive's own checksums are compared, which torch
leaves out, and no size is believed that the file has no room for. The other forms have no checksum:
only the SHA-256 of the file, kept with what was made of it, can tell that a bit has changed.
"""

import contextlib
import io
import json
import os
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from grnjax.data.safe_arrays import translate
from grnjax.errors import CheckpointError
from grnjax.foundation.pickle_values import Storage
from grnjax.foundation.pickles import list_storages, read_pickle
from grnjax.foundation.safetensors import read_safetensors

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"  # begins a pickle of protocol 2 or later
LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."  # torch's before 1.6
LEGACY_PICKLES = 5


def read_checkpoint(path: str | Path) -> dict:
    """What a file of weights holds: dicts, lists, text and numbers as they are nested there.

    Tensors are numpy arrays of the type they are stored in, bfloat16 included; they cannot be
    written to, and tied ones share memory. The form is told by the file's first bytes.

    Args:
        path: .safetensors, or .pth, .pt, .bin, .ckpt as torch writes them.

    Raises:
        CheckpointError: the file is damaged, or names anything that is no weights.
    """
    with translate(path, "file of weights", CheckpointError), open(path, "rb") as file:
        start, size = file.read(len(LEGACY)), os.path.getsize(path)
        if _begins_safetensors(start, size):  # whose first bytes are a number
            found: Any = read_safetensors(path)
        elif start == LEGACY:
            found = _read_legacy(path)
        elif start.startswith(ZIP):
            found = _read_torch(path)
        elif start.startswith(PICKLE):
            found = _read_bare_pickle(path)
        else:
            raise CheckpointError(
                f"{path}: {size:,} bytes that begin neither a torch archive, nor a pickle, nor "
                "safetensors; the file is cut short or of another form. Fetch it again."
            )
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, not weights by name.")
    return found


def read_dictionary(path: str | Path) -> dict:
    """A side dictionary, such as tokens by gene: a pickle or JSON, read as plain values.

    Numbers of numpy become Python's, so that both forms of one dictionary are equal.

    Raises:
        CheckpointError: the file is damaged, holds no dictionary, or names anything that is no part
            of one.
    """
    if Path(path).suffix == ".json":
        return read_json(path)
    with translate(path, "dictionary", CheckpointError):
        found = _read_bare_pickle(path)
    return _check_dictionary(path, found)


def read_json(path: str | Path) -> dict:
    """A config file or dictionary in JSON, whatever its name ends in.

    Raises:
        CheckpointError: the file is damaged or holds no dictionary.
    """
    with translate(path, "dictionary in JSON", CheckpointError):
        found = json.loads(Path(path).read_bytes())
    return _check_dictionary(path, found)


def _check_dictionary(path: str | Path, found: Any) -> dict:
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds a {type(found).__name__}, not a dictionary.")
    return found


def name_arrays(tree: dict, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of nested dicts by their keys, joined with dots; other values are left out."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from name_arrays(value, f"{prefix}{key}.")
        elif isinstance(value, np.ndarray):
            yield f"{prefix}{key}", value


# Pickles


def _read_bare_pickle(path: str | Path) -> Any:
    with _name_file(path):
        return read_pickle(Path(path).read_bytes())


@contextlib.contextmanager
def _name_file(path: str | Path) -> Iterator[None]:
    """Errors about a pickle begin with the name of its file."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}.") from error


def _read_torch(path: str | Path) -> Any:
    """The pickle of a torch archive, with its storages."""
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path}: a torch archive that is cut short. Fetch the file again.")
    with zipfile.ZipFile(path) as archive:
        members = _check_members(path, archive)
        pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise CheckpointError(
                f"{path}: a zip archive with {len(pickles)} members data.pkl; torch writes one."
            )
        root = pickles[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in members and archive.read(order).strip() != b"little":
            raise CheckpointError(f"{path}: its numbers are not little-endian; save it on a PC.")
        storages: dict[str, bytes] = {}

        def find_storage(storage: Storage) -> np.ndarray:
            name = f"{root}data/{storage.key}"
            size = storage.numel * storage.dtype.itemsize
            if name not in members or members[name].file_size != size:
                there = f"has {members[name].file_size:,}" if name in members else "is not there"
                raise CheckpointError(
                    f"storage {storage.key} of {size:,} bytes {there}, so the file is damaged"
                )
            if name not in storages:
                storages[name] = archive.read(name)
            return np.frombuffer(storages[name], storage.dtype)

        with _name_file(path):
            return read_pickle(archive.read(pickles[0]), find_storage)


def _read_legacy(path: str | Path) -> Any:
    """The values of a file of torch before 1.6.

    Five pickles: a magic number, the version, sizes of types, the values, and the keys of the
    storages, which follow in that order, each with its number of elements before it in 8 bytes.
    """
    data = Path(path).read_bytes()
    file, ends = io.BytesIO(data), [0]
    while len(ends) <= LEGACY_PICKLES:
        for _ in pickletools.genops(file):
            pass
        ends.append(file.tell())
    values = data[ends[3] : ends[4]]
    with _name_file(path):
        stated, keys = list_storages(values), read_pickle(data[ends[4] : ends[5]])
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(stated):
        raise CheckpointError(f"{path}: its values refer to other storages than follow them.")
    start, starts = ends[5], {}
    for key in keys:
        numel = int.from_bytes(data[start : start + 8], "little")
        starts[key] = start + 8
        start += 8 + numel * stated[key].dtype.itemsize
        if numel != stated[key].numel:
            raise CheckpointError(f"{path}: storage {key} has {numel:,} numbers; it is damaged.")
    if start != len(data):
        raise CheckpointError(f"{path}: {len(data):,} bytes, and {start:,} are needed.")

    def find_storage(storage: Storage) -> np.ndarray:
        return np.frombuffer(data, storage.dtype, storage.numel, starts[storage.key])

    with _name_file(path):
        return read_pickle(values, find_storage)


def _check_members(path: str | Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members by name: stored as they are, no larger together than the file, and undamaged."""
    infos = archive.infolist()
    members = {info.filename: info for info in infos}
    total, size = sum(info.file_size for info in infos), os.path.getsize(path)
    if len(members) < len(infos):
        raise CheckpointError(f"{path}: a zip archive with two members of one name.")
    if total > size or any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise CheckpointError(
            f"{path}: {size:,} bytes that claim to hold {total:,}; torch does not compress weights."
        )
    damaged = archive.testzip()
    if damaged is not None:
        raise CheckpointError(
            f"{path}: damaged: the checksum of {damaged} does not match. Fetch the file again."
        )
    return members


def _begins_safetensors(start: bytes, size: int) -> bool:
    """Whether these are the length of a header that the file has room for, and its first letter."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8
