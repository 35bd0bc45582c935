"""Counts of peaks come out the same however they are stored, and wrong ones end in a sentence."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse

from grnjax.data.accessibility import read_accessibility
from grnjax.data.barcodes import join_barcodes
from grnjax.errors import ExpressionFormatError

PLACES = [("chr2", 50, 150), ("chr1", 300, 400), ("chr1", 100, 200)]
COUNTS = np.array([[1, 0, 2], [0, 3, 0], [4, 0, 0], [0, 5, 6]], np.float32)
CELLS = [f"cell{i}-1" for i in range(4)]
SPELLINGS = ["{}:{}-{}", "{}_{}_{}", "{}-{}-{}"]
COLUMNS = [("chrom", "start", "end"), ("chromosome", "start", "end"), ("seqnames", "Start", "End")]


def make(spelling=SPELLINGS[0], counts=COUNTS, **var):
    names = [spelling.format(*place) for place in PLACES] if spelling else ["p1", "p2", "p3"]
    obs = pd.DataFrame({"type": list("aabb")}, index=CELLS)
    return anndata.AnnData(counts.copy(), obs, pd.DataFrame(var, index=names))


def expect_same(found):
    assert found.peaks["peak"].tolist() == ["chr1:100-200", "chr1:300-400", "chr2:50-150"]
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS[:, ::-1])
    assert list(found.cells.index) == CELLS
    assert found.report["cells"] == 4 and found.report["peaks"] == 3


def with_genes():
    """Genes and peaks in one table, as 10x has a multiome."""
    genes = np.array([[9, 9], [9, 0], [0, 9], [9, 9]])
    names = ["SOX2", *(SPELLINGS[0].format(*place) for place in PLACES), "GATA1"]
    types = ["Gene Expression", *["Peaks"] * 3, "Gene Expression"]
    return np.hstack([genes[:, :1], COUNTS, genes[:, 1:]]).astype(int), names, types


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_names_tell_where_peaks_lie(spelling):
    expect_same(read_accessibility(make(spelling)))


@pytest.mark.parametrize("columns", COLUMNS)
def test_columns_tell_where_peaks_lie_before_names_do(columns):
    var = dict(zip(columns, zip(*PLACES)))
    expect_same(read_accessibility(make(None, **{k: list(v) for k, v in var.items()})))


@pytest.mark.slow
def test_files_of_every_kind_hold_the_same(tmp_path):
    make().write_h5ad(tmp_path / "x.h5ad")
    expect_same(read_accessibility(tmp_path / "x.h5ad"))
    make(counts=sparse.csr_matrix(COUNTS)).write_h5ad(tmp_path / "sparse.h5ad")
    expect_same(read_accessibility(tmp_path / "sparse.h5ad"))
    make().write_zarr(tmp_path / "x.zarr")
    expect_same(read_accessibility(tmp_path / "x.zarr"))
    with h5py.File(tmp_path / "x.h5mu", "w") as file:
        anndata.io.write_elem(file, "obs", pd.DataFrame(index=CELLS))
        rna = anndata.AnnData(np.ones((4, 2), np.float32), pd.DataFrame(index=CELLS))
        for name, part in (("rna", rna), ("atac", make())):
            anndata.io.write_elem(file.require_group("mod"), name, part)
    expect_same(read_accessibility(tmp_path / "x.h5mu"))


def test_peaks_are_taken_from_a_multiome_of_10x(tmp_path):
    values, names, types = with_genes()
    matrix = sparse.csc_matrix(values.T)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for key in ("data", "indices", "indptr", "shape"):
            file[f"matrix/{key}"] = getattr(matrix, key)
        file["matrix/barcodes"] = CELLS
        for key, part in {"id": names, "name": names, "feature_type": types}.items():
            file[f"matrix/features/{key}"] = part
    found = read_accessibility(tmp_path / "x.h5")
    expect_same(found)
    assert found.report["not_peaks"] == {"gene expression": 2}
    io.mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(values.T))
    rows = [f"{name}\t{name}\t{kind}\tchr1\t1\t2" for name, kind in zip(names, types)]
    (tmp_path / "features.tsv").write_text("\n".join(rows))
    (tmp_path / "barcodes.tsv").write_text("\n".join(CELLS))
    expect_same(read_accessibility(tmp_path))


def test_peaks_of_the_same_place_are_added_up(caplog):
    data = make()
    data.var_names = ["chr1:100-200", "chr2:50-150", "chr1_100_200"]
    found = read_accessibility(data)
    assert found.peaks["peak"].tolist() == ["chr1:100-200", "chr2:50-150"]
    np.testing.assert_array_equal(found.counts.toarray()[:, 0], COUNTS[:, 0] + COUNTS[:, 2])
    assert "1 repeated peaks added up: chr1:100-200" in caplog.text


WRONG = {
    "negative": (lambda: make(counts=-COUNTS), r"6 of 6 entries are missing, infinite or neg"),
    "missing": (lambda: make(counts=np.where(COUNTS == 5, np.nan, COUNTS)), "1 of 6 entries are"),
    "closed": (lambda: make(counts=COUNTS * 0), "all 4 cells are closed everywhere"),
    "no place": (lambda: make(None), r"3 of 3 peaks \(p1, p2, p3\) have no place in the genome"),
    "no peaks": (
        lambda: make(feature_types=["Gene Expression"] * 3),
        "no peaks: .var column feature_types has 3 gene expression. Give the file",
    ),
    "no cells": (lambda: make()[:0].copy(), "0 cells and 3 peaks, so there is no accessibility"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_accessibility_is_refused_in_a_sentence(what):
    make_wrong, words = WRONG[what]
    with pytest.raises(ExpressionFormatError, match=words) as refusal:
        read_accessibility(make_wrong())
    assert "\n" not in str(refusal.value)


def test_a_text_file_or_a_mudata_of_other_parts_is_refused(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(ExpressionFormatError, match="x.tsv: text is not read as accessibility"):
        read_accessibility(tmp_path / "x.tsv")
    with h5py.File(tmp_path / "x.h5mu", "w") as file:
        anndata.io.write_elem(file, "obs", pd.DataFrame(index=CELLS))
        for name in ("rna", "prot"):
            anndata.io.write_elem(file.require_group("mod"), name, make())
    with pytest.raises(ExpressionFormatError, match="prot, rna, none of them called atac; give"):
        read_accessibility(tmp_path / "x.h5mu")


def test_barcodes_are_joined_as_spelled_and_else_by_what_programs_add(caplog):
    rna = ["AAACCCTT-1", "CCCCGGGG-1", "TTTTGGGG-1", "GGGGAAAA-1"]
    assert (join_barcodes(rna, rna[::-1], "x").second == [3, 2, 1, 0]).all()
    shared = join_barcodes(rna, ["s1#CCCCGGGG-1", "TTTTGGGG", "AAACCCTT-1", "lib_GGGGAAAA-x"], "x")
    assert shared.first.tolist() == [0, 1, 2, 3] and shared.second.tolist() == [2, 0, 1, 3]
    counts = {k: v["count"] for k, v in shared.report["barcodes_rewritten"].items()}
    assert counts == {
        "a sample before #": 1,
        "the suffix of a sample, as in -1": 1,
        "what stands around the bases": 1,
    }
    assert "1 barcodes joined that differ by a sample before #" in caplog.text


def test_a_barcode_that_two_cells_could_have_is_joined_to_neither():
    shared = join_barcodes(["AAACCCTT-1", "AAACCCTT-2"], ["AAACCCTT", "CCCCGGGG-1"], "x")
    assert len(shared) == 0 and shared.report["cells_of_rna_alone"] == 2
    shared = join_barcodes(["AAACCCTT-1", "AAACCCTT-1"], ["AAACCCTT-1"], "x")
    assert len(shared) == 0 and shared.report["repeated_barcodes"]["count"] == 1
