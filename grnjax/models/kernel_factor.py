"""The kernel-informed factor model, grnjax's own (stage 2).

    logit(i, j) = m + a_i + (b_j + beta . z_j) + U_i . (V_j + B z_j)
                  + (gamma + delta_i) . x_ij + (eta + theta_i) . n_ij

for TF i and target j: free biases a, b and factors U, V; linear maps beta, B of the gene
coordinates z into the target's bias and factor; pair features x with shared and per-TF weights,
and n, what train labels say of the genes nearest to the target in expression, with theirs.
m is the logit of the train prevalence and stays fixed. A TF or target without train pairs has no
identity: a, U, delta, theta of the one and b, V of the other are zero, and so is for a target what
x says by its own labels with other TFs. What is left is what features say.
"""

import dataclasses
from typing import Annotated, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import Items, Positive, Rate, Settings, Weight, Widths
from grnjax.types import shapes


class PairGrid(NamedTuple):
    """All pairs of some TFs with all genes."""

    z: Float[Array, "gene dim"]  # coordinates of the genes, mean squared norm 1
    features: Float[Array, "feature tf gene"]  # of pairs, standardised
    attention: Float[Array, "feature2 tf gene"]  # those made of train labels
    known_tf: Float[Array, " tf"]  # 1 where the TF may use its identity
    known_target: Float[Array, " gene"]
    base: Float[Array, ""]  # m
    neighbours: Float[Array, "feature3 tf gene"] | None = None  # n; None without expression


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelFactorConfig(Settings):
    """The members of the ensemble and their ridges."""

    ranks: Widths = (8, 16, 16)
    """Factors of each kind of member."""
    factor_ridges: tuple[Rate, ...] = (5.0, 8.0, 8.0)
    """Ridge of the free factors U and V, for each kind."""
    factor_map_ridges: tuple[Rate, ...] = (5.0, 10.0, 2.5)
    """Ridge of B, from coordinates to target factors, for each kind."""
    bias_map_ridges: tuple[Rate, ...] = (4.0, 6.0, 1.5)
    """Ridge of beta, from coordinates to the target bias, for each kind."""
    tf_bias_ridge: Rate = 0.1
    target_bias_ridge: Rate = 1.0
    shared_ridge: Rate = 20.0
    """Ridge of gamma, the weights of pair features that all TFs share."""
    per_tf_ridge: Rate = 50.0
    """Ridge of delta, what a TF adds to them."""
    neighbours: Annotated[tuple[Positive, ...], Items(different=True, empty=True)] = (
        *(3, 10, 30, 100),
    )
    """How many genes nearest in expression are asked."""
    neighbour_least: Weight = 0.25
    """Correlation with train labels at which they are asked."""
    neighbour_ridge: Rate = 20.0
    """Ridge of eta, the weights of nearest genes that all TFs share."""
    neighbour_tf_ridge: Rate = 50.0
    """Ridge of theta, what a TF adds to them."""
    copies: Positive = 2
    """Members of each kind, with different starts."""

    def __post_init__(self):
        super().__post_init__()
        ridges = self.factor_ridges, self.factor_map_ridges, self.bias_map_ridges
        if {len(self.ranks)} != set(map(len, ridges)):
            raise ValueError("ranks and their three lists of ridges must be of one length")

    @property
    def members(self) -> int:
        """How many members there are."""
        return len(self.ranks) * self.copies


