"""Metrics against scikit-learn, BEELINE's evaluator and a brute-force count of swaps."""

import json

import numpy as np
import pandas as pd
import pytest

from grnjax.evaluation.early_precision import areas_over_all_pairs, early_precision
from grnjax.evaluation.metrics import (
    binary_metrics,
    swap_concordance,
    to_logits,
    within_target,
    within_tf,
)

TOLERANCE = 1e-12
AREAS = ["auroc", "average_precision", "auprc_trapezoid", "auroc_trapezoid"]
AREAS += ["prevalence", "ap_ratio"]
SWAPS = ["micro", "macro", "quadruples", "tf_pairs"]


@pytest.fixture(scope="module")
def folder(parity_folder):
    return parity_folder("metrics_parity")


@pytest.fixture(scope="module")
def expected(folder):
    return json.loads((folder / "expected.json").read_text())


@pytest.fixture(scope="module")
def vectors(folder):
    with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def matrix(vectors):
    """Pairs and labels of the test mask, and the scores of each name there."""
    mask = vectors["pair_matrix/test_mask"]
    pairs = np.argwhere(mask).astype(np.int32)
    scores = {
        name.removeprefix("pair_matrix/"): array[mask]
        for name, array in vectors.items()
        if name.startswith("pair_matrix/") and array.dtype.kind == "f"
    }
    return pairs, vectors["pair_matrix/labels"][mask], scores


def assert_equal_metrics(actual: dict, wanted: dict, names: list[str], case: str) -> None:
    for name in names:
        assert actual[name] == pytest.approx(wanted[name], abs=TOLERANCE, rel=TOLERANCE), (
            f"{name} of {case}"
        )


def test_areas_equal_scikit_learn(vectors, expected):
    assert expected["binary"]
    for case, wanted in expected["binary"].items():
        actual = binary_metrics(vectors[f"{case}/labels"], vectors[f"{case}/scores"])
        assert_equal_metrics(actual, wanted, AREAS, case)


def test_swap_concordance_equals_brute_force_at_each_tolerance(matrix, expected):
    pairs, labels, scores = matrix
    for case, wanted in expected["pair_matrix"].items():
        if case not in scores or "tie_tolerance" not in wanted:
            continue
        absolute = {wanted["tie_tolerance"]: wanted, 1e-5: wanted["at_tolerance_1e-5"]}
        for tolerance, counts in absolute.items():
            actual = swap_concordance(pairs, labels, scores[case], tolerance=tolerance, scale=1)
            assert_equal_metrics(actual, counts, SWAPS, f"{case} at {tolerance}")


def test_default_tolerance_sees_through_rounding_at_any_magnitude(matrix):
    pairs, labels, scores = matrix
    for case in ("additive", "additive_float32"):
        for magnitude in (1e-6, 1, 1e6):
            actual = swap_concordance(pairs, labels, magnitude * scores[case])
            assert actual["micro"] == actual["macro"] == 0.5, f"{case} times {magnitude}"


def test_swap_concordance_of_probabilities_turned_into_logits(matrix, expected):
    pairs, labels, scores = matrix
    wanted = expected["pair_matrix"]["interaction_probability"]
    probabilities = scores["interaction_probability"]
    actual = swap_concordance(pairs, labels, to_logits(probabilities))
    assert_equal_metrics(actual, wanted, [name for name in SWAPS if name in wanted], "logits")


def test_an_interaction_and_its_opposite_add_to_one(matrix):
    pairs, labels, scores = matrix
    one = swap_concordance(pairs, labels, scores["interaction"])
    other = swap_concordance(pairs, labels, scores["opposite"])
    assert one["micro"] + other["micro"] == pytest.approx(1, abs=TOLERANCE)
    assert one["macro"] + other["macro"] == pytest.approx(1, abs=TOLERANCE)


def test_pooled_and_macro_figures_of_the_pair_matrix(matrix, expected):
    pairs, labels, scores = matrix
    for case, wanted in expected["pair_matrix"].items():
        if "pooled" not in wanted:
            continue
        assert_equal_metrics(binary_metrics(labels, scores[case]), wanted["pooled"], AREAS, case)
        by_tf, by_target = (f(pairs, labels, scores[case]) for f in (within_tf, within_target))
        actual = {
            "within_tf_auroc_macro": by_tf["auroc"],
            "within_tf_count": by_tf["count"],
            "within_target_auroc_macro": by_target["auroc"],
            "within_target_count": by_target["count"],
        }
        assert_equal_metrics(actual, wanted, list(actual), case)


def test_beeline_figures(folder, expected):
    def read(name, sep):
        return pd.read_csv(folder / name, sep=sep).rename(
            columns={"Gene1": "tf", "Gene2": "target", "EdgeWeight": "weight"}
        )

    truth = read("GroundTruthNetwork.csv", ",")
    assert expected["beeline"]
    for case, wanted in expected["beeline"].items():
        predicted = read(f"rankedEdges_{case}.csv", "\t")
        every, of_tfs = (early_precision(predicted, truth, tf_edges=tf) for tf in (False, True))
        actual = areas_over_all_pairs(predicted, truth) | {
            "epr_all_edges": every["early_precision_ratio"],
            "all_k": every["k"],
            "all_candidates": every["candidates"],
            "epr_tf_edges": of_tfs["early_precision_ratio"],
            "tf_k": of_tfs["k"],
            "tf_candidates": of_tfs["candidates"],
        }
        assert_equal_metrics(actual, wanted, list(wanted), case)
