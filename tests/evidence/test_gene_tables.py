import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.gene_tables import fill_gaps, read_gene_table, transform_column

NAMES = np.array(["A", "B", "C", "D"])
TFS = np.array([0, 3])
ORDERING = """\
,VGAMpValue,Variance
C,1e-200,100
A,0,0.5
X,1,0.01
B,1e-4,2
"""


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_text


def test_p_values_and_wide_columns_are_put_on_a_log_scale_in_the_order_of_the_genes(write):
    evidence = read_gene_table(write(ORDERING), NAMES, TFS, name="dispersion")
    (block,) = evidence.genes
    log = [[300, np.log10(0.5)], [4, np.log10(2)], [200, 2], [0, 0]]
    np.testing.assert_allclose(block.values, np.array(log, np.float32), rtol=1e-6)
    np.testing.assert_array_equal(block.covered, [True, True, True, False])
    assert block.name == "dispersion" and block.kernels == ("rbf", "linear")
    assert block.values.dtype == np.float32
    report = evidence.report
    assert report["columns"] == {"VGAMpValue": "-log10", "Variance": "log10"}
    assert (report["rows"], report["found"], report["tfs_found"]) == (4, 3, 1)
    assert report["absent"] == {"count": 1, "first": ["D"]}


@pytest.mark.parametrize(
    ("heading", "numbers", "transform"),
    [
        ("p_value", [0, 0.5, 1], "-log10"),
        ("PValue", [0.2, 0.3], "-log10"),
        ("p.adj", [0.2, 0.3], "-log10"),
        ("pvals_adj", [0.2, 0.3], "-log10"),
        ("minus log p_value", [0, 7], "as in the file"),
        ("padj", [-0.1, 0.5], "as in the file"),
        ("length", [3, 2000], "log10"),
        ("length", [0, 2000], "as in the file"),
        ("length", [20, 2000], "as in the file"),
        ("change", [-5, 2000], "as in the file"),
    ],
)
def test_the_scale_follows_from_heading_and_numbers(heading, numbers, transform):
    column, chosen = transform_column(np.array([*numbers, np.nan]), heading)
    assert chosen == transform
    assert np.isnan(column[-1]) and np.isfinite(column[:-1]).all()
    rising = np.diff(column[:-1])
    assert (rising < 0).all() if transform == "-log10" else (rising > 0).all()


def test_the_scale_does_not_depend_on_which_genes_the_run_has(write):
    narrow = read_gene_table(write("g,size\nA,1\nB,2\nX,1000\n"), NAMES, TFS).genes[0]
    np.testing.assert_allclose(narrow.values[:2, 0], [0, np.log10(2)], rtol=1e-6)


def test_a_missing_entry_becomes_the_mean_of_the_covered_genes(write):
    text = "gene\tone\ttwo\tthree\nA\t1\tNA\t-2\nB\t3\t4\t\nC\t\t \tnan\nX\t100\t8\t0\n"
    evidence = read_gene_table(write(text), NAMES, TFS)
    block = evidence.genes[0]
    np.testing.assert_array_equal(block.values, [[1, 4, -2], [3, 4, -2], [0] * 3, [0] * 3])
    np.testing.assert_array_equal(block.covered, [True, True, False, False])
    assert evidence.report["filled_with_mean"] == 2


@given(st.lists(st.lists(st.sampled_from([np.nan, -1.5, 0, 2]), min_size=3, max_size=3)))
def test_filling_changes_no_column_mean_and_leaves_nothing_missing(rows):
    placed = np.array(rows, dtype=float).reshape(-1, 3)
    values, filled = fill_gaps(placed)
    covered = ~np.isnan(placed).all(axis=1)
    assert np.isfinite(values).all() and not values[~covered].any()
    assert filled == np.isnan(placed[covered]).sum()
    for before, after in zip(placed.T, values[covered].T, strict=True):
        if not np.isnan(before).all():
            assert after.mean() == pytest.approx(np.nanmean(before), abs=1e-6)


def test_columns_of_text_are_ignored_and_named(write):
    evidence = read_gene_table(write("gene,family,size\nA,zinc,1\nB,box,2\n"), NAMES, TFS)
    assert evidence.genes[0].values[:2].tolist() == [[1], [2]]
    assert evidence.report["ignored_columns"] == ["family"]


def test_text_r_and_parquet_tables_agree_and_the_order_of_rows_does_not_matter(write, tmp_path):
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow")
    expected = read_gene_table(write(ORDERING), NAMES, TFS).genes[0].values
    header, *rows = ORDERING.splitlines()
    paths = [write("\n".join([header, *rows[::-1]]), "turned.csv")]
    paths.append(write("\n".join([header[1:], *rows]), "from_r.csv"))
    frame = pd.read_csv(paths[0], index_col=0)
    frame.to_parquet(tmp_path / "indexed.parquet")
    frame.rename_axis("gene").reset_index().to_parquet(tmp_path / "plain.parquet")
    for path in [*paths, *tmp_path.glob("*.parquet")]:
        values = read_gene_table(path, NAMES, TFS).genes[0].values
        np.testing.assert_array_equal(values, expected, err_msg=path.name)


def test_relabelling_genes_permutes_the_rows(write):
    order = np.array([2, 3, 0, 1])
    before = read_gene_table(write(ORDERING), NAMES, TFS).genes[0]
    after = read_gene_table(write(ORDERING), NAMES[order], TFS).genes[0]
    np.testing.assert_array_equal(after.values, before.values[order])
    np.testing.assert_array_equal(after.covered, before.covered[order])


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("g,x\nA,1\nA,2\nB,3\n", ConfigError, "1 genes have several rows \\(A\\)"),
        ("g,x,x\nA,1,2\n", ConfigError, "several columns are called x"),
        ("g,x\nA,1\nB,two\n", ConfigError, "1 of 2 entries of column x .* 'two' of gene B"),
        ("g,x\nA,1\nB,inf\n", ConfigError, "not finite numbers"),
        ("g,x\nA,1\nB\n", ConfigError, "row 2 \\(B\\) has 1 fields where 2"),
        ("g,x\nA,red\nB,blue\n", ConfigError, "none of its 1 columns \\(x\\) holds numbers"),
        ("g,x\n", ConfigError, "no table found"),
        ("A,0.5,0.7\nB,1.5,2\n", ConfigError, "where names are expected"),
        ("g,x\nX,1\nY,2\n", GeneMismatchError, "nothing of the 4 genes"),
        ("g,x\nA,\nX,2\n", GeneMismatchError, "nothing of the 4 genes"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(write, text, error, message):
    with pytest.raises(error, match=message):
        read_gene_table(write(text), NAMES, TFS)


def test_the_published_gene_orderings_cover_every_gene_of_their_set():
    if "GRNJAX_DATA" not in os.environ:
        pytest.skip("GRNJAX_DATA is not set: it names the folder of the real data")
    root = Path(os.environ["GRNJAX_DATA"])
    genes = pd.read_csv(root / "beeline_labels/Specific/hESC/TFs+500/Target.csv")["Gene"]
    path = root / "beeline_expression/gene_ordering/hESC_GeneOrdering.csv.gz"
    evidence = read_gene_table(path, np.sort(genes.to_numpy(str)), TFS)
    block = evidence.genes[0]
    assert block.covered.all() and evidence.report["filled_with_mean"] == 0
    p = block.values[:, 0]
    assert len(np.unique(p)) > 900, "p-values below single precision stay apart"
    assert p.max() == 300
