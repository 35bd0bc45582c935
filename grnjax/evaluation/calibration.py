"""From scores to probabilities, and how far such probabilities are off."""

import dataclasses

import numpy as np
from scipy.special import expit, logit

from grnjax.errors import SplitError
from grnjax.progress import logger


@dataclasses.dataclass(frozen=True)
class Calibration:
    """probability = 1 / (1 + exp(-(a * score + b))), true at the prevalence it was fitted at."""

    a: float  # never negative: a better score is never less probable
    b: float
    prevalence: float  # weighted share of positives among the pairs it was fitted on

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each score, in the same order as the scores."""
        return expit(self.a * np.asarray(scores, np.float64) + self.b)

    def shift_to(self, prevalence: float | None) -> float:
        """What to add to the logit for probabilities at another prevalence; 0 for its own."""
        return 0.0 if prevalence is None else logit(prevalence) - logit(self.prevalence)


def fit_calibration(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> Calibration:
    """Platt scaling of scores that did not train on these labels.

    Targets are smoothed, (n+ + 1) / (n+ + 2) for positives and 1 / (n- + 2) for the rest, which
    keeps the fit finite when the scores separate the classes. If higher scores go with fewer
    positives, every pair gets the same probability and a warning is logged.

    The probabilities assume the prevalence of the labels given. Where pairs that are merely
    unlabelled count as negative, that is the share of known edges, and a probability says how
    likely the pair is to be a known edge, not how likely it is to be true.

    Args:
        scores: on the logit scale, out of fold.
        weights: how much each pair counts; they change the prevalence that is assumed.
    """
    scores, is_positive = np.asarray(scores, np.float64), np.asarray(labels) > 0
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    positive, negative = weights[is_positive].sum(), weights[~is_positive].sum()
    if not positive or not negative:
        raise SplitError(
            f"{positive:g} positives and {negative:g} negatives: calibration needs both; score "
            "pairs of both classes out of fold."
        )
    goal = np.where(is_positive, (positive + 1) / (positive + 2), 1 / (negative + 2))
    centre, spread = scores.mean(), scores.std() or 1.0
    slope, offset = _fit_logistic((scores - centre) / spread, goal, weights)
    if slope < 0:
        logger.warning("Higher scores go with fewer positives: all pairs get one probability.")
        slope, offset = 0.0, logit(np.average(goal, weights=weights))
    return Calibration(
        a=float(slope / spread),
        b=float(offset - slope * centre / spread),
        prevalence=float(positive / (positive + negative)),
    )


def _fit_logistic(x: np.ndarray, goal: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Slope and offset of least weighted cross-entropy, by Newton steps that never go uphill."""

    def loss_at(parameters: np.ndarray) -> float:
        z = parameters[0] * x + parameters[1]
        return float(weights @ (np.logaddexp(0, z) - goal * z))

    parameters = np.array([0.0, logit(np.average(goal, weights=weights))])
    loss = loss_at(parameters)
    for _ in range(100):
        p = expit(parameters[0] * x + parameters[1])
        residual, curvature = weights * (p - goal), weights * p * (1 - p)
        gradient = np.array([residual @ x, residual.sum()])
        cross = curvature @ x
        hessian = np.array([[curvature @ (x * x), cross], [cross, curvature.sum()]])
        ridge = 1e-12 * np.trace(hessian) * np.eye(2)  # constant scores leave the slope at 0
        step = np.linalg.solve(hessian + ridge, gradient)
        while loss_at(parameters - step) > loss and np.abs(step).max() > 1e-10:
            step = step / 2
        if np.abs(step).max() <= 1e-10:
            break
        parameters = parameters - step
        loss = loss_at(parameters)
    return parameters[0], parameters[1]


def reliability_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: mean gap between probability and share of positives in a bin.

    Bins hold equally many pairs, as most probabilities of a sparse network crowd near 0; equal
    probabilities share a bin. The labels' prevalence must be the one the probabilities assume.
    """
    probabilities, is_positive = np.asarray(probabilities, np.float64), np.asarray(labels) > 0
    rank = np.searchsorted(np.sort(probabilities), probabilities)
    bin_of = rank * bins // len(probabilities)
    gap = np.bincount(bin_of, weights=probabilities - is_positive)  # [bin], sums over its pairs
    return float(np.abs(gap).sum() / len(probabilities))


def out_of_sample_error(scores: np.ndarray, labels: np.ndarray, parts: int = 5) -> float:
    """Reliability error on pairs the calibration was not fitted on, at the known prevalence."""
    probabilities = np.empty(len(scores))
    part = np.arange(len(scores)) % parts
    for held_out in range(parts):
        here = part == held_out
        calibration = fit_calibration(scores[~here], labels[~here])
        probabilities[here] = calibration.probability(scores[here])
    return reliability_error(probabilities, labels)
