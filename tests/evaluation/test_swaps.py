"""Swap concordance: the array program counts as a loop over pairs of TFs does; samples agree."""

import numpy as np
import pytest

from grnjax.evaluation import metrics, swaps
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.swaps import count_swaps, sample_swaps, swap_concordance


def make(tfs=40, targets=300, share=1.0, dtype=np.float32):
    """Pairs of a network with an interaction in its scores; some pairs may be missing."""
    rng = np.random.default_rng(tfs)
    labels = rng.random((tfs, targets)) < rng.uniform(0.02, 0.3, (tfs, 1))
    scores = (rng.normal(size=labels.shape) + labels).astype(dtype)
    pairs = np.stack(np.nonzero(rng.random(labels.shape) < share), axis=1)
    return pairs, labels[tuple(pairs.T)], scores[tuple(pairs.T)]


def count_by_pair(pairs, labels, scores, margin):
    """Won and possible swaps by their definition, for TFs a < c."""
    label = np.full(pairs.max(axis=0) + 1, -1)
    score = np.zeros(label.shape)
    label[tuple(pairs.T)], score[tuple(pairs.T)] = labels, scores
    won, possible = np.zeros((2, len(label), len(label)))
    for a in range(len(label)):
        for c in range(a + 1, len(label)):
            upper = (score[a] - score[c])[(label[a] == 1) & (label[c] == 0)]
            lower = (score[a] - score[c])[(label[c] == 1) & (label[a] == 0)]
            clearly = lower[:, None] < upper - margin
            tied_too = lower[:, None] <= upper + margin
            won[a, c], possible[a, c] = (clearly.sum() + tied_too.sum()) / 2, clearly.size
    return won, possible


@pytest.mark.parametrize("tolerance", [1e-5, 1e-2, 0.0])
@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize("kind", ["reals", "integers", "tied", "huge and close"])
def test_counts_equal_those_by_definition_to_the_last_bit(kind, share, tolerance, monkeypatch):
    monkeypatch.setattr(swaps, "TFS_AT_ONCE", 7)
    monkeypatch.setattr(swaps, "NUMBERS_AT_ONCE", 1000)  # fewer beside a TF of many targets
    pairs, labels, scores = make(share=share)
    if kind == "integers":
        scores = np.round(2 * scores)
    elif kind == "tied":
        scores = np.zeros(len(scores))
    elif kind == "huge and close":
        scores = 1e6 * (pairs[:, 0] == 3) + 1e-4 * scores.astype(np.float64)
    margin = tolerance * np.abs(scores).max()
    won, possible = count_swaps(pairs, labels, scores, tolerance=tolerance)
    expected, of_all = count_by_pair(pairs, labels, scores.astype(np.float64), margin)
    np.testing.assert_array_equal(possible, of_all)
    np.testing.assert_array_equal(won, expected)
    assert possible.sum() > 1000


def test_a_sample_agrees_within_its_error_and_depends_on_its_seed_alone():
    pairs, labels, scores = make()
    exact = swap_concordance(pairs, labels, scores)["micro"]
    drawn = [sample_swaps(pairs, labels, scores, draws=4000, seed=seed) for seed in range(30)]
    apart = np.array([(one["micro"] - exact) / one["standard_error"] for one in drawn])
    assert np.abs(apart).max() < 4 and 0.6 < apart.std() < 1.5
    assert drawn[3] == sample_swaps(pairs, labels, scores, draws=4000, seed=3)
    assert {one["draws"] for one in drawn} == {4000}


def test_a_sample_of_base_rates_alone_is_one_half_and_without_a_swap_there_is_none():
    pairs, labels, scores = make()
    additive = np.float32(3.3) * pairs[:, 0] + np.sqrt(pairs[:, 1])
    assert sample_swaps(pairs, labels, additive)["micro"] == 0.5
    of_one = pairs[:, 0] == 0
    found = sample_swaps(pairs[of_one], labels[of_one], scores[of_one], draws=100)
    assert np.isnan(found["micro"]) and found["draws"] == 0


def test_figures_of_many_pairs_come_from_a_sample_and_say_so(monkeypatch):
    pairs, labels, scores = make()
    exact = evaluate_pairs(pairs, labels, scores)
    monkeypatch.setattr(metrics, "MOST_COMPARED", 10)
    sampled = evaluate_pairs(pairs, labels, scores)
    assert sampled["swap_micro"] == pytest.approx(exact["swap_micro"], abs=0.005)
    assert 0 < sampled["swap_standard_error"] < 0.001
    assert "swap_macro" not in sampled and "swap_standard_error" not in exact


def test_names_and_large_numbers_of_genes_serve_as_small_ones_do():
    pairs, labels, scores = make()
    expected = swap_concordance(pairs, labels, scores)
    assert swap_concordance(pairs + 2**40, labels, scores) == expected
    many = make(tfs=150)
    assert swap_concordance(many[0].astype(np.int16), *many[1:]) == swap_concordance(*many)
    names = np.char.mod("G%05d", pairs)
    assert swap_concordance(names, labels, scores) == expected
