"""Losses and selection scores over masked pairs; padding weighs nothing and makes no NaN."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from grnjax.types import shapes


def sum_over(axis: str | None, tree):
    """The sum over the devices of a mapped axis; without one, the tree as it is."""
    return tree if axis is None else jax.lax.psum(tree, axis)


@shapes
def weighted_mean(
    values: Float[Array, " pair"], weights: Float[Array, " pair"], axis: str | None = None
) -> Float[Array, ""]:
    """Mean of `values` by `weights`; 0 when every weight is 0.

    Over the devices of a mapped `axis`, each with its pairs: this one's part of the mean of all.
    """
    total = sum_over(axis, jnp.sum(weights))
    return jnp.sum(values * weights) / jnp.where(total > 0, total, 1.0)


@shapes
def pair_loss(
    logits: Float[Array, " pair"],
    labels: Float[Array, " pair"],
    weights: Float[Array, " pair"],
    axis: str | None = None,
) -> Float[Array, ""]:
    """Weighted mean binary cross-entropy of the pairs; of a mapped `axis`, this device's part."""
    return weighted_mean(optax.sigmoid_binary_cross_entropy(logits, labels), weights, axis)


@shapes
def ranking_scores(
    logits: Float[Array, " pair"],
    labels: Float[Array, " pair"],
    weights: Float[Array, " pair"],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """AUROC and average precision over pairs of positive weight, ties exact, on the device.

    Padding (weight 0) is sorted last and counts nothing. NaN where a class is missing.
    """
    real = weights > 0
    order = jnp.argsort(jnp.where(real, -logits, jnp.inf))
    score, real = jnp.where(real, logits, -jnp.inf)[order], real[order]
    positive = jnp.where(real, labels[order], 0.0) > 0.5
    hits = jnp.cumsum(positive.astype(jnp.int32))
    misses = jnp.cumsum((real & ~positive).astype(jnp.int32))
    group_end = jnp.append(score[1:] != score[:-1], True)

    def before(count):  # its value at the end of the previous group of ties
        at_end = jax.lax.cummax(jnp.where(group_end, count, 0))
        return jnp.concatenate([jnp.zeros(1, count.dtype), at_end[:-1]])

    new_hits, new_misses = hits - before(hits), misses - before(misses)
    positives, negatives = hits[-1], misses[-1]
    height = (hits + before(hits)) / 2 / positives
    auroc = jnp.sum(jnp.where(group_end, height * new_misses / negatives, 0.0))
    precision = hits / jnp.maximum(hits + misses, 1)
    average_precision = jnp.sum(jnp.where(group_end, precision * new_hits / positives, 0.0))
    return auroc, average_precision
