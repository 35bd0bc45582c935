"""Rows from lists of other cells: what they are, that one's own cells are out, and their limits."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grnjax.baselines.other_lists import (
    occupancy_rate,
    rate_and_residual_same,
    residual_same,
    same_tf,
)
from grnjax.data.compendium.aliases import name_cell_type
from grnjax.data.compendium.lists import tabulate_lists
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.evaluation.metrics import swap_concordance

GENES = np.array([f"G{i}" for i in range(6)])
LISTS = {
    ("A", "H1"): "G0 G1 G2",
    ("A", "K562"): "G0 G1",
    ("A", "GM12878"): "G1",
    ("A", "GM18505"): "G3",
    ("NRSF", "HepG2"): "G1 G4 X9",
    ("B", "hESCT0-DS11909"): "G5",
}


def make_edges(lists=LISTS):
    rows = [(tf, cell, x) for (tf, cell), text in lists.items() for x in text.split()]
    return pd.DataFrame(rows, columns=["tf", "cell", "target"])


def test_cell_types_go_by_one_name():
    one = {"H1", "hESC", "H1-hESC", "hESCT0-DS11909", "h1"}
    assert {name_cell_type(name) for name in one} == {"H1"}
    assert {name_cell_type(x) for x in ("GM12878", "GM06990-DS7748", "gm19193")} == {"GM"}
    assert name_cell_type("HepG2-DS7764") == name_cell_type("hHEP") == "HEPG2"
    assert name_cell_type("SKNSH-DS8482") == name_cell_type("SK-N-SH") == "SK-N-SH"
    assert name_cell_type("mCJ7-DS13320") == name_cell_type("mESC") == "MESC"
    assert name_cell_type("dendritic") == name_cell_type("mDC") == "MDC"
    assert name_cell_type("K562-DS9767") == "K562" != name_cell_type("KBM7")


def test_lists_of_one_type_are_one_and_names_are_symbols():
    lists = tabulate_lists(make_edges(), GENES)
    rows = {
        (tf, cell): "".join(map(str, row.astype(int)))
        for tf, cell, row in zip(lists.tfs, lists.cells, lists.labels, strict=True)
    }
    assert rows == {
        ("A", "GM"): "010100",
        ("A", "H1"): "111000",
        ("A", "K562"): "110000",
        ("B", "H1"): "000001",
        ("REST", "HEPG2"): "010010",
    }


def test_the_cells_under_test_are_out_under_every_name():
    lists = tabulate_lists(make_edges(), GENES).without("hESC")
    assert set(lists.cells) == {"GM", "K562", "HEPG2"}
    changed = LISTS | {("A", "H1"): "G4 G5", ("C", "H1-hESC"): "G0", ("B", "hESCT0-DS11909"): "G0"}
    other = tabulate_lists(make_edges(changed), GENES).without("H1")
    for row in (occupancy_rate, lambda x: rate_and_residual_same(x, ["A", "B", "NRSF"])):
        np.testing.assert_array_equal(row(lists), row(other))


def test_rates_by_hand():
    lists = tabulate_lists(make_edges(), GENES).without("H1")  # GM: G1 G3; K562: G0 G1; G1 G4
    np.testing.assert_allclose(occupancy_rate(lists), [1, 3, 0, 1, 1, 0])
    np.testing.assert_allclose(occupancy_rate(lists, alike=True), [1, 3, 0, 1, 1, 0])
    uneven = tabulate_lists(make_edges({("A", "X"): "G0", ("B", "X"): "G0 G1 G2"}), GENES)
    np.testing.assert_allclose(occupancy_rate(uneven), [3, 1.5, 1.5, 0, 0, 0])
    np.testing.assert_allclose(occupancy_rate(uneven, alike=True), [4, 1, 1, 0, 0, 0])


def test_same_and_its_residual_by_hand():
    lists = tabulate_lists(make_edges(), GENES).without("H1")
    np.testing.assert_allclose(same_tf(lists, ["A", "B"]), [[0.5, 1, 0, 0.5, 0, 0], [0] * 6])
    rate, rows = occupancy_rate(lists), []
    for row in lists.labels[:2].astype(np.float64):
        left = row - np.minimum(row.mean() * rate, 1)
        rows.append((left - left.mean()) / left.std())
    found = residual_same(lists, ["A", "NRSF", "none"])
    np.testing.assert_allclose(found[0], np.mean(rows, axis=0), atol=1e-12)
    assert found[1].any() and not found[2].any()
    both = rate_and_residual_same(lists, ["A"])
    np.testing.assert_allclose(both[0], 2 * np.log1p(rate) + found[0], rtol=1e-6)


def test_order_and_repeats_change_nothing():
    edges = make_edges()
    shuffled = pd.concat([edges, edges[:4]]).sample(frac=1, random_state=0)
    one, two = (tabulate_lists(x, GENES) for x in (edges, shuffled))
    np.testing.assert_array_equal(one.labels, two.labels)
    order = [3, 1, 0, 5, 4, 2]
    turned = tabulate_lists(edges, GENES[order])
    np.testing.assert_allclose(occupancy_rate(turned), occupancy_rate(one)[order])
    np.testing.assert_allclose(residual_same(turned, ["A"]), residual_same(one, ["A"])[:, order])


def test_rate_alone_never_moves_swap_and_planted_lists_do():
    rng = np.random.default_rng(0)
    names, popularity = np.array([f"G{i}" for i in range(400)]), rng.gamma(1, 0.1, 400)
    taste = {tf: rng.normal(size=400) for tf in "ABCD"}
    lists = {}
    for cell in ("H1", "K562", "A549"):
        for tf in "ABCD":
            score = np.log(popularity + 1e-3) + taste[tf] + 0.3 * rng.normal(size=400)
            lists[tf, cell] = " ".join(names[score > np.quantile(score, 0.85)])
    table = tabulate_lists(make_edges(lists), names)
    truth, others = table.take(table.cells == "H1").labels, table.without("H1")
    pairs = np.array([(i, j) for i in range(4) for j in range(400)])

    def swap(scores):
        return swap_concordance(pairs, truth.ravel(), scores.ravel())["micro"]

    assert swap(np.tile(occupancy_rate(others), (4, 1))) == 0.5
    assert swap(rate_and_residual_same(others, list("ABCD"))) > 0.9


def test_lists_that_cannot_be_used_are_refused():
    with pytest.raises(ConfigError, match="no column cell"):
        tabulate_lists(make_edges().drop(columns="cell"), GENES)
    with pytest.raises(GeneMismatchError, match="none of its 5 lists"):
        tabulate_lists(make_edges(), np.array(["Z1", "Z2"]))
    with pytest.raises(GeneMismatchError, match="has 5 of"):
        tabulate_lists(make_edges(), GENES, fewest=5)
    labelled = make_edges().assign(label=np.arange(len(make_edges())) < 4)
    assert len(tabulate_lists(labelled, GENES)) < 5
    lists = tabulate_lists(make_edges(), GENES)
    np.testing.assert_array_equal(occupancy_rate(lists.take(np.zeros(5, bool))), np.ones(6))


@pytest.mark.skipif("GRNJAX_DATA" not in os.environ, reason="needs the folder of public data")
def test_encode_lists_leave_out_h1():
    path = Path(os.environ["GRNJAX_DATA"]) / "chip_networks/encode_tf_chip_networks.tsv.gz"
    edges = pd.read_csv(path, sep="\t").rename(columns={"TF": "tf", "cell_line": "cell"})
    lists = tabulate_lists(edges, edges["target"].unique().astype(str))
    assert {"H1", "GM", "K562"} <= set(lists.cells) and "GM12891" not in set(lists.cells)
    assert len(lists) - len(lists.without("hESC")) == 13
