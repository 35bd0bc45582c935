"""Count matrices as 10x's Cell Ranger writes them, and programs that follow it.

Both forms are documented layouts of few parts, so h5py and scipy, which are needed anyhow, read
them; scanpy's readers do the same and bring numba with them. Unlike these, every part is checked
against the others, and folders of GEO (a prefix before each name), STARsolo and kallisto are read.
"""

import gzip
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.names import list_names
from grnjax.data.safe_arrays import translate
from grnjax.data.safe_sparse import check_indices, check_pointers
from grnjax.data.safe_text import GZIP, inflate
from grnjax.data.sniff import MTX
from grnjax.data.tables import read_rows, round_once
from grnjax.errors import ExpressionFormatError, GrnjaxError

if TYPE_CHECKING:  # their imports cost half a second
    from anndata import AnnData
    from h5py import File

FEATURES = re.compile(r"(features|genes)\.(tsv|txt)(\.gz)?$")
BARCODES = re.compile(r"barcodes\.(tsv|txt)(\.gz)?$")
LONGEST_LINE = 10_000
PARTS = ("data", "indices", "indptr", "shape", "barcodes")


def find_groups(file: "File") -> list[str]:
    """The groups of the file that hold a matrix: `matrix`, or before version 3 one a genome."""
    return [name for name, group in file.items() if hasattr(group, "keys") and "indptr" in group]


def read_tenx_h5(file: "File", path: str | Path, error: type[GrnjaxError]) -> "AnnData":
    """The counts of a filtered_feature_bc_matrix.h5, cells x features."""
    groups = find_groups(file)
    if len(groups) > 1:
        raise error(
            f"{path}: holds {len(groups)} genomes ({list_names(groups)}); write one, as by "
            f"scanpy.read_10x_h5('x.h5', genome='{groups[0]}').write_h5ad('x.h5ad')."
        )
    group = file[groups[0]]
    lacking = [name for name in PARTS if name not in group]
    if lacking:
        raise error(f"{path}: a 10x matrix without {', '.join(lacking)}.")
    features = group["features"] if "features" in group else group
    columns = {"id": "id", "name": "name", "feature_type": "feature_type"}
    if "features" not in group:
        columns = {"id": "genes", "name": "gene_names"}
    table = {key: features[name].asstr()[()] for key, name in columns.items() if name in features}
    data, indices, indptr, shape = (group[name][()] for name in PARTS[:4])
    rows, columns = map(int, shape)
    check_pointers(indptr, columns, len(indices), f"{path}: matrix", error)
    check_indices(indices, rows, f"{path}: matrix", error)
    counts = sparse.csc_matrix((data, indices, indptr), shape=(rows, columns))
    return tabulate(counts.T.tocsr(), table, group["barcodes"].asstr()[()], path, error)


def read_tenx_folder(path: str | Path, error: type[GrnjaxError]) -> "AnnData":
    """The counts of a folder with matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv.

    Args:
        path: the folder, or its matrix.mtx where it holds several.
    """
    matrix, features, barcodes = find_parts(Path(path), error)
    rows = list(read_rows(features, error))
    keys = ("id", "name", "feature_type") if len(rows[0]) > 1 else ("name",)
    table = {key: [x[i] if i < len(x) else "" for x in rows] for i, key in enumerate(keys)}
    if len(rows[0]) < 3:
        table.pop("feature_type", None)
    cells = [fields[0] for fields in read_rows(barcodes, error)]
    counts = read_market(matrix, len(rows), len(cells), error)
    return tabulate(counts, table, cells, path, error)


def find_parts(path: Path, error: type[GrnjaxError]) -> tuple[Path, Path, Path]:
    """Matrix, features and barcodes; their names may have a prefix and be gzipped."""
    folder, prefix = (path, "") if path.is_dir() else (path.parent, stem_of(path.name))
    names = [name for name in sorted(os.listdir(folder)) if name.startswith(prefix)]
    found = []
    for pattern, what in (
        (MTX, "matrix.mtx"),
        (FEATURES, "features.tsv"),
        (BARCODES, "barcodes.tsv"),
    ):
        fitting = [name for name in names if pattern.search(name)]
        if what == "matrix.mtx" and not path.is_dir():
            fitting = [path.name]
        if len(fitting) != 1:
            few = f"no {what} with it" if not fitting else f"{len(fitting)} of {what}"
            raise error(
                f"{path}: a 10x folder needs matrix.mtx, features.tsv and barcodes.tsv, and there "
                f"is {few} among {list_names(fitting or names)}. Give the one matrix.mtx, or put "
                "the three files of a sample into a folder of their own."
            )
        found.append(folder / fitting[0])
    return found[0], found[1], found[2]


