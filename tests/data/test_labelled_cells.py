import os

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data.labelled_cells import CellSet
from grnjax.errors import ConfigError, ExpressionFormatError

COUNTS = np.array([[1, 3, 0], [0, 2, 6]], dtype=float)  # genes B, A of cells y, x, z


@pytest.fixture
def blood(tmp_path):
    """Writes a set as the labelled PBMC 3k is: genes x cells, names and types beside."""
    folder = tmp_path / "pbmc_rna_atac_unpaired"
    folder.mkdir()

    def write(named=("y", "x", "z"), types=("T", "B", "NK")):
        with h5py.File(folder / "exprs_rna.h5", "w") as file:
            file["matrix/data"] = COUNTS
            file["matrix/features"] = np.array([b"B", b"A"])
            file["matrix/barcodes"] = np.array([b"y", b"x", b"z"])
        pd.Series(named, name="x").to_csv(folder / "rna_cell.csv")
        pd.Series(types, name="x").to_csv(folder / "celltype_rna.csv")
        return tmp_path

    return write


def test_types_are_joined_to_counts_by_barcode(blood):
    first = CellSet.read("pbmc3k", blood())
    assert first.genes.tolist() == ["A", "B"]
    assert first.types.tolist() == ["B", "T", "NK"]  # of x, y, z
    expected = np.log1p(1e4 * np.array([[2 / 5, 3 / 5], [0, 1], [1, 0]]))
    np.testing.assert_allclose(first.expression, expected, rtol=1e-6)
    again = CellSet.read("pbmc3k", blood(named=("z", "y", "x"), types=("NK", "T", "B")))
    np.testing.assert_array_equal(again.types, first.types)


@pytest.mark.parametrize(
    "tables, message",
    [
        ({"named": ("y", "x", "w")}, "1 of 3 cells are not among the 3"),
        ({"types": ("T", "B")}, "3 of rna_cell.csv, which go with 2 types"),
    ],
)
def test_cells_without_a_type_are_refused(blood, tables, message):
    with pytest.raises(ExpressionFormatError, match=message):
        CellSet.read("pbmc3k", blood(**tables))


def test_the_log_values_of_an_annotated_file_are_read_and_not_the_scaled_ones(tmp_path):
    folder = tmp_path / "pbmc68k_reduced"
    folder.mkdir()
    logged = np.log1p(COUNTS.T).astype(np.float32)
    data = anndata.AnnData(sparse.csr_matrix(logged))
    data.var_names, data.obs_names = ["B", "A"], ["y", "x", "z"]
    data.obs["bulk_labels"] = pd.Categorical(["T", "B", "NK"])
    data.raw = data.copy()
    data.X = logged - 5
    data.write_h5ad(folder / "10x_pbmc68k_reduced.h5ad")
    cells = CellSet.read("pbmc68k", tmp_path)
    assert cells.genes.tolist() == ["A", "B"] and cells.types.tolist() == ["B", "T", "NK"]
    np.testing.assert_array_equal(cells.expression, logged[[1, 0, 2]][:, [1, 0]])


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="there are pbmc68k, pbmc3k"):
        CellSet.read("pbmc10k", tmp_path)
    with pytest.raises(ExpressionFormatError, match="exprs_rna.h5: .*not a readable matrix"):
        CellSet.read("pbmc3k", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, cells, genes, types", [("pbmc68k", 700, 765, 10), ("pbmc3k", 2_638, 1_880, 9)]
)
def test_published_cells(name, cells, genes, types):
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA does not name the folder of the data sets")
    found = CellSet.read(name, os.environ["GRNJAX_DATA"])
    assert found.expression.shape == (cells, genes)
    assert len(np.unique(found.types)) == types
    assert found.expression.min() == 0 and 4 < found.expression.max() < 10
