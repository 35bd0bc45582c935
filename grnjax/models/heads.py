"""Edge scorers: from the vectors of a TF and a target to the logit of regulation.

Every head maps `(genes [node, dim], pairs [pair, 2], *, train)` to logits [pair]. The additive
head is scRegNet's; it ranks targets in the same order for every TF. The others interact.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.config import Count, Settings, Weight
from grnjax.models.layers import Dropout
from grnjax.types import shapes


class AdditiveHead(nn.Module):
    """logit = class 1 minus class 0 of a linear map of [tf, target]: a TF term plus a target term.

    scRegNet's head (Kommu et al. 2025): softmax over the two classes equals the sigmoid of
    this difference.
    """

    @nn.compact
    @shapes
    def __call__(
        self, genes: Float[Array, "node dim"], pairs: Int[Array, "pair 2"], *, train: bool
    ) -> Float[Array, " pair"]:
        del train
        joined = jnp.concatenate([genes[pairs[:, 0]], genes[pairs[:, 1]]], axis=-1)
        classes = nn.Dense(2, name="classes")(joined)
        return classes[:, 1] - classes[:, 0]


class BilinearHead(nn.Module):
    """logit = x_tf M x_target + p . x_tf + q . x_target + c."""

    @nn.compact
    @shapes
    def __call__(
        self, genes: Float[Array, "node dim"], pairs: Int[Array, "pair 2"], *, train: bool
    ) -> Float[Array, " pair"]:
        del train
        dim = genes.shape[-1]
        as_tf = nn.Dense(1, use_bias=False, name="tf_bias")(genes)[:, 0]
        as_target = nn.Dense(1, name="target_bias")(genes)[:, 0]
        mixed = nn.Dense(dim, use_bias=False, name="interaction")(genes)[pairs[:, 0]]
        interaction = jnp.sum(mixed * genes[pairs[:, 1]], axis=-1) / jnp.sqrt(float(dim))
        return interaction + as_tf[pairs[:, 0]] + as_target[pairs[:, 1]]


class HadamardHead(nn.Module):
    """logit = MLP of [x_tf * x_target, x_tf, x_target], one hidden layer."""

    width: int = 64
    dropout: float = 0.0

    @nn.compact
    @shapes
    def __call__(
        self, genes: Float[Array, "node dim"], pairs: Int[Array, "pair 2"], *, train: bool
    ) -> Float[Array, " pair"]:
        tf, target = genes[pairs[:, 0]], genes[pairs[:, 1]]
        x = jnp.concatenate([tf * target, tf, target], axis=-1)
        x = nn.gelu(nn.Dense(self.width, name="hidden")(x))
        x = Dropout(self.dropout)(x, train=train)
        return nn.Dense(1, name="logit")(x)[:, 0]


class IdentityTerm(nn.Module):
    """a_tf + b_target + u_tf . v_target from learned vectors: what labels alone can say.

    With it an interacting model contains the ID-only factor model. A gene without train pairs in
    a role has no vector in that role, so an unseen target gets none of its own noise. Given
    `vectors`, a target's b and v are also mapped from its vector, which serves unseen targets.
    """

    rank: int

    @nn.compact
    @shapes
    def __call__(
        self,
        seen: Float[Array, "node 2"],
        pairs: Int[Array, "pair 2"],
        vectors: Float[Array, "node dim"] | None = None,
    ) -> Float[Array, " pair"]:
        nodes = len(seen)
        zeros, spread = nn.initializers.zeros, nn.initializers.normal(0.3)
        tf_bias = self.param("tf_bias", zeros, (nodes,)) * seen[:, 0]
        target_bias = self.param("target_bias", zeros, (nodes,)) * seen[:, 1]
        tf_factors = self.param("tf_factors", spread, (nodes, self.rank)) * seen[:, :1]
        target_factors = self.param("target_factors", spread, (nodes, self.rank)) * seen[:, 1:]
        if vectors is not None:
            target_bias += nn.Dense(1, use_bias=False, name="bias_map")(vectors)[:, 0]
            target_factors += nn.Dense(self.rank, use_bias=False, name="factor_map")(vectors)
        i, j = pairs[:, 0], pairs[:, 1]
        return tf_bias[i] + target_bias[j] + jnp.sum(tf_factors[i] * target_factors[j], axis=-1)


class LinearTerm(nn.Module):
    """x_target . (w + W_tf), for features x: a linear model for each TF, and what they share.

    With it a model contains the trivial row "linear expression", the one to beat on unseen targets.
    """

    @nn.compact
    @shapes
    def __call__(
        self, features: Float[Array, "node dim"], pairs: Int[Array, "pair 2"]
    ) -> Float[Array, " pair"]:
        zeros, (nodes, dim) = nn.initializers.zeros, features.shape
        shared = self.param("shared", zeros, (dim,))
        by_tf = self.param("by_tf", zeros, (nodes, dim))
        i, j = pairs[:, 0], pairs[:, 1]
        return (features @ shared)[j] + jnp.sum(by_tf[i] * features[j], axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairModelConfig(Settings):
    """Settings of a model that scores TF-target pairs; each model adds its own in a subclass."""

    identity_rank: Count = 8
    """Width of the learned per-gene vectors; 0 leaves them and the learned biases out."""
    identity_ridge: Weight = 8.0
    """Ridge of the learned vectors, per summed loss."""
    bias_ridge: Weight = 1.0
    """Ridge of the learned biases, per summed loss."""
    coexpression: bool = True
    """Whether the score sees the pair's correlation and joint regression coefficient."""


def ridge_penalty(parameters: dict, config: PairModelConfig) -> Float[Array, ""]:
    """Half the ridges of the identity and linear terms, on the scale of the loss summed over pairs.

    The maps of the identity term have none.
    """
    penalty = jnp.zeros(())
    if identity := parameters.get("identity"):
        biases = jnp.sum(identity["target_bias"] ** 2) + 0.2 * jnp.sum(identity["tf_bias"] ** 2)
        factors = jnp.sum(identity["tf_factors"] ** 2) + jnp.sum(identity["target_factors"] ** 2)
        penalty += config.bias_ridge * biases + config.identity_ridge * factors
    if linear := parameters.get("linear"):
        weights = jnp.sum(linear["shared"] ** 2) + jnp.sum(linear["by_tf"] ** 2)
        penalty += config.linear_ridge * weights
    return 0.5 * penalty


def without_ridge(parameters: dict) -> dict:
    """Mask of the parameters that weight decay applies to: all but those of the two terms."""
    return {name: name not in ("identity", "linear") for name in parameters}
