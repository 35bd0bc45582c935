"""When a regulon is on: thresholds of activity by mixtures of two normals, all regulons at once.

GRNFormer's rule (section "hierarchical network"): where the activity of a regulon over the cells is
bimodal, its threshold lies where the two components cross; where it is skewed, at the mean plus two
standard deviations. Bimodal here means that two components have the smaller BIC (Schwarz 1978), lie
further apart than their standard deviations add up to, and weigh more than 5 % each. No component
is narrower than a tenth of the whole.

The fits are expectation maximisation in float64 from three starts. Values are sorted first, so that
the order of the cells changes no bit, and each fit stops by itself, so that the others change none.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from grnjax.types import shapes

STARTS = (0.5, 0.8, 0.95)
"""Quantiles below which the first component begins with all cells, and the second above."""
STEPS = 200
STILL = 1e-6  # change of weight, mean or standard deviation at which a fit has converged
LEAST_VARIANCE = 0.01
"""Of a component, as a share of the whole. Many cells have exactly 0, and a component as narrow as
they are would be these cells alone, whatever the others do: on would mean not 0."""
LEAST_WEIGHT = 0.05
AT_ONCE = 1 << 18  # values of a block of regulons, which stay in the cache


@dataclasses.dataclass(frozen=True, eq=False)
class Thresholds:
    """The activity above which each regulon is on, and the two components behind it."""

    values: Float[np.ndarray, " regulon"]
    is_bimodal: Bool[np.ndarray, " regulon"]
    weights: Float[np.ndarray, "regulon component"]  # the component of the lower mean first
    means: Float[np.ndarray, "regulon component"]
    deviations: Float[np.ndarray, "regulon component"]
    bic: Float[np.ndarray, "regulon component"]  # of one component, and of two


def find_thresholds(activity: Float[np.ndarray, "cell regulon"]) -> Thresholds:
    """A threshold for each regulon from these cells, which are then the reference.

    A regulon is on in a cell where its activity is above the threshold (`call_active`); one whose
    activity is the same everywhere is on nowhere.
    """
    values = np.sort(np.ascontiguousarray(np.transpose(activity), np.float64), axis=1)
    mean, deviation = values.mean(axis=1), values.std(axis=1)
    is_flat = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-30)
    scale = np.where(is_flat, 1, deviation)
    standard = (values - mean[:, None]) / scale[:, None]  # [regulon, cell]
    weight, means, spreads, fit = _fit_in_blocks(standard)
    cells = values.shape[1]
    single = -0.5 * (np.log(2 * np.pi) + 1)  # mean log density of the one normal
    bic = np.log(cells) * np.array([2, 5]) - 2 * cells * np.stack(
        [np.full(len(fit), single), fit], axis=1
    )
    is_bimodal = (
        ~is_flat
        & (bic[:, 1] < bic[:, 0])
        & (means[:, 1] - means[:, 0] > spreads.sum(axis=1))
        & (weight.min(axis=1) > LEAST_WEIGHT)
    )
    at = np.where(is_bimodal, cross(weight, means, spreads), 2.0)
    return Thresholds(
        mean + at * np.where(is_flat, 0, deviation),
        is_bimodal,
        weight,
        mean[:, None] + means * scale[:, None],
        spreads * scale[:, None],
        bic + 2 * cells * np.log(scale)[:, None],
    )


def call_active(
    activity: Float[np.ndarray, "cell regulon"], thresholds: Float[np.ndarray, " regulon"]
) -> Bool[np.ndarray, "cell regulon"]:
    """Where each regulon is on, by thresholds of whatever cells."""
    return np.asarray(activity) > thresholds


def cross(
    weights: Float[np.ndarray, "regulon component"],
    means: Float[np.ndarray, "regulon component"],
    deviations: Float[np.ndarray, "regulon component"],
) -> Float[np.ndarray, " regulon"]:
    """Where the two weighted densities are equal between their means, or else the midpoint.

    The root of a x^2 + b x + e, with a = 1 / (2 s2^2) - 1 / (2 s1^2), b = m1 / s1^2 - m2 / s2^2
    and e = m2^2 / (2 s2^2) - m1^2 / (2 s1^2) + log(p1 s2 / (p2 s1)).
    """
    (p1, p2), (m1, m2), (s1, s2) = (
        np.asarray(x, np.float64).T for x in (weights, means, deviations)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        a = 1 / (2 * s2**2) - 1 / (2 * s1**2)
        b = m1 / s1**2 - m2 / s2**2
        e = m2**2 / (2 * s2**2) - m1**2 / (2 * s1**2) + np.log(p1 * s2 / (p2 * s1))
        half = -0.5 * (b + np.copysign(np.sqrt(b**2 - 4 * a * e), b))  # without cancellation
        roots = np.stack([half / a, e / half])
    is_between = np.isfinite(roots) & (roots > m1) & (roots < m2)
    found = np.where(is_between, roots, 0).sum(axis=0) / np.maximum(is_between.sum(axis=0), 1)
    return np.where(is_between.any(axis=0), found, (m1 + m2) / 2)


def _fit_in_blocks(standard: np.ndarray) -> tuple[np.ndarray, ...]:
    """The fits of all regulons, some at a time, the last ones beside rows of zeros."""
    regulons, cells = standard.shape
    block = max(1, min(regulons, AT_ONCE // cells))
    parts = []
    with jax.enable_x64(True):
        for start in range(0, regulons, block):
            rows = standard[start : start + block]
            padded = np.zeros((block, cells))
            padded[: len(rows)] = rows
            parts.append([np.asarray(x)[: len(rows)] for x in fit_mixtures(jnp.asarray(padded))])
    return tuple(np.concatenate(one) for one in zip(*parts, strict=True))


@jax.jit
@shapes
def fit_mixtures(
    values: Float[Array, "regulon cell"],
) -> tuple[
    Float[Array, "regulon component"],
    Float[Array, "regulon component"],
    Float[Array, "regulon component"],
    Float[Array, " regulon"],
]:
    """Weights, means and standard deviations of two normals, and the mean log density of a cell.

    The best of the fits from all `STARTS`, the component of the lower mean first.

    Args:
        values: standardised and ascending.
    """
    fits = jax.lax.map(functools.partial(_fit_from, values), jnp.asarray(STARTS))
    best = jnp.argmax(fits[-1], axis=0)
    weight, *rest, fit = (jnp.take_along_axis(x, best[None], axis=0)[0] for x in fits)
    means, variances = (jnp.stack(rest[i : i + 2], axis=-1) for i in (0, 2))
    weights = jnp.stack([1 - weight, weight], axis=-1)
    order = jnp.argsort(means, axis=-1)
    weights, means, spreads = (
        jnp.take_along_axis(x, order, axis=-1) for x in (weights, means, jnp.sqrt(variances))
    )
    return weights, means, spreads, fit


def _fit_from(values, start):
    """Weight of the second component, both means, both variances, mean log density."""
    regulons, cells = values.shape
    upper = jnp.arange(cells) >= jnp.minimum(jnp.floor(start * cells), cells - 1)
    first = _maximise(values, jnp.broadcast_to(upper.astype(values.dtype), values.shape))

    def is_running(carry):
        step, _, is_done = carry
        return (step < STEPS) & ~is_done.all()

    def update(carry):
        step, state, is_done = carry
        new = _maximise(values, jax.nn.sigmoid(_log_odds(values, state)))
        moved = jnp.abs(_as_steps(new) - _as_steps(state)).max(axis=0)
        state = jnp.where(is_done, state, new)
        return step + 1, state, is_done | (moved < STILL)

    carry = jnp.int32(0), first, jnp.zeros(regulons, bool)
    _, state, _ = jax.lax.while_loop(is_running, update, carry)
    weight, lower, _, variance, _ = state[:, :, None]
    below = jnp.log(1 - weight) - 0.5 * jnp.log(2 * jnp.pi * variance)
    below -= 0.5 * (values - lower) ** 2 / variance
    return *state, (below + jax.nn.softplus(_log_odds(values, state))).mean(axis=1)


def _maximise(values, upper):
    """Weight, means and variances [5, regulon] for these shares of the second component."""
    cells = values.shape[1]
    shared = upper * values
    count, total, squares = upper.sum(axis=1), shared.sum(axis=1), (shared * values).sum(axis=1)
    count = jnp.clip(count, 1e-3, cells - 1e-3)
    rest = values.sum(axis=1) - total, (values**2).sum(axis=1) - squares
    means = rest[0] / (cells - count), total / count
    variances = rest[1] / (cells - count) - means[0] ** 2, squares / count - means[1] ** 2
    variances = [jnp.maximum(variance, LEAST_VARIANCE) for variance in variances]
    return jnp.stack([count / cells, *means, *variances])


def _as_steps(state):
    """The state with standard deviations for variances, whose changes are compared."""
    return jnp.concatenate([state[:3], jnp.sqrt(state[3:])])


def _log_odds(values, state):
    """Log of the second component's density over the first one's, a parabola."""
    weight, lower, upper, below, above = state
    square = 0.5 / below - 0.5 / above
    slope = upper / above - lower / below
    rest = 0.5 * (lower**2 / below - upper**2 / above + jnp.log(below / above))
    rest += jnp.log(weight / (1 - weight))
    return (square[:, None] * values + slope[:, None]) * values + rest[:, None]
