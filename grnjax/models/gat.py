"""Graph attention encoder (Velickovic et al. 2018) in the variant of GENELink and scRegNet."""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import jraph
import optax
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Widths
from grnjax.graphs.aggregate import aggregate, attention_weights, in_degrees, remove_self_loops
from grnjax.models.encoder import EncoderConfig
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GATConfig(EncoderConfig):
    """Settings of `GAT`; the defaults are scRegNet's."""

    widths: Widths = (64, 64)
    """Width of a head in each layer; the last is the width of a gene's graph embedding."""
    heads: tuple[Positive, ...] = (4, 4)
    """How many heads each layer has."""
    reduction: Literal["concatenate", "mean"] = "concatenate"
    """How the heads of all layers but the last are joined; those of the last are averaged."""
    slope: float = 0.2
    """Slope of LeakyReLU below 0, scRegNet's alpha."""
    attention_dropout: DropRate = 0.5
    """Share of the edges that a head loses while training; scRegNet never tuned it."""
    isolated: Literal["all", "itself"] = "all"
    """What a gene without edges attends to: all genes alike, as published, or itself."""

    def __post_init__(self):
        super().__post_init__()
        if len(self.heads) != len(self.widths):
            raise ValueError(
                f"heads must be one number for each of the {len(self.widths)} widths, "
                f"got {self.heads}"
            )

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings."""
        return GAT(self, name=name)


@shapes
def attend(
    values: Float[Array, "node head dim"],
    graph: jraph.GraphsTuple,
    attention: Float[Array, "edge head"],
) -> Float[Array, "node head dim"]:
    """What each head of each node receives: the sum of its senders' values by attention."""
    heads = range(values.shape[1])  # one by one: memory is needed for the messages of one head
    return jnp.stack([aggregate(values[:, h], graph, attention[:, h]) for h in heads], axis=1)


class GATLayer(nn.Module):
    """normalise(LeakyReLU(sum_j attention_ij W x_j)) + b for each head.

    attention_ij is the softmax over i's senders j of LeakyReLU(a_receiver.W x_i + a_sender.W x_j).
    Velickovic et al., equations 1 to 4, with what GENELink and scRegNet do to the sum: another
    LeakyReLU, and scaling to length 1.

    Where the published dense attention masks all genes, its softmax is uniform over all: a gene
    without edges receives the mean of all genes, which needs no matrix of genes by genes. That mean
    is not thinned by dropout here.
    """

    config: GATConfig
    width: int
    heads: int

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "node dim"], graph: jraph.GraphsTuple, *, train: bool
    ) -> Float[Array, "node head dim2"]:
        config, shape = self.config, (self.heads, self.width)
        values = nn.Dense(self.heads * self.width, use_bias=False, name="linear")(x)
        values = values.reshape(len(x), *shape)  # [node, head, dim2]
        start = nn.initializers.glorot_uniform()
        as_receiver = jnp.sum(values * self.param("receiver", start, shape), axis=-1)
        as_sender = jnp.sum(values * self.param("sender", start, shape), axis=-1)
        scores = as_receiver[graph.receivers] + as_sender[graph.senders]
        attention = attention_weights(nn.leaky_relu(scores, config.slope), graph, len(x))
        attention = Dropout(config.attention_dropout)(attention, train=train)
        alone = in_degrees(graph, len(x)) <= 0
        fallback = mean_of_genes(values, graph) if config.isolated == "all" else values
        received = jnp.where(alone[:, None, None], fallback, attend(values, graph, attention))
        received = nn.leaky_relu(received, config.slope)
        received = received / optax.safe_norm(received, 1e-12, axis=-1, keepdims=True)
        return received + self.param("bias", nn.initializers.zeros, shape)


def mean_of_genes(
    values: Float[Array, "node head dim"], graph: jraph.GraphsTuple
) -> Float[Array, "1 head dim"]:
    """The mean of all nodes but padding."""
    is_gene = jnp.arange(len(values)) < graph.n_node[0]
    return jnp.mean(values, axis=0, keepdims=True, where=is_gene[:, None, None])


class GAT(nn.Module):
    """Stacked GAT layers: heads joined and ELU after all but the last, whose heads are averaged.

    Self loops of the graph are left out: a gene attends to its neighbours only.
    """

    config: GATConfig

    @nn.compact
    @shapes
    def __call__(
        self, nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, *, train: bool
    ) -> Float[Array, "node dim2"]:
        config = self.config
        x, graph, last = nodes, remove_self_loops(graph), len(config.widths) - 1
        for layer, (width, heads) in enumerate(zip(config.widths, config.heads)):
            name = f"layer_{layer}"
            x = GATLayer(config, width, heads, name=name)(x, graph, train=train)
            if layer == last or config.reduction == "mean":
                x = x.mean(axis=1)
            else:
                x = x.reshape(len(x), heads * width)
            x = nn.elu(x) if layer < last else x
        return x
