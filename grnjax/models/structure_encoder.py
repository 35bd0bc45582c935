"""Vectors of genes from a cell's network and from its cell type's (GRNFormer, two-scale encoder).

Each of the two networks has a graph neural network of its own; their outputs are added. GraphSAGE
on drawn neighbours is the published choice, GCN and GIN are those it is compared with.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.config import Positive, Settings
from grnjax.graphs.sampling import Neighbours, sum_neighbours
from grnjax.types import shapes

Structure = Literal["none", "cell", "type", "both", "constant"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureConfig(Settings):
    """Settings of `StructureEncoder`."""

    networks: Structure = "both"
    """Which networks a gene's structure comes from: its cell's, its cell type's, both or none (the
    backbone alone). `constant` is a control: one learned vector a gene, whatever the network."""
    encoder: Literal["SAGE", "GCN", "GIN"] = "SAGE"
    """How a gene's vector and those of its neighbours are joined."""
    layers: Positive = 2
    fan_out: Positive = 16
    """Neighbours that are drawn of a gene; it has all of them where they are fewer."""


class StructureEncoder(nn.Module):
    """`h_struct`: the sum of the vectors by the networks that are given, normalised."""

    config: StructureConfig
    genes: int

    @nn.compact
    @shapes
    def __call__(
        self,
        x: Float[Array, "cell gene dim"],
        genes: Int[Array, " gene"],
        cell: Neighbours | None,
        cell_type: Neighbours | None,
    ) -> Float[Array, "cell gene dim"]:
        """The vectors; `x` holds those of the genes and of their shown values."""
        if self.config.networks == "constant":
            shape = self.genes, x.shape[-1]
            total = self.param("constant", nn.initializers.normal(1.0), shape)
            total = jnp.broadcast_to(total[genes], x.shape)
        else:
            scales = {"cell": cell, "type": cell_type}
            parts = [
                NetworkEncoder(self.config, name=name)(x, neighbours)
                for name, neighbours in scales.items()
                if neighbours is not None
            ]
            total = sum(parts[1:], parts[0])
        return nn.LayerNorm(name="norm")(total)


class NetworkEncoder(nn.Module):
    """Layers over drawn neighbours, a GELU after all but the last.

    - SAGE: W_own x_i + b + W_neighbours of the mean of x over the neighbours (Hamilton et al.
      2017).
    - GCN: W of the sum of x_j / sqrt((d_i + 1)(d_j + 1)) over i and its neighbours, + b (Kipf and
      Welling 2017).
    - GIN: a network of two layers on (1 + e) x_i + the sum of x over the neighbours (Xu et al.
      2019).

    Sums over all neighbours are estimated from those drawn.
    """

    config: StructureConfig

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "cell gene dim"], neighbours: Neighbours
    ) -> Float[Array, "cell gene dim"]:
        width = x.shape[-1]
        degree = neighbours.degree[..., None].astype(x.dtype)
        drawn = neighbours.is_drawn.sum(axis=2)[..., None]
        scale = degree / jnp.maximum(drawn, 1)
        for layer in range(self.config.layers):
            name = f"layer_{layer}"
            if self.config.encoder == "SAGE":
                received = nn.Dense(width, use_bias=False, name=f"{name}_neighbours")(x)
                received = sum_neighbours(received, neighbours) / jnp.maximum(drawn, 1)
                x = nn.Dense(width, name=f"{name}_own")(x) + received
            elif self.config.encoder == "GCN":
                root = jnp.sqrt(degree + 1)
                mixed = nn.Dense(width, use_bias=False, name=name)(x) / root
                mixed = (mixed + scale * sum_neighbours(mixed, neighbours)) / root
                x = mixed + self.param(f"{name}_bias", nn.initializers.zeros, (width,))
            else:
                own = 1 + self.param(f"{name}_epsilon", nn.initializers.zeros, ())
                mixed = own * x + scale * sum_neighbours(x, neighbours)
                mixed = nn.gelu(nn.Dense(width, name=f"{name}_inner")(mixed))
                x = nn.Dense(width, name=f"{name}_outer")(mixed)
            if layer < self.config.layers - 1:
                x = nn.gelu(x)
        return x
