"""BEELINE's two archives built into benchmark sets, laid out as `grnjax.data.benchmark` finds them.

Nothing is unpacked by its own path: members are found by the end of their name, whatever folders
stand before it, and each is written to a file that this module names.
"""

import dataclasses
import gzip
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from grnjax.data.benchmark import EXPRESSION, LABELS
from grnjax.data.download import remove_abandoned
from grnjax.data.edges import read_edges
from grnjax.data.names import list_names
from grnjax.data.safe_arrays import translate
from grnjax.data.safe_text import most_inflated
from grnjax.data.selection import filter_network, read_ordering, select_genes
from grnjax.data.tables import read_rows
from grnjax.data.tf_lists import read_tf_list
from grnjax.errors import ExpressionFormatError, GeneMismatchError, GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import PARTIAL, digest_file, flush, replace_whole, write_json

SIZES = (500, 1000)
REPORT = "built.json"
LARGEST = 4 << 30  # bytes of one member; the largest matrix has some 100 MB


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell type of BEELINE."""

    folder: str  # in BEELINE-data.zip
    name: str  # in the papers since
    species: str
    specific: str  # begins the name of its own ChIP-seq network

    @property
    def networks(self) -> dict[str, str]:
        """The networks of BEELINE-Networks.zip that judge it, by kind."""
        names = {
            "Specific": f"{self.specific}-ChIP-seq-network.csv",
            "Non-Specific": "Non-Specific-ChIP-seq-network.csv",
            "STRING": "STRING-network.csv",
        }
        if self.folder == "mESC":
            names["LOFGOF"] = "mESC-lofgof-network.csv"
        return {kind: f"{self.species}/{name}" for kind, name in names.items()}


CELLS = (
    Cell("hESC", "hESC", "human", "hESC"),
    Cell("hHep", "hHEP", "human", "HepG2"),
    Cell("mDC", "mDC", "mouse", "mDC"),
    Cell("mESC", "mESC", "mouse", "mESC"),
    Cell("mHSC-E", "mHSC-E", "mouse", "mHSC"),
    Cell("mHSC-GM", "mHSC-GM", "mouse", "mHSC"),
    Cell("mHSC-L", "mHSC-L", "mouse", "mHSC"),
)


# Files inside archives


class Archives:
    """The files inside some zip archives, found by the end of their path and unpacked on demand."""

    def __init__(self, paths: list[Path], folder: Path):
        self.missing: list[str] = []  # what was asked for and is in none of them
        self._folder = folder
        self._members: list[tuple[list[str], Path, zipfile.ZipInfo]] = []
        self._read: dict[str, object] = {}
        for path in paths:
            with translate(path, "zip archive", GrnjaxError), zipfile.ZipFile(path) as archive:
                files = [info for info in archive.infolist() if not info.is_dir()]
            self._members += [(split_path(info.filename), path, info) for info in files]

    def unpack(self, name: str) -> Path | None:
        """The member whose path ends with `name`, in any case, as a file; None if it is missing."""
        tail = split_path(name)
        found = [member for member in self._members if member[0][-len(tail) :] == tail]
        if not found:
            self.missing.append(name)
            return None
        _, path, info = min(found, key=lambda member: (len(member[0]), member[0]))
        if len(found) > 1:
            logger.warning("%d files are called %s; %s is taken", len(found), name, info.filename)
        return unpack_member(path, info, self._folder / name.replace("/", "-"))

    def read(self, name: str, reader: Callable[[Path], object]) -> object | None:
        """What `reader` makes of a member, which it reads once; None if the member is missing."""
        if name not in self._read:
            path = self.unpack(name)
            self._read[name] = None if path is None else reader(path)
        return self._read[name]


def split_path(name: str) -> list[str]:
    """The parts of a path inside an archive, in lower case."""
    return name.replace("\\", "/").lower().split("/")


def unpack_member(archive: Path, info: zipfile.ZipInfo, path: Path) -> Path:
    """Writes one member to `path`, which it returns; never more bytes than the archive states."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise GrnjaxError(f"{archive}: {info.filename} is a link, and links are not followed.")
    most = min(LARGEST, most_inflated(info.compress_size))
    if info.file_size > most:
        raise GrnjaxError(
            f"{archive}: {info.filename} would unpack to {info.file_size:,} bytes from "
            f"{info.compress_size:,}; at most {most:,} are taken."
        )
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(info) as member:
            with open(path, "wb") as file:
                shutil.copyfileobj(member, file)
    except Exception as problem:  # of any class: the formats inside bring their own
        raise GrnjaxError(
            f"{archive}: {info.filename} cannot be unpacked ({problem})."
        ) from problem
    return path


# Sets


