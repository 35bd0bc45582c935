import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from grnjax.training.losses import pair_loss, ranking_scores, weighted_mean

SIZE = 40  # one padded size, so one compilation
PAIR = st.tuples(st.integers(-4, 4), st.booleans(), st.booleans())

rank = jax.jit(ranking_scores)
mean_and_slopes = jax.jit(jax.value_and_grad(weighted_mean, argnums=(0, 1)))
loss_and_slope = jax.jit(jax.value_and_grad(pair_loss))


def test_a_weighted_mean_of_nothing_is_zero_with_finite_gradients():
    values = np.array([1.0, -3e38, 2.0], np.float32)
    mean, (by_value, by_weight) = mean_and_slopes(values, np.zeros(3, np.float32))
    assert mean == 0 and not by_value.any() and np.isfinite(by_weight).all()
    mean, (by_value, _) = mean_and_slopes(values, np.array([3.0, 0.0, 1.0], np.float32))
    assert float(mean) == 1.25 and by_value.tolist() == [0.75, 0, 0.25]


def test_the_loss_is_the_cross_entropy_of_the_pairs_that_weigh_something():
    logits = np.array([2.0, -1.0, 1e4, -1e4, 0.5], np.float32)
    labels = np.array([1.0, 0.0, 0.0, 1.0, 1.0], np.float32)
    weights = np.array([1.0, 2.0, 0.0, 0.0, 1.0], np.float32)
    p = 1 / (1 + np.exp(-np.array([2.0, -1.0, 0.5])))
    expected = -(np.log(p[0]) + 2 * np.log(1 - p[1]) + np.log(p[2])) / 4
    loss, slope = loss_and_slope(logits, labels, weights)
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    assert not slope[2:4].any() and slope[:2].all()
    _, slope = loss_and_slope(logits, labels, np.ones(5, np.float32))
    np.testing.assert_allclose(slope[2:4], [0.2, -0.2], atol=1e-6)  # far from the label, not NaN


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(PAIR, min_size=2, max_size=SIZE), st.randoms(use_true_random=False))
def test_ranking_scores_equal_scikit_learn_whatever_the_ties_and_the_padding(rows, random):
    """Padding of any score and label may stand anywhere."""
    padding = [(random.randint(-9, 9), random.random() < 0.5) for _ in range(SIZE - len(rows))]
    rows = [(score, label, 0.1 + weighty) for score, label, weighty in rows]
    rows += [(score, label, 0.0) for score, label in padding]
    random.shuffle(rows)
    scores, labels, weights = np.array(rows, np.float32).T
    auroc, average_precision = map(float, rank(scores, labels, weights))
    scores, labels = scores[weights > 0], labels[weights > 0]
    if labels.all() or not labels.any():
        assert np.isnan(auroc)
        assert np.isnan(average_precision) == (not labels.any())
        return
    assert auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-6)


@pytest.mark.slow
def test_ranking_scores_keep_their_precision_over_many_pairs():
    rng = np.random.default_rng(0)
    labels = (rng.random(200_000) < 0.02).astype(np.float32)
    scores = (rng.normal(size=200_000) + labels).astype(np.float32)
    auroc, average_precision = map(float, rank(scores, labels, np.ones_like(labels)))
    assert auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-5)
    assert average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-5)
