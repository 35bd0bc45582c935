import pandas as pd
import pytest

from grnjax.errors import EdgeFormatError
from grnjax.evaluation.early_precision import areas_over_all_pairs, early_precision

TRUTH = pd.DataFrame({"tf": ["A", "A", "B"], "target": ["B", "C", "D"]})


def predict(*edges):
    return pd.DataFrame(edges, columns=["tf", "target", "weight"])


def test_a_perfect_ranking_gets_the_inverse_density():
    predicted = predict(("A", "B", -3), ("A", "C", 2), ("B", "D", 1), ("C", "A", 0.5))
    every = early_precision(predicted, TRUTH)
    assert every == {"early_precision_ratio": 12 / 3, "k": 3, "candidates": 12}
    of_tfs = early_precision(predicted, TRUTH, tf_edges=True)
    assert of_tfs == {"early_precision_ratio": 6 / 3, "k": 3, "candidates": 6}
    assert areas_over_all_pairs(predicted, TRUTH)["auroc"] == 1


def test_foreign_genes_push_true_edges_down_unless_only_tf_edges_are_ranked():
    predicted = predict(*[("A", f"X{i}", 9 - i) for i in range(3)], ("A", "B", 1), ("A", "C", 0.5))
    assert early_precision(predicted, TRUTH)["early_precision_ratio"] == 0
    assert early_precision(predicted, TRUTH, tf_edges=True)["early_precision_ratio"] == 2


def test_ties_at_the_cut_are_taken_and_zero_weights_are_not():
    tied = predict(("A", "B", 2), ("A", "C", 1), ("B", "D", 1), ("C", "D", 1), ("D", "A", 1))
    assert early_precision(tied, TRUTH)["early_precision_ratio"] == pytest.approx(3 / 5 * 4)
    rounded = tied.assign(weight=[2, 1, 1, 1 - 1e-8, 0.9])
    assert early_precision(rounded, TRUTH)["early_precision_ratio"] == pytest.approx(3 / 4 * 4)
    sparse = tied.assign(weight=[2, 0, 0, 0, 0])
    assert early_precision(sparse, TRUTH)["early_precision_ratio"] == 4


def test_loops_and_repeats_do_not_count_twice():
    plain = predict(("A", "B", 2), ("C", "D", 1.5), ("A", "C", 1), ("D", "A", 0.5))
    noisy = pd.concat([plain, predict(("A", "A", 9), ("A", "B", 1), ("C", "D", -0.1))])
    twice = pd.concat([TRUTH, TRUTH, pd.DataFrame({"tf": ["A"], "target": ["A"]})])
    assert early_precision(noisy, twice) == early_precision(plain, TRUTH)
    assert areas_over_all_pairs(noisy, twice) == areas_over_all_pairs(plain, TRUTH)


def test_empty_predictions_score_nothing_and_an_empty_truth_is_refused():
    nothing = predict().astype({"weight": float})
    assert early_precision(nothing, TRUTH)["early_precision_ratio"] == 0
    assert areas_over_all_pairs(nothing, TRUTH)["auroc"] == 0.5
    with pytest.raises(EdgeFormatError, match="no edge"):
        early_precision(nothing, TRUTH.head(0))
