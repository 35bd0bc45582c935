import logging

import numpy as np
import pytest

from grnjax.errors import SplitError
from grnjax.evaluation.calibration import Calibration, fit_calibration, reliability_error


@pytest.fixture
def sample():
    """Scores, and labels whose true log odds are 0.5 * score - 3."""
    rng = np.random.default_rng(0)
    scores = rng.normal(2, 4, size=20_000)
    labels = rng.random(len(scores)) < 1 / (1 + np.exp(3 - 0.5 * scores))
    return scores, labels.astype(np.float32)


def test_the_fit_finds_the_log_odds_and_states_the_prevalence(sample):
    scores, labels = sample
    calibration = fit_calibration(scores, labels)
    assert calibration.a == pytest.approx(0.5, abs=0.02)
    assert calibration.b == pytest.approx(-3, abs=0.1)
    assert calibration.prevalence == pytest.approx(labels.mean())
    assert calibration.probability(scores).mean() == pytest.approx(labels.mean(), abs=1e-3)


def test_calibration_undoes_any_shift_and_scale_of_the_scores(sample):
    scores, labels = sample
    wanted = fit_calibration(scores, labels).probability(scores)
    moved = 1e4 * scores - 3e5
    actual = fit_calibration(moved, labels).probability(moved)
    np.testing.assert_allclose(actual, wanted, atol=1e-7)


def test_weights_set_the_prevalence_that_is_assumed(sample):
    scores, labels = sample
    weights = np.where(labels > 0, 1.0, 5.0)
    weighted = fit_calibration(scores, labels, weights)
    repeated = np.repeat(np.arange(len(scores)), weights.astype(int))
    copied = fit_calibration(scores[repeated], labels[repeated])
    assert weighted.a == pytest.approx(copied.a, rel=1e-6)
    assert weighted.b == pytest.approx(copied.b, rel=1e-6)
    assert weighted.prevalence == pytest.approx(copied.prevalence)
    assert weighted.prevalence < labels.mean()


def test_separable_scores_keep_probabilities_inside_the_smoothed_targets():
    scores, labels = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    probability = fit_calibration(scores, labels).probability(scores)
    assert (np.diff(probability) > 0).all()
    assert 0 < probability[0] and probability[-1] < 1
    assert probability.mean() == pytest.approx((3 / 4 + 1 / 4) / 2)


@pytest.mark.parametrize("scores", [np.zeros(100), -np.repeat([0.0, 1.0], 50)])
def test_useless_scores_give_the_prevalence_and_never_a_reversed_order(scores, caplog):
    labels = np.repeat([0, 1], 50)
    with caplog.at_level(logging.WARNING, logger="grnjax"):
        calibration = fit_calibration(scores, labels)
    np.testing.assert_allclose(calibration.probability(scores), 0.5, atol=1e-9)
    assert bool(caplog.records) == (scores.std() > 0)


def test_calibration_needs_both_classes():
    with pytest.raises(SplitError, match="0 positives and 3 negatives"):
        fit_calibration(np.arange(3.0), np.zeros(3))


def test_reliability_error_is_the_gap_between_promise_and_frequency(sample):
    scores, labels = sample
    honest = Calibration(a=0.5, b=-3, prevalence=0.2).probability(scores)
    assert reliability_error(honest, labels) < 0.02
    assert reliability_error(np.full(100, 0.3), np.repeat([0, 1], 50)) == pytest.approx(0.2)
    assert reliability_error(1 - honest, labels) > 0.4


def test_reliability_error_ignores_the_order_of_the_rows(sample):
    scores, labels = sample
    coarse = np.round(1 / (1 + np.exp(-scores)), 1)
    shuffle = np.random.default_rng(1).permutation(len(labels))
    assert reliability_error(coarse, labels) == pytest.approx(
        reliability_error(coarse[shuffle], labels[shuffle])
    )
