"""Sources together: cell types left out under every name, universes, other species, digests."""

import logging

import numpy as np
import pandas as pd
import pytest

from grnjax.baselines.other_lists import (
    occupancy_rate,
    partner_same,
    rate_and_residual_same,
    residual_same,
    same_tf,
)
from grnjax.errors import GeneMismatchError
from tests.data.compendium.small import CHIP, FOOTPRINTS, MORE, make_compendium

GENES = [f"G{i}" for i in (3, 1, 0, 2, 4, 5, 7)]
TFS = ["A", "B", "NRSF", "none"]


def place(compendium, genes=GENES, **more):
    return compendium.over(genes, species="human", carry=False, **more)


def by_gene(values, genes=GENES):
    return dict(zip(genes, np.round(values, 9).tolist(), strict=True))


def test_leaving_a_cell_type_out_drops_every_source_of_it():
    compendium = make_compendium()
    left = compendium.without("HepG2", "H1")
    assert {"H1", "HEPG2"} <= {*compendium.cells}
    assert left.cells == ["GM", "K562", "MESC", "NB4"]
    assert [len(source.tfs) for source in left.sources] == [4, 1, 2, 2]
    for names in (("hHEP", "hESC"), ("hepg2", "hESCT0-DS11909")):
        assert compendium.without(*names).digest == left.digest != compendium.digest
    lists = place(compendium, kinds=("binding", "footprints"), genes=[*GENES, "A", "B", "C"])
    assert {*lists.without("hESC", "HepG2").cells} == {"GM", "K562", "NB4"}


def test_a_cell_type_that_is_not_there_is_said(caplog):
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        left = make_compendium().without("K563")
    assert left.digest == make_compendium().digest
    assert "nothing is of K563" in caplog.text and "K562" in caplog.text


def test_labels_of_the_cells_under_test_change_nothing_that_is_left():
    other = {("A", "H1"): "G5 G7", ("C", "hESC"): "G0", ("NRSF", "H1-hESC"): "G2 G3"}
    chip = {key: text for key, text in CHIP.items() if key[1] != "H1"} | other
    more = {key: text for key, text in MORE.items() if key[1] != "hESC"}
    one, two = (x.without("H1") for x in (make_compendium(), make_compendium(chip, more)))
    assert one.digest == two.digest
    for row in (occupancy_rate, lambda x: rate_and_residual_same(x, TFS)):
        np.testing.assert_array_equal(row(place(one)), row(place(two)))
        early = place(make_compendium(chip, more)).without("hESC")
        np.testing.assert_array_equal(row(place(one)), row(early))


def test_rates_by_hand_over_two_universes():
    lists = place(make_compendium().without("H1"))
    looked_at = [dict(zip(GENES, row.tolist(), strict=True)) for row in lists.covered]
    assert [gene for gene in GENES if not looked_at[0][gene]] == ["G2", "G7"]  # only H1 named them
    assert [gene for gene in GENES if not looked_at[1][gene]] == ["G7"]
    expected = 3 * 2 / 5 + 1 / 5 / 2 + 2 / 6 / 2 + 1 / 6  # B in K562 stands in both, half each
    times = {"G0": 1.5, "G1": 3, "G2": 0, "G3": 1, "G4": 2, "G5": 1, "G7": 0}
    assert by_gene(occupancy_rate(lists)) == {
        gene: round(x / expected, 9) for gene, x in times.items()
    }
    alike = {
        "G0": 2.5 + 1.5,
        "G1": 7.5,
        "G2": 0,
        "G3": 2.5,
        "G4": 2.5 + 6,
        "G5": 2.5 + 1.5,
        "G7": 0,
    }
    alike = {gene: round(x / 5, 9) for gene, x in alike.items()}
    assert by_gene(occupancy_rate(lists, alike=True)) == alike
    same = same_tf(lists, TFS)
    assert by_gene(same[0]) == dict.fromkeys(GENES, 0.0) | {"G0": 0.5, "G1": 1.0, "G3": 0.5}
    assert by_gene(same[1]) == dict.fromkeys(GENES, 0.0) | {"G0": 0.5, "G5": 1.0}
    assert same[2].any() and not same[3].any()


