"""What a named data set is: where it lies, how large it is, and how it is read.

A family of sets is a class below `DataSet`, in a file of its own, and its instances are the sets.
`grnjax.data.sets` finds them by name.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

from grnjax.data.beeline import BeelineFolder
from grnjax.data.expression import DataConfig
from grnjax.data.split_files import read_splits
from grnjax.errors import ConfigError
from grnjax.types import Dataset, LabelledCells, Split, SplitProtocol

ROOT_VARIABLE = "GRNJAX_DATA"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LoadedSet:
    """What a set holds, and the files that it was read from."""

    name: str
    data: Dataset | LabelledCells
    path: Path  # its folder
    expression: Path | None = None  # file or folder, where it is not in the folder
    splits: tuple[Path, ...] = ()  # folders of published pairs, one a draw
    numbering: BeelineFolder | None = None  # of the genes in published pairs

    def list_inputs(self) -> dict[str, Path]:
        """Everything that was read, by its role, for the digests of a run record."""
        inside = {self.path, *self.path.iterdir()}
        others = {f"splits/{folder.name}": folder for folder in self.splits}
        if self.expression is not None:
            others["expression"] = self.expression
        return {"folder": self.path} | {k: path for k, path in others.items() if path not in inside}

    def read_splits(self, protocol: SplitProtocol) -> list[Split] | None:
        """The published pairs, one split a draw; None where pairs must be drawn."""
        read = [read_splits(path, self.numbering, self.data, protocol) for path in self.splits]
        return read or None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
    """A set by name; a subclass lists those of a family and reads one."""

    TITLE: ClassVar[str] = "Sets of your own"
    """What the sets of the family are, above their list."""

    name: str
    splits: dict[str, Path] = dataclasses.field(default_factory=dict)  # published, by source

    @classmethod
    def list_sets(cls, root: Path | None) -> "list[DataSet]":
        """The sets of this family that are there, in the order in which to show them.

        Args:
            root: the folder that `--data.root` or GRNJAX_DATA names; None if neither does.
        """
        raise NotImplementedError(f"{cls.__name__} does not say which sets it has")

    def describe(self) -> str:
        """Its size in words."""
        return ""

    def load(self, config: DataConfig) -> LoadedSet:
        """Reads it.

        Args:
            config: what else to read and how. What the set has no use for is an error.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is read")


class Published(NamedTuple):
    """How a set is read from a root, in which folder of it, and how large it is."""

    read: Callable[[Path], Dataset | LabelledCells]
    folder: str
    size: str
    expression: str | None = None  # folder of its expression, where that is another one


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedSet(DataSet):
    """A set that is read as it was published; a subclass lists some, each with its reader."""

    SETS: ClassVar[dict[str, Published]] = {}

    root: Path

    @classmethod
    def list_sets(cls, root: Path | None) -> list[DataSet]:
        """Those whose folders are there."""
        sets = cls.list_published(root) if root else {}
        return [cls(name=x, root=root) for x in sets if (root / sets[x].folder).is_dir()]

    @classmethod
    def list_published(cls, root: Path) -> dict[str, Published]:
        """The sets by name; a subclass may find more of them in the root by their layout."""
        return cls.SETS

    @classmethod
    def read(cls, name: str, root: str | Path) -> Dataset | LabelledCells:
        """What the set of this name holds, from the folder that holds the folders of the sets."""
        sets = cls.list_published(Path(root))
        if name not in sets:
            raise ConfigError(f"{name}: no such set; there are {', '.join(sets)}.")
        return sets[name].read(Path(root))

    def describe(self) -> str:
        """Its size in words."""
        return self.list_published(self.root)[self.name].size

    def load(self, config: DataConfig) -> LoadedSet:
        """Reads it; of the settings only root, embedding and split=draw mean anything to it."""
        split = "auto" if config.split == "draw" else config.split
        if dataclasses.replace(config, root=None, embedding=None, split=split) != DataConfig():
            raise ConfigError(
                f"{self.name} is read as it was published: of the settings --data, only root, "
                "embedding and split=draw apply. Leave the others out, or give files in a folder."
            )
        _, folder, _, expression = self.list_published(self.root)[self.name]
        return LoadedSet(
            name=self.name,
            data=self.read(self.name, self.root),
            path=self.root / folder,
            expression=expression and self.root / expression,
        )


def find_root(root: str | Path | None = None, *, is_needed: bool = True) -> Path | None:
    """The folder of the sets: the one given, else that of the environment; None if not needed."""
    root = root or os.environ.get(ROOT_VARIABLE)
    if root and Path(root).is_dir():
        return Path(root)
    if not is_needed:
        return None
    lack = f"{root}: no such folder" if root else "No root of data sets"
    raise ConfigError(
        f"{lack}: give --data.root=FOLDER, or set {ROOT_VARIABLE}, to name the folder that holds "
        "them, such as that of `grnjax data fetch`."
    )