def build_sets(paths: list[Path], root: Path) -> dict:
    """Builds TFs+500 and TFs+1000 of every cell type and network that the archives hold.

    What is in `root` already is left as it is, because published splits refer to the numbers of
    its genes. The report, kept as `root`/built.json too, counts what was built, kept and missing.

    Args:
        paths: zip archives; between them they hold what BEELINE-data and BEELINE-Networks hold.
        root: the folder that `--data.root` names.
    """
    digests = {path.name: digest_file(path) for path in paths}
    root.mkdir(parents=True, exist_ok=True)
    remove_abandoned(root)
    report = {"archives": digests, "cells": {}, "built": {}, "kept": [], "without_edges": []}
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=root) as folder:
        archives = Archives(paths, Path(folder))
        for cell in CELLS:
            build_cell(cell, archives, root, report)
    missing = report["missing"] = archives.missing
    if not report["built"] and not report["kept"]:
        raise GrnjaxError(
            f"{', '.join(map(str, paths))}: nothing can be built; {len(missing):,} files are "
            f"missing: {', '.join(missing)}."
        )
    if missing:
        logger.warning(
            "%d files are not in the archives, so what needs them is not built: %s",
            len(missing),
            ", ".join(missing),
        )
    write_json(root / REPORT, report)
    return report


def build_cell(cell: Cell, archives: Archives, root: Path, report: dict) -> None:
    """Builds the sets of one cell type and its expression file, as far as the archives go."""
    folders = {
        (kind, size): root / LABELS / kind / cell.name / f"TFs+{size}"
        for kind in cell.networks
        for size in SIZES
    }
    expression = root / EXPRESSION / f"{cell.name}_full.csv.gz"
    done = [path for path in (expression, *folders.values()) if path.exists()]
    report["kept"] += [path.relative_to(root).as_posix() for path in done]
    if len(done) == 1 + len(folders):
        return
    matrix = archives.unpack(f"{cell.folder}/ExpressionData.csv")
    order = archives.unpack(f"{cell.folder}/GeneOrdering.csv")
    tfs = archives.read(f"{cell.species}-tfs.csv", read_tf_list)
    if matrix is None or order is None or tfs is None:
        return
    logger.info("Building %s", cell.name)
    ordering, report["cells"][cell.name] = take_measured(read_ordering(order), matrix)
    if not expression.exists():
        compress(matrix, expression)
        report["built"][expression.relative_to(root).as_posix()] = {"genes": len(ordering)}
    matrix.unlink()
    for (kind, size), folder in folders.items():
        edges = archives.read(cell.networks[kind], read_edges)
        if edges is None or folder.exists():
            continue
        name = folder.relative_to(root).as_posix()
        genes = select_genes(ordering, tfs, size)
        inside = filter_network(edges, genes)
        if inside.empty:
            logger.warning("%s is not built: no edge lies within its genes", name)
            report["without_edges"].append(name)
        else:
            report["built"][name] = write_set(folder, genes, tfs, inside, root)


def take_measured(ordering: pd.DataFrame, matrix: Path) -> tuple[pd.DataFrame, dict]:
    """The rows of the ordering whose gene is in the expression file, and how many are not."""
    rows = read_rows(matrix, ExpressionFormatError)
    next(rows)  # the names of the cells
    is_measured = ordering["gene"].isin({fields[0].strip() for fields in rows})
    absent = ordering["gene"][~is_measured]
    if len(absent) == len(ordering):
        raise GeneMismatchError(
            f"{matrix}: none of the {len(ordering):,} genes of its GeneOrdering.csv "
            f"({list_names(absent)}) names a row."
        )
    counts = {"genes": int(is_measured.sum()), "ordered_but_not_measured": len(absent)}
    return ordering[is_measured], counts


def compress(source: Path, path: Path) -> None:
    """The same bytes gzipped; equal input gives equal output."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_whole(path) as partial:
        with open(source, "rb") as plain, open(partial, "wb") as file:
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                shutil.copyfileobj(plain, packed)


def write_set(
    folder: Path, genes: list[str], tfs: list[str], edges: pd.DataFrame, root: Path
) -> dict:
    """Writes a folder in GENELink's form, which appears when it is complete; returns counts.

    As in GENELink's own, TF.csv lists the TFs of the species among the genes and every source of
    the network. Genes are numbered by name, so split files of other folders do not fit.
    """
    number = pd.Series(range(len(genes)), index=genes)
    regulators = sorted(set(tfs).intersection(genes) | set(edges["tf"]))
    tables = {
        "Target.csv": pd.DataFrame({"Gene": genes, "index": number.to_numpy()}),
        "TF.csv": pd.DataFrame({"TF": regulators, "index": number[regulators].to_numpy()}),
        "Label.csv": pd.DataFrame(
            {"TF": number[edges["tf"]].to_numpy(), "Target": number[edges["target"]].to_numpy()}
        ),
        "BL--network.csv": edges.rename(
            columns={"tf": "Gene1", "target": "Gene2", "sign": "Type", "weight": "Score"}
        ),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=root) as outer:
        partial = Path(outer) / folder.name
        partial.mkdir()
        for name, table in tables.items():
            table.to_csv(partial / name, index=name != "BL--network.csv")
            flush(partial / name)
        os.rename(partial, folder)
    return {"genes": len(genes), "tfs": len(regulators), "edges": len(edges)}
