import gzip

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError, EdgeFormatError, GeneMismatchError
from grnjax.evidence.curated import read_curated

NAMES = np.array(["A", "B", "C", "D", "E"])
TFS = np.array([0, 1, 4])
TRRUST = """\
A\tC\tActivation\t111;222
A\tD\tRepression\t333
A\tC\tRepression\t444
A\tA\tUnknown\t555
P\tC\tUnknown\t666
P\tD\tUnknown\t667
B\tA\tUnknown\t777
Q\tA\tUnknown\t888
A\tZ\tActivation\t999
"""
COLLECTRI = '"source","target","weight"\n"A","C",1\n"A","D",-1\n"P","C",1\n"P","D",1\n"B","A",-1\n'
DOROTHEA = """\
tf,confidence,target,mor
A,A,C,1.0
A,C,D,-1.0
P,B,C,1.0
P,D,D,1.0
B,E,A,1.0
E,E,C,1.0
"""
LISTED = [[0, 0, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="curated.tsv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write_text


@pytest.mark.parametrize("text", [TRRUST, COLLECTRI], ids=["TRRUST", "CollecTRI"])
def test_pairs_are_1_where_listed_whatever_the_sign(write, text):
    (block,) = read_curated(write(text), NAMES, TFS, name="book").pairs
    assert block.name == "book" and block.values.dtype == np.float32
    np.testing.assert_array_equal(block.values, LISTED)


def test_a_gene_has_the_regulators_of_several_genes_among_the_tfs_of_the_run_or_not(write):
    (block,) = read_curated(write(TRRUST), NAMES, TFS).genes
    expected = np.zeros((5, 2))  # A and P; B and Q regulate one gene each
    expected[2:4] = 1
    np.testing.assert_array_equal(block.values, expected)
    np.testing.assert_array_equal(block.covered, [True, False, True, True, False])
    assert block.kernels == ("cosine",)


def test_only_the_confidence_levels_asked_for_are_kept(write):
    path = write(DOROTHEA, "dorothea.csv.gz")
    evidence = read_curated(path, NAMES, TFS)
    np.testing.assert_array_equal(evidence.pairs[0].values, [LISTED[0], [0] * 5, [0] * 5])
    assert (evidence.report["tfs_found"], evidence.report["tfs_with_pairs"]) == (1, 1)
    assert evidence.report["rows_by_level"] == {"A": 1, "B": 1, "C": 1, "D": 1, "E": 2}
    assert evidence.report["levels_kept"] == ["A", "B", "C"]
    assert evidence.report["rows"] == 6 and evidence.report["ignored_columns"] == []
    doubtful = write("tf,confidence,target\nA,D,C\nB,E,A\n", "doubtful.csv")
    with pytest.raises(ConfigError, match="none of its 2 rows is of .* A, B, C; the file has D, E"):
        read_curated(doubtful, NAMES, TFS)


def test_a_table_without_levels_ignores_them(write):
    evidence = read_curated(write(COLLECTRI), NAMES, TFS)
    np.testing.assert_array_equal(evidence.pairs[0].values, LISTED)
    assert "rows_by_level" not in evidence.report


def test_a_parquet_table_says_what_its_text_says(write, tmp_path):
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    text = write(DOROTHEA)
    pd.read_csv(text).to_parquet(tmp_path / "dorothea.parquet")
    parquet = read_curated(tmp_path / "dorothea.parquet", NAMES, TFS)
    plain = read_curated(text, NAMES, TFS)
    np.testing.assert_array_equal(parquet.pairs[0].values, plain.pairs[0].values)
    np.testing.assert_array_equal(parquet.genes[0].values, plain.genes[0].values)
    assert parquet.report | {"source": ""} == plain.report | {"source": ""}


def test_the_order_of_rows_does_not_matter_and_that_of_genes_permutes(write):
    before = read_curated(write(TRRUST), NAMES, TFS)
    turned = write("\n".join(reversed(TRRUST.splitlines())), "turned.tsv")
    order = np.array([4, 2, 0, 3, 1])  # gene i of the new run is gene order[i] of the old one
    tfs = np.flatnonzero(np.isin(order, TFS))
    after = read_curated(turned, NAMES[order], tfs)
    of_tf = np.searchsorted(TFS, order[tfs])
    np.testing.assert_array_equal(after.pairs[0].values, before.pairs[0].values[of_tf][:, order])
    np.testing.assert_array_equal(after.genes[0].values, before.genes[0].values[order])
    np.testing.assert_array_equal(after.genes[0].covered, before.genes[0].covered[order])


def test_the_report_counts_what_was_found_and_what_was_left_out(write):
    report = read_curated(write(TRRUST), NAMES, TFS).report
    assert report["kind"] == "curated" and report["source"].endswith("curated.tsv")
    assert (report["rows"], report["self_loops"], report["repeated_pairs"]) == (9, 1, 1)
    assert report["ignored_columns"] == ["column 4"]
    assert (report["found"], report["tfs_found"], report["pairs"]) == (3, 2, 3)
    assert report["absent"] == {"count": 2, "first": ["B", "E"]}
    assert (report["regulators"], report["regulators_of_one_gene"]) == (2, 2)


def test_pairs_labelled_0_are_not_listed(write):
    evidence = read_curated(write("tf,target,label\nA,C,1\nA,D,0\n"), NAMES, TFS)
    np.testing.assert_array_equal(np.argwhere(evidence.pairs[0].values), [[0, 2]])
    assert evidence.report["label_or_weight_0"] == 1
    assert evidence.genes == (), "no regulator is left with two genes"


def test_files_that_say_nothing_of_the_genes_are_refused(write):
    with pytest.raises(GeneMismatchError, match="nothing of the 5 genes .* among its 1"):
        read_curated(write("tf,target\nA,ENSG00000000003\n"), NAMES, TFS)
    with pytest.raises(EdgeFormatError, match="no TF and target"):
        read_curated(write("pathway,confidence,size,p,q\nWNT,A,12,0,0\n"), NAMES, TFS)
