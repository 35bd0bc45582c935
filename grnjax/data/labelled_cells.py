"""Two sets of blood cells whose types are known.

    ROOT/pbmc68k_reduced/        an .h5ad file: raw/X on a log scale, types in obs
    ROOT/pbmc_rna_atac_unpaired/ counts, genes x cells, with barcodes and types in tables beside

In both, the types were derived from the expression of the same cells, so they are no measurement of
their own: what resembles the method that made them has an advantage.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np

from grnjax.data.annotated import open_hdf5, read_h5ad
from grnjax.data.canonical import drop_repeated_genes, normalise_counts
from grnjax.data.data_set import Published, PublishedSet
from grnjax.data.safe_arrays import translate
from grnjax.data.tables import read_rows, round_once, to_dense
from grnjax.errors import ExpressionFormatError
from grnjax.types import LabelledCells


def load_pbmc68k(root: Path) -> LabelledCells:
    """700 of the 68k blood cells of Zheng et al. 2017, 10 types by sorted reference."""
    path = root / "pbmc68k_reduced" / "10x_pbmc68k_reduced.h5ad"
    data = read_h5ad(path, ExpressionFormatError)
    if data.raw is None or "bulk_labels" not in data.obs:
        raise ExpressionFormatError(f"{path}: needs raw/X and obs/bulk_labels.")
    types = data.obs["bulk_labels"].to_numpy(str)
    return order_cells(to_dense(data.raw.X), data.raw.var_names, data.obs_names, types)


def load_pbmc3k(root: Path) -> LabelledCells:
    """2,638 blood cells of 10x Genomics, 9 types; counts scaled to 10,000 a cell and logged."""
    folder = root / "pbmc_rna_atac_unpaired"
    path = folder / "exprs_rna.h5"
    error = ExpressionFormatError
    with translate(path, "matrix", error), open_hdf5(path, error) as file:
        counts = round_once(file["matrix/data"][()].T)
        genes = file["matrix/features"].asstr()[()]
        barcodes = file["matrix/barcodes"].asstr()[()]
    named, types = (read_column(folder / f"{name}.csv") for name in ("rna_cell", "celltype_rna"))
    type_of = dict(zip(named, types, strict=False))
    unknown = [barcode for barcode in barcodes if barcode not in type_of]
    if unknown or len(named) != len(types):
        raise ExpressionFormatError(
            f"{path}: {len(unknown):,} of {len(barcodes):,} cells are not among the {len(named):,} "
            f"of rna_cell.csv, which go with {len(types):,} types in celltype_rna.csv."
        )
    normalise_counts(counts)
    return order_cells(counts, genes, barcodes, np.array([type_of[cell] for cell in barcodes]))


class CellSet(PublishedSet):
    """Cells of blood with their types."""

    TITLE: ClassVar[str] = "Cells with their types, and no network"
    SETS: ClassVar[dict[str, Published]] = {
        "pbmc68k": Published(load_pbmc68k, "pbmc68k_reduced", "700 cells, 765 genes, 10 types"),
        "pbmc3k": Published(
            load_pbmc3k, "pbmc_rna_atac_unpaired", "2,638 cells, 1,880 genes, 9 types"
        ),
    }


def read_column(path: Path) -> list[str]:
    """The last column of a table with a heading."""
    _, *rows = read_rows(path, ExpressionFormatError)
    return [fields[-1] for fields in rows]


def order_cells(values, genes, barcodes, types: np.ndarray) -> LabelledCells:
    """The cells sorted by barcode and the genes by name, each once."""
    values, genes, _ = drop_repeated_genes(values, np.array(genes, dtype=str))
    cells, columns = np.argsort(np.array(barcodes, dtype=str)), np.argsort(genes)
    return LabelledCells(values[np.ix_(cells, columns)], genes[columns], types[cells])
