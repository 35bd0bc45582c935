"""Where not every logit is held, means and deviations are the same, spreads those of a normal."""

import numpy as np
import pytest
from scipy.special import expit

from grnjax.evaluation import member_logits as module
from grnjax.evaluation.member_logits import (
    LogitMoments,
    MemberLogits,
    mean_logit,
    spread_logit,
    spread_probability,
)


@pytest.fixture(scope="module")
def fits():
    """Fits of 2 repeats and 3 folds with 4 members each: repeat, held-out mask, logits."""
    rng = np.random.default_rng(0)
    fold = rng.integers(3, size=1_000)
    level = rng.normal(-3, 2, size=1_000)
    return [
        (
            repeat,
            fold == f,
            (level[fold == f] + rng.normal(size=(4, (fold == f).sum()))).astype("f4"),
        )
        for f in range(3)
        for repeat in range(2)
    ]


def collect(fits) -> np.ndarray | LogitMoments:
    collected = MemberLogits(2, 1_000)
    for repeat, held_out, scores in fits:
        collected.add(repeat, held_out, scores)
    return collected.finish()


def test_moments_are_those_of_every_logit(fits, monkeypatch):
    every = collect(fits)
    monkeypatch.setattr(module, "MOST_HELD", 1_000)
    moments = collect(fits)
    assert every.shape == (8, 1_000) and isinstance(moments, LogitMoments)
    at = np.arange(0, 1_000, 7)
    np.testing.assert_allclose(mean_logit(moments), mean_logit(every), rtol=0, atol=1e-6)
    np.testing.assert_allclose(spread_logit(moments, at), spread_logit(every, at), rtol=1e-5)


def test_spread_of_probabilities_is_near_that_of_the_members(fits, monkeypatch):
    rng = np.random.default_rng(1)
    logits = rng.normal(rng.normal(-2, 2, 200), rng.uniform(0.1, 1, 200), size=(4_000, 200))
    moments = LogitMoments(logits.mean(axis=0), logits.std(axis=0).astype("f4"))
    at = np.arange(200)
    found = spread_probability(moments, at, 0.8, -0.5)
    np.testing.assert_allclose(found, expit(0.8 * logits - 0.5).std(axis=0), rtol=0.05)
    np.testing.assert_allclose(found, spread_probability(logits, at, 0.8, -0.5), rtol=0.05)


def test_what_no_fit_has_scored_has_no_mean(fits, monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", 1_000)
    moments = collect(fits[:2])
    held_out = fits[0][1]
    assert np.isfinite(moments.mean[held_out]).all() and np.isnan(moments.mean[~held_out]).all()
