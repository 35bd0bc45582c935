import numpy as np
import pytest

from grnjax.evaluation.noise import flip_labels
from grnjax.types import LabelledPairs


@pytest.fixture
def pairs():
    """4 TFs with 50 targets each; every tenth pair is positive."""
    tf, target = np.divmod(np.arange(200), 50)
    labels = (np.arange(200) % 10 == 0).astype(np.float32)
    return LabelledPairs(np.stack([tf, target + 4], axis=1).astype(np.int32), labels)


def flipped(pairs, share, seed=0):
    noisy = flip_labels(pairs, share, seed=seed)
    np.testing.assert_array_equal(noisy.pairs, pairs.pairs)
    return np.flatnonzero(noisy.labels != pairs.labels)


@pytest.mark.parametrize("share, count", [(0.0, 0), (0.05, 10), (1.0, 200)])
def test_exactly_the_share_is_flipped(pairs, share, count):
    before = pairs.labels.copy()
    assert len(flipped(pairs, share)) == count
    np.testing.assert_array_equal(pairs.labels, before)


def test_positives_are_flipped_no_more_often_than_others(pairs):
    hits = np.concatenate([flipped(pairs, 0.2, seed) for seed in range(200)])
    assert abs(np.mean(hits % 10 == 0) - 0.1) < 0.02


def test_a_lower_share_flips_some_of_the_same_pairs(pairs):
    low, high = flipped(pairs, 0.05), flipped(pairs, 0.2)
    assert set(low) < set(high)
    assert set(high) != set(flipped(pairs, 0.2, seed=1))


def test_the_order_of_the_pairs_does_not_matter(pairs):
    order = np.random.default_rng(1).permutation(len(pairs))
    shuffled = flip_labels(pairs.take(order), 0.1, seed=3)
    np.testing.assert_array_equal(shuffled.labels, flip_labels(pairs, 0.1, seed=3).labels[order])


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_an_impossible_share_is_refused(pairs, share):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {share}"):
        flip_labels(pairs, share, seed=0)
