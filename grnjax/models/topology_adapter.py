"""The graph topological adapter: expression asks, the structure of networks answers.

GRNFormer (Qiu et al. 2025): multi-head cross-attention whose queries are the genes as the backbone
sees them and whose keys and values are their structure, added with a weight. So each gene chooses
what it takes of a network in which few genes have most edges and many have none.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.config import DropRate, Settings
from grnjax.models.attention import attend, mean_attention
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdapterConfig(Settings):
    """Settings of `TopologyAdapter`; heads are the backbone's."""

    place: Literal["last", "after"] = "last"
    """In the place of the backbone's last layer, as published, or after it, which leaves a
    pretrained backbone whole."""
    keys: Literal["all", "regulated"] = "all"
    """Which genes are keys: all, or those with an edge in some regulon and one learned key that
    stands for no regulator, which is what a long sequence can afford."""
    beta: float = 0.1
    """Weight of what the adapter adds, before training; it is learned."""
    dropout: DropRate = 0.1
    """Of what the adapter adds, while training."""


class TopologyAdapter(nn.Module):
    """h_expression + beta W_O concat_heads(softmax(Q K^T / sqrt(d)) V)."""

    config: AdapterConfig
    heads: int

    @nn.compact
    @shapes
    def __call__(
        self,
        expression: Float[Array, "cell query dim"],
        structure: Float[Array, "cell key dim2"],
        is_key: Bool[Array, "cell key"],
        is_query: Bool[Array, "cell query"],
        *,
        train: bool,
    ) -> Float[Array, "cell query dim"]:
        """The tokens with what they read of the structure.

        With `intermediates` among the mutable collections, `attention` there is what each key
        receives, a mean over heads and queries [cell, key].

        Args:
            structure: of the genes that are keys; `is_key` says which of a cell's count.
        """
        width = expression.shape[-1]
        if self.config.keys == "regulated":
            own = structure.shape[-1]  # of some backbones not the width of their states
            nobody = self.param("no_regulator", nn.initializers.normal(1.0), (own,))
            nobody = jnp.broadcast_to(nobody, (len(structure), 1, own))
            structure = jnp.concatenate([structure, nobody], axis=1)
            is_key = jnp.concatenate([is_key, jnp.ones_like(is_key[:, :1])], axis=1)

        def project(name: str, x: jax.Array) -> jax.Array:
            x = nn.Dense(width, use_bias=False, name=name)(x)
            return x.reshape(*x.shape[:2], self.heads, -1)

        query = project("query", nn.LayerNorm(name="query_norm")(expression))
        structure = nn.LayerNorm(name="structure_norm")(structure)
        key, value = project("key", structure), project("value", structure)
        if self.is_mutable_collection("intermediates"):
            self.sow("intermediates", "attention", mean_attention(query, key, is_key, is_query))
        read = attend(query, key, value, is_key).reshape(expression.shape)
        fusion = nn.Dense(width, use_bias=False, name="fusion")(read)
        fusion = Dropout(self.config.dropout)(fusion, train=train)
        beta = self.param("beta", nn.initializers.constant(self.config.beta), ())
        return expression + beta * fusion
