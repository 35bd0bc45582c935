"""Benchmark sets found by where their files lie, so that a new set needs no line of code.

    ROOT/beeline_labels/NETWORK/CELL/SIZE/                    the network, as GENELink writes it
    ROOT/beeline_expression/CELL_*.csv                        expression, .csv or .csv.gz
    ROOT/beeline_splits/SOURCE/NETWORK/CELL/SIZE[/sampleK]/   published train and test pairs

A set is called NETWORK/CELL/SIZE, for example Specific/hESC/TFs+500.
"""

import dataclasses
import difflib
import fnmatch
import os
import re
from collections.abc import Iterable
from pathlib import Path

from grnjax.data.split_files import list_split_folders
from grnjax.data.tables import read_rows
from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.progress import logger

LABELS, EXPRESSION, SPLITS = "beeline_labels", "beeline_expression", "beeline_splits"
ROOT_VARIABLE = "GRNJAX_DATA"
OTHER_TABLES = ("geneordering", "pseudotime", "network")  # how the names of BEELINE's others end


@dataclasses.dataclass(frozen=True)
class BenchmarkSet:
    """A network of a cell type and where its files are."""

    name: str  # network/cell/size
    network: str
    cell: str
    size: str
    labels: Path
    expression: tuple[Path, ...]  # those of the cell type, in the order of their names
    splits: dict[str, Path]  # by source: "scRegNet", "GCLink/sample1", ...


def find_sets(root: str | Path | None, pattern: str = "*/*/*") -> list[BenchmarkSet]:
    """The sets whose names fit the pattern (Specific/*/TFs+500), in the order of their names.

    Args:
        root: the folder with the three above; None for the one that GRNJAX_DATA names.
        pattern: as a shell has them.
    """
    root = find_root(root)
    folders = list_label_folders(root)
    names = [name for name in folders if fnmatch.fnmatchcase(name, pattern)]
    if not names:
        raise ConfigError(describe_missing(pattern, root, folders))
    return [describe_set(root, name, folders) for name in names]


def find_set(folder: str | Path, root: str | Path | None) -> BenchmarkSet | None:
    """The set that a folder in such a layout is, or that has this name under the root.

    None for a folder that lies elsewhere: it is no part of any layout.
    """
    if os.path.isdir(folder):
        path = Path(os.path.abspath(folder))
        own_root = path.parents[3] if path.parts[-4:-3] == (LABELS,) else None
        if root is not None and (not own_root or not os.path.samefile(find_root(root), own_root)):
            raise ConfigError(
                f"{folder} is a folder outside {Path(root) / LABELS}. Drop --data.root, or name a "
                "set of it as NETWORK/CELL/SIZE."
            )
        if own_root is None:
            return None
        root, name = own_root, "/".join(path.parts[-3:])
    else:
        if root is None and not os.environ.get(ROOT_VARIABLE):
            raise ConfigError(
                f"{folder}: no such folder. If it names a benchmark set, say where the sets are: "
                f"--data.root=FOLDER, or the environment variable {ROOT_VARIABLE}."
            )
        root, name = find_root(root), str(folder).rstrip("/")
    folders = list_label_folders(root)
    if name not in folders:
        raise ConfigError(describe_missing(name, root, folders))
    return describe_set(root, name, folders)


def find_root(root: str | Path | None) -> Path:
    """The folder of the layout, from the setting or the environment."""
    root = root or os.environ.get(ROOT_VARIABLE)
    if not root:
        raise ConfigError(
            f"No benchmark root: give --data.root=FOLDER, or set {ROOT_VARIABLE}, to name a folder "
            f"with {LABELS}/, {EXPRESSION}/ and {SPLITS}/."
        )
    if not (Path(root) / LABELS).is_dir():
        raise ConfigError(
            f"{root}: no folder {LABELS}/ in it, so there are no benchmark sets. --data.root or "
            f"{ROOT_VARIABLE} must name the folder that holds {LABELS}/."
        )
    return Path(root)


def list_label_folders(root: Path) -> dict[str, Path]:
    """The label folders of the layout by the names of their sets, TFs+500 before TFs+1000."""
    paths = [path for path in (root / LABELS).glob("[!.]*/[!.]*/[!.]*") if path.is_dir()]
    names = {"/".join(path.parts[-3:]): path for path in paths}
    return {name: names[name] for name in sorted(names, key=by_number)}


def by_number(name: str) -> list[tuple[str, int]]:
    """A key that sorts names by their text and the whole numbers in it."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def describe_missing(name: str, root: Path, names: Iterable[str]) -> str:
    """The message for a set that is not there, with the names most like it."""
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.0)
    nearest = f"the nearest are {', '.join(near)}" if near else "there are none"
    return f"{name}: no such folder, and no such set in {root / LABELS}; {nearest}."


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
    return BenchmarkSet(name, network, cell, size, folders[name], tuple(expression), splits)


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


def choose_splits(setting: str, found: BenchmarkSet | None) -> tuple[Path, ...]:
    """The folders, one a draw, of a source, of one of its samples, or at a path."""
    published = {} if found is None else found.splits
    named = [
        folder
        for name, folder in published.items()
        if name == setting or name.startswith(f"{setting}/")
    ]
    folders = named or list_split_folders(Path(setting))
    if not folders:
        known = "only sets of a benchmark root have sources"
        if found is not None:
            known = f"{found.name} has {', '.join(published)}"
            if not published:
                known = f"no pairs of {found.name} are published; --data.split=draw draws some"
        raise ConfigError(
            f"--data.split={setting}: neither a source of published pairs nor a folder with "
            f"Train_set.csv; {known}."
        )
    return tuple(folders)
