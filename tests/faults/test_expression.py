"""Expression as users have it: read for what it is and said so, or refused with the remedy."""

import gzip
import os
import pickle
import tarfile
import threading
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from grnjax.data.expression import DataConfig
from grnjax.errors import EdgeFormatError, ExpressionFormatError
from grnjax.tasks.loading import load_dataset
from tests.faults import expression_files as files
from tests.faults.expression_files import (
    CELLS,
    COUNTS,
    GENES,
    TFS,
    expect_counts,
    make_annotated,
    read,
)

# Kinds of file, known by content

FORMS = {
    "x.h5": files.write_tenx_h5,
    "legacy.h5": lambda path: files.write_tenx_h5(path, legacy=True),
    "folder": files.write_tenx_folder,
    "v2": lambda path: files.write_tenx_folder(path, "cell ranger 2"),
    "kallisto": lambda path: files.write_tenx_folder(path, "kallisto"),
    "geo": lambda path: files.write_tenx_folder(path, prefix="GSM1_a_"),
    "x.loom": files.write_loom,
    "velocyto": lambda path: files.write_loom(path, "Symbol", ["spliced"]),
    "x.h5mu": files.write_mudata,
    "one.h5mu": lambda path: files.write_mudata(path, ["cells"]),
    "x.h5ad.gz": lambda path: files.write_annotated(path, make_annotated()),
    "X.H5AD": lambda path: files.write_annotated(path, make_annotated()),
    "named-otherwise.txt": lambda path: files.write_annotated(path, make_annotated()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_what_users_have_is_read_whatever_its_name(name, tmp_path):
    expect_counts(read(FORMS[name](tmp_path / name)))


def test_a_gzipped_file_of_10x_a_parquet_table_and_a_zarr_folder_need_no_ending(tmp_path):
    plain = files.write_tenx_h5(tmp_path / "plain")
    (tmp_path / "packed").write_bytes(gzip.compress(plain.read_bytes()))
    expect_counts(read(tmp_path / "packed"))
    make_annotated().write_zarr(tmp_path / "store")
    expect_counts(read(tmp_path / "store"))
    pytest.importorskip("pyarrow")
    pd.DataFrame(COUNTS, CELLS, GENES).to_parquet(tmp_path / "table")
    expect_counts(read(tmp_path / "table"))


def test_of_a_folder_of_several_samples_one_is_named(tmp_path):
    for sample in ("GSM1_", "GSM2_"):
        files.write_tenx_folder(tmp_path / "geo", prefix=sample)
    with pytest.raises(ExpressionFormatError, match=r"2 of matrix.mtx among GSM1_matrix.*one"):
        read(tmp_path / "geo")
    expect_counts(read(tmp_path / "geo" / "GSM2_matrix.mtx.gz"))


@pytest.mark.slow
def test_a_run_on_a_10x_folder_is_known_by_its_files(cli, tmp_path, monkeypatch):
    folder = files.write_tenx_folder(tmp_path / "folder", prefix="a_")
    (tmp_path / "tfs.txt").write_text("\n".join(TFS))
    monkeypatch.chdir(folder)
    options = "--tfs", tmp_path / "tfs.txt", "--method=pearson", "--out"
    for number, path in enumerate((folder, folder / "a_matrix.mtx.gz")):
        run = tmp_path / f"run{number}"
        assert cli("infer", path, *options, run).status == 0
        other = os.path.relpath(path)
        assert "already finished" in cli("infer", other, *options, run).err
    features = folder / "a_features.tsv.gz"
    features.write_bytes(
        gzip.compress(gzip.decompress(features.read_bytes()).replace(b"MYC", b"MYB"))
    )
    for number, path in enumerate((folder, folder / "a_matrix.mtx.gz")):
        outcome = cli("infer", path, *options, tmp_path / f"run{number}")
        assert outcome.status == 2 and "holds another run" in outcome.err


def test_a_layer_of_a_loom_file_is_a_layer(tmp_path):
    path = files.write_loom(tmp_path / "x.loom", layers=["spliced"])
    expect_counts(read(path, layer="spliced"), counts=2 * COUNTS)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"indptr": np.zeros(13, int)}, "its pointers .* do not rise"),
        ({"indptr": np.arange(5)}, "its pointers .* do not rise"),
        ({"shape": np.array([5, 12])}, "its indices run from 0 to . where 5 places"),
        ({"barcodes": np.array(["a", "b"], "S")}, "2 of barcodes: damaged"),
    ],
)
def test_a_damaged_10x_file_is_refused_before_its_indices_are_followed(changes, words, tmp_path):
    with pytest.raises(ExpressionFormatError, match=f"x.h5: .*{words}"):
        read(files.write_tenx_h5(tmp_path / "x.h5", **changes))


