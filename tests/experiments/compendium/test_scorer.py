"""The figures of classes are those of the measured rows, and controls permute what they say."""

import json
from importlib import resources

import numpy as np

from experiments.compendium.classes import summarise
from experiments.compendium.left_out import ALL, LOOK_UP, UNCOMMON
from experiments.compendium.scorer import (
    LINES,
    OTHERS,
    PERMUTED,
    RATES,
    RATES_KEPT,
    SCORER,
    STUDY,
    find_over,
    permute_features,
    silence,
)
from experiments.shared.record import read_rows
from grnjax.methods.compendium.classes import CLASSES, MEASURED, read_measured
from grnjax.methods.compendium.features import FEATURES


def test_shipped_figures_of_classes_are_the_measured_ones():
    text = (resources.files("grnjax") / "shipped" / MEASURED).read_text()
    assert json.loads(text) == summarise()
    figures = read_measured()
    assert {*figures} == {LOOK_UP, SCORER} and len(figures[SCORER]) == len(CLASSES) + 1
    for groups in figures.values():
        assert groups["nothing"].swap == 0.5 or groups["nothing"].swap is None
        for found in groups.values():
            assert found.within_tf_auroc_low < found.within_tf_auroc < found.within_tf_auroc_high
            assert found.networks > 5


def test_the_scorer_is_above_the_look_up_over_all_lines_and_below_it_on_none():
    rows = {(row["set"], row["split"]): row for row in read_rows(STUDY, method=SCORER)}
    assert rows[LINES, ALL]["within_tf_auroc_difference_low"] > 0
    for figure in ("within_tf_auroc", "average_precision"):
        assert rows[LINES, UNCOMMON][f"{figure}_difference_low"] > 0
    of_lines = [row for (_, split), row in rows.items() if split == ALL]
    assert len(of_lines) == 14  # eleven lines, two of them on detected genes too, and all together
    assert all(row["within_tf_auroc_difference_high"] > 0 for row in of_lines)
    assert find_over(SCORER) == LOOK_UP


def test_controls_are_where_they_should_be():
    for method, low, high in ((PERMUTED, 0.47, 0.53), (RATES_KEPT, 0.7, 0.8)):
        rows = read_rows(STUDY, method=method, split=ALL)
        assert len(rows) == 2 and all(low < row["within_tf_auroc"] < high for row in rows)
        if method == RATES_KEPT:  # level with rate, over which it is measured
            assert all(abs(row["within_tf_auroc_difference"]) < 0.005 for row in rows)


def test_controls_keep_what_they_spare():
    pairs = np.random.default_rng(0).normal(size=(2, 50, len(FEATURES)))
    everything, spared = (permute_features(pairs, kept, seed=0) for kept in ([], RATES))
    np.testing.assert_array_equal(np.sort(everything, axis=1), np.sort(pairs, axis=1))
    assert (everything != pairs).mean() > 0.9
    np.testing.assert_array_equal(spared[..., RATES], pairs[..., RATES])
    np.testing.assert_array_equal(
        np.flatnonzero((silence(pairs) != pairs).any(axis=(0, 1))), OTHERS
    )
