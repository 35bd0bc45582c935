import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grnjax.errors import ConfigError, NonFiniteError, SplitError
from grnjax.evaluation.metrics import (
    binary_metrics,
    evaluate_pairs,
    swap_concordance,
    to_logits,
    within_target,
    within_tf,
)


@pytest.fixture
def network():
    """All pairs of 6 TFs and 40 targets, with base rates and an interaction in the labels."""
    rng = np.random.default_rng(0)
    tf, target = np.linspace(-2, 2, 6), rng.normal(size=40)
    interaction = rng.normal(size=(6, 2)) @ rng.normal(size=(2, 40))
    truth = tf[:, None] + target + interaction
    pairs = np.argwhere(np.ones(truth.shape)).astype(np.int32)
    labels = (rng.random(truth.shape) < 1 / (1 + np.exp(-2 * truth))).ravel().astype(np.float32)
    return pairs, labels, (tf[:, None] + target).ravel(), interaction.ravel()


def count_swaps(pairs, labels, scores):
    """Wins and quadruples by the definition, over unordered TF pairs."""
    label, score = dict(zip(map(tuple, pairs), labels)), dict(zip(map(tuple, pairs), scores))
    won = total = 0
    for a, c in itertools.combinations(np.unique(pairs[:, 0]), 2):
        for b, d in itertools.permutations(np.unique(pairs[:, 1]), 2):
            around = [(a, b), (c, d), (a, d), (c, b)]
            if not all(pair in label for pair in around):
                continue
            if [label[pair] for pair in around] == [1, 1, 0, 0]:
                s = [score[pair] for pair in around]
                won += 0.5 * (1 + np.sign(np.round(s[0] + s[1] - s[2] - s[3], 9)))
                total += 1
    return won, total


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=60))
def test_areas_equal_scikit_learn_whatever_the_ties(rows):
    from sklearn import metrics as reference

    labels, scores = np.array(rows, float).T
    if labels.all() or not labels.any():
        with pytest.raises(SplitError, match="needs both"):
            binary_metrics(labels, scores)
        return
    ours = binary_metrics(labels, scores)
    precision, recall, _ = reference.precision_recall_curve(labels, scores)
    assert ours["auroc"] == pytest.approx(reference.roc_auc_score(labels, scores))
    assert ours["average_precision"] == pytest.approx(
        reference.average_precision_score(labels, scores)
    )
    assert ours["auprc_trapezoid"] == pytest.approx(reference.auc(recall, precision))


def test_early_precision_takes_as_many_pairs_as_there_are_positives():
    labels = np.array([1, 0, 1, 0, 0, 0, 0, 1, 0, 0])
    ranking = np.arange(10, 0, -1.0)
    assert binary_metrics(labels, ranking)["early_precision_ratio"] == pytest.approx(2 / 3 / 0.3)
    ranking[2:8] = 5  # the third place is shared by six pairs, so eight are taken
    assert binary_metrics(labels, ranking)["early_precision_ratio"] == pytest.approx(3 / 8 / 0.3)


def test_row_order_scale_and_numbering_leave_every_figure_alone(network):
    pairs, labels, base, interaction = network
    scores = np.round(base + interaction, 1)
    original = evaluate_pairs(pairs, labels, scores)
    shuffle = np.random.default_rng(1).permutation(len(labels))
    assert evaluate_pairs(pairs[shuffle], labels[shuffle], scores[shuffle]) == pytest.approx(
        original
    )
    assert evaluate_pairs(pairs, labels, 1e-9 * scores) == pytest.approx(original)
    assert evaluate_pairs(pairs * 7 + 3, labels, scores) == pytest.approx(original)


def test_figures_that_are_not_wanted_are_left_out_and_the_others_are_the_same(network, monkeypatch):
    pairs, labels, base, interaction = network
    every = evaluate_pairs(pairs, labels, base + interaction)
    wanted = {"average_precision", "within_tf_auroc", "swap_micro"}
    monkeypatch.setattr("grnjax.evaluation.metrics.within_target", None)  # is not called
    found = evaluate_pairs(pairs, labels, base + interaction, only=wanted)
    assert found == {name: every[name] for name in wanted}


