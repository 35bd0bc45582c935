"""A pickle as plain data: an interpreter of the few instructions that weights and dictionaries use.

A pickle is a program, and loading one runs it. Here each instruction is carried out by this file: a
name in a pickle is text that is looked up in `CALLS`, never an import, nothing but the functions
below is called, and no attribute of any object is set. So a file can do no more than fill lists and
dicts, at most some hundred bytes for each of its own; every other name or instruction is an error.

What a tensor is made of follows torch's documented rebuild of one: a storage, and offset, sizes and
strides in it, counted in elements (torch.Tensor.as_strided).
"""

import io
import pickletools
import re
from collections.abc import Callable, Iterable
from typing import Any

import ml_dtypes
import numpy as np

from grnjax.errors import CheckpointError
from grnjax.foundation.pickle_values import Name, Resolver, Storage, Tensor, Unfinished

LARGEST = 32 << 20  # bytes of a pickle, without storages; dictionaries of all genes take 5 MB
STORAGES = {
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
STORAGE_MARKS = (("storage",), ("storage", None))
NUMBER = re.compile(r"\?|[biufUS][0-9]{1,4}")  # types of numpy that hold no objects


def read_pickle(data: bytes, find_storage: Callable[[Storage], np.ndarray] | None = None) -> Any:
    """What a pickle holds, as dicts, lists, tuples, text, numbers and numpy arrays.

    Args:
        data: one pickle, or more with the first one read.
        find_storage: the numbers of a storage, [element]; None where there can be no tensors.

    Raises:
        CheckpointError: a name, an instruction or a size that cannot be meant; the message lacks
            the file's name, which the caller adds.
    """
    return Resolver(find_storage).resolve(_interpret(data).pop())[0]


def list_storages(data: bytes) -> dict[str, Storage]:
    """The storages that a pickle refers to, by their keys."""
    return _interpret(data).storages


def _interpret(data: bytes) -> "_Stack":
    """The stack when a pickle ends."""
    if len(data) > LARGEST:
        raise CheckpointError(f"its pickle has {len(data):,} bytes, above the limit of {LARGEST:,}")
    stack = _Stack()
    for instruction, argument, _ in pickletools.genops(io.BytesIO(data)):
        if instruction.name == "STOP":
            return stack
        stack.run(instruction.name, argument)
    raise CheckpointError("its pickle is cut short")


# Instructions


class _Stack:
    """What an unfinished pickle has made, and its memo of what it refers to again."""

    def __init__(self) -> None:
        self.items: list = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def pop(self) -> Any:
        if len(self.items) <= (self.marks[-1] if self.marks else 0):
            raise CheckpointError("its pickle takes what is not there")
        return self.items.pop()

    def pop_to_mark(self) -> list:
        if not self.marks:
            raise CheckpointError("its pickle takes what is not there")
        start = self.marks.pop()
        taken = self.items[start:]
        del self.items[start:]
        return taken

    def top(self, kind: type) -> Any:
        if not self.items or not isinstance(self.items[-1], kind):
            raise CheckpointError(f"its pickle fills a {kind.__name__} that is not there")
        return self.items[-1]

    def run(self, name: str, argument: Any) -> None:
        """Carries out one instruction."""
        if name in VALUES:
            self.items.append(argument)
        elif name in CONSTANTS:
            self.items.append(CONSTANTS[name])
        elif name in EMPTY:
            self.items.append(EMPTY[name]())
        elif name in ("PROTO", "FRAME"):
            pass
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if argument is None else argument] = self.top(object)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise CheckpointError("its pickle refers to what is not there")
            self.items.append(self.memo[argument])
        elif name == "MARK":
            self.marks.append(len(self.items))
        elif name == "POP":
            self.pop()
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self.items.append(tuple([self.pop() for _ in range(int(name[-1]))][::-1]))
        elif name == "TUPLE":
            self.items.append(tuple(self.pop_to_mark()))
        elif name == "LIST":
            self.items.append(self.pop_to_mark())
        elif name == "DICT":
            self.items.append(_pair_up(self.pop_to_mark()))
        elif name == "APPEND":
            item = self.pop()
            self.top(list).append(item)
        elif name == "APPENDS":
            items = self.pop_to_mark()
            self.top(list).extend(items)
        elif name == "SETITEM":
            value, key = self.pop(), self.pop()
            self.top(dict).update(_pair_up([key, value]))
        elif name == "SETITEMS":
            items = self.pop_to_mark()
            self.top(dict).update(_pair_up(items))
        elif name == "GLOBAL":
            self.items.append(_allow(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            self.items.append(_allow(f"{module}.{attribute}"))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = self.pop(), self.pop()
            self.items.append(_call(function, arguments))
        elif name == "BUILD":
            state = self.pop()
            _build(self.top(object), state)
        elif name == "BINPERSID":
            storage = _name_storage(self.pop())
            if self.storages.setdefault(storage.key, storage) != storage:
                raise CheckpointError(f"its pickle gives storage {storage.key} two sizes or types")
            self.items.append(storage)
        else:
            raise CheckpointError(f"its pickle has the instruction {name}, which no weights need")


VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("STRING", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict}


def _pair_up(items: list) -> dict:
    """Keys and values in turn as a dict; only plain keys, whose hash is soon made."""
    for key in items[::2]:
        if not isinstance(key, (str, int, float, bytes, type(None))):
            raise CheckpointError(f"its pickle has a key of the type {type(key).__name__}")
    if len(items) % 2:
        raise CheckpointError("its pickle has a key without a value")
    return dict(zip(items[::2], items[1::2], strict=True))


# Names


def _allow(name: str) -> Name:
    """The name, if it is one of the few that weights and dictionaries need."""
    if name not in CALLS and name not in STORAGES and name != "numpy.ndarray":
        raise CheckpointError(
            f"its pickle names {name[:200]}, which is no part of weights or of a dictionary and "
            "could run code; nothing was run. Get the file from its publisher, or save its plain "
            "weights as .safetensors"
        )
    return Name(name)


def _call(function: Any, arguments: Any) -> Any:
    """What one of the known names makes of these arguments."""
    if not isinstance(function, Name) or function.text not in CALLS:
        raise CheckpointError("its pickle calls what is no function")
    if not isinstance(arguments, tuple):
        raise CheckpointError(f"its pickle calls {function.text} without arguments")
    return CALLS[function.text](*arguments)


def _build(made: Any, state: Any) -> None:
    """Gives an unfinished object its state; the attributes of a dict (of versions) are dropped."""
    if isinstance(made, dict):
        return
    if not isinstance(made, Unfinished):
        raise CheckpointError(f"its pickle sets the state of a {type(made).__name__}")
    if made.kind == "dtype":
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "="):
            made.value = made.value.newbyteorder(state[1])
            return
    elif made.kind == "array":
        _, shape, dtype, is_fortran, raw = state
        array = np.frombuffer(_to_bytes(raw), _to_dtype(dtype))
        sizes = [_to_size(x) for x in shape]
        made.value = array.reshape(sizes, order="F" if is_fortran else "C")
        return
    elif isinstance(state, dict):
        made.value = state
        return
    raise CheckpointError(f"its pickle has a damaged {made.kind}")


def _make_dict(pairs: Iterable = ()) -> dict:
    return _pair_up([item for key, value in pairs for item in (key, value)])


def _make_dtype(text: Any, *_: Any) -> Unfinished:
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        raise CheckpointError(
            f"its pickle has an array of type {text!s:.50}, neither number nor text"
        )
    return Unfinished("dtype", np.dtype(text))


def _make_scalar(dtype: Any, raw: Any) -> Any:
    (number,) = np.frombuffer(_to_bytes(raw), _to_dtype(dtype))
    return number.item()


def _encode(text: Any, encoding: Any) -> bytes:
    """Bytes as protocol 2 writes them."""
    if encoding not in ("latin1", "latin-1"):
        raise CheckpointError(f"its pickle has bytes in {encoding!s:.50}")
    return _to_bytes(text)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise CheckpointError("its pickle has a tensor without a storage")
    shape, strides = tuple(map(_to_size, shape)), tuple(map(_to_size, strides))
    if len(shape) != len(strides):
        raise CheckpointError(f"a tensor has sizes {shape} and strides {strides}")
    return Tensor(storage, _to_size(offset), shape, strides)


def _name_storage(found: Any) -> Storage:
    """What torch says of a storage: "storage", type, key, device, number of elements.

    Before 1.6 a sixth item could make it a part of another one, as no torch since 0.4 writes.
    """
    if (
        not isinstance(found, tuple)
        or len(found) < 5
        or (found[0], *found[5:6]) not in STORAGE_MARKS
    ):
        raise CheckpointError("its pickle refers to what is no storage")
    _, kind, key, _, numel = found[:5]
    if not isinstance(kind, Name) or kind.text not in STORAGES or not isinstance(key, str):
        raise CheckpointError("its pickle refers to a storage of no known type")
    return Storage(key, STORAGES[kind.text], _to_size(numel))


CALLS: dict[str, Callable] = {
    "collections.OrderedDict": _make_dict,
    "argparse.Namespace": lambda: Unfinished("namespace", {}),
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "numpy.dtype": _make_dtype,
    **{
        f"numpy.{core}.multiarray.{name}": make
        for core in ("core", "_core")
        for name, make in {
            "scalar": _make_scalar,
            "_reconstruct": lambda *_: Unfinished("array"),
        }.items()
    },
}


def _to_size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise CheckpointError(f"its pickle has a size of {value!s:.50}")
    return value


def _to_bytes(raw: Any) -> bytes:
    return raw.encode("latin1") if isinstance(raw, str) else bytes(memoryview(raw))


def _to_dtype(made: Any) -> np.dtype:
    if not isinstance(made, Unfinished) or made.kind != "dtype":
        raise CheckpointError("its pickle has numbers without a type")
    return made.value
