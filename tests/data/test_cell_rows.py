"""Rows of AnnData in blocks: the same from disk and from memory, and damage is found."""

import shutil
import tempfile

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.data import columns_to_rows
from grnjax.data.cell_rows import open_rows
from grnjax.errors import ConfigError, ExpressionFormatError


@pytest.fixture
def adata():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.4, (23, 9)).astype(np.float32)
    obs = pd.DataFrame({"n_counts": counts.sum(axis=1) + 5, "kind": "a"})
    obs.index = [f"cell{i}" for i in range(23)]
    var = pd.DataFrame({"symbol": [f"S{i}" for i in range(9)]}, index=[f"E{i}" for i in range(9)])
    data = anndata.AnnData(sparse.csr_matrix(counts), obs, var)
    data.raw = data.copy()
    data.layers["double"] = data.X * 2
    data.layers["dense"] = counts * 3
    data.layers["columns"] = sparse.csc_matrix(counts)
    return data


@pytest.fixture
def path(adata, tmp_path):
    adata.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def read_all(source, step=7, layer=None, gene_column=None):
    with open_rows(source, layer=layer) as rows:
        blocks = [rows.read(i, i + step).toarray() for i in range(0, len(rows), step)]
        return np.concatenate(blocks), rows.name_genes(gene_column).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer, factor", [(None, 1), ("X", 1), ("double", 2), ("dense", 3), ("raw", 1)]
)
def test_disk_and_memory_give_the_same_rows(adata, path, layer, factor):
    expected = adata.X.toarray() * factor
    backed = anndata.read_h5ad(path, backed="r")
    for source in (adata, path, str(path), backed):
        values, genes = read_all(source, layer=layer)
        np.testing.assert_array_equal(values, expected)
        assert genes == adata.var_names.tolist()
    backed.file.close()


def test_names_come_from_a_column_and_totals_from_obs(path, adata):
    assert read_all(path, gene_column="symbol")[1] == adata.var["symbol"].tolist()
    with open_rows(path) as rows:
        np.testing.assert_array_equal(rows.take_column("n_counts"), adata.obs["n_counts"])
        with pytest.raises(ConfigError, match="'kind' of numbers; it has n_counts"):
            rows.take_column("kind")


def test_what_was_changed_in_an_object_in_backed_mode_counts(path):
    backed = anndata.read_h5ad(path, backed="r")
    backed.var_names = [f"NEW{i}" for i in range(9)]
    assert read_all(backed)[1] == backed.var_names.tolist()
    with pytest.raises(ConfigError, match="view"):
        read_all(backed[:4])
    backed.file.close()


def test_a_view_in_memory_is_read(adata):
    np.testing.assert_array_equal(read_all(adata[3:9, [1, 4]])[0], adata.X[3:9, [1, 4]].toarray())


@pytest.mark.parametrize("at_once", [1, 40, 2**24], ids=["column by column", "some", "all at once"])
def test_columns_are_turned_in_memory_and_on_disk(adata, path, monkeypatch, tmp_path, at_once):
    (tmp_path / "turned").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "turned"))
    monkeypatch.setattr(columns_to_rows, "AT_ONCE", at_once)
    for source in (adata, path):
        np.testing.assert_array_equal(read_all(source, layer="columns")[0], adata.X.toarray())
    assert not any((tmp_path / "turned").iterdir()), "nothing is left on the disk"


def test_columns_that_the_disk_cannot_hold_are_refused(path, monkeypatch):
    usage = shutil.disk_usage(path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ExpressionFormatError, match=r"stored by columns, .* Set TMPDIR"):
        read_all(path, layer="columns")


@pytest.mark.parametrize(
    "settings, error, problem",
    [
        ({"layer": "counts"}, ExpressionFormatError, "no layer 'counts'; it has"),
        ({"gene_column": "ids"}, ConfigError, "no column 'ids'; it has symbol"),
    ],
)
def test_what_is_not_there_is_named(adata, path, settings, error, problem):
    for source in (adata, path):
        with pytest.raises(error, match=problem):
            read_all(source, **settings)


def damage(path, part, change):
    with h5py.File(path, "r+") as file:
        values = file[f"X/{part}"][()]
        change(values)
        file[f"X/{part}"][...] = values


def test_a_damaged_index_is_found_when_its_block_is_read(path):
    damage(path, "indices", lambda values: values.__setitem__(-1, 10_000))
    with open_rows(path) as rows:
        rows.read(0, 5)
        with pytest.raises(ExpressionFormatError, match="its indices run"):
            rows.read(20, 23)


def test_damaged_pointers_are_found_at_once(path):
    damage(path, "indptr", lambda values: values.__setitem__(3, 10**9))
    with pytest.raises(ExpressionFormatError, match="its pointers"):
        read_all(path)


def test_a_matrix_of_another_shape_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = (23, 8)
    with pytest.raises(ExpressionFormatError, match=r"23, 8.* for 23 cells and 9 genes"):
        read_all(path)
