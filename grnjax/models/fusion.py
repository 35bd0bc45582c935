"""Cross-modal fusion: a gene's frozen embedding and its graph embedding attend to each other.

The future work that scRegNet's paper names (Kommu et al. 2025); its own way is to concatenate.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Settings
from grnjax.errors import ConfigError
from grnjax.models.layers import Dropout
from grnjax.types import shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossAttentionConfig(Settings):
    """Settings of `CrossModalFusion`."""

    layers: Positive = 2
    """How often the two embeddings attend to each other."""
    tokens: Positive = 4
    """Into how many vectors each embedding is laid out."""
    width: Positive = 32
    """Width of each of these vectors."""
    heads: Positive = 2
    """Attention heads; they divide the width."""
    dropout: DropRate = 0.1
    """Dropout after each attention and feed-forward, while training."""

    def __post_init__(self):
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"width {self.width} cannot be divided among {self.heads} heads")


class CrossModalFusion(nn.Module):
    """One vector a gene, [tokens of the frozen embedding, tokens of the graph embedding].

    Softmax over a single vector would always be 1. So each embedding is laid out into several
    vectors (tokens) by a linear map of its own, and every token of one embedding chooses among
    the tokens of the other. Genes do not see each other here; the graph encoder has seen to that.

    An embedding row of zeros means that the gene is not in the table: nothing attends to it. Its
    own tokens, which are then the biases of the layout, still read the graph embedding.

    Raises:
        ConfigError: there is no table of frozen embeddings.
    """

    config: CrossAttentionConfig

    @nn.compact
    @shapes
    def __call__(
        self, frozen: Float[Array, "gene dim"], encoded: Float[Array, "gene dim2"], *, train: bool
    ) -> Float[Array, "gene dim3"]:
        if not frozen.shape[-1]:
            raise ConfigError(
                "fusion by cross-attention needs frozen gene embeddings: give --data.embedding, "
                "or set --method.model.fusion concatenate."
            )
        is_known = jnp.any(frozen != 0, axis=-1)[:, None, None].astype(encoded.dtype)
        frozen = Tokens(self.config, name="frozen_tokens")(frozen)
        encoded = Tokens(self.config, name="graph_tokens")(encoded)
        for layer in range(self.config.layers):
            read = CrossAttentionLayer(self.config, name=f"layer_{layer}")
            frozen, encoded = read(frozen, encoded, is_known, train=train)
        tokens = jnp.concatenate([frozen, encoded], axis=1)
        tokens = nn.LayerNorm(name="norm")(tokens)
        return tokens.reshape(len(tokens), -1)


class Tokens(nn.Module):
    """An embedding, whatever its scale, as several vectors [gene, token, dim].

    Biases start random: they tell the tokens apart, and a row of zeros becomes a vector that the
    norms ahead can scale.
    """

    config: CrossAttentionConfig

    @nn.compact
    @shapes
    def __call__(self, x: Float[Array, "gene dim"]) -> Float[Array, "gene token dim2"]:
        x = nn.LayerNorm(use_bias=False, use_scale=False, name="norm")(x)
        layout, spread = (self.config.tokens, self.config.width), nn.initializers.normal(1.0)
        return nn.DenseGeneral(layout, bias_init=spread, name="linear")(x)


class CrossAttentionLayer(nn.Module):
    """Both embeddings after each has read the other as it was, and a feed-forward of its own.

    Pre-norm residual blocks (Xiong et al. 2020): x + f(norm(x)).
    """

    config: CrossAttentionConfig

    @nn.compact
    @shapes
    def __call__(
        self,
        frozen: Float[Array, "gene token dim"],
        encoded: Float[Array, "gene token dim"],
        is_known: Float[Array, "gene 1 1"],
        *,
        train: bool,
    ) -> tuple[Float[Array, "gene token dim"], Float[Array, "gene token dim"]]:
        def drop(x):
            return Dropout(self.config.dropout)(x, train=train)

        def attention(name):
            return nn.MultiHeadDotProductAttention(self.config.heads, name=name)

        from_frozen = nn.LayerNorm(name="frozen_norm")(frozen)
        from_graph = nn.LayerNorm(name="graph_norm")(encoded)
        to_frozen = attention("frozen_reads_graph")(from_frozen, from_graph)
        to_graph = attention("graph_reads_frozen")(from_graph, from_frozen) * is_known
        frozen, encoded = frozen + drop(to_frozen), encoded + drop(to_graph)
        return (
            frozen + drop(FeedForward(name="frozen_feed_forward")(frozen)),
            encoded + drop(FeedForward(name="graph_feed_forward")(encoded)),
        )


class FeedForward(nn.Module):
    """Norm, a hidden layer of four times the width with GELU, and back."""

    @nn.compact
    @shapes
    def __call__(self, x: Float[Array, "gene token dim"]) -> Float[Array, "gene token dim"]:
        width = x.shape[-1]
        x = nn.LayerNorm(name="norm")(x)
        x = nn.gelu(nn.Dense(4 * width, name="hidden")(x))
        return nn.Dense(width, name="output")(x)
