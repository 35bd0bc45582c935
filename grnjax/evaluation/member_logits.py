"""What the members of all fits say of each candidate: every logit, or means and deviations.

Every logit is members times candidates. Where that is large, each fit is added to running means and
squared deviations and forgotten.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

MOST_HELD = 2**25  # logits, 134 MB


@dataclasses.dataclass(frozen=True, eq=False)
class LogitMoments:
    """Mean and deviation of each candidate's logits over all members."""

    mean: Float[np.ndarray, " candidate"]  # float64
    deviation: Float[np.ndarray, " candidate"]  # float32


class MemberLogits:
    """Collects the logits of fits, each out of fold."""

    def __init__(self, repeats: int, candidates: int):
        self.repeats, self.candidates = repeats, candidates
        self.values: np.ndarray | None = None
        self.count = np.zeros(0, np.int32)

    def add(self, repeat: int, held_out: Bool[np.ndarray, " candidate"], scores: np.ndarray):
        """Takes the logits [member, held-out candidate] of one fit."""
        if self.values is None and not len(self.count):
            size = self.repeats, len(scores), self.candidates
            if np.prod(size, dtype=float) <= MOST_HELD:
                self.values = np.full(size, np.nan, scores.dtype)
            else:
                self.count = np.zeros(self.candidates, np.int32)
                self.mean, self.squares = np.zeros((2, self.candidates))
        if self.values is not None:
            self.values[repeat][:, held_out] = scores
            return
        before, now = self.count[held_out], len(scores)
        mean = scores.mean(axis=0, dtype=np.float64)
        gap, total = mean - self.mean[held_out], before + now
        squares = np.square(scores - mean).sum(axis=0) + np.square(gap) * (before * now / total)
        self.mean[held_out] += gap * (now / total)
        self.squares[held_out] += squares
        self.count[held_out] = total

    def finish(self) -> Float[np.ndarray, "member candidate"] | LogitMoments:
        """Every logit, a row a member of each repeat, or their moments where they are too many.

        NaN for a candidate that no fit has scored.
        """
        if self.values is not None:
            return self.values.reshape(-1, self.candidates)
        is_missing = self.count == 0
        self.mean[is_missing] = np.nan
        deviation = np.sqrt(self.squares / np.maximum(self.count, 1), dtype=np.float64)
        return LogitMoments(self.mean, deviation.astype(np.float32))


def mean_logit(logits: np.ndarray | LogitMoments) -> Float[np.ndarray, " candidate"]:
    """The mean over members, float64."""
    if isinstance(logits, LogitMoments):
        return logits.mean
    return logits.mean(axis=0, dtype=np.float64)


def spread_logit(logits: np.ndarray | LogitMoments, at: np.ndarray) -> Float[np.ndarray, " some"]:
    """The deviation over members of the candidates at these places, float64."""
    if isinstance(logits, LogitMoments):
        return logits.deviation[at].astype(np.float64)
    return logits[:, at].std(axis=0, dtype=np.float64)


def spread_probability(
    logits: np.ndarray | LogitMoments, at: np.ndarray, slope: float, offset: float
) -> Float[np.ndarray, " some"]:
    """The deviation over members of sigmoid(slope * logit + offset) at these places.

    Of moments it is that of a normal logit, by 9 nodes of Gauss and Hermite.
    """
    if not isinstance(logits, LogitMoments):
        return expit(slope * logits[:, at] + offset).std(axis=0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    mean, deviation = logits.mean[at], logits.deviation[at]
    first, second = np.zeros((2, len(mean)))
    for node, weight in zip(nodes, weights, strict=True):
        p = expit(slope * (mean + node * deviation) + offset)
        first += weight * p
        second += weight * np.square(p)
    return np.sqrt(np.maximum(second - np.square(first), 0))
