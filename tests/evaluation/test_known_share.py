"""The known share and probabilities of truth, on planted labels of which a share is listed."""

import numpy as np
import pytest
from scipy.special import expit

from grnjax.evaluation import known_share
from grnjax.evaluation.calibration import reliability_error
from grnjax.evaluation.known_share import estimate_known_share, fit_truth

SHARE = 0.4


class Planted:
    """Pairs of 40 TFs whose truth depends on a score, and of which a share is listed."""

    def __init__(self, strength, share=SHARE, seed=0):
        rng = np.random.default_rng(seed)
        self.tfs = np.repeat(np.arange(40), 500)
        self.scores = rng.normal(size=40)[self.tfs] + rng.normal(size=len(self.tfs))
        self.is_true = rng.random(len(self.tfs)) < expit(strength * self.scores - 1)
        self.listed = self.is_true & (rng.random(len(self.tfs)) < share)

    def estimate(self):
        return estimate_known_share(self.scores, self.listed, self.tfs, seed=0)


@pytest.fixture
def few_resamples(monkeypatch):
    """Where the interval is not asked for, which takes most of the time."""
    monkeypatch.setattr(known_share, "RESAMPLES", 40)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.7, 1.0])
def test_the_known_share_is_found_where_scores_tell_true_pairs(share, few_resamples):
    assert Planted(3.0, share).estimate().value == pytest.approx(share, abs=0.06)


@pytest.mark.slow
def test_the_interval_has_the_known_share_nearly_always():
    found = [Planted(3.0, seed=seed).estimate() for seed in range(5)]
    assert sum(one.low <= SHARE <= one.high for one in found) >= 4


@pytest.mark.slow
def test_scores_that_tell_little_give_a_lower_bound_and_no_estimate():
    found = Planted(0.3).estimate()
    assert found.value is None and found.high == 1.0 and found.low <= SHARE


def test_the_estimate_depends_on_the_seed_alone(few_resamples):
    planted = Planted(3.0)
    assert planted.estimate() == planted.estimate()


def test_probabilities_of_truth_are_those_of_hidden_edges():
    planted = Planted(3.0)
    curve = fit_truth(planted.scores, planted.listed, SHARE)
    everywhere = np.ones(len(planted.tfs), bool)
    found = curve.probability(planted.scores, planted.listed, everywhere)
    new = ~planted.listed
    assert (found[planted.listed] == 1).all() and ((found >= 0) & (found <= 1)).all()
    assert reliability_error(found[new], planted.is_true[new]) < 0.02
    assert (curve.a, curve.b) == (pytest.approx(3.0, rel=0.1), pytest.approx(-1.0, abs=0.1))


def test_not_being_listed_tells_nothing_of_a_tf_that_was_not_studied():
    planted = Planted(3.0)
    curve, nowhere = fit_truth(planted.scores, planted.listed, SHARE), np.zeros(len(planted.tfs))
    found = curve.probability(planted.scores, nowhere > 0, nowhere > 0)
    assert reliability_error(found, planted.is_true) < 0.02


def test_higher_scores_are_never_less_probable():
    planted = Planted(-3.0)
    curve = fit_truth(planted.scores, planted.listed, SHARE)
    assert curve.a == 0
