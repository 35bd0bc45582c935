"""What a pickle has made, as plain values: tensors as views of their storages, and no objects."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from grnjax.errors import CheckpointError

DEEPEST = 64  # containers within containers
TOO_DEEP = f"its pickle nests containers more than {DEEPEST} deep"


@dataclasses.dataclass(frozen=True)
class Name:
    """A class or function that a pickle names; it is compared with others, and never called."""

    text: str


@dataclasses.dataclass(frozen=True)
class Storage:
    """Numbers of a tensor, kept outside of the pickle."""

    key: str
    dtype: np.dtype
    numel: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor in its storage; offset and strides are counted in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclasses.dataclass(eq=False)
class Unfinished:
    """An object that a later instruction gives its state: a dtype, an array or a namespace."""

    kind: str
    value: Any = None


class Resolver:
    """Replaces what stands for tensors and finished objects, once where it is referred to twice."""

    def __init__(self, find_storage: Callable[[Storage], np.ndarray] | None):
        self.find_storage = find_storage
        self.done: dict[int, tuple[Any, int]] = {}  # by id; the root keeps all of them alive

    def resolve(self, value: Any, depth: int = 0) -> tuple[Any, int]:
        """The value made plain, and how deep the containers in it go."""
        if not isinstance(value, (dict, list, tuple, Tensor, Unfinished, Storage, Name)):
            return value, 0
        if id(value) not in self.done:
            if depth > DEEPEST:  # of a list within itself, too
                raise CheckpointError(TOO_DEEP)
            self.done[id(value)] = self._make(value, depth + 1)
        return self.done[id(value)]

    def _make(self, value: Any, depth: int) -> tuple[Any, int]:
        if isinstance(value, (dict, list, tuple)):
            inner = value.values() if isinstance(value, dict) else value
            made, heights = [], [0]
            for item, height in (self.resolve(item, depth) for item in inner):
                made.append(item)
                heights.append(height + 1)
            if max(heights) > DEEPEST:
                raise CheckpointError(TOO_DEEP)
            whole = dict(zip(value, made, strict=True)) if isinstance(value, dict) else made
            return tuple(made) if isinstance(value, tuple) else whole, max(heights)
        if isinstance(value, Unfinished) and value.kind == "namespace":
            return self.resolve(value.value, depth)
        if isinstance(value, Unfinished) and isinstance(value.value, np.ndarray):
            return value.value, 0
        if isinstance(value, Tensor):
            return self._cut(value), 0
        raise CheckpointError("its pickle holds a class, not weights or names")

    def _cut(self, tensor: Tensor) -> np.ndarray:
        """The tensor as a view of its storage, in which it must lie."""
        storage = tensor.storage
        if self.find_storage is None:
            raise CheckpointError("its pickle holds a tensor, and no numbers come with it")
        count = math.prod(tensor.shape)
        steps = zip(tensor.shape, tensor.strides, strict=True)
        last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
        if count > storage.numel or (count and last >= storage.numel):
            raise CheckpointError(
                f"a tensor of sizes {tensor.shape} and strides {tensor.strides} from "
                f"{tensor.offset} on reaches beyond the {storage.numel:,} numbers of its storage "
                f"{storage.key}"
            )
        numbers = self.find_storage(storage)
        if not count:
            return np.zeros(tensor.shape, storage.dtype)
        strides = [stride * storage.dtype.itemsize for stride in tensor.strides]
        return np.lib.stride_tricks.as_strided(
            numbers[tensor.offset :], tensor.shape, strides, writeable=False
        )
