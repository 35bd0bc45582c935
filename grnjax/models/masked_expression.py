"""A compact RNA foundation model: a transformer that predicts masked expression values.

Genes are tokens, each the sum of a vector for which gene it is and one for its value, as in scGPT
(Cui et al. 2024, Methods, "input embeddings"); a masked gene has one learned vector in the place of
its value. It stands for the backbones that GRNFormer adds networks to, and says what any of them
must offer: `embed`, `encode`, `decode`.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import DropRate, Positive, Settings
from grnjax.models.attention import attend
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneConfig(Settings):
    """Settings that make a backbone over so many genes; subclass it beside the backbone.

    A backbone is a Flax module with `width` and `heads` among its settings, and

    - `embed(values [cell, token], genes [token], is_masked [cell, token]) -> [cell, token, dim]`,
      where the value of a masked gene has no part;
    - `encode(x, is_real [cell, token], genes=, is_shown [cell, token]=, train=, without_last=)`,
      its layers, but for the last where another takes its place; `is_shown` are genes that were
      detected and are not masked, the only ones that some backbones read;
    - `decode(x) -> [cell, token]`, the expression of each gene.
    """

    width: Positive = 128
    """Numbers in the vector of a token; a multiple of the heads."""
    heads: Positive = 4

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")

    def make(self, genes: int, name: str) -> nn.Module:
        """The backbone with these settings, under this parameter name."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to make its backbone")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedExpressionConfig(BackboneConfig):
    """Settings of `MaskedExpressionModel`."""

    layers: Positive = 4
    feed_forward: Positive = 256
    """Width inside the feed-forward part of a layer."""
    dropout: DropRate = 0.1
    """Of what each part of a layer adds, while training."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; parameters, sums and the loss are float32."""
    recompute: bool = False
    """Whether the backward pass computes the layers again: less memory for a third more time."""

    def make(self, genes: int, name: str) -> nn.Module:
        """The model with these settings."""
        return MaskedExpressionModel(self, genes, name=name)


class MaskedExpressionModel(nn.Module):
    """Predicts the expression of masked genes of a cell from its other genes."""

    config: MaskedExpressionConfig
    genes: int

    def setup(self):
        config, small = self.config, nn.initializers.normal(0.02)
        self.table = self.param("table", small, (self.genes, config.width))
        self.masked = self.param("masked", small, (config.width,))
        self.value_inner = nn.Dense(config.width, name="value_inner")
        self.value_outer = nn.Dense(config.width, name="value_outer")
        layer = nn.remat(TransformerLayer, static_argnums=(3,)) if config.recompute else None
        layer = layer or TransformerLayer
        self.layers = [layer(config, name=f"layer_{i}") for i in range(config.layers)]
        self.output_norm = nn.LayerNorm(name="output_norm")
        self.output_inner = nn.Dense(config.width, name="output_inner")
        self.output = nn.Dense(1, name="output")

    @shapes
    def embed(
        self,
        values: Float[Array, "cell token"],
        genes: Int[Array, " token"],
        is_masked: Bool[Array, "cell token"],
    ) -> Float[Array, "cell token dim"]:
        """The vector of each gene and of its value; a masked value is replaced before it is read.

        Values are on a log scale, 0 for a gene that was not detected.
        """
        shown = jnp.where(is_masked, 0.0, values)[..., None]
        value = self.value_outer(nn.relu(self.value_inner(shown)))
        return self.table[genes] + jnp.where(is_masked[..., None], self.masked, value)

    @shapes
    def encode(
        self,
        x: Float[Array, "cell token dim"],
        is_real: Bool[Array, "cell token"],
        *,
        genes: Int[Array, " token"],
        is_shown: Bool[Array, "cell token"],
        train: bool,
        without_last: bool = False,
    ) -> Float[Array, "cell token dim"]:
        """The tokens after the layers; tokens that are not real are read by none."""
        del genes, is_shown  # all tokens are alike to it
        for layer in self.layers[: len(self.layers) - without_last]:
            x = layer(x, is_real, train)
        return x

    @shapes
    def decode(self, x: Float[Array, "cell token dim"]) -> Float[Array, "cell token"]:
        """The expression of each gene, on the scale of the values."""
        return self.output(nn.gelu(self.output_inner(self.output_norm(x))))[..., 0]


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward network; both read normalised tokens and add to them."""

    config: MaskedExpressionConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "cell token dim"], is_real: Bool[Array, "cell token"], train: bool
    ) -> Float[Array, "cell token dim"]:
        config = self.config
        normed = nn.LayerNorm(name="attention_norm")(x)
        project = nn.Dense(  # a bias of keys would change no attention
            3 * config.width, use_bias=False, dtype=config.dtype, name="query_key_value"
        )
        joined = project(normed)
        joined = joined.reshape(*x.shape[:2], 3, config.heads, -1)
        query, key, value = jnp.moveaxis(joined, 2, 0)
        read = attend(query, key, value, is_real).reshape(x.shape)
        read = nn.Dense(config.width, dtype=config.dtype, name="attended")(read)
        x = x + Dropout(config.dropout)(read, train=train)
        inner = nn.LayerNorm(name="feed_forward_norm")(x)
        inner = nn.gelu(nn.Dense(config.feed_forward, dtype=config.dtype, name="inner")(inner))
        outer = nn.Dense(config.width, dtype=config.dtype, name="outer")(inner)
        return x + Dropout(config.dropout)(outer, train=train)