def test_base_rates_win_the_pooled_figure_but_no_macro_figure(network):
    pairs, labels, _, _ = network
    tf_rate = np.array([labels[pairs[:, 0] == tf].mean() for tf in pairs[:, 0]])
    target_rate = np.array([labels[pairs[:, 1] == target].mean() for target in pairs[:, 1]])
    assert binary_metrics(labels, tf_rate)["auroc"] > 0.7
    assert within_tf(pairs, labels, tf_rate)["auroc"] == 0.5
    assert within_target(pairs, labels, target_rate)["auroc"] == 0.5
    additive = to_logits(np.clip(tf_rate, 0.01, 0.99)) + 3 * target_rate
    swap = swap_concordance(pairs, labels, additive.astype(np.float32))
    assert swap["micro"] == swap["macro"] == 0.5
    assert swap["quadruples"] > 100


def test_macro_figures_skip_groups_of_one_class():
    pairs = np.array([[0, 1], [0, 2], [1, 1], [1, 2], [2, 1], [2, 2]])
    labels = np.array([1, 0, 1, 1, 0, 1])
    scores = np.array([2.0, 1.0, 0.0, 0.0, 3.0, 1.0])
    by_tf = within_tf(pairs, labels, scores)
    assert by_tf["count"] == 2  # all pairs of TF 1 are positive
    assert by_tf["auroc"] == 0.5  # right for TF 0, wrong for TF 2
    assert by_tf["ap_ratio"] == pytest.approx((2 + 1) / 2)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_swap_concordance_equals_its_definition(network, share):
    pairs, labels, base, interaction = network
    rng = np.random.default_rng(2)
    kept = (pairs[:, 1] < 25) & (rng.random(len(pairs)) < share)  # pairs left out of the test part
    pairs, labels = pairs[kept], labels[kept]
    scores = np.round(base + interaction, 0)[kept]  # many exact ties
    won, total = count_swaps(pairs, labels, scores)
    swap = swap_concordance(pairs, labels, scores)
    assert swap["quadruples"] == total > 0
    assert swap["micro"] == pytest.approx(won / total)


def test_swap_concordance_sees_the_interaction_and_nothing_else(network):
    pairs, labels, base, interaction = network
    alone = swap_concordance(pairs, labels, interaction)
    assert alone["micro"] > 0.7
    assert swap_concordance(pairs, labels, interaction + 2 * base) == pytest.approx(alone)


def test_logits_invert_the_sigmoid_and_stay_finite():
    logits = np.array([-12.0, -1.0, 0.0, 3.0])
    assert to_logits(1 / (1 + np.exp(-logits))) == pytest.approx(logits)
    extreme = to_logits(np.array([0.0, 1.0], np.float32))
    assert np.isfinite(extreme).all()
    assert extreme[0] == pytest.approx(-extreme[1])
    with pytest.raises(ConfigError, match="are not probabilities"):
        to_logits(np.array([0.2, 1.4]))


def test_undefined_figures_are_none_not_nan():
    row = evaluate_pairs(np.array([[0, 1], [1, 2]]), np.array([1, 0]), np.array([1.0, 2.0]))
    undefined = {name for name, value in row.items() if value is None}
    assert undefined == {
        "within_tf_auroc",
        "within_tf_average_precision",
        "within_tf_ap_ratio",
        "within_target_auroc",
        "swap_micro",
        "swap_macro",
    }
    assert (row["pairs"], row["positives"], row["swap_quadruples"]) == (2, 1, 0)


def test_damaged_input_is_refused():
    pairs = np.array([[0, 1], [0, 2], [0, 2]])
    with pytest.raises(NonFiniteError, match="1 of 3 scores"):
        evaluate_pairs(pairs, np.array([1, 0, 0]), np.array([1.0, np.nan, 0.0]))
    with pytest.raises(SplitError, match="1 of 3 pairs repeat others"):
        evaluate_pairs(pairs, np.array([1, 0, 0]), np.array([1.0, 2.0, 0.0]))
    with pytest.raises(SplitError, match="No pairs to evaluate"):
        binary_metrics(np.array([]), np.array([]))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_within_tf_is_the_mean_of_each_tf_alone_whatever_the_ties(seed, size):
    rng = np.random.default_rng(seed)
    pairs = np.stack([rng.integers(5, size=size), np.arange(size)], axis=1)
    labels, scores = rng.random(size) < rng.random(), rng.integers(4, size=size) / 2
    alone = [
        binary_metrics(labels[rows], scores[rows])
        for rows in (pairs[:, 0] == tf for tf in range(5))
        if 0 < labels[rows].sum() < rows.sum()
    ]
    found = within_tf(pairs, labels, scores)
    assert found["count"] == len(alone)
    for name in ("auroc", "average_precision", "ap_ratio"):
        expected = np.mean([one[name] for one in alone]) if alone else np.nan
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)
