import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grnjax.errors import SplitError
from grnjax.evaluation.metrics import binary_metrics, swap_concordance
from grnjax.evaluation.rewiring import rewire_labels, share_moved
from grnjax.types import LabelledPairs

TFS, GENES = 15, 60


@pytest.fixture(scope="module")
def network():
    """Two thirds of the pairs of a network with base rates and an interaction, and the scores."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(TFS, 1)) + rng.normal(size=GENES) - 1
    interaction = 2 * rng.normal(size=(TFS, 2)) @ rng.normal(size=(2, GENES))
    is_given = rng.random(base.shape) < 0.67
    label = rng.random(base.shape) < 1 / (1 + np.exp(-2 * (base + interaction)))
    pairs = np.argwhere(is_given).astype(np.int32)
    pairs, labels = pairs[::-1], label[is_given][::-1].astype(np.float32)
    return LabelledPairs(pairs, labels), base[is_given][::-1], interaction[is_given][::-1]


def degrees(pairs):
    return [np.bincount(pairs.positives[:, axis], minlength=GENES) for axis in (0, 1)]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_every_degree_and_every_pair_stays(tfs, targets, seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(-1, 2, size=(tfs, targets))  # -1 is a pair that was not given
    table[0, 0] = 1
    given_pairs = np.argwhere(table >= 0).astype(np.int32)
    before = LabelledPairs(given_pairs, table[table >= 0].astype(np.float32))
    after = rewire_labels(before, seed=seed, sweeps=5)
    np.testing.assert_array_equal(after.pairs, before.pairs)
    assert set(after.labels) <= {0, 1}
    for old, new in zip(degrees(before), degrees(after), strict=True):
        np.testing.assert_array_equal(new, old)


def test_rewiring_keeps_what_degrees_explain_and_destroys_the_rest(network):
    pairs, base, interaction = network
    after = rewire_labels(pairs, seed=0)
    assert swap_concordance(pairs.pairs, pairs.labels, interaction)["micro"] > 0.9
    swap = swap_concordance(after.pairs, after.labels, interaction)
    assert swap["micro"] == pytest.approx(0.5, abs=0.05)
    assert swap["quadruples"] > 1000
    assert binary_metrics(after.labels, base)["auroc"] > 0.65
    assert share_moved(pairs, after) > 0.3


@pytest.mark.slow
def test_all_networks_of_the_same_degrees_come_up_alike():
    pairs = LabelledPairs(
        np.argwhere(np.ones((3, 3))).astype(np.int32), np.eye(3, dtype=np.float32).ravel()
    )
    seen = [tuple(rewire_labels(pairs, seed=seed, sweeps=20).labels) for seed in range(1200)]
    counts = np.unique(seen, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


def test_the_result_depends_on_the_seed_and_the_pairs_but_not_on_their_order(network):
    pairs = network[0]
    after = rewire_labels(pairs, seed=0)
    shuffle = np.random.default_rng(1).permutation(len(pairs))
    np.testing.assert_array_equal(
        rewire_labels(pairs.take(shuffle), seed=0).labels, after.labels[shuffle]
    )
    assert (rewire_labels(pairs, seed=1).labels != after.labels).any()


def test_the_share_that_moved_is_logged(network, caplog):
    with caplog.at_level(logging.INFO, logger="grnjax"):
        after = rewire_labels(network[0], seed=0)
    assert f"{100 * share_moved(network[0], after):.1f} % of the positives moved" in caplog.text


def test_repeated_pairs_are_refused():
    pairs = LabelledPairs(np.array([[0, 1], [0, 1]], np.int32), np.array([1, 0], np.float32))
    with pytest.raises(SplitError, match="1 of 2 pairs repeat"):
        rewire_labels(pairs, seed=0)