def test_10x_files_that_do_not_belong_together_are_refused(tmp_path):
    folder = files.write_tenx_folder(tmp_path / "folder")
    barcodes = folder / "barcodes.tsv.gz"
    barcodes.write_bytes(gzip.compress(b"cell0-1\ncell1-1\n"))
    with pytest.raises(ExpressionFormatError, match="10 x 12 entries, and 10 features and 2 barco"):
        read(folder)
    barcodes.unlink()
    with pytest.raises(ExpressionFormatError, match="no barcodes.tsv with it among"):
        read(folder)
    two = files.write_tenx_h5(tmp_path / "x.h5", legacy=True, genomes=("hg19", "mm10"))
    with pytest.raises(ExpressionFormatError, match=r"2 genomes \(hg19, mm10\).*genome='hg19'"):
        read(two)
    with pytest.raises(ExpressionFormatError, match="MuData of a, b, none of them called rna"):
        read(files.write_mudata(tmp_path / "x.h5mu", ["a", "b"]))
    with pytest.raises(ExpressionFormatError, match=r"without a matrix.*its folders \(folder\)"):
        read(tmp_path)


def write_foreign(path, kind):
    """The first bytes of files that no reader takes."""
    path = path / kind
    if kind in ("book.xlsx", "data.zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml" if kind == "book.xlsx" else "a.csv", "x")
    elif kind == "x.tar.gz":
        with tarfile.open(path, "w:gz") as archive:
            archive.add(__file__, "a.csv")
    elif kind in ("x.h5seurat", "x.h5", "store.h5"):
        with h5py.File(path, "w") as file:
            groups = {"x.h5seurat": ["assays", "cell.names"], "x.h5": ["molecules"]}
            for name in groups.get(kind, ["df"]):
                file.create_group(name)
            if kind == "store.h5":
                file.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"
    else:
        content = {
            "x.rds": gzip.compress(b"X\n\x00\x00\x00\x03\x00\x04"),
            "x.RData": gzip.compress(b"RDX3\nX\n\x00"),
            "plain.rds": b"X\n\x00\x00\x00\x03",
            "x.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
            "x.csv.bz2": b"BZh91AY",
            "x.csv.xz": b"\xfd7zXZ\x00\x00",
            "x.feather": b"ARROW1\x00\x00",
            "x.npy": b"\x93NUMPY\x01\x00",
            "x.qs": bytes([11, 14, 10, 193, 0, 0, 1]),
            "unicode.txt": "gene,cell\nCD4,1\n".encode("utf-16"),
            "x.pkl": pickle.dumps({"a": 1}),
            "x.csv": b"<!DOCTYPE html><html>",
            "x.graphml": b'<?xml version="1.0"?>\n<graphml xmlns="x"><graph/></graphml>',
            "x.json": b'[{"TF": "A", "target": "B"}]',
            "x.h5ad": b"version https://git-lfs.github.com/spec/v1\n",
        }[kind]
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "kind, words",
    {
        "book.xlsx": "an Excel workbook.*pandas.read_excel",
        "x.xls": "an old Excel workbook.*pandas.read_excel",
        "data.zip": r"a zip archive of 1 files \(a.csv\); unpack",
        "x.tar.gz": "a tar archive.*tar -xf",
        "x.h5seurat": "an .h5seurat file.*SeuratDisk::Convert",
        "x.h5": "without obs and var; it holds molecules",
        "store.h5": "pandas HDF store.*read_hdf",
        "x.rds": "an R object.*zellkonverter::writeH5AD",
        "x.RData": "an R object",
        "plain.rds": "an R object",
        "x.csv.bz2": "bunzip2",
        "x.csv.xz": "unxz",
        "x.feather": "read_feather",
        "x.npy": "without names",
        "x.qs": "a binary file of a kind that is not known",
        "unicode.txt": "UTF-16.*iconv",
        "x.pkl": "a pickle, which may run code",
        "x.csv": "a web page",
        "x.graphml": "a GraphML network.*networkx.read_graphml",
        "x.json": "JSON.*pandas.read_json",
        "x.h5ad": "git lfs pull",
    }.items(),
)
def test_what_is_not_read_is_known_and_the_line_that_converts_it_named(kind, words, tmp_path):
    with pytest.raises(ExpressionFormatError, match=f"{kind}: .*{words}"):
        read(write_foreign(tmp_path, kind))


@pytest.mark.parametrize("kind", ["book.xlsx", "x.rds", "unicode.txt", "x.qs"])
def test_networks_and_tf_lists_are_known_too(kind, tmp_path):
    path = write_foreign(tmp_path, kind)
    with pytest.raises(EdgeFormatError, match=f"{kind}: .*(read here|not known here)"):
        load_dataset(None, path, None, DataConfig())
    with pytest.raises(EdgeFormatError, match=f"{kind}: .*(read here|not known here)"):
        load_dataset(None, [("A", "B")], path, DataConfig())
    matrix = files.write_annotated(tmp_path / "x.h5ad", make_annotated())
    with pytest.raises(EdgeFormatError, match="x.h5ad: this is hdf5, not a text table"):
        load_dataset(None, [("A", "B")], matrix, DataConfig())


def test_a_pipe_is_refused_with_the_remedy_and_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused = []

    def try_all():
        for attempt in (
            lambda: read(pipe),
            lambda: load_dataset(None, pipe, None, DataConfig()),
            lambda: load_dataset(None, [("A", "B")], pipe, DataConfig()),
        ):
            with pytest.raises((ExpressionFormatError, EdgeFormatError), match="into a file first"):
                attempt()
            refused.append(attempt)

    thread = threading.Thread(target=try_all, daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert len(refused) == 3
