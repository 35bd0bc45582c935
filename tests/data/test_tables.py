import gzip
import json
import pickle
import sys

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.annotated import read_zarr
from grnjax.data.tables import (
    read_parquet,
    read_parquet_matrix,
    read_rows,
    read_text_matrix,
)
from grnjax.errors import EdgeFormatError, ExpressionFormatError


@pytest.mark.parametrize(
    "content",
    [
        "tf\ttarget\nA\tB\n",
        "tf,target\nA,B\n",
        "tf target\nA   B\n",
        '"tf","target"\r\n"A","B"\r\n',
        "\ufefftf, target\n\nA, B",
    ],
    ids=["tab", "comma", "blanks", "quotes and CRLF", "byte-order mark and blank lines"],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_content_and_not_the_name_decides_how_a_table_is_read(tmp_path, content, pack):
    path = tmp_path / "table.dat"
    path.write_bytes(pack(content.encode("utf-8")))
    assert list(read_rows(path, EdgeFormatError)) == [["tf", "target"], ["A", "B"]]


def damage(kind: str) -> bytes:
    packed = gzip.compress(b"".join(b"GENE%d,%d\n" % (i, i * i) for i in range(5000)))
    if kind == "truncated":
        return packed[: len(packed) // 2]
    if kind == "flipped":
        return packed[:5000] + bytes([packed[5000] ^ 16]) + packed[5001:]
    return {"empty": b"", "blank": b"\n \n", "binary": b"\x89HDF\r\n\x1a\n\x00\xff"}[kind]


@pytest.mark.parametrize(
    "kind, complaint",
    [
        ("truncated", "truncated or damaged"),
        ("flipped", "truncated or damaged"),
        ("empty", "empty"),
        ("blank", "empty"),
        ("binary", "not a text table"),
    ],
)
def test_a_damaged_file_is_refused_by_name_with_the_callers_class(tmp_path, kind, complaint):
    path = tmp_path / "network.csv.gz"
    path.write_bytes(damage(kind))
    with pytest.raises(EdgeFormatError, match=f"network.csv.gz.*{complaint}"):
        list(read_rows(path, EdgeFormatError))


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(ExpressionFormatError, match=f"{path}: cannot be read"):
            list(read_rows(path, ExpressionFormatError))


def test_numbers_survive_the_text_exactly(tmp_path):
    values = np.exp(np.random.default_rng(0).normal(size=(40, 25)) * 5)
    lines = ["," + ",".join(f"c{i}" for i in range(25))]
    lines += [f"g{i}," + ",".join(map(repr, row.tolist())) for i, row in enumerate(values)]
    path = tmp_path / "matrix.csv"
    path.write_text("\n".join(lines))
    matrix = read_text_matrix(path, ExpressionFormatError)
    np.testing.assert_array_equal(matrix.values, values.astype(np.float32))


def test_a_header_without_a_field_for_the_row_names_is_understood(tmp_path):
    path = tmp_path / "from_r.tsv"
    path.write_text("c1\tc2\nNA\t1\t2\nG\t3\tNA\n")
    matrix = read_text_matrix(path, ExpressionFormatError)
    assert (matrix.rows, matrix.columns) == (["NA", "G"], ["c1", "c2"])
    np.testing.assert_array_equal(matrix.values, [[1, 2], [3, np.nan]])


@pytest.mark.parametrize(
    "content, complaint",
    [
        ("g,c1,c2\nA,1,2\nB,1\n", r"row 2 \(B\) has 2 fields where 3 are expected"),
        ("g,c1,c2\nA,1,high\n", "'high' at row A, column c2 is not a number"),
        ("A,0.5,1.5\nB,1.0,2.0\n", "first line holds numbers"),
        ("A,B\n0.5,1.5\n0.7,2.0\n", "first column holds numbers"),
        ("g,c1,c2\n", "no matrix"),
        ("g\nA\nB\n", "no matrix"),
    ],
)
def test_a_table_that_is_no_named_matrix_is_refused_with_the_place(tmp_path, content, complaint):
    path = tmp_path / "matrix.csv"
    path.write_text(content)
    with pytest.raises(ExpressionFormatError, match=f"matrix.csv: .*{complaint}"):
        read_text_matrix(path, ExpressionFormatError)


VALUES = pd.DataFrame({"A": [0.1, 2], "B": [1, np.nan]}, index=["c1", "c2"])


@pytest.mark.parametrize(
    "table, rows",
    [
        (VALUES, ["c1", "c2"]),
        (VALUES.rename_axis("cell").reset_index(), ["c1", "c2"]),  # as polars writes it
        (VALUES.reset_index(drop=True), ["0", "1"]),
        (VALUES.set_axis([7, 9]), ["7", "9"]),
        (VALUES.astype({"A": np.float32}), ["c1", "c2"]),
    ],
    ids=["index", "first column", "no names", "numbers as names", "float32"],
)
def test_a_parquet_matrix_finds_its_names_and_keeps_its_numbers(tmp_path, table, rows):
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "x.parquet")
    matrix = read_parquet_matrix(tmp_path / "x.parquet", ExpressionFormatError)
    assert (matrix.rows, matrix.columns) == (rows, ["A", "B"])
    np.testing.assert_array_equal(matrix.values, np.array([[0.1, 1], [2, np.nan]], np.float32))


@pytest.mark.parametrize(
    "table, complaint",
    [
        (VALUES.assign(B=["x", "y"]), "column B holds .*, not numbers"),
        (VALUES[:0], "no matrix found"),
        (VALUES.set_axis([0.5, 0.25]), r"first column holds numbers \(0.5, 0.25\)"),
    ],
)
def test_a_parquet_table_that_is_no_matrix_is_refused(tmp_path, table, complaint):
    pytest.importorskip("pyarrow")
    table.to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ExpressionFormatError, match=f"x.parquet: .*{complaint}"):
        read_parquet_matrix(tmp_path / "x.parquet", ExpressionFormatError)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"tf,target\nA,B\n", "not a readable parquet file"),
        (b"", "not a readable parquet file"),
        (None, "No such file"),
    ],
)
def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path, content, complaint):
    pytest.importorskip("pyarrow")
    if content is not None:
        (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(EdgeFormatError, match=f"x.parquet: {complaint}"):
        read_parquet(tmp_path / "x.parquet", EdgeFormatError)


def test_a_truncated_parquet_file_is_refused_by_name(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    VALUES.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EdgeFormatError, match="x.parquet: not a readable parquet file"):
        read_parquet(path, EdgeFormatError)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EdgeFormatError, match=r"x.parquet: .*pip install 'grnjax\[formats\]'"):
        read_parquet(tmp_path / "x.parquet", EdgeFormatError)


