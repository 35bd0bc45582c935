import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.errors import GeneMismatchError
from grnjax.evidence.motifs import correlate_columns, describe_hits, read_motifs

NAMES = np.array(["ATF1", "FOS", "G1", "G2", "JUN", "MISSING", "SOX2"])
TFS = np.array([0, 1, 4, 6])
TABLE = pd.DataFrame(
    {
        "peak_id": [f"chr1_{i}_{i + 9}" for i in range(7)],
        "gene_short_name": ["Fos", "G1", "G1", "G2", "Jun", "Sox2", "Elsewhere"],
        "Fos": [0, 1, 0, 0, 1, 0, 1],
        "Jun": [0, 0, 1, 0, 1, 0, 1],
        "Sox2": [1, 0, 0, 1, 0, 1, 0],
        "Klf4": [0, 1, 1, 0, 0, 0, 0],  # no gene of the run
        "Never": 0,
        "Outside": [0, 0, 0, 0, 0, 0, 1],
    }
)


@pytest.fixture
def read(tmp_path):
    """Writes a table as CSV and reads it as evidence."""

    def write_and_read(table=TABLE, names=NAMES, tfs=TFS):
        table.to_csv(tmp_path / "hits.csv", index=False)
        return read_motifs(tmp_path / "hits.csv", names, tfs)

    return write_and_read


def get_arrays(evidence):
    parts = evidence.genes + evidence.pairs + evidence.similarities
    return [part.values for part in parts] + [evidence.genes[0].covered]


def test_a_profile_has_the_columns_that_differ_and_joins_mouse_names_to_human_ones(read):
    block = read().genes[0]
    assert block.name == "motifs" and block.kernels == ("rbf", "linear")
    assert block.covered.tolist() == [False, True, True, True, True, False, True]
    columns = ["Fos", "Jun", "Klf4", "Sox2"]
    merged = TABLE.groupby("gene_short_name")[columns].max()
    assert block.values.dtype == np.float32
    np.testing.assert_array_equal(
        block.values[block.covered], merged.loc[["Fos", "G1", "G2", "Jun", "Sox2"]]
    )
    assert not block.values[~block.covered].any()


def test_the_own_motif_of_a_tf_stands_at_the_genes_it_hits(read):
    evidence = read()
    own = evidence.pairs[0]
    assert own.name == "motifs: own motif" and own.values.shape == (len(TFS), len(NAMES))
    hit = {(NAMES[TFS[i]], NAMES[j]) for i, j in np.argwhere(own.values)}
    assert hit == {
        ("FOS", "G1"),
        ("FOS", "JUN"),
        ("JUN", "G1"),
        ("JUN", "JUN"),
        ("SOX2", "FOS"),
        ("SOX2", "G2"),
        ("SOX2", "SOX2"),
    }


def test_tfs_are_alike_where_their_motifs_hit_the_same_genes_of_the_table(read):
    alike = read().similarities[0]
    assert alike.name == "motifs: hit profile"
    atf1, fos, jun, sox2 = range(4)
    expected = TABLE.groupby("gene_short_name")[["Fos", "Jun", "Sox2"]].max().corr()
    assert alike.values[fos, jun] == pytest.approx(expected.loc["Fos", "Jun"], abs=1e-6)
    assert alike.values[fos, sox2] == pytest.approx(expected.loc["Fos", "Sox2"], abs=1e-6)
    assert not alike.values[atf1].any() and not np.diag(alike.values).any()
    np.testing.assert_array_equal(alike.values, alike.values.T)


def test_what_is_missing_or_dropped_is_counted_and_named(read):
    report = read().report
    assert report["kind"] == "motifs" and report["source"].endswith("hits.csv")
    assert report["found"] == 5 and report["absent"] == {"count": 2, "first": ["ATF1", "MISSING"]}
    assert report["tfs_found"] == 3
    assert report["tfs_without_column"] == {"count": 1, "first": ["ATF1"]}
    assert report["constant_columns"] == {"count": 2, "first": ["Never", "Outside"]}
    assert report["columns"] == 4 and report["case_rule"] == "upper-case"
    assert report["rows"] == 7 and report["rows_merged"] == 1


