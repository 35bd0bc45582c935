"""Truth from labels that list a part of it: positive-unlabelled probabilities and the known share.

Known edges are a part of the true ones. If each true edge is listed with one probability c, the
known share (Elkan and Noto 2008, section 2), then

    P(listed | score) = c P(true | score) = c sigmoid(a score + b)

Pairs that are surely true are listed in a share c of the cases, and no better score raises it: c is
the ceiling of the listed share. Two figures of it err on different sides where scores tell little:
the share listed among the pairs that are scored best, some of which are false, and the c of most
likelihood with a and b. The estimate is their geometric mean, the interval spans both, over
resampled TFs; if they disagree by more than `MOST_APART`, only the first is kept, as a lower bound.
Where whole TFs or kinds of genes were studied less than others, c is an average over them, and the
assumption that it is one cannot be checked.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, logit

BEST = 0.02  # share of the pairs that are scored best, `FEWEST_BEST` of them at least
FEWEST_BEST = 50
MOST_APART = 2.0
RESAMPLES = 200
LEVELS = 200  # of the score, by which pairs are counted to fit curves fast
CEILINGS = np.arange(0.02, 1.005, 0.02)
STEPS = 25


@dataclasses.dataclass(frozen=True)
class KnownShare:
    """The share of true edges that are known, and a 95 % interval."""

    value: float | None  # None where the scores cannot tell it
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class TruthCurve:
    """P(true) = sigmoid(a score + b) where a pair is not listed for sure."""

    a: float
    b: float
    known_share: float

    def probability(
        self,
        scores: Float[np.ndarray, " pair"],
        is_known: Bool[np.ndarray, " pair"],
        was_studied: Bool[np.ndarray, " pair"],
    ) -> Float[np.ndarray, " pair"]:
        """That a pair is true: 1 of a known one; of another, given also that it is not listed.

        Args:
            was_studied: whether the TF has known edges: of another, not being listed tells nothing.
        """
        true = expit(self.a * np.asarray(scores, np.float64) + self.b)
        listed = np.where(was_studied, self.known_share, 0.0)
        missed = true * (1 - listed)
        return np.where(is_known, 1.0, missed / np.maximum(1 - true * listed, 1e-300))


def fit_truth(
    scores: Float[np.ndarray, " pair"], labels: np.ndarray, known_share: float
) -> TruthCurve:
    """The curve of most likelihood for a known share.

    Args:
        scores: on the logit scale, by models that did not train on these pairs, all of whose TFs
            have known edges.
        labels: 1 where listed.
    """
    counts, levels = count_levels(scores, labels, np.zeros(len(scores), int))
    curve = fit_curves(counts.sum(axis=0), levels, np.array([known_share]))
    return TruthCurve(float(curve.a[0]), float(curve.b[0]), known_share)


def estimate_known_share(
    scores: Float[np.ndarray, " pair"],
    labels: np.ndarray,
    tfs: Int[np.ndarray, " pair"],
    *,
    seed: int,
) -> KnownShare:
    """The known share by the scores of all pairs of some TFs, as `fit_truth` takes them.

    Args:
        tfs: of each pair, whose pairs are resampled together.
    """
    tfs = np.unique(tfs, return_inverse=True)[1]
    counts, levels = count_levels(scores, labels, tfs)
    best = np.zeros(len(levels), bool)
    pairs = counts.sum(axis=(0, 2))[::-1].cumsum()[::-1]  # of a level or a higher one
    best[pairs <= max(FEWEST_BEST, BEST * len(scores))] = True
    best[-1] = True

    def measure(weights: np.ndarray) -> tuple[float, float]:
        drawn = np.tensordot(weights, counts, axes=1)  # [level, listed or not]
        among_best = drawn[best, 1].sum() / max(drawn[best].sum(), 1)
        return float(among_best), float(
            CEILINGS[fit_curves(drawn, levels, CEILINGS).likelihood.argmax()]
        )

    among_best, ceiling = measure(np.ones(len(counts)))
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), RESAMPLES)
    resampled = np.array([measure(weights) for weights in draws])
    (low, _), (high, highest) = np.quantile(resampled, [0.025, 0.975], axis=0)
    high = max(high, highest)
    if high > MOST_APART * low:
        return KnownShare(None, float(low), 1.0)
    value = float(np.sqrt(among_best * ceiling))
    return KnownShare(value, float(min(low, value)), float(max(high, value)))


def count_levels(
    scores: np.ndarray, labels: np.ndarray, groups: Int[np.ndarray, " pair"]
) -> tuple[Float[np.ndarray, "group level 2"], Float[np.ndarray, " level"]]:
    """Pairs of each group and level of the score, not listed and listed, and mean scores."""
    scores = np.asarray(scores, np.float64)
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, LEVELS + 1)[1:-1]))
    level = np.searchsorted(edges, scores, side="right")
    shape = groups.max() + 1, len(edges) + 1, 2
    flat = (groups * shape[1] + level) * 2 + (np.asarray(labels) > 0)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(float)
    total = np.maximum(counts.sum(axis=(0, 2)), 1)
    return counts, np.bincount(level, weights=scores, minlength=shape[1]) / total


class Curves(NamedTuple):
    """P(listed) = c sigmoid(a score + b) of most likelihood, and its logarithm."""

    a: Float[np.ndarray, " fit"]
    b: Float[np.ndarray, " fit"]
    likelihood: Float[np.ndarray, " fit"]


def fit_curves(
    counts: Float[np.ndarray, "level 2"],
    levels: Float[np.ndarray, " level"],
    ceilings: Float[np.ndarray, " fit"],
) -> Curves:
    """The curve under each ceiling c, all by Fisher scoring side by side."""
    number = counts.sum(axis=1)
    centre = np.average(levels, weights=number)
    spread = np.sqrt(np.average((levels - centre) ** 2, weights=number)) or 1.0
    x, c = (levels - centre) / spread, np.asarray(ceilings)[:, None]
    share = np.clip(counts[:, 1].sum() / number.sum() / c, 1e-6, 0.95)
    a, b = np.ones_like(c), logit(share)
    for _ in range(STEPS):
        true = expit(a * x + b)
        listed = np.clip(c * true, 1e-12, 1 - 1e-12)
        slope = c * true * (1 - true) / (listed * (1 - listed))
        score = (counts[:, 1] - number * listed) * slope
        information = number * listed * (1 - listed) * slope**2
        moments = [(information * x**power).sum(axis=1, keepdims=True) for power in range(3)]
        along, up = (score * x).sum(axis=1, keepdims=True), score.sum(axis=1, keepdims=True)
        determinant = moments[0] * moments[2] - moments[1] ** 2 + 1e-9 * (1 + moments[0] ** 2)
        a = a + np.clip((moments[0] * along - moments[1] * up) / determinant, -1, 1)
        b = b + np.clip((moments[2] * up - moments[1] * along) / determinant, -1, 1)
        a = np.maximum(a, 0)  # a better score is never less probable
    listed = np.clip(c * expit(a * x + b), 1e-12, 1 - 1e-12)
    likelihood = np.log(listed) @ counts[:, 1] + np.log1p(-listed) @ counts[:, 0]
    return Curves((a / spread)[:, 0], (b - a * centre / spread)[:, 0], likelihood)