def test_genes_outside_a_universe_are_neither_for_nor_against():
    lists = place(make_compendium().without("H1"))
    rest = dict(zip(GENES, residual_same(lists, ["NRSF"])[0], strict=True))
    assert rest["G2"] == rest["G7"] == 0  # nobody but H1 told of them
    assert rest["G4"] > 0 > rest["G0"]
    values = residual_same(lists, ["A"])[0][lists.covered[0]]
    assert abs(values.mean()) < 1e-12  # as many deviations for as against


def test_the_order_of_genes_turns_the_columns_and_no_more():
    compendium, order = make_compendium(), np.array([6, 2, 0, 1, 5, 4, 3])
    one, two = place(compendium), place(compendium, [GENES[i] for i in order])
    np.testing.assert_allclose(occupancy_rate(two), occupancy_rate(one)[order])
    np.testing.assert_allclose(residual_same(two, TFS), residual_same(one, TFS)[:, order])


def test_nested_lists_lack_their_own_cell_type_and_the_one_under_test():
    lists = place(make_compendium())
    found = {cell: (own, rest) for cell, own, rest in lists.nested("hESC")}
    assert [*found] == ["GM", "HEPG2", "K562"]
    for cell, (own, rest) in found.items():
        assert {*own.cells} == {cell} and not {cell, "H1"} & {*rest.cells}
        direct = place(make_compendium().without("H1", cell))
        np.testing.assert_array_equal(occupancy_rate(rest), occupancy_rate(direct))


def test_partners_are_told_of_by_how_near_they_are():
    lists = place(make_compendium().without("H1"))
    own = residual_same(lists, ["A", "B"])
    near = np.array([[0, 1, 0.5], [0.5, 0.5, 0], [0, 0, 1.0]])
    told = partner_same(lists, near, ["A", "B", "none"])
    np.testing.assert_allclose(told[0], own[1])  # one without a list counts for nothing
    np.testing.assert_allclose(told[1], own.mean(axis=0))
    assert not told[2].any()
    assert not partner_same(lists.without_tfs(["b"]), near, ["A", "B", "none"])[0].any()


def test_orthologues_carry_lists_to_mouse_and_mark_them():
    genes = [f"M{i}" for i in range(6)]
    lists = make_compendium().over(genes, species="mouse")
    rows = {
        (tf, cell, bool(carried)): "".join(np.array(genes)[row > 0]).replace("M", "")
        for tf, cell, carried, row in zip(
            lists.tfs, lists.cells, lists.carried, lists.labels, strict=True
        )
    }
    assert rows[("A", "MESC", False)] == "01" and rows[("B", "MESC", False)] == "5"
    assert rows[("REST", "HEPG2", True)] == "14"  # human NRSF
    assert rows[("A", "GM", True)] == "13"
    assert not any(tf == "B" and carried for tf, _, carried in rows)  # it has no orthologue
    own = make_compendium().over(genes, species="mouse", carry=False)
    assert not own.carried.any() and len(own) == 2


def test_footprints_count_where_they_are_asked_for():
    genes = [*GENES, "A", "B", "C"]
    assert len(place(make_compendium(), genes)) == 8
    assert len(place(make_compendium(), genes, kinds=("binding", "footprints"))) == 8 + 3
    assert len(place(make_compendium(), genes, kinds=("footprints",))) == len(FOOTPRINTS)


def test_a_row_a_list_tells_where_it_is_from():
    table = make_compendium().tabulate()
    assert len(table) == 5 + 3 + 3 + 2
    row = table[(table["tf"] == "REST") & (table["cell"] == "HEPG2")].iloc[0]
    assert (row["source"], row["licence"], row["targets"], row["universe"]) == ("chip", "CC0", 2, 8)
    assert isinstance(table, pd.DataFrame) and {*table["species"]} == {"human", "mouse"}


def test_genes_of_other_names_are_refused():
    with pytest.raises(GeneMismatchError, match="4 sources has lists of human"):
        place(make_compendium(), ["ENSG00000000001", "ENSG00000000002"])
    with pytest.raises(GeneMismatchError, match="lists of yeast"):
        make_compendium().over(GENES, species="yeast", carry=False)
