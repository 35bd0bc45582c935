"""Graph convolutional encoder (Kipf and Welling 2017; scRegNet's default GNN)."""

import dataclasses

import flax.linen as nn
import jraph
from jaxtyping import Array, Float

from grnjax import config
from grnjax.graphs.aggregate import aggregate, gcn_weights
from grnjax.models.encoder import EncoderConfig
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GCNConfig(EncoderConfig):
    """Settings of `GCN`."""

    widths: tuple[config.Positive, ...] = (64, 64)
    """Width of each layer; the last is the width of a gene's graph embedding."""
    dropout: config.Dropout = 0.5
    """Dropout after every layer but the last, while training."""

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings."""
        return GCN(self, name=name)


class GCNLayer(nn.Module):
    """Ahat X W + b: neighbours and the gene itself, each message scaled by both degrees."""

    width: int

    @nn.compact
    @shapes
    def __call__(
        self,
        x: Float[Array, "node dim"],
        graph: jraph.GraphsTuple,
        weights: Float[Array, " edge"],
    ) -> Float[Array, "node dim2"]:
        x = nn.Dense(self.width, use_bias=False, name="linear")(x)
        x = aggregate(x, graph, weights)
        return x + self.param("bias", nn.initializers.zeros, (self.width,))


class GCN(nn.Module):
    """Stacked GCN layers: ReLU and dropout after all but the last, which stays linear."""

    config: GCNConfig

    @nn.compact
    @shapes
    def __call__(
        self, nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, *, train: bool
    ) -> Float[Array, "node dim2"]:
        x, weights = nodes, gcn_weights(graph, len(nodes))
        for layer, width in enumerate(self.config.widths):
            x = GCNLayer(width, name=f"layer_{layer}")(x, graph, weights)
            if layer < len(self.config.widths) - 1:
                x = Dropout(self.config.dropout)(nn.relu(x), train=train)
        return x
