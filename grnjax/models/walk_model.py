"""A masked language model over walks: genes are words, a walk is a sentence (GT-GRN, stage 2).

The encoder of BERT (Devlin et al. 2019) in the small size of BERTwalk, because GT-GRN's own is not
published. Layers normalise what they read and not what they add to (pre-norm): that trains at the
full learning rate after a short warm-up, and a run of minutes has no steps for a long one. There is
no dropout, because no walk is seen twice.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Positive, Settings
from grnjax.models.walk_tokens import PADDING, SPECIAL, MaskedWalks
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkModelConfig(Settings):
    """Settings of `WalkModel`."""

    layers: Positive = 4
    heads: Positive = 4
    width: Positive = 128
    """Numbers in the vector of a gene; a multiple of the heads."""
    feed_forward: Positive = 256
    """Width inside the feed-forward part of a layer."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; parameters, sums and the loss are float32."""

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")


class WalkModel(nn.Module):
    """Guesses the hidden genes of walks; its states are vectors of genes in their context."""

    config: WalkModelConfig
    genes: int
    tokens: int  # of the longest sentence

    def setup(self):
        config, small = self.config, nn.initializers.normal(0.02)
        self.table = self.param("table", small, (self.genes + SPECIAL, config.width))
        self.positions = self.param("positions", small, (self.tokens, config.width))
        self.layers = [WalkLayer(config, name=f"layer_{i}") for i in range(config.layers)]
        self.norm = nn.LayerNorm(name="norm")
        self.transform = nn.Dense(config.width, dtype=config.dtype, name="transform")
        self.output_norm = nn.LayerNorm(name="output_norm")
        self.output_bias = self.param("output_bias", nn.initializers.zeros, (self.genes,))

    @shapes
    def __call__(self, walks: MaskedWalks) -> Float[Array, "guess gene"]:
        """Logits of every gene at the places to guess; no other place has any."""
        states = self.encode(walks.tokens)
        guesses = states.reshape(-1, self.config.width)[walks.places]
        guesses = self.output_norm(nn.gelu(self.transform(guesses)))
        rows, guesses = (x.astype(self.config.dtype) for x in (self.table[: self.genes], guesses))
        logits = jnp.matmul(guesses, rows.T, preferred_element_type=jnp.float32)
        return logits + self.output_bias

    @shapes
    def encode(self, tokens: Int[Array, "walk token"]) -> Float[Array, "walk token dim"]:
        """The last layer's states."""
        is_real = tokens != self.genes + PADDING
        x = self.table[tokens] + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, is_real)
        return self.norm(x)


class WalkLayer(nn.Module):
    """Self-attention and a feed-forward network; both read normalised states and add to them."""

    config: WalkModelConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "walk token dim"], is_real: Bool[Array, "walk token"]
    ) -> Float[Array, "walk token dim"]:
        config = self.config
        heads = config.heads, config.width // config.heads
        normed = nn.LayerNorm(name="attention_norm")(x)
        joined = nn.Dense(3 * config.width, dtype=config.dtype, name="query_key_value")(normed)
        joined = joined.reshape(*x.shape[:2], 3, *heads)
        query, key, value = jnp.moveaxis(joined, 2, 0)  # [walk, token, head, dim] each
        scores = jnp.einsum("wqhd,wkhd->whqk", query / heads[1] ** 0.5, key)
        scores = jnp.where(is_real[:, None, None], scores.astype(jnp.float32), -jnp.inf)
        shares = jax.nn.softmax(scores).astype(value.dtype)
        read = jnp.einsum("whqk,wkhd->wqhd", shares, value).reshape(x.shape)
        x = x + nn.Dense(config.width, dtype=config.dtype, name="attended")(read)
        inner = nn.LayerNorm(name="feed_forward_norm")(x)
        inner = nn.gelu(nn.Dense(config.feed_forward, dtype=config.dtype, name="inner")(inner))
        return x + nn.Dense(config.width, dtype=config.dtype, name="outer")(inner)
