"""Fitted rows see no list of the line under test, nor of the line that they learn from."""

import numpy as np
import pytest

from experiments.compendium.boosted import Cells, collect, describe, weigh
from experiments.compendium.cell_lines import describe_bulk
from experiments.compendium.left_out import ALL, LOOK_UP, RATE, SAME
from experiments.compendium.removed import ALIKE, BOTH, MOTIF, score_removed
from experiments.compendium.removed import RATE as REMOVED_RATE
from experiments.compendium.rivals import (
    BULK,
    OVER_TREES,
    STUDY,
    TREES,
    find_over,
    list_asked,
    measure_networks,
)
from experiments.compendium.scorer import PERMUTED, RATES_KEPT, SCORER
from experiments.shared.record import read_rows
from grnjax.data.compendium.lists import tabulate_lists
from grnjax.types import GeneTable
from tests.methods.compendium.planted import GENES, TFS, make_compendium, make_lists, make_rule

NAMES = np.array(GENES)


@pytest.fixture(scope="module")
def lists():
    return tabulate_lists(make_lists(make_rule()), NAMES)


@pytest.fixture(scope="module")
def motifs():
    return make_compendium().over(NAMES, species="human", kinds=("motifs",), carry=False)


def test_what_is_learnt_from_a_line_lacks_its_own_lists(lists, motifs):
    left = lists.without("K562")
    features, labels = collect(left, motifs, None, 10)
    assert features.shape == (len(labels), 4)
    own = left.take(left.cells == "A549")
    others = left.without("A549")
    known = describe(others, motifs, own.tfs.tolist(), "A549", None)
    told = describe(left, motifs, own.tfs.tolist(), "A549", None)
    assert not np.allclose(known[..., 1], told[..., 1])
    first = features[: known[..., 0].size]  # A549 is the first of the lines
    np.testing.assert_allclose(np.sort(first[:, 1]), np.sort(known[..., 1].ravel()))


def test_two_weights_rank_above_chance(lists, motifs):
    left, own = lists.without("K562"), lists.take(lists.cells == "K562")
    tfs = own.tfs.tolist()
    scores = weigh(*collect(left, motifs, None, 10))(describe(left, motifs, tfs, "K562", None))
    found = measure_networks(own.labels > 0, scores, np.ones(scores.shape, bool))
    assert found.shape == (len(tfs),) and found.mean() > 0.65


def test_only_lines_with_cells_are_learnt_from(lists, motifs):
    table = GeneTable(
        NAMES, np.isin(NAMES, TFS), np.zeros((2, len(NAMES))), np.ones(len(NAMES), bool)
    )
    columns = {"A549": np.ones((len(NAMES), 2)), "HUVEC": np.ones((len(NAMES), 2))}
    cells = Cells(columns, lambda line, tfs: np.zeros((len(tfs), len(table.names))))
    features, labels = collect(lists.without("K562"), motifs, cells, 10)
    own = np.isin(lists.cells, ["A549", "HUVEC"])
    assert len(labels) == own.sum() * len(NAMES)
    assert features.shape[1] == 4 + 2 + 2


def test_bulk_expression_goes_by_the_names_of_lines():
    import pandas as pd

    names = np.array(["A", "B", "C"])
    x = np.array([[1.0, 2, 3], [3, 2, 1], [2, 2, 2]], np.float32)
    cells = pd.DataFrame(index=["HELA", "K562", "SKNSH"])
    table = GeneTable(names, np.array([True, False, False]), x, np.ones(3, bool), cells)
    found = describe_bulk(table)
    assert {*found.columns} == {"HELA-S3", "K562", "SK-N-SH"}
    np.testing.assert_allclose(found.columns["HELA-S3"], [[1, -1], [2, 0], [3, 1]])
    pearson = found.pearson("K562", ["B", "A", "not there"])
    assert pearson[1, 2] == pytest.approx(1) and not pearson[2].any()


def test_rows_are_judged_where_no_other_study_has_them():
    rows = dict.fromkeys((RATE, SAME, LOOK_UP, TREES, SCORER, OVER_TREES))
    assert SCORER not in list_asked("K562", ALL, rows)
    assert {*list_asked(f"K562{BULK}", ALL, rows)} == {*rows}
    assert find_over(OVER_TREES) == TREES and find_over(SCORER) == LOOK_UP


def test_without_its_lists_a_tf_is_ranked_by_what_else_is_known(lists, motifs, monkeypatch):
    tfs = ["TF0", "TF1", "TF11"]
    left = lists.without("K562").without_tfs(tfs)
    links = np.zeros((3, len({*left.tfs})))
    monkeypatch.setattr("experiments.compendium.removed.find_relatives", lambda *_: (links, links))
    rows = score_removed(None, tfs, left, motifs, lambda lists, tfs: np.zeros((3, len(NAMES))))
    assert (rows[REMOVED_RATE] == rows[REMOVED_RATE][0]).all()
    for name in (MOTIF, ALIKE):
        assert not np.allclose(rows[name][0], rows[REMOVED_RATE][0])  # TF0 has a motif
        np.testing.assert_allclose(rows[name][2], rows[REMOVED_RATE][2])  # TF11 has none
    assert not rows[BOTH].any()


def test_controls_of_bulk_expression_are_where_they_should_be():
    for row in read_rows(STUDY, method=PERMUTED, split=ALL):
        assert 0.46 < row["within_tf_auroc"] < 0.54
    for row in read_rows(STUDY, method=RATES_KEPT, split=ALL):
        assert abs(row["within_tf_auroc_difference"]) < 0.03