@pytest.fixture
def store(tmp_path):
    """A .zarr folder with two cells and two genes."""
    data = anndata.AnnData(np.ones((2, 2), np.float32), var=pd.DataFrame(index=["A", "B"]))
    data.write_zarr(tmp_path / "x.zarr", convert_strings_to_categoricals=False)
    return tmp_path / "x.zarr"


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickled_zarr_array_is_refused_before_it_is_read(tmp_path):
    import zarr

    group = zarr.open_group(str(tmp_path / "x.zarr"), mode="w", zarr_format=2)
    for name in ("obs", "var"):
        group.create_group(name)
    group.create_array("X", shape=(2,), chunks=(2,), dtype="i4")
    path = tmp_path / "x.zarr" / "X" / ".zarray"
    changes = {
        "compressor": {"id": "pickle", "protocol": 4},
        "filters": [{"id": "vlen-utf8"}],
        "dtype": "|O",
        "fill_value": "",
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (path.parent / "0").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ExpressionFormatError, match="x.zarr: X is pickled"):
        read_zarr(tmp_path / "x.zarr", ExpressionFormatError)
    assert not (tmp_path / "sprung").exists()


def test_a_zarr_folder_that_is_damaged_or_of_something_else_is_refused(store, tmp_path):
    assert read_zarr(store, ExpressionFormatError).shape == (2, 2)
    with pytest.raises(ExpressionFormatError, match="absent.zarr: no such folder"):
        read_zarr(tmp_path / "absent.zarr", ExpressionFormatError)
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ExpressionFormatError, match="empty.zarr: not a readable .zarr folder"):
        read_zarr(tmp_path / "empty.zarr", ExpressionFormatError)
    for file in [path for path in store.rglob("*") if path.is_file()]:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ExpressionFormatError, match="x.zarr: not a readable .zarr folder"):
        read_zarr(store, ExpressionFormatError)