def list_files(path: str | None) -> dict[str, str | Path | None]:
    """What is read with an expression file, by role: with a matrix.mtx the files beside it."""
    beside: dict[str, str | Path | None] = {}
    if path and MTX.search(path) and os.path.isfile(path):
        _, features, barcodes = find_parts(Path(path), ExpressionFormatError)
        beside = {"beside/features": features, "beside/barcodes": barcodes}
    return {"expression": path, **beside}


def stem_of(name: str) -> str:
    """What stands before matrix.mtx, the prefix of all files of a sample."""
    return re.sub(r"\.?(matrix)?\.mtx(\.gz)?$", "", name)


def read_market(
    path: Path, features: int, cells: int, error: type[GrnjaxError]
) -> sparse.csr_matrix:
    """The sparse matrix [cell, feature] of a Matrix Market file, whichever way round it is.

    pandas parses it: scipy's reader ends the interpreter on some streams.
    """
    with translate(path, "Matrix Market file", error):
        with open(path, "rb") as raw:
            is_gzipped = raw.peek(2)[:2] == GZIP
            for _ in inflate(raw, path, error) if is_gzipped else ():
                pass
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if is_gzipped else raw
            form = stream.readline(LONGEST_LINE).split()
            line = stream.readline(LONGEST_LINE)
            while line.startswith(b"%"):
                line = stream.readline(LONGEST_LINE)
            rows, columns, count = map(int, line.split())
            if form[2:] != [b"coordinate", form[3], b"general"]:
                raise error(f"{path}: not the sparse, general form of Matrix Market.")
            if {rows, columns} != {features, cells}:
                raise error(
                    f"{path}: {rows:,} x {columns:,} entries, and {features:,} features and "
                    f"{cells:,} barcodes beside it. The files belong to different samples or are "
                    "cut short."
                )
            table = pd.read_csv(stream, sep=r"\s+", header=None, comment="%")
    numbers = table.to_numpy()
    if numbers.dtype.kind not in "if" or len(numbers) != count:
        raise error(f"{path}: {count:,} entries announced, {len(numbers):,} lines of them there.")
    at = numbers[:, :2].astype(np.int64) - 1
    if len(at) and not ((at >= 0) & (at < [rows, columns])).all():
        raise error(f"{path}: damaged: entries outside of {rows:,} x {columns:,}.")
    values = numbers[:, 2] if numbers.shape[1] > 2 else np.ones(len(numbers))
    counts = sparse.coo_matrix((values, (at[:, 0], at[:, 1])), (rows, columns))
    return (counts.T if rows == features else counts).tocsr()


def tabulate(
    counts, features: dict, cells, path: str | Path, error: type[GrnjaxError]
) -> "AnnData":
    """Counts [cell, feature] as AnnData: symbols name the genes, ids and types stand in var."""
    from anndata import AnnData

    names = features.get("name", features.get("id", []))
    lengths = {key: len(column) for key, column in features.items()} | {"barcodes": len(cells)}
    if counts.shape != (len(cells), len(names)) or len({*map(len, features.values())}) > 1:
        raise error(
            f"{path}: {counts.shape[1]:,} features x {counts.shape[0]:,} cells, but "
            f"{', '.join(f'{n:,} of {key}' for key, n in lengths.items())}: damaged or incomplete."
        )
    counts.data = round_once(counts.data)
    columns = {"id": "gene_ids", "feature_type": "feature_types"}
    var = {columns[key]: np.array(x, object) for key, x in features.items() if key in columns}
    var = pd.DataFrame(var, index=pd.Index(np.array(names, object)))
    return AnnData(counts, pd.DataFrame(index=pd.Index(np.array(cells, object))), var)
