import numpy as np
import pytest

from grnjax.evaluation.metrics import binary_metrics
from grnjax.evaluation.negatives import match_negatives
from grnjax.types import LabelledPairs

GENES, TFS = 600, 60


@pytest.fixture(scope="module")
def parts():
    """Train and test pairs of a sparse network in which the degrees are all there is."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(1, size=(TFS, 1)) * rng.gamma(1, size=GENES)
    label = rng.random(rate.shape) < 1 - np.exp(-0.03 * rate)
    is_test = rng.random(rate.shape) < 0.3
    return [
        LabelledPairs(np.argwhere(chosen).astype(np.int32), label[chosen].astype(np.float32))
        for chosen in (~is_test, is_test)
    ]


def degree_auroc(train, test):
    out_degree = np.bincount(train.positives[:, 0], minlength=GENES)
    in_degree = np.bincount(train.positives[:, 1], minlength=GENES)
    product = (1 + out_degree[test.pairs[:, 0]]) * (1 + in_degree[test.pairs[:, 1]])
    return binary_metrics(test.labels, product)["auroc"]


def test_degree_no_longer_separates_the_matched_pairs(parts):
    train, test = parts
    assert degree_auroc(train, test) > 0.75
    matched = [test.take(match_negatives(train, test, GENES, seed=seed)) for seed in range(5)]
    assert np.mean([degree_auroc(train, part) for part in matched]) == pytest.approx(0.5, abs=0.05)


def test_what_is_not_degree_survives_the_matching(parts):
    train, test = parts
    matched = test.take(match_negatives(train, test, GENES, seed=0))
    signal = matched.labels + np.random.default_rng(1).normal(size=len(matched))
    assert binary_metrics(matched.labels, signal)["auroc"] > 0.7


def test_all_positives_stay_beside_as_many_different_negatives(parts):
    train, test = parts
    index = match_negatives(train, test, GENES, seed=0)
    assert (np.diff(index) > 0).all()
    assert len(index) == 2 * len(test.positives)
    assert len(test.take(index).positives) == len(test.positives)
    positives, negatives = (np.flatnonzero(test.labels == label) for label in (1, 0))
    crowded = test.take(np.append(positives, negatives[:9]))
    assert len(match_negatives(train, crowded, GENES, seed=0)) == len(crowded)


def test_a_draw_depends_on_the_seed_and_the_pairs_but_not_on_their_order(parts):
    train, test = parts
    drawn = test.take(match_negatives(train, test, GENES, seed=0)).pairs
    shuffled = test.take(np.random.default_rng(1).permutation(len(test)))
    again = shuffled.take(match_negatives(train, shuffled, GENES, seed=0)).pairs
    assert set(map(tuple, drawn.tolist())) == set(map(tuple, again.tolist()))
    other = test.take(match_negatives(train, test, GENES, seed=1)).pairs
    assert set(map(tuple, drawn.tolist())) != set(map(tuple, other.tolist()))
