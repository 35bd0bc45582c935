"""Scores and p-values of motifs, against all words that there are."""

import itertools

import numpy as np
import pytest

from grnjax.errors import ConfigError, SequenceFormatError
from grnjax.evidence.motif_models import Motif
from grnjax.evidence.motif_scores import (
    MotifScoreConfig,
    choose_background,
    distribute_scores,
    log_odds,
    score_motif,
)


def draw_motif(length, seed=0, sites=40):
    chance = np.random.default_rng(seed).dirichlet(np.full(4, 0.4), length)
    return Motif(f"M{length}", ("TF",), np.rint(sites * chance) + np.eye(4)[0])


def score_words(steps, background):
    """The score of every word, and its chance."""
    words = np.array(list(itertools.product(range(4), repeat=len(steps))))
    return steps[np.arange(len(steps)), words].sum(axis=1), background[words].prod(axis=1)


@pytest.mark.parametrize("length", [1, 4, 6, 7])
@pytest.mark.parametrize("background", [(0.25,) * 4, (0.32, 0.18, 0.18, 0.32)])
@pytest.mark.parametrize("p_value", [0.3, 0.01, 1e-3])
def test_p_values_are_those_of_all_words(length, background, p_value):
    config = MotifScoreConfig(p_value=p_value)
    scored = score_motif(draw_motif(length), np.array(background), config)
    scores, chance = score_words(scored.steps, np.array(background))
    tail = {score: chance[scores >= score].sum() for score in np.unique(scores)}
    significant = [score for score, p in tail.items() if p <= p_value * (1 + 1e-9)]
    if not significant:
        assert scored.threshold is None
        return
    assert scored.threshold == min(significant)
    assert scored.scores.tolist() == significant
    np.testing.assert_allclose(scored.p_values, [tail[x] for x in significant], rtol=1e-10)


def test_chances_add_up_and_long_motifs_stay_exact():
    scored = score_motif(draw_motif(33), np.full(4, 0.25), MotifScoreConfig())
    lowest, chance = distribute_scores(scored.steps, np.full(4, 0.25))
    assert chance.sum() == pytest.approx(1, abs=1e-12)
    assert lowest + len(chance) - 1 == scored.steps.max(axis=1).sum() == scored.scores[-1]
    best = (scored.steps == scored.steps.max(axis=1, keepdims=True)).sum(axis=1)
    assert scored.p_values[-1] == pytest.approx(np.prod(best / 4.0), rel=1e-10)
    assert (np.diff(scored.p_values) < 0).all() and scored.p_values[0] <= 1e-4


def test_log_odds_are_as_defined():
    counts, background = np.array([[3.0, 0, 1, 0]]), np.array([0.3, 0.2, 0.2, 0.3])
    chance = np.array([3 + 0.15, 0.1, 1 + 0.1, 0.15]) / 4.5
    np.testing.assert_allclose(log_odds(counts, background, 0.5)[0], np.log2(chance / background))


def test_the_reverse_complement_has_the_same_p_values():
    motif, background = draw_motif(7), np.array([0.35, 0.15, 0.15, 0.35])
    config = MotifScoreConfig(p_value=0.01)
    other = Motif("R", ("TF",), motif.counts[::-1, ::-1])
    one, two = (score_motif(x, background, config) for x in (motif, other))
    assert one.threshold == two.threshold
    np.testing.assert_allclose(one.p_values, two.p_values, rtol=1e-12)


def test_backgrounds():
    measured = choose_background(MotifScoreConfig(background="measured"), np.array([4, 1, 3, 2]))
    np.testing.assert_allclose(measured, [0.3, 0.2, 0.2, 0.3])
    np.testing.assert_allclose(choose_background(MotifScoreConfig(gc=0.4)), [0.3, 0.2, 0.2, 0.3])
    np.testing.assert_allclose(choose_background(MotifScoreConfig()), [0.25] * 4)
    with pytest.raises(ConfigError, match="not needed"):
        choose_background(MotifScoreConfig(background="measured", gc=0.4), np.ones(4))
    with pytest.raises(SequenceFormatError, match="C or G"):
        choose_background(MotifScoreConfig(background="measured"), np.array([4, 0, 0, 2]))


def test_scores_that_float32_cannot_add_are_refused():
    motif = Motif("M", ("TF",), np.tile([1e9, 0, 0, 0], (100, 1)))
    config = MotifScoreConfig(steps_per_bit=10_000, pseudocount=1e-6)
    with pytest.raises(SequenceFormatError, match="too large"):
        score_motif(motif, np.full(4, 0.25), config)


@pytest.mark.parametrize(
    "wrong", [{"p_value": 0}, {"pseudocount": 0}, {"steps_per_bit": 0}, {"gc": 1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        MotifScoreConfig(**wrong)
