import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnjax.errors import EdgeFormatError
from grnjax.evidence.hit_tables import read_hit_table

FRAME = pd.DataFrame(
    {
        "peak_id": ["a", "b", "c", "d"],
        "gene": ["G2", "G1", "G2", None],
        "T1": [0.0, 0.5, 2.0, 1.0],
        "start": [5, 6, 7, 8],
        "T2": [1, 0, 0, 1],
        "T3": [True, False, False, False],
    }
)
MERGED = pd.DataFrame({"T1": [0.5, 2], "T2": [0, 1], "T3": [0, 1]}, ["G1", "G2"], dtype="f4")


def write_table(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".gz":
        text = frame.to_csv(sep="\t", index=False)
        path.write_bytes(gzip.compress(text.encode()))
    else:
        frame.to_csv(path)


@pytest.mark.parametrize("file", ["hits.parquet", "hits.csv", "hits.tsv.gz"])
def test_every_format_gives_the_highest_score_of_each_gene(file, tmp_path):
    frame = FRAME if file.endswith("parquet") else FRAME.astype({"T3": int})
    write_table(frame, tmp_path / file)
    table, report = read_hit_table(tmp_path / file)
    pd.testing.assert_frame_equal(table.sort_index(), MERGED)
    assert report["rows"] == 4 and report["rows_merged"] == 1 and report["rows_without_gene"] == 1
    assert {"peak_id", "start"} <= set(report["ignored_columns"])


def test_one_hit_a_row_is_a_column_a_tf(tmp_path):
    """As `grnjax data motifs` writes hits in promoters: p-values and places are no TFs."""
    rows = [("G1", "T1", 5, 4.5, 1e-5), ("G1", "T1", 9, 6.0, 1e-6), ("G2", "T2", 5, 5.0, 1e-5)]
    frame = pd.DataFrame(rows, columns=["target", "tf", "start", "score", "p_value"])
    frame.to_csv(tmp_path / "hits.tsv", sep="\t", index=False)
    table, report = read_hit_table(tmp_path / "hits.tsv")
    assert table.to_dict() == {"T1": {"G1": 6, "G2": 0}, "T2": {"G1": 0, "G2": 5}}
    assert report["ignored_columns"] == ["start", "p_value"]


def test_row_names_without_a_heading_are_no_column(tmp_path):
    (tmp_path / "r.tsv").write_text("gene\tT1\n1\tG1\t0\n2\tG2\t1\n")
    table, report = read_hit_table(tmp_path / "r.tsv")
    assert table["T1"].to_dict() == {"G1": 0, "G2": 1} and report["ignored_columns"] == [""]


def test_a_name_that_starts_another_is_a_column_of_its_own(tmp_path):
    """Parquet readers take `Ac` for the parent of `Ac.6`."""
    frame = pd.DataFrame({"gene": ["G1", "G2"], "Ac.6": [1, 0], "Ac": [0, 1]})
    frame.to_parquet(tmp_path / "hits.parquet")
    table, _ = read_hit_table(tmp_path / "hits.parquet")
    assert table.to_dict("list") == {"Ac.6": [1, 0], "Ac": [0, 1]}


def test_many_columns_keep_their_values_and_order(tmp_path):
    values = np.random.default_rng(0).integers(0, 2, (30, 150))
    frame = pd.DataFrame(values, columns=[f"T{i}" for i in range(150)])
    frame.insert(0, "symbol", [f"G{i}" for i in range(30)])
    frame.to_parquet(tmp_path / "hits.parquet")
    table, _ = read_hit_table(tmp_path / "hits.parquet")
    assert table.columns.tolist() == [f"T{i}" for i in range(150)]
    np.testing.assert_array_equal(table, values)


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1))
def test_merging_is_the_maximum_of_the_rows(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("merge") / "hits.csv"
    frame = pd.DataFrame(rows, columns=["gene", "T1"])
    frame.to_csv(path, index=False)
    table, report = read_hit_table(path)
    assert table["T1"].to_dict() == frame.groupby("gene")["T1"].max().to_dict()
    assert report["rows_merged"] == len(frame) - frame["gene"].nunique()


@pytest.mark.parametrize(
    "text, message",
    [
        ("promoter,T1\np1,1\n", "no gene column among its 2 columns .promoter, T1.. Name it one"),
        ("gene,peak_id\nG1,p1\n", "beside gene, none of its 2 columns"),
        ("gene,T1\n", "a header and no motif hits"),
        ("gene,T1,T1\nG1,0,1\n", "1 TF columns stand there more than once .T1."),
        ("gene,T1,T2\nG1,0,1\nG2,0\n", "row 2 .G2. has 2 fields where 3 are expected"),
        ("gene,T1,T2\nG1,0\n", "row 1 .G1. has 2 fields where 3 are expected"),
        ("gene,T1\nG1,1\nG2,high\n", "'high' at row G2, column T1 is not a number"),
        ("gene,T1,T2\nG1,1,-2\n", "row 1 .G1.: 1 of 2 motif scores .* below 0; the first is -2.0"),
        ("gene,T1\nG1,1\nG2,NA\n", "row 2 .G2.: 1 of 1 motif scores are missing"),
        ("", "the file is empty"),
    ],
)
def test_what_is_no_table_of_hits_is_refused(text, message, tmp_path):
    (tmp_path / "hits.csv").write_text(text)
    with pytest.raises(EdgeFormatError, match=message):
        read_hit_table(tmp_path / "hits.csv")


@pytest.mark.parametrize("hits", [[1, None], [0.0, -1.0], [np.inf, 0.0]])
def test_scores_of_a_parquet_table_are_checked_before_rows_are_merged(hits, tmp_path):
    frame = pd.DataFrame({"gene": ["G1", "G1"], "T1": hits})
    frame.to_parquet(tmp_path / "hits.parquet")
    with pytest.raises(EdgeFormatError, match="column T1: 1 of 2 motif scores"):
        read_hit_table(tmp_path / "hits.parquet")


def test_a_damaged_or_absent_parquet_file_is_refused(tmp_path):
    path = tmp_path / "hits.parquet"
    with pytest.raises(EdgeFormatError, match="hits.parquet: No such file"):
        read_hit_table(path)
    FRAME.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(EdgeFormatError, match="not a readable parquet file"):
        read_hit_table(path)
