"""Files made to crash, to fill the memory, to reach other files or to write on the terminal.

Each builder writes one into a folder and gives the words of the command that reads it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

GENES = [f"GENE{i}" for i in range(12)]
BUILDERS: dict[str, tuple[Callable, str]] = {}


def hostile(says: str, name: str = ""):
    """Registers a builder under its name, with a word of the sentence that refuses its file."""

    def register(build):
        BUILDERS[name or build.__name__] = build, says
        return build

    return register


# Commands


def write_tfs(folder: Path) -> Path:
    path = folder / "tfs.txt"
    path.write_text("GENE0\nGENE1\nGENE2\n")
    return path


def write_counts(folder: Path, genes: int = len(GENES)) -> Path:
    path = folder / "counts.csv"
    values = np.random.default_rng(0).poisson(5, (20, genes))
    names = [f"GENE{i}" for i in range(genes)]
    pd.DataFrame(values, [f"c{i}" for i in range(20)], names).to_csv(path)
    return path


def write_network(folder: Path) -> Path:
    path = folder / "known.tsv"
    edges = [f"GENE{tf}\tGENE{target}" for tf in range(3) for target in range(3, 9)]
    path.write_text("TF\ttarget\n" + "\n".join(edges) + "\n")
    return path


def infer(path: Path, *words: str) -> list[str]:
    """The command that ranks pairs by the expression in a file."""
    tfs = write_tfs(path.parent)
    given = [path, "--tfs", tfs, "--method", "pearson", "--out", path.parent / "run"]
    return ["infer", *map(str, given), *words]


def convert(path: Path) -> list[str]:
    """The command that reads a network."""
    return ["data", "convert", str(path), str(path.parent / "converted.tsv")]


def train_with(folder: Path, entry: str) -> list[str]:
    """The command that reads a source of evidence."""
    words = [write_counts(folder), "--network", write_network(folder), "--evidence", entry]
    words += ["--repeats", "1", "--folds", "2", "--out", folder / "run"]
    return ["infer", *map(str, words)]
