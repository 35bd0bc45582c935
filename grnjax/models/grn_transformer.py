"""GRN-Transformer's encoder: a matrix of cells and genes, attended along both of its axes.

Shu et al. 2022 (Briefings in Bioinformatics 23(5), bbac389). Genes attend to genes by one map for
all cells of a batch, which leans on networks that were inferred before; cells attend to cells by
one map for all genes. The maps over genes are what is wanted. There are no positions: a gene is
its values.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.config import Positive, Settings, Widths
from grnjax.errors import ConfigError
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRNTransformerConfig(Settings):
    """Settings of `GRNTransformer`; the defaults are the published sizes."""

    value_widths: Widths = (64, 32)
    """Of the layers that make a token's first half of the value."""
    flag_width: Positive = 32
    """Of its other half, which says whether the value is 0."""
    layers: Positive = 5
    heads: Positive = 4
    feed_forward: Positive = 64

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ConfigError(
                f"heads {self.heads} do not divide the width {self.width}, which is the last of "
                "value_widths and flag_width together."
            )

    @property
    def width(self) -> int:
        """Of a token."""
        return self.value_widths[-1] + self.flag_width


class Cells(nn.Module):
    """A token of width numbers for each value: of the value and of whether it is 0."""

    config: GRNTransformerConfig

    @nn.compact
    def __call__(self, value, is_zero, is_masked):
        h = value[..., None]
        for layer, width in enumerate(self.config.value_widths):
            h = nn.Dense(width, name=f"value_{layer}")(nn.relu(h) if layer else h)
        flag = nn.Dense(self.config.flag_width, name="flag")(is_zero[..., None].astype(h.dtype))
        masked = self.param("masked", nn.initializers.normal(0.02), (self.config.width,))
        return jnp.where(is_masked[..., None], masked, jnp.concatenate([h, flag], axis=-1))


class AxialLayer(nn.Module):
    """Genes attend to genes, cells to cells, and each token passes a layer, normalised before."""

    config: GRNTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self, h: Float[Array, "cell gene width"], networks: Float[Array, "network gene gene"]
    ) -> tuple[Float[Array, "cell gene width"], Float[Array, "head gene gene"]]:
        cells, genes, width = h.shape
        heads = self.config.heads
        dim = width // heads

        def project(x, name):
            parts = nn.Dense(3 * width, use_bias=False, name=name)(x)
            return jnp.split(parts.reshape(cells, genes, heads, 3 * dim), 3, axis=-1)

        query, key, value = project(nn.LayerNorm(name="before_genes")(h), "genes")
        scores = jnp.einsum("cihd,cjhd->hij", query, key) / (dim * cells) ** 0.5
        mix = self.param("mix", nn.initializers.zeros, (len(networks),))
        weight = self.param("network_weight", nn.initializers.ones, (heads,))
        known = jnp.einsum("n,nij->ij", nn.softmax(mix), networks)
        scores = scores + weight[:, None, None] * known
        of_genes = nn.softmax(jnp.where(jnp.eye(genes, dtype=bool), -jnp.inf, scores))
        read = jnp.einsum("hij,cjhd->cihd", of_genes, value).reshape(h.shape)
        h = h + nn.Dense(width, name="from_genes")(read)

        query, key, value = project(nn.LayerNorm(name="before_cells")(h), "cells")
        scores = jnp.einsum("bghd,cghd->hbc", query, key) / (dim * genes) ** 0.5
        read = jnp.einsum("hbc,cghd->bghd", nn.softmax(scores), value).reshape(h.shape)
        h = h + nn.Dense(width, name="from_cells")(read)

        inner = nn.Dense(self.config.feed_forward, name="inner")(nn.LayerNorm(name="before")(h))
        return h + nn.Dense(width, name="outer")(nn.gelu(inner)), of_genes


class GRNTransformer(nn.Module):
    """Predicts values from those of other genes and cells, and gives the maps over genes."""

    config: GRNTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self,
        value: Float[Array, "cell gene"],
        is_zero: Bool[Array, "cell gene"],
        is_masked: Bool[Array, "cell gene"],
        networks: Float[Array, "network gene gene"],
    ) -> tuple[Float[Array, "cell gene"], Float[Array, "layer head gene gene"]]:
        """Values, and attention [layer, head, from, to]: how much a gene reads of another.

        Args:
            value: standardised; what is masked enters nowhere.
            networks: of the same genes, inferred before.
        """
        h = Cells(self.config, name="cells")(value, is_zero, is_masked)
        layer: Any = nn.remat(AxialLayer)
        maps = []
        for number in range(self.config.layers):
            h, found = layer(self.config, name=f"layer_{number}")(h, networks)
            maps.append(found)
        value = nn.Dense(1, name="out")(nn.LayerNorm(name="last")(h))[..., 0]
        return value, jnp.stack(maps)


def correct_products(
    maps: Float[jax.Array, "*map gene gene"],
) -> Float[jax.Array, "*map gene gene"]:
    """Maps less what rows and columns alone explain (average product correction, Dunn et al. 2008).

    The mean of an entry's row times that of its column, over the mean of the map.
    """
    row, column = maps.mean(axis=-1, keepdims=True), maps.mean(axis=-2, keepdims=True)
    return maps - row * column / maps.mean(axis=(-2, -1), keepdims=True)
