import gzip

import numpy as np
import pytest

from grnjax.data.tables import read_rows, read_text_matrix
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
        ("g,c1,c2\nA,1,2\nB,1\n", r"row 2 \(B\) has 1 values where the header names 2"),
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
