"""GraphSAGE encoder (Hamilton, Ying and Leskovec 2017; scRegNet's second GNN)."""

import dataclasses
from typing import Literal

import flax.linen as nn
import jraph
import optax
from jaxtyping import Array, Float

from grnjax.config import DropRate, Widths
from grnjax.graphs.aggregate import (
    aggregate,
    aggregate_maximum,
    mean_weights,
    remove_self_loops,
)
from grnjax.models.encoder import EncoderConfig
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class SAGEConfig(EncoderConfig):
    """Settings of `SAGE`; the defaults are scRegNet's."""

    widths: Widths = (64, 64)
    """Width of each layer; the last is the width of a gene's graph embedding."""
    dropout: DropRate = 0.5
    """Dropout after every layer but the last, while training."""
    neighbours: Literal["mean", "max"] = "mean"
    """What a gene receives from its neighbours: their mean, or their maximum in every dimension."""
    normalise: bool = False
    """Whether each layer scales every gene's vector to length 1, as the SAGE paper does."""

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings."""
        return SAGE(self, name=name)


class SAGELayer(nn.Module):
    """W_own x_i + W_neighbours of the mean (or maximum) of x over i's senders + b.

    Hamilton et al., algorithm 1, lines 4, 5 and 7, as PyTorch Geometric has it. A gene without
    senders receives 0. A self loop counts as a neighbour.
    """

    width: int
    neighbours: Literal["mean", "max"] = "mean"
    normalise: bool = False

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "node dim"], graph: jraph.GraphsTuple
    ) -> Float[Array, "node dim2"]:
        own = nn.Dense(self.width, name="own")(x)
        linear = nn.Dense(self.width, use_bias=False, name="neighbours")
        if self.neighbours == "mean":  # a mean may follow the linear map, and is narrower there
            received = aggregate(linear(x), graph, mean_weights(graph, len(x)))
        else:
            received = linear(aggregate_maximum(x, graph))
        x = own + received
        return x / optax.safe_norm(x, 1e-12, axis=-1, keepdims=True) if self.normalise else x


class SAGE(nn.Module):
    """Stacked SAGE layers: ReLU and dropout after all but the last, which stays linear.

    Self loops of the graph are left out, as the gene's own vector has its own weights.
    """

    config: SAGEConfig

    @nn.compact
    @shapes
    def __call__(
        self, nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, *, train: bool
    ) -> Float[Array, "node dim2"]:
        config = self.config
        x, graph = nodes, remove_self_loops(graph)
        for layer, width in enumerate(config.widths):
            name = f"layer_{layer}"
            x = SAGELayer(width, config.neighbours, config.normalise, name=name)(x, graph)
            if layer < len(config.widths) - 1:
                x = Dropout(config.dropout)(nn.relu(x), train=train)
        return x
