"""GNNLink: two graph convolutions over known edges and the inner product of what they give.

Mao, Pang, Zhou, Liu and Pan 2023 (Briefings in Bioinformatics 24(6), bbad414), Methods.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float

from grnjax.config import Settings, Weight, Widths
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNNLinkConfig(Settings):
    """Settings of `GNNLink`; the defaults are the published ones."""

    widths: Widths = (128, 64)
    """Width of each convolution."""
    slope: float = 0.2
    """Slope of LeakyReLU below 0."""
    self_weight: Weight = 2.0
    """Weight of a gene in its own sum; the published code adds the identity twice."""
    rectify: bool = True
    """Whether negative products count as 0, as published; they are then tied."""


@shapes
def normalise_rows(
    graph: jraph.GraphsTuple, nodes: int, self_weight: float
) -> tuple[Float[Array, " edge"], Float[Array, " node"]]:
    """D^-1/2 (A + w I) D^-1/2 as weights of edges and of genes themselves; D are sums of rows.

    A row is a sender. Self loops of the graph are replaced by those of weight `self_weight`.
    """
    senders, receivers = graph.senders, graph.receivers
    edges = jnp.where(senders == receivers, 0.0, graph.edges)
    degree = jax.ops.segment_sum(edges, senders, nodes) + self_weight
    scale = jnp.where(degree > 0, jax.lax.rsqrt(jnp.where(degree > 0, degree, 1.0)), 0.0)
    return scale[senders] * edges * scale[receivers], self_weight * scale**2


class GNNLink(nn.Module):
    """logit = ReLU(z_tf . z_target), with Z = LeakyReLU(Ahat LeakyReLU(Ahat X W1) W2).

    With directed edges a TF sums over its targets, and a target that is no TF sees only itself. The
    score knows no direction.
    """

    config: GNNLinkConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        del train
        z = self.encode(genes)
        products = jnp.sum(z[pairs.pairs[:, 0]] * z[pairs.pairs[:, 1]], axis=-1)
        return nn.relu(products) if self.config.rectify else products

    def encode(self, genes: GeneBatch) -> Float[Array, "node dim"]:
        """What the convolutions make of each gene."""
        config, graph = self.config, jax.tree.map(jnp.asarray, genes.graph)
        x = jnp.asarray(genes.nodes)
        weights, own = normalise_rows(graph, len(x), config.self_weight)
        for layer, width in enumerate(config.widths):
            x = nn.Dense(width, use_bias=False, name=f"layer_{layer}")(x)
            sent = x[graph.receivers] * weights[:, None]  # from targets back to TFs
            x = jax.ops.segment_sum(sent, graph.senders, len(x)) + own[:, None] * x
            x = nn.leaky_relu(x, config.slope)
        return x
