"""Expression files as other programs leave them, small, by functions that write them."""

import gzip
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.expression import DataConfig, read_expression

GENES = ["CD4", "GATA1", "HLA-DRA", "MYC", "NANOG", "NKX2-1", "POU5F1", "SOX2"]
TFS = {"GATA1", "NKX2-1", "SOX2"}
IDS = [f"ENSG{100 + i:011d}" for i in range(len(GENES))]
CELLS = [f"cell{i}-1" for i in range(12)]
COUNTS = np.random.default_rng(0).negative_binomial(2, 0.1, (len(CELLS), len(GENES)))
LOGS = np.log1p(COUNTS)
SCALED = (LOGS - LOGS.mean(axis=0)) / LOGS.std(axis=0)
ANTIBODIES = ["CD3_TotalSeqB", "CD19_TotalSeqB"]


def make_annotated(values=COUNTS, genes=GENES, **var) -> anndata.AnnData:
    """Cells x genes."""
    values = values if values is None or sparse.issparse(values) else np.asarray(values, np.float32)
    obs, var = pd.DataFrame(index=CELLS), pd.DataFrame(var, index=list(genes))
    return anndata.AnnData(values, obs, var)


def write_annotated(path: Path, data: anndata.AnnData) -> Path:
    """An .h5ad file, gzipped if its name says so."""
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    data.write_h5ad(plain)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return path


def with_antibodies() -> tuple[np.ndarray, list[str], list[str]]:
    """Counts of genes and antibodies, all names, and their types."""
    values = np.hstack([COUNTS, np.full((len(CELLS), len(ANTIBODIES)), 900)])
    types = ["Gene Expression"] * len(GENES) + ["Antibody Capture"] * len(ANTIBODIES)
    return values, [*GENES, *ANTIBODIES], types


def write_tenx_h5(path: Path, *, legacy: bool = False, genomes=("GRCh38",), **changes) -> Path:
    """A filtered_feature_bc_matrix.h5 with antibodies, or one of Cell Ranger 2."""
    values, names, types = with_antibodies()
    if legacy:
        values, names = COUNTS, GENES
    matrix = sparse.csc_matrix(values.T.astype(np.int32))
    ids = np.array([*IDS, *ANTIBODIES][: len(names)], "S")
    parts = {name: getattr(matrix, name) for name in ("data", "indices", "indptr")}
    parts |= {"shape": np.array(matrix.shape), "barcodes": np.array(CELLS, "S")} | changes
    with h5py.File(path, "w") as file:
        for name in genomes if legacy else ("matrix",):
            group = file.create_group(name)
            for key, part in parts.items():
                group[key] = part
            features = group if legacy else group.create_group("features")
            features["genes" if legacy else "id"] = ids
            features["gene_names" if legacy else "name"] = np.array(names, "S")
            if not legacy:
                features["feature_type"] = np.array(types, "S")
    return path


def write_tenx_folder(folder: Path, form: str = "cell ranger 3", prefix: str = "") -> Path:
    """matrix.mtx, features.tsv and barcodes.tsv as Cell Ranger 3 or 2, or kallisto write them."""
    values, names, types = with_antibodies()
    columns = [[*IDS, *ANTIBODIES], names, types]
    if form != "cell ranger 3":
        values, columns = COUNTS, [IDS, GENES]
    if form == "kallisto":
        columns, prefix = [GENES], "cells_x_"
    entries = values if form == "kallisto" else values.T
    at = np.transpose(np.nonzero(entries))
    lines = ["%%MatrixMarket matrix coordinate integer general", "%made by hand"]
    lines += [" ".join(map(str, (*entries.shape, len(at))))]
    lines += [f"{row + 1} {column + 1} {entries[row, column]}" for row, column in at]
    files = {
        "cell ranger 3": ("matrix.mtx", "features.tsv", "barcodes.tsv"),
        "cell ranger 2": ("matrix.mtx", "genes.tsv", "barcodes.tsv"),
        "kallisto": ("genes.mtx", "genes.genes.txt", "genes.barcodes.txt"),
    }[form]
    folder.mkdir(exist_ok=True)
    texts = lines, map("\t".join, zip(*columns, strict=True)), CELLS
    for name, text in zip(files, texts, strict=True):
        content = ("\n".join(text) + "\n").encode()
        if form == "cell ranger 3":
            name, content = f"{name}.gz", gzip.compress(content)
        (folder / (prefix + name)).write_bytes(content)
    return folder


def write_loom(path: Path, heading: str = "Gene", layers=()) -> Path:
    """A loom file as SCENIC and velocyto have them."""
    with h5py.File(path, "w") as file:
        file.attrs["LOOM_SPEC_VERSION"] = "2.0.1"
        file["matrix"] = COUNTS.T.astype(np.float32)
        text = h5py.string_dtype()
        file.create_dataset(f"row_attrs/{heading}", data=GENES, dtype=text)
        file.create_dataset("row_attrs/Accession", data=IDS, dtype=text)
        file.create_dataset("col_attrs/CellID", data=CELLS, dtype=text)
        for name in layers:
            file[f"layers/{name}"] = 2 * COUNTS.T
    return path


def write_mudata(path: Path, names=("rna", "atac")) -> Path:
    """An .h5mu file, whose parts are written as AnnData are, behind a line of MuData's own."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name in names:
            anndata.io.write_elem(file.require_group("mod"), name, make_annotated())
        anndata.io.write_elem(file, "obs", pd.DataFrame(index=CELLS))
        anndata.io.write_elem(file, "var", pd.DataFrame(index=GENES))
        file.attrs["encoding-type"] = "MuData"
    with open(path, "r+b") as raw:
        raw.write(b"MuData (format-version=0.1.0;creator=muon;creator-version=0.3.10)")
    return path


def read(path, reference=TFS, **settings):
    """The expression of a file or object for a run with this TF list."""
    return read_expression(path, DataConfig(**settings), set(reference))


def expect_counts(expression, genes=GENES, counts=COUNTS):
    """The very bits that a plain .csv of the counts gives."""
    same = read_expression(
        pd.DataFrame(counts, CELLS, genes), DataConfig(orientation="cells-by-genes"), set()
    )
    assert expression.genes.tolist() == sorted(genes)
    assert expression.values.tobytes() == same.values.tobytes()
