"""Identity-only factor models: a TF bias, a target bias and a low-rank product, no biology.

    logit(i, j) = m + a_i + b_j + u_i . v_j + (w + W_i) . f_j

`m` is the logit of the train prevalence and stays fixed; the last term exists for the linear
expression row only. Loss: binary cross-entropy summed over the train pairs plus half the ridge
of every term; full-batch Adam. These models are convex or tiny, train in about a second, and
equal the published tables of this field, which is why they stand beside every result.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from grnjax.data.label_matrix import LabelMatrix

LEARNING_RATE = 0.05
STEPS = 300
WIDTH = 16  # factors are filled up to a multiple of it by zeros, which stay so: one compilation


@dataclasses.dataclass(frozen=True, kw_only=True)
class FactorRidge:
    """Ridge of each term; the defaults are those of the additive logistic row."""

    tf_bias: float = 0.1
    target_bias: float = 0.5
    factors: float = 5.0
    shared: float = 30.0
    per_tf: float = 30.0


def fit_factor_model(
    train: LabelMatrix,
    *,
    rank: int,
    ridge: FactorRidge,
    seed: int = 0,
    features: Float[np.ndarray, "gene dim"] | None = None,
    target_bias: bool = True,
    steps: int = STEPS,
) -> Float[np.ndarray, "tf gene"]:
    """Logits of every TF-target pair; rank 0 with target bias is the additive model."""
    genes = train.labels.shape[1]
    features = np.zeros((genes, 0), np.float32) if features is None else features
    weights = {
        "tf_bias": ridge.tf_bias,
        "target_bias": ridge.target_bias,
        "tf_factors": ridge.factors,
        "target_factors": ridge.factors,
        "shared": ridge.shared,
        "per_tf": ridge.per_tf,
    }
    start = initial_parameters(len(train.tfs), genes, rank, features.shape[1], seed)
    fitted = _fit(
        start, train.labels, train.observed, features, weights, float(target_bias), steps=steps
    )
    return np.asarray(fitted)


def initial_parameters(tfs: int, genes: int, rank: int, dim: int, seed: int) -> dict:
    """Zero biases and weights, factors from N(0, 0.3^2) with columns of zeros behind them."""
    zeros = functools.partial(np.zeros, dtype=np.float32)
    width = -(-rank // WIDTH) * WIDTH
    factors = [zeros((tfs, width)), zeros((genes, width))]
    if rank:
        drawn = np.asarray(_draw(jax.random.key(seed), max(tfs, genes) * width))
        for block, normal in zip(factors, drawn, strict=True):
            block[:, :rank] = np.float32(0.3) * normal[: len(block) * rank].reshape(-1, rank)
    return {
        "tf_bias": zeros(tfs),
        "target_bias": zeros(genes),
        "tf_factors": factors[0],
        "target_factors": factors[1],
        "shared": zeros(dim),
        "per_tf": zeros((tfs, dim)),
    }


@functools.partial(jax.jit, static_argnames="size")
def _draw(key, size):
    return jax.vmap(lambda part: jax.random.normal(part, (size,)))(jax.random.split(key))


@functools.partial(jax.jit, static_argnames="steps")
def _fit(parameters, labels, observed, features, ridge, target_bias, *, steps):
    prevalence = labels.sum() / observed.sum()
    base = jnp.log(prevalence) - jnp.log1p(-prevalence)
    optimizer = optax.adam(LEARNING_RATE)

    def step(carry, _):
        p, state = carry
        slope = (jax.nn.sigmoid(base + logits_of(p, features, target_bias)) - labels) * observed
        slope = jax.lax.optimization_barrier(slope)  # or each of its sums works it out again
        updates, state = optimizer.update(
            gradient_of(p, slope, features, target_bias, ridge), state
        )
        return (optax.apply_updates(p, updates), state), None

    (fitted, _), _ = jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=steps)
    return base + logits_of(fitted, features, target_bias)


def logits_of(p: dict, features: Array, target_bias: float) -> Float[Array, "tf gene"]:
    """The logits without `m`."""
    identity = p["tf_factors"] @ p["target_factors"].T
    expression = (p["shared"] + p["per_tf"]) @ features.T
    return p["tf_bias"][:, None] + target_bias * p["target_bias"] + identity + expression


def gradient_of(
    p: dict, slope: Float[Array, "tf gene"], features: Array, target_bias: float, ridge: dict
) -> dict:
    """The gradient of the loss; written out, it takes half the time of a derived one.

    Args:
        slope: of the cross-entropy in the logits.
    """
    along = slope @ features
    of_cross_entropy = {
        "tf_bias": slope.sum(axis=1),
        "target_bias": target_bias * slope.sum(axis=0),
        "tf_factors": slope @ p["target_factors"],
        "target_factors": slope.T @ p["tf_factors"],
        "shared": along.sum(axis=0),
        "per_tf": along,
    }
    return {name: of_cross_entropy[name] + ridge[name] * p[name] for name in p}
