"""Graph transformer encoder (Dwivedi and Bresson 2021) on the edges of a sparse network.

A gene attends to the genes at the other ends of its edges, so that the cost grows with the edges
and not with the square of the genes. `GraphTransformerConfig` has the oddities of GT-GRN's variant
(Teji et al. 2025, their code) as settings. One of them needs none: that its heads interleave only
renames rows and columns of the parameters.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float

from grnjax.config import DropRate, Positive
from grnjax.graphs.aggregate import attention_weights
from grnjax.graphs.edge_attention import attend, edge_scores, reverse_edges, sum_features
from grnjax.models.encoder import EncoderConfig
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphTransformerConfig(EncoderConfig):
    """Settings of `GraphTransformer`."""

    width: Positive = 64
    """Width of a gene's vector in every layer."""
    heads: Positive = 4
    """How many heads a layer has; each is width / heads wide."""
    layers: Positive = 2
    """How many layers."""
    dropout: DropRate = 0.1
    """Share of what a layer adds to a gene's vector that is dropped while training."""
    attends_to: Literal["regulators", "targets"] = "regulators"
    """Which genes send messages; `targets` is GT-GRN's. In a symmetric graph both are both."""
    values: Literal["own", "keys"] = "own"
    """What a gene sends: a projection of its own, or that of its keys, as in GT-GRN."""
    scaled: bool = True
    """Whether scores are divided by the root of a head's width; GT-GRN leaves that out."""
    norm: Literal["layer", "batch"] = "layer"
    """What follows each sum: `layer` makes a gene's vector its own matter. GT-GRN's `batch`
    ties it to which other genes there are, and evaluates by running statistics, which lag behind
    in training that takes few steps."""

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")

    def make(self, name: str) -> nn.Module:
        """The encoder with these settings."""
        return GraphTransformer(self, name=name)


class GraphTransformer(nn.Module):
    """A linear map to the width of the layers, then the layers."""

    config: GraphTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self, nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, *, train: bool
    ) -> Float[Array, "node dim2"]:
        x = nn.Dense(self.config.width, name="input")(nodes)
        none = jnp.zeros((len(graph.edges), 0))
        return TransformerLayers(self.config, name="layers")(x, graph, none, train=train)


class TransformerLayers(nn.Module):
    """The layers, on genes that have the width already and edges that may have features."""

    config: GraphTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self,
        x: Float[Array, "node dim"],
        graph: jraph.GraphsTuple,
        edge_features: Float[Array, "edge feature"],
        *,
        train: bool,
    ) -> Float[Array, "node dim"]:
        if self.config.attends_to == "targets":
            graph, edge_features = reverse_edges(graph, edge_features)
        for layer in range(self.config.layers):
            one = TransformerLayer(self.config, name=f"layer_{layer}")
            x = one(x, graph, edge_features, train=train)
        return x


class TransformerLayer(nn.Module):
    """H' = norm(H + attention(H)), then norm(H' + W2 ReLU(W1 H' + b1) + b2).

    Dwivedi and Bresson 2021, "Graph Transformer Layer".
    """

    config: GraphTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self,
        x: Float[Array, "node dim"],
        graph: jraph.GraphsTuple,
        edge_features: Float[Array, "edge feature"],
        *,
        train: bool,
    ) -> Float[Array, "node dim"]:
        config = self.config
        is_gene = jnp.arange(len(x)) < graph.n_node[0]

        def add(x, change, name):
            x = x + Dropout(config.dropout)(change, train=train)
            if config.norm == "batch":
                return BatchNorm(name=name)(x, is_gene, train=train)
            return nn.LayerNorm(name=name)(x)

        received = EdgeAttention(config, name="attention")(x, graph, edge_features)
        x = add(x, received, "norm_attention")
        hidden = nn.relu(nn.Dense(2 * config.width, name="hidden")(x))
        return add(x, nn.Dense(config.width, name="output")(hidden), "norm_output")


class EdgeAttention(nn.Module):
    """W sum_j a_ij (v_j + E e_ij) + b over the senders j of each gene i, the heads side by side.

    a_ij is the softmax over j of q_i . (k_j + E e_ij) / sqrt(head width). Dwivedi and Bresson
    2021; the features e of edges enter as in Shi et al. 2021 (UniMP), but no vector an edge is
    ever made of them. A gene without an edge receives nothing.

    Keys have a bias only if they are the values too: it adds the same to all scores of a gene.
    """

    config: GraphTransformerConfig

    @nn.compact
    @shapes
    def __call__(
        self,
        x: Float[Array, "node dim"],
        graph: jraph.GraphsTuple,
        edge_features: Float[Array, "edge feature"],
    ) -> Float[Array, "node dim2"]:
        config = self.config
        shape = (config.heads, config.width // config.heads)

        def project(name, use_bias=True):
            return nn.Dense(config.width, use_bias=use_bias, name=name)(x).reshape(-1, *shape)

        queries, keys = project("query"), project("key", use_bias=config.values == "keys")
        values = keys if config.values == "keys" else project("value")
        queries = queries * (shape[1] ** -0.5 if config.scaled else 1.0)
        scores = edge_scores(queries, keys, graph)
        with_features = edge_features.shape[1] > 0
        if with_features:
            start = nn.initializers.lecun_normal()
            kernel = self.param("edge", start, (edge_features.shape[1], config.width))
            kernel = kernel.reshape(-1, *shape)
            along = jnp.einsum("nhd,fhd->fnh", queries, kernel)
            for feature, by_query in zip(edge_features.T, along):
                scores = scores + feature[:, None] * by_query[graph.receivers]
        attention = attention_weights(scores, graph, len(x))
        received = attend(values, attention, graph)
        if with_features:
            received = received + jnp.einsum(
                "fnh,fhd->nhd", sum_features(attention, edge_features, graph, len(x)), kernel
            )
        return nn.Dense(config.width, name="output")(received.reshape(len(x), -1))


class BatchNorm(nn.Module):
    """Each column with the mean and variance of the genes, then scaled and shifted.

    PyTorch's rule: momentum 0.1, and the running variance is the unbiased one. Padding is no gene.
    """

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "node dim"], is_gene: Bool[Array, " node"], *, train: bool
    ) -> Float[Array, "node dim"]:
        dim = x.shape[1]
        means = self.variable("statistics", "mean", jnp.zeros, dim)
        variances = self.variable("statistics", "variance", jnp.ones, dim)
        mean, variance = means.value, variances.value
        if train:
            mean = jnp.mean(x, axis=0, where=is_gene[:, None])
            variance = jnp.var(x, axis=0, where=is_gene[:, None])
            genes = is_gene.sum()
            unbiased = variance * genes / jnp.maximum(genes - 1, 1)
            means.value = 0.9 * means.value + 0.1 * mean
            variances.value = 0.9 * variances.value + 0.1 * unbiased
        scale = self.param("scale", nn.initializers.ones, (dim,))
        bias = self.param("bias", nn.initializers.zeros, (dim,))
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + bias
