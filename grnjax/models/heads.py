"""Edge scorers: from the vectors of a TF and a target to the logit of regulation.

Every head maps `(genes [node, dim], pairs [pair, 2], *, train)` to logits [pair]. The additive
head is scRegNet's; it ranks targets in the same order for every TF. The others interact.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

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


class PairDecoder(nn.Module):
    """logit = w . ReLU(W [x_tf, x_target] + b) + c; GT-GRN's.

    W is applied to genes, whose halves are then added for each pair: there are more pairs.
    """

    width: int

    @nn.compact
    @shapes
    def __call__(
        self, genes: Float[Array, "node dim"], pairs: Int[Array, "pair 2"], *, train: bool
    ) -> Float[Array, " pair"]:
        del train
        as_tf = nn.Dense(self.width, use_bias=False, name="tf")(genes)
        as_target = nn.Dense(self.width, name="target")(genes)
        hidden = nn.relu(as_tf[pairs[:, 0]] + as_target[pairs[:, 1]])
        return nn.Dense(1, name="logit")(hidden)[:, 0]


def make_head(
    kind: Literal["additive", "bilinear", "hadamard", "pair"], *, width: int, dropout: float
) -> nn.Module:
    """The head of this kind, under the parameter name "head".

    Args:
        width: of the pair decoder's hidden layer.
        dropout: of the Hadamard head, while training.
    """
    if kind == "hadamard":
        return HadamardHead(dropout=dropout, name="head")
    if kind == "pair":
        return PairDecoder(width, name="head")
    return {"additive": AdditiveHead, "bilinear": BilinearHead}[kind](name="head")
