"""A folder as GENELink writes it, and how to write parts of one."""

import gzip
from collections.abc import Iterable
from pathlib import Path

import pytest


class GenelinkFolder:
    """Five genes whose numbers follow neither the rows nor the alphabet, and their network."""

    NUMBERS = {"D": 0, "A": 3, "C": 1, "B": 4, "E": 2}
    TFS = ("B", "A", "C")
    EDGES = [("A", "B"), ("A", "C"), ("A", "D"), ("B", "C"), ("B", "E")]

    def __init__(self, path: Path):
        self.path = path

    def write_all(self, packed: bool = False) -> None:
        """Writes gene list, TF list and network."""
        number = self.NUMBERS
        self.write("Target.csv", "Gene,index", number.items(), packed)
        self.write("TF.csv", "TF,index", [(tf, number[tf]) for tf in self.TFS], packed)
        edges = [(number[tf], number[target]) for tf, target in self.EDGES]
        self.write("Label.csv", "TF,Target", edges, packed)

    def write(self, name: str, header: str, rows: Iterable, packed: bool = False) -> None:
        """Writes a table with GENELink's column of row numbers."""
        lines = [f",{header}"]
        lines += [f"{i}," + ",".join(map(str, row)) for i, row in enumerate(rows)]
        text = "\n".join(lines).encode()
        path = self.path / (f"{name}.gz" if packed else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text) if packed else text)

    def write_split(self, part: str, rows: Iterable, packed: bool = False) -> None:
        """Writes (tf, target, label) as Train_set.csv or its like; `part` may lie deeper."""
        rows = [(self.NUMBERS[tf], self.NUMBERS[target], label) for tf, target, label in rows]
        self.write(f"{part}_set.csv", "TF,Target,Label", rows, packed)


@pytest.fixture
def genelink(tmp_path) -> GenelinkFolder:
    """The folder, written, without split files."""
    folder = GenelinkFolder(tmp_path)
    folder.write_all()
    return folder


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def packed(request) -> bool:
    """Whether files are gzipped."""
    return request.param
