"""Writes what torch.save writes, without torch: names, storages and tensors of our own choosing."""

import dataclasses
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np

KINDS = {
    "<f4": "FloatStorage",
    "<f8": "DoubleStorage",
    "<f2": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "<i8": "LongStorage",
    "<i4": "IntStorage",
    "<i2": "ShortStorage",
    "|i1": "CharStorage",
    "|u1": "ByteStorage",
    "|b1": "BoolStorage",
}


@dataclasses.dataclass(frozen=True)
class Named:
    """A name that the pickle is to hold, as `module.attribute`."""

    text: str

    def __call__(self):
        raise AssertionError(self.text)


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A tensor as numbers of a storage: offset, shape and strides in elements."""

    storage: np.ndarray
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """What a pickle calls, with its arguments, and the state it sets afterwards."""

    function: Named
    arguments: tuple = ()
    state: object = None


class TorchPickler(pickle._Pickler):
    """Pickles as torch does: arrays become tensors, and their numbers stand aside."""

    def __init__(self, file: io.BytesIO, with_view: bool = False):
        super().__init__(file, protocol=2)
        self.with_view = with_view
        self.storages: dict[int, np.ndarray] = {}

    def persistent_id(self, value):
        if not isinstance(value, Stored):
            return None
        key = str([*self.storages].index(id(value.numbers)))
        kind = KINDS.get(value.numbers.dtype.str, KINDS.get(value.numbers.dtype.name))
        found = ("storage", Named(f"torch.{kind}"), key, "cpu", value.numbers.size)
        return (*found, None) if self.with_view else found

    def save_name(self, name):
        module, _, attribute = name.text.rpartition(".")
        self.write(f"c{module}\n{attribute}\n".encode())

    def save_call(self, call):
        self.save_reduce(call.function, call.arguments, call.state)

    def save_array(self, array):
        if isinstance(array, np.ndarray):
            strides = tuple(x // array.itemsize for x in np.zeros(array.shape, array.dtype).strides)
            array = View(np.ascontiguousarray(array).reshape(-1), 0, array.shape, strides)
        self.storages.setdefault(id(array.storage), array.storage)
        arguments = (Stored(array.storage), array.offset, array.shape, array.strides, False, {})
        self.save_reduce(Named("torch._utils._rebuild_tensor_v2"), arguments)

    dispatch = {
        **pickle._Pickler.dispatch,
        Named: save_name,
        Call: save_call,
        View: save_array,
        np.ndarray: save_array,
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """A storage within a pickle."""

    numbers: np.ndarray


def write_legacy(path: Path, value: object, cut: int = 0) -> Path:
    """Writes a file of torch before 1.6: five pickles, and the storages one after the other."""
    file = io.BytesIO()
    pickler = TorchPickler(file, with_view=True)
    pickler.dump(value)
    keys = [str(key) for key in range(len(pickler.storages))]
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    parts = [pickle.dumps(part, 2) for part in head] + [file.getvalue(), pickle.dumps(keys, 2)]
    for numbers in pickler.storages.values():
        parts += [numbers.size.to_bytes(8, "little"), numbers.tobytes()]
    data = b"".join(parts)
    path.write_bytes(data[: len(data) - cut])
    return path


def write_torch(path: Path, value: object, **members: bytes) -> Path:
    """Writes a torch archive; further members by name take the place of what would be there."""
    file = io.BytesIO()
    pickler = TorchPickler(file)
    pickler.dump(value)
    parts = {"data.pkl": file.getvalue(), "byteorder": b"little", "version": b"3\n"}
    for key, numbers in enumerate(pickler.storages.values()):
        parts[f"data/{key}"] = numbers.tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (parts | members).items():
            archive.writestr(f"archive/{name}", data)
    return path
