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
    weights = jnp.array(dataclasses.astuple(ridge))  # in the order of `squares` below
    start = initial_parameters(len(train.tfs), genes, rank, features.shape[1], seed)
    fitted = _fit(
        start, train.labels, train.observed, features, weights, float(target_bias), steps=steps
    )
    return np.asarray(fitted)


def initial_parameters(tfs: int, genes: int, rank: int, dim: int, seed: int) -> dict:
    """Zero biases and weights, factors from N(0, 0.3^2)."""
    key_u, key_v = jax.random.split(jax.random.key(seed))
    return {
        "tf_bias": jnp.zeros(tfs),
        "target_bias": jnp.zeros(genes),
        "tf_factors": 0.3 * jax.random.normal(key_u, (tfs, rank)),
        "target_factors": 0.3 * jax.random.normal(key_v, (genes, rank)),
        "shared": jnp.zeros(dim),
        "per_tf": jnp.zeros((tfs, dim)),
    }


@functools.partial(jax.jit, static_argnames="steps")
def _fit(parameters, labels, observed, features, ridge, target_bias, *, steps):
    prevalence = labels.sum() / observed.sum()
    base = jnp.log(prevalence) - jnp.log1p(-prevalence)
    optimizer = optax.adam(LEARNING_RATE)

    def logits_of(p: dict) -> Float[Array, "tf gene"]:
        identity = p["tf_factors"] @ p["target_factors"].T
        expression = (p["shared"] + p["per_tf"]) @ features.T
        biases = p["tf_bias"][:, None] + target_bias * p["target_bias"]
        return base + biases + identity + expression

    def loss_of(p: dict) -> Float[Array, ""]:
        losses = optax.sigmoid_binary_cross_entropy(logits_of(p), labels) * observed
        squares = jnp.stack(
            [
                jnp.sum(p["tf_bias"] ** 2),
                jnp.sum(p["target_bias"] ** 2),
                jnp.sum(p["tf_factors"] ** 2) + jnp.sum(p["target_factors"] ** 2),
                jnp.sum(p["shared"] ** 2),
                jnp.sum(p["per_tf"] ** 2),
            ]
        )
        return losses.sum() + 0.5 * ridge @ squares

    def step(carry, _):
        p, state = carry
        updates, state = optimizer.update(jax.grad(loss_of)(p), state)
        return (optax.apply_updates(p, updates), state), None

    (fitted, _), _ = jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=steps)
    return logits_of(fitted)
