"""Scores of motifs: log-odds in whole steps, and exact p-values by dynamic programming.

A position's score for a base is log2 of its probability in the motif over that in the background,
rounded to a step of a hundredth of a bit, so that sums are exact whole numbers in any order and on
any device, and every p-value is that of the very scores that are compared.
"""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import Rate, Settings, Share
from grnjax.config.annotations import Range
from grnjax.errors import ConfigError, SequenceFormatError
from grnjax.evidence.motif_models import Motif

Background = Float[np.ndarray, "4"]
MOST_EXACT = 1 << 24  # whole numbers up to here are exact in float32


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotifScoreConfig(Settings):
    """How motifs are scored, and what counts as a hit."""

    p_value: Share = 1e-4
    """A hit's score is one that the background reaches at a place with at most this chance."""
    background: Literal["uniform", "measured"] = "uniform"
    """Chance of A, C, G and T outside motifs: all alike, or that of the bases of the sequences;
    both strands are scanned, so that A and T have one chance, and C and G."""
    gc: Share | None = None
    """The chance of G or C outside motifs, where it is given."""
    pseudocount: Rate = 1.0
    """Sites as in the background that are added to those of each position."""
    steps_per_bit: Annotated[int, Range(1, 10_000)] = 100
    """How finely scores are rounded."""


@dataclasses.dataclass(frozen=True, eq=False)
class ScoredMotif:
    """A motif's scores in whole steps, and what chance of them the background has."""

    motif: Motif
    steps: Int[np.ndarray, "position 4"]  # int64
    threshold: int | None  # the least score of a hit; None where the p-value cannot be reached
    scores: np.ndarray  # int64, ascending: the scores that sequences can have, from the threshold
    p_values: np.ndarray  # [score] float64: chance of at least this score


def choose_background(
    config: MotifScoreConfig, count: Float[np.ndarray, "4"] | None = None
) -> Background:
    """The chance of A, C, G and T, the same on both strands.

    Args:
        count: of each base in the sequences, where it is to be measured.

    Raises:
        ConfigError: it is both given and to be measured.
        SequenceFormatError: the sequences lack a base.
    """
    if config.background == "uniform":
        gc = 0.5 if config.gc is None else config.gc
        return np.array([1 - gc, gc, gc, 1 - gc]) / 2
    if config.gc is not None:
        raise ConfigError(f"--gc={config.gc:g} is given, so --background=measured is not needed.")
    assert count is not None
    both = np.asarray(count, np.float64) + np.asarray(count, np.float64)[::-1]
    if (both <= 0).any():
        shown = ", ".join(f"{base} {int(n):,}" for base, n in zip("ACGT", count, strict=True))
        raise SequenceFormatError(
            f"The sequences have {shown}, and a background needs A or T and C or G; give "
            "--background=uniform."
        )
    return both / both.sum()


def log_odds(
    counts: Float[np.ndarray, "position 4"], background: Background, pseudocount: float
) -> Float[np.ndarray, "position 4"]:
    """Bits by which each base speaks for the motif: log2 of its chance in it over the background.

    The chance is (count + pseudocount x background) / (sites + pseudocount).
    """
    sites = counts.sum(axis=1, keepdims=True)
    chance = (counts + pseudocount * background) / (sites + pseudocount)
    return np.log2(chance / background)


def score_motif(motif: Motif, background: Background, config: MotifScoreConfig) -> ScoredMotif:
    """The motif with its scores, the threshold of a hit and the p-values from there on.

    Raises:
        SequenceFormatError: its scores are too large to be added exactly.
    """
    bits = log_odds(motif.counts, background, config.pseudocount)
    steps = np.rint(config.steps_per_bit * bits).astype(np.int64)
    if np.ptp(steps, axis=1).sum() + np.abs(steps.sum(axis=1)).max() >= MOST_EXACT:
        raise SequenceFormatError(
            f"Motif {motif.name}: scores of {np.ptp(steps, axis=1).sum():,} steps are too large; "
            "give fewer --steps-per-bit or a larger --pseudocount."
        )
    lowest, chance = distribute_scores(steps, background)
    tail = np.cumsum(chance[::-1])[::-1]  # from the smallest chances up, which keeps them exact
    reached = np.flatnonzero((chance > 0) & (tail <= config.p_value * (1 + 1e-12)))
    threshold = int(reached[0]) + lowest if len(reached) else None
    return ScoredMotif(motif, steps, threshold, reached + lowest, np.minimum(tail[reached], 1.0))


def distribute_scores(
    steps: Int[np.ndarray, "position 4"], background: Background
) -> tuple[int, Float[np.ndarray, " score"]]:
    """The lowest score of random sequences, and the chance of each from there on, step by step.

    Position by position: the chance of a score is the sum over bases of that of the base and of
    the rest of the score in the positions before.
    """
    lowest = int(steps.min(axis=1).sum())
    chance = np.ones(1)
    for row in steps - steps.min(axis=1, keepdims=True):
        longer = np.zeros(len(chance) + int(row.max()))
        for step, share in zip(row.tolist(), background, strict=True):
            longer[step : step + len(chance)] += share * chance
        chance = longer
    return lowest, chance


def look_up_p_values(
    scored: Sequence[ScoredMotif], motif: Int[np.ndarray, " hit"], score: Int[np.ndarray, " hit"]
) -> Float[np.ndarray, " hit"]:
    """The p-value of each hit, of whose motif and score there is one each."""
    found = np.empty(len(motif))
    order = np.argsort(motif, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(motif[order])) + 1):
        if len(rows):
            of = scored[motif[rows[0]]]
            found[rows] = of.p_values[np.searchsorted(of.scores, score[rows])]
    return found