def test_the_order_of_rows_and_columns_does_not_matter(read):
    order = ["Sox2", "gene_short_name", "Outside", "Klf4", "Jun", "Never", "Fos"]
    shuffled = TABLE.sample(frac=1, random_state=3)[order]
    for value, same in zip(get_arrays(read()), get_arrays(read(shuffled)), strict=True):
        assert value.tobytes() == same.tobytes()


def test_relabelling_genes_permutes_the_evidence(read):
    before = read()
    rename = dict(zip(NAMES, ["T3", "T1", "P2", "P1", "T4", "M", "T2"], strict=True))
    table = TABLE.rename(columns=lambda name: rename.get(name.upper(), name))
    genes = table["gene_short_name"]
    table["gene_short_name"] = genes.map(lambda name: rename.get(name.upper(), name))
    names = np.array(sorted(rename.values()))
    tfs = np.flatnonzero(np.char.startswith(names, "T"))
    after = read(table, names, tfs)
    place = [names.tolist().index(rename[name]) for name in NAMES]
    tf_place = [tfs.tolist().index(place[tf]) for tf in TFS]
    np.testing.assert_array_equal(after.genes[0].covered[place], before.genes[0].covered)
    products = [b.values @ b.values.T for b in (after.genes[0], before.genes[0])]
    np.testing.assert_array_equal(products[0][np.ix_(place, place)], products[1])
    own = after.pairs[0].values[np.ix_(tf_place, place)]
    np.testing.assert_array_equal(own, before.pairs[0].values)
    alike = after.similarities[0].values[np.ix_(tf_place, tf_place)]
    np.testing.assert_allclose(alike, before.similarities[0].values, atol=1e-6)


def test_a_table_in_memory_gives_the_same_as_its_file(read):
    hits = TABLE.drop(columns="peak_id").groupby("gene_short_name").max()
    report = {"source": "memory"}
    evidence = describe_hits(hits, NAMES, TFS, name="motifs", kind="motifs", report=report)
    for value, same in zip(get_arrays(read()), get_arrays(evidence), strict=True):
        np.testing.assert_array_equal(value, same)
    assert report == {"source": "memory"}, "the caller's report is left alone"


def test_a_table_of_other_genes_is_refused(read):
    message = "nothing of the 2 genes of the run .* among its 6"
    with pytest.raises(GeneMismatchError, match=message):
        read(names=np.array(["ENSG01", "ENSG02"]), tfs=np.array([0]))


def test_a_table_that_tells_no_genes_apart_is_refused(read):
    with pytest.raises(GeneMismatchError, match="each of the 1 columns .* the same for all 5"):
        read(TABLE[["gene_short_name", "Never"]])


def test_a_constant_column_correlates_with_nothing():
    values = np.float32([[0.1, 1, 2], [0.1, 2, 1], [0.1, 3, 0]])
    np.testing.assert_allclose(
        correlate_columns(values), [[0, 0, 0], [0, 0, -1], [0, -1, 0]], atol=1e-6
    )


@pytest.mark.slow
def test_the_promoter_scan_of_the_data_folder_is_read():
    if not os.environ.get("GRNJAX_DATA"):
        pytest.skip("GRNJAX_DATA is not set")
    root = Path(os.environ["GRNJAX_DATA"])
    labels = root / "beeline_labels/Specific/hESC/TFs+500"
    names = np.array(sorted(pd.read_csv(labels / "Target.csv")["Gene"]))
    edges = pd.read_csv(labels / "BL--network.csv")
    tfs = np.flatnonzero(np.isin(names, edges["Gene1"]))
    evidence = read_motifs(root / "motifs_tss/mm10_promoter_base_GRN.parquet", names, tfs)
    assert evidence.report["rows"] == 29308 and evidence.report["found"] == 796
    row = {tf: i for i, tf in enumerate(names[tfs])}
    place = {gene: i for i, gene in enumerate(names)}
    hits = evidence.pairs[0].values[edges["Gene1"].map(row), edges["Gene2"].map(place)]
    assert hits.mean() > evidence.pairs[0].values.mean(), "edges are hit more often than pairs"
