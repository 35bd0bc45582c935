"""Bounds of sizes, lines, matrices in memory and the process's own; good inputs are below them."""

import gzip
import resource

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import grnjax
from grnjax.data.annotated import read_h5ad
from grnjax.data.expression import DataConfig, read_expression
from grnjax.data.safe_hdf5 import allow, limit_memory
from grnjax.data.safe_probe import probe_hdf5
from grnjax.data.safe_sparse import check_memory, check_sparse
from grnjax.data.safe_text import hold_rows, most_inflated
from grnjax.data.tables import read_rows, read_text_matrix
from grnjax.errors import ExpressionFormatError, GrnjaxError
from tests.faults.good_files import NAMES, write_h5ad

KINDS = (sparse.csr_matrix, sparse.csc_array, sparse.coo_array)


def make_counts(kind=sparse.csr_matrix):
    return kind(np.random.default_rng(0).poisson(1, (6, len(NAMES))).astype(np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_good_sparse_matrices_pass(kind):
    for matrix in (make_counts(kind), kind((3, 4)), make_counts(kind).astype(int), np.eye(2), None):
        check_sparse(matrix, "X", GrnjaxError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [-1, 10**6])
def test_indices_out_of_range_in_memory_are_refused(kind, index):
    matrix = make_counts(kind)
    (matrix.coords[1] if matrix.format == "coo" else matrix.indices)[2] = index
    with pytest.raises(GrnjaxError, match="X is damaged: its indices run from"):
        check_sparse(matrix, "X", GrnjaxError)


@pytest.mark.parametrize("place", ["X", "layers", "varm", "obsm", "varp", "obsp", "raw"])
def test_anndata_of_python_is_checked_in_all_its_parts(place):
    obs = pd.DataFrame(index=[f"c{i}" for i in range(6)])
    data = anndata.AnnData(make_counts(), obs, pd.DataFrame(index=NAMES))
    if place == "raw":
        data.raw = data.copy()
    sizes = {"varm": (12, 6), "obsm": (6, 6), "varp": (12, 12), "obsp": (6, 6)}
    if place in ("X", "raw"):
        matrix = data.X if place == "X" else data.raw.X
    else:
        ones = np.ones(sizes.get(place, (6, 12)), np.float32)
        getattr(data, place)["one"] = sparse.csr_matrix(ones)
        matrix = getattr(data, place)["one"]
    read_expression(data, DataConfig(), set(NAMES))
    matrix.indptr[1] = 10**9
    with pytest.raises(ExpressionFormatError, match=f"AnnData object: {place}.* is damaged"):
        grnjax.infer(data, tfs=NAMES[:2].tolist(), method="pearson")


def test_a_matrix_beyond_the_memory_is_named_with_its_remedy():
    check_memory((1000, 1000))
    with pytest.raises(ExpressionFormatError, match="737,280 x 33,538,000 takes .* filtered_feat"):
        check_memory((737_280, 33_538_000))


def test_what_a_file_may_take_grows_with_it_and_fits_small_sets_of_cells():
    assert allow(5_600_000) > 4 * 2_700 * 32_738  # PBMC 3k: 5.6 MB as a compressed .h5ad
    assert allow(3 << 20) < 400 << 20
    assert most_inflated(3 << 20) < 256 << 20


def test_compressible_tables_are_read(tmp_path):
    values = np.random.default_rng(0).poisson(0.03, (100, 5_000))
    frame = pd.DataFrame(values, [f"c{i}" for i in range(100)], [f"G{i}" for i in range(5_000)])
    path = tmp_path / "counts.csv.gz"
    frame.to_csv(path)
    np.testing.assert_array_equal(read_text_matrix(path, GrnjaxError).values, values)
    two = tmp_path / "two.tsv.gz"  # gzip files joined end to end are one
    two.write_bytes(gzip.compress(b"A\tB\n") + gzip.compress(b"C\tD\n"))
    assert list(read_rows(two, GrnjaxError)) == [["A", "B"], ["C", "D"]]


def test_rows_are_held_up_to_what_the_file_may_have(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("A\tB\n")
    assert hold_rows([["a", "b"]] * 1000, path, GrnjaxError) == [["a", "b"]] * 1000
    with pytest.raises(GrnjaxError, match="more than 4,000,008 fields in [0-9,]+ rows"):
        hold_rows((["a"] * 10_000 for _ in range(401)), path, GrnjaxError)


def test_memory_is_limited_in_the_block_alone(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_AS)
    with limit_memory(tmp_path), pytest.raises(MemoryError):
        np.ones(1 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_file_that_ends_the_process_ends_another_one(tmp_path, monkeypatch):
    path = tmp_path / "x.h5ad"
    write_h5ad(path)
    probe_hdf5(path, path, GrnjaxError)
    program = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV) # {} {!r} {!r} {!r}"
    monkeypatch.setattr("grnjax.data.safe_probe.PROGRAM", program)
    with pytest.raises(GrnjaxError, match=r"x.h5ad: damaged: reading it ends .*signal 11"):
        read_h5ad(path, GrnjaxError)


def test_a_file_that_is_read_without_end_is_stopped_and_a_busy_machine_is_no_damage(
    tmp_path, monkeypatch
):
    path = tmp_path / "x.h5ad"
    write_h5ad(path)
    monkeypatch.setattr("grnjax.data.safe_probe.SECONDS", 1)
    start = "import sys; sys.path[:] = {}; import h5py; from grnjax.data.safe_probe import read_all"
    loop = f"{start}\nclass File:\n    def __init__(self, *_):\n        while True: pass\n"
    program = f"{loop}h5py.File = File\nread_all({{!r}}, {{!r}}, {{!r}})"
    monkeypatch.setattr("grnjax.data.safe_probe.PROGRAM", program)
    with pytest.raises(GrnjaxError, match="damaged: reading it does not end.* 1 s of computing"):
        read_h5ad(path, GrnjaxError)
    program = "import time; time.sleep(60) # {} {!r} {!r} {!r}"
    monkeypatch.setattr("grnjax.data.safe_probe.PROGRAM", program)
    monkeypatch.setattr("grnjax.data.safe_probe.BUSY", 1)
    with pytest.raises(GrnjaxError, match="not read within 1 s, so the disk or the machine"):
        read_h5ad(path, GrnjaxError)


def test_texts_of_good_files_are_read_as_they_are(tmp_path):
    path = tmp_path / "x.h5ad"
    write_h5ad(path)
    with h5py.File(path, "r+") as file:
        file["uns/notes"] = ["", "a" * 5_000, "\u00e9"] * 700  # several heaps
    data = read_h5ad(path, GrnjaxError)
    assert (
        list(data.uns["notes"][:3]) == ["", "a" * 5_000, "\u00e9"]
        and len(data.uns["notes"]) == 2_100
    )
