"""The figures of classes are those of the measured rows, and controls permute what they say."""

import json
from importlib import resources

import numpy as np

from experiments.compendium.classes import summarise
from experiments.compendium.left_out import LOOK_UP, UNCOMMON
from experiments.compendium.scorer import (
    LINES,
    OTHERS,
    RATES,
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


def test_the_scorer_is_above_the_look_up_over_all_lines():
    rows = {(row["set"], row["split"]): row for row in read_rows(STUDY, method=SCORER)}
    for split in ("all TFs", UNCOMMON):
        row = rows[LINES, split]
        for figure in ("within_tf_auroc", "average_precision"):
            assert row[f"{figure}_difference_low"] > 0
    for (name, split), row in rows.items():
        if split == "all TFs" and name != LINES:
            assert row["within_tf_auroc_difference_high"] > 0
    assert find_over(SCORER) == LOOK_UP


def test_controls_keep_what_they_spare():
    pairs = np.random.default_rng(0).normal(size=(2, 50, len(FEATURES)))
    everything, spared = (permute_features(pairs, kept, seed=0) for kept in ([], RATES))
    np.testing.assert_array_equal(np.sort(everything, axis=1), np.sort(pairs, axis=1))
    assert (everything != pairs).mean() > 0.9
    np.testing.assert_array_equal(spared[..., RATES], pairs[..., RATES])
    np.testing.assert_array_equal(
        np.flatnonzero((silence(pairs) != pairs).any(axis=(0, 1))), OTHERS
    )
