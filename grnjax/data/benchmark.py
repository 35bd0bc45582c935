"""Benchmark sets found by where their files lie, so that a new set needs no line of code.

    ROOT/beeline_labels/NETWORK/CELL/SIZE/                    the network, as GENELink writes it
    ROOT/beeline_expression/CELL_*.csv                        expression, .csv or .csv.gz
    ROOT/beeline_splits/SOURCE/NETWORK/CELL/SIZE[/sampleK]/   published train and test pairs

A set is called NETWORK/CELL/SIZE, for example Specific/hESC/TFs+500.
"""

import dataclasses
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from grnjax.data.beeline import read_folder
from grnjax.data.data_set import DataSet, LoadedSet
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.genes import build_dataset
from grnjax.data.split_files import list_split_folders
from grnjax.data.tables import find_file, read_rows
from grnjax.errors import ConfigError, EdgeFormatError, ExpressionFormatError
from grnjax.progress import logger

LABELS, EXPRESSION, SPLITS = "beeline_labels", "beeline_expression", "beeline_splits"
OTHER_TABLES = ("geneordering", "pseudotime", "network")  # how the names of BEELINE's others end
COUNTED = {"genes": "Target.csv", "TFs": "TF.csv", "edges": "Label.csv"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkSet(DataSet):
    """A network of a cell type and where its files are; or a folder outside any layout."""

    TITLE: ClassVar[str] = "Single cells and a network that labels pairs, as BEELINE lays them out"

    labels: Path
    network: str = ""
    cell: str = ""  # "" for a folder outside any layout
    size: str = ""
    expression: tuple[Path, ...] = ()  # files of the cell type, in the order of their names

    @classmethod
    def list_sets(cls, root: Path | None) -> list[DataSet]:
        """The sets of the layout under a root, TFs+500 before TFs+1000."""
        folders = {} if root is None else list_label_folders(root)
        return [describe_set(root, name, folders) for name in folders]

    def describe(self) -> str:
        """How many genes, TFs and edges the files list."""
        files = {what: find_file(self.labels, name) for what, name in COUNTED.items()}
        counts = [
            f"{sum(1 for _ in read_rows(path, EdgeFormatError)) - 1:,} {what}"
            for what, path in files.items()
            if path is not None
        ]
        return ", ".join(counts)

    def load(self, config: DataConfig) -> LoadedSet:
        """Genes and labelled pairs of the folder, with expression and published pairs.

        Expression is that of the settings, else of the folder, else the file of the root that
        covers most of the genes. `config.split` names published pairs.
        """
        beeline = read_folder(self.labels)
        edges = beeline.edges
        names = set(beeline.genes or []) | set(edges["tf"]) | set(edges["target"])
        path, coverage = config.expression or beeline.expression, None
        if path is None and self.cell:
            path, coverage = choose_expression(self, beeline.genes or names)
        expression = None if path is None else read_expression(path, config, names)
        dataset = build_dataset(
            expression, edges, tfs=beeline.tfs, universe=beeline.genes, source=self.name
        )
        if coverage is not None:
            dataset.report["genes_in_expression_files"] = coverage
        splits = beeline.splits
        if config.split != "auto":
            splits = () if config.split == "draw" else choose_splits(config.split, self)
        elif self.splits and not splits:
            logger.info(f"{self.name}: published splits for --data.split: {', '.join(self.splits)}")
        return LoadedSet(
            name=self.name,
            data=dataset,
            path=self.labels,
            expression=path and Path(path),
            splits=splits,
            numbering=beeline,
        )


def take_folder(folder: str | Path, root: str | Path | None) -> BenchmarkSet:
    """The set that a folder is, with the files that go with it where it lies in the layout.

    Args:
        root: the root that the user asks for, which the folder must lie in; None for any.
    """
    path = Path(os.path.abspath(folder))
    own_root = path.parents[3] if path.parts[-4:-3] == (LABELS,) else None
    if root is not None and (own_root is None or not os.path.samefile(root, own_root)):
        raise ConfigError(
            f"{folder} is a folder outside {Path(root) / LABELS}. Drop --data.root, or name a "
            "set of it as NETWORK/CELL/SIZE."
        )
    name = "/".join(path.parts[-3:])
    folders = {} if own_root is None else list_label_folders(own_root)
    if name not in folders:
        return BenchmarkSet(name=str(folder), labels=Path(folder))
    return describe_set(own_root, name, folders)


def list_label_folders(root: Path) -> dict[str, Path]:
    """The label folders of the layout by the names of their sets, TFs+500 before TFs+1000."""
    paths = [path for path in (root / LABELS).glob("[!.]*/[!.]*/[!.]*") if path.is_dir()]
    names = {"/".join(path.parts[-3:]): path for path in paths}
    return {name: names[name] for name in sorted(names, key=by_number)}


def by_number(name: str) -> list[tuple[str, int]]:
    """A key that sorts names by their text and the whole numbers in it."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def describe_set(root: Path, name: str, folders: dict[str, Path]) -> BenchmarkSet:
    """The set of this name with its files."""
    network, cell, size = name.split("/")
    cells = {path.parent.name for path in folders.values()}
    files = (root / EXPRESSION).iterdir() if (root / EXPRESSION).is_dir() else ()
    expression = sorted(path for path in files if find_cell(path, cells) == cell)
    splits = {}
    for source in sorted((root / SPLITS).glob("[!.]*")):
        for folder in list_split_folders(source / name):
            is_sample = folder != source / name
            splits[f"{source.name}/{folder.name}" if is_sample else source.name] = folder
    return BenchmarkSet(
        name=name,
        network=network,
        cell=cell,
        size=size,
        labels=folders[name],
        expression=tuple(expression),
        splits=splits,
    )


def find_cell(path: Path, cells: Iterable[str]) -> str | None:
    """The cell type whose expression the file holds, by its name; None for any other file.

    CELL is what stands before an underscore; of A and A_B, the file A_B_x.csv belongs to A_B.
    """
    stem = re.sub(r"\.csv(\.gz)?$", "", path.name)
    if stem == path.name or stem.lower().endswith(OTHER_TABLES) or not path.is_file():
        return None
    return max((cell for cell in cells if stem.startswith(f"{cell}_")), key=len, default=None)


def choose_expression(
    found: BenchmarkSet, genes: Iterable[str]
) -> tuple[Path | None, dict[str, int]]:
    """The file that covers most of the genes, and how many each file covers; None without files.

    Genes are compared in upper case. Of files that cover as many, the first by name is taken.
    """
    wanted = {gene.upper() for gene in genes}
    covered = {path: count_covered(path, wanted) for path in found.expression}
    best = max(covered, key=covered.get, default=None)
    if best is None:
        folder = found.labels.parents[3] / EXPRESSION
        logger.warning(f"{found.name}: no expression: no {found.cell}_*.csv in {folder}")
    else:
        others = [f"{path.name} {count:,}" for path, count in covered.items() if path != best]
        rest = f" (others: {', '.join(others)})" if others else ""
        logger.info(
            f"{found.name}: expression of {covered[best]:,} of {len(wanted):,} genes in "
            f"{best.name}{rest}"
        )
    return best, {path.name: count for path, count in covered.items()}


def count_covered(path: Path, wanted: set[str]) -> int:
    """How many of the genes name a row of the file, or a column if those are more."""
    rows = read_rows(path, ExpressionFormatError)
    columns = {field.strip().upper() for field in next(rows)}
    names = {fields[0].strip().upper() for fields in rows}
    return max(len(wanted & names), len(wanted & columns))


def choose_splits(setting: str, found: BenchmarkSet) -> tuple[Path, ...]:
    """The folders, one a draw, of a source, of one of its samples, or at a path."""
    named = [
        folder
        for name, folder in found.splits.items()
        if name == setting or name.startswith(f"{setting}/")
    ]
    folders = named or list_split_folders(Path(setting))
    if not folders:
        known = f"{found.name} has {', '.join(found.splits)}"
        if not found.splits:
            known = f"no pairs of {found.name} are published; --data.split=draw draws some"
        raise ConfigError(
            f"--data.split={setting}: neither a source of published pairs nor a folder with "
            f"Train_set.csv; {known}."
        )
    return tuple(folders)
