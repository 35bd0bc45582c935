import numpy as np
import pytest

from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evidence.coverage import cover_genes, place_rows

NAMES = np.array(["GATA1", "KLF1", "SOX2", "Sp1", "SPI1"])
TFS = np.array([0, 2, 4])
IN_SOURCE = ["Sox2", "Gata1", "Xist", "SP1", "sp1", "Klf1"]


def test_names_join_both_ways_and_only_where_no_third_one_could_be_meant():
    coverage = cover_genes(IN_SOURCE, NAMES, TFS, "source.csv")
    assert coverage.positions.tolist() == [1, 5, 0, -1, -1]
    assert coverage.covered.tolist() == [True, True, True, False, False]
    assert coverage.index == {"Gata1": 0, "Klf1": 1, "Sox2": 2}
    assert coverage.report == {
        "source": "source.csv",
        "found": 3,
        "absent": {"count": 2, "first": ["Sp1", "SPI1"]},
        "outside_the_run": {"count": 3, "first": ["SP1", "Xist", "sp1"]},
        "tfs_found": 2,
        "case_rule": "upper-case",
        "case_ambiguous": {"count": 1, "first": ["Sp1"]},
    }


def test_a_name_without_values_covers_nothing_but_keeps_its_place():
    has_values = np.array([name != "Gata1" for name in IN_SOURCE])
    coverage = cover_genes(IN_SOURCE, NAMES, TFS, "source.csv", has_values=has_values)
    assert coverage.covered.tolist() == [False, True, True, False, False]
    assert coverage.index["Gata1"] == 0 and coverage.report["tfs_found"] == 1
    with pytest.raises(GeneMismatchError, match="nothing of the 5 genes .* among its 0"):
        cover_genes(IN_SOURCE, NAMES, TFS, "source.csv", has_values=np.zeros(6, bool))


def test_rows_stand_in_the_order_of_the_run_and_each_gene_has_one():
    table = np.array([[1, 2], [np.nan, np.nan], [3, np.nan], [4, 5]])
    placed, coverage = place_rows(table, ["SPI1", "KLF1", "GATA1", "X"], NAMES, TFS, "t.csv")
    gap = [np.nan, np.nan]
    np.testing.assert_array_equal(placed, [[3, np.nan], gap, gap, gap, [1, 2]])
    np.testing.assert_array_equal(np.flatnonzero(coverage.covered), [0, 4])
    with pytest.raises(ConfigError, match=r"t.csv: 1 genes have several rows \(X\)"):
        place_rows(table, ["SPI1", "X", "KLF1", "X"], NAMES, TFS, "t.csv")