class KernelFactorModel(nn.Module):
    """Logits of all pairs of a grid."""

    rank: int

    @nn.compact
    @shapes
    def __call__(self, grid: PairGrid) -> Float[Array, "tf gene"]:
        zeros, normal = nn.initializers.zeros, nn.initializers.normal
        features, tfs, genes = grid.features.shape
        attention, dim = len(grid.attention), grid.z.shape[1]
        parameters = {
            "tf_bias": self.param("tf_bias", zeros, (tfs,)),
            "target_bias": self.param("target_bias", zeros, (genes,)),
            "tf_factors": self.param("tf_factors", normal(0.3), (tfs, self.rank)),
            "target_factors": self.param("target_factors", normal(0.3), (genes, self.rank)),
            "bias_map": self.param("bias_map", zeros, (dim,)),
            "factor_map": self.param("factor_map", normal(0.1), (dim, self.rank)),
            "shared": self.param("shared", zeros, (features + attention,)),
            "per_tf": self.param("per_tf", zeros, (tfs, features + attention)),
        }
        if grid.neighbours is not None:
            asked = len(grid.neighbours)
            parameters["neighbours"] = self.param("neighbours", zeros, (asked,))
            parameters["neighbours_per_tf"] = self.param("neighbours_per_tf", zeros, (tfs, asked))
        return pair_logits(parameters, grid)


def pair_logits(p: dict, grid: PairGrid) -> Float[Array, "tf gene"]:
    """The equation above."""
    target_bias = grid.known_target * p["target_bias"] + grid.z @ p["bias_map"]
    target = grid.known_target[:, None] * p["target_factors"] + grid.z @ p["factor_map"]
    tf = grid.known_tf[:, None] * p["tf_factors"]
    own, by_labels = jnp.split(pair_weights(p, grid), [len(grid.features)], axis=1)
    logits = (
        grid.base
        + (grid.known_tf * p["tf_bias"])[:, None]
        + target_bias
        + tf @ target.T
        + jnp.einsum("tf,ftg->tg", own, grid.features)
        + jnp.einsum("tf,ftg->tg", by_labels, grid.attention) * grid.known_target
    )
    if grid.neighbours is None:
        return logits
    asked = p["neighbours"] + grid.known_tf[:, None] * p["neighbours_per_tf"]
    return logits + jnp.einsum("tf,ftg->tg", asked, grid.neighbours)


def pair_weights(p: dict, grid: PairGrid) -> Float[Array, "tf feature"]:
    """Weights gamma + delta_i, of features and then of attention."""
    return p["shared"] + grid.known_tf[:, None] * p["per_tf"]


def start_members(config: KernelFactorConfig, grid: PairGrid, key: jax.Array) -> dict:
    """Starting parameters of all members, [member, ...] each.

    All have the largest rank; the factors that a member of a lower rank lacks start at zero, and
    so does everything they are multiplied with, so that they stay there.
    """
    rank = max(config.ranks)
    keys = jax.random.split(key, config.members)
    model = KernelFactorModel(rank)
    members = jax.vmap(lambda k: model.init(k, grid)["params"])(keys)
    own = jnp.repeat(jnp.array(config.ranks), config.copies)
    has_factor = (jnp.arange(rank) < own[:, None])[:, None, :]  # [member, 1, rank]
    return {
        name: values * has_factor if name.endswith(("factors", "factor_map")) else values
        for name, values in members.items()
    }


def member_ridges(config: KernelFactorConfig) -> dict[str, Float[Array, " member"]]:
    """The ridge of each parameter, for each member."""
    by_kind = {
        "tf_factors": config.factor_ridges,
        "target_factors": config.factor_ridges,
        "factor_map": config.factor_map_ridges,
        "bias_map": config.bias_map_ridges,
    }
    by_all = {
        "tf_bias": config.tf_bias_ridge,
        "target_bias": config.target_bias_ridge,
        "shared": config.shared_ridge,
        "per_tf": config.per_tf_ridge,
        "neighbours": config.neighbour_ridge,
        "neighbours_per_tf": config.neighbour_tf_ridge,
    }
    ridges = {name: jnp.repeat(jnp.array(kinds), config.copies) for name, kinds in by_kind.items()}
    return ridges | {name: jnp.full(config.members, ridge) for name, ridge in by_all.items()}


def ridge_penalty(p: dict, ridges: dict) -> Float[Array, ""]:
    """Half of the ridges times the squared parameters, of one member."""
    return 0.5 * sum(ridges[name] * jnp.sum(values**2) for name, values in p.items())
