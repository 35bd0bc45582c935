"""scGREAT: a pair as two tokens, profiles and text vectors of its genes, read by a transformer.

Wang et al. 2024 (iScience 27(4), 109352), Methods.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Settings, Widths
from grnjax.models.layers import Dropout
from grnjax.models.pair_encoder import EncoderLayer
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScGREATConfig(Settings):
    """Settings of `ScGREAT`; the defaults are the published ones."""

    hidden: Positive = 512
    """Width of the layer between a profile and a token."""
    width: Positive = 768
    """Of a token; vectors of gene names have it, too."""
    layers: Positive = 2
    heads: Positive = 4
    feed_forward: Positive = 2048
    dropout: DropRate = 0.1
    """In the transformer."""
    widths: Widths = (1024, 512, 256)
    """Of the layers after it; the mean of every few numbers of the first is added to the last."""
    widths_dropout: DropRate = 0.2

    def __post_init__(self):
        super().__post_init__()
        if self.widths[0] % self.widths[-1]:
            raise ValueError(
                f"the first of widths must be a multiple of the last, got {self.widths}"
            )


class ScGREAT(nn.Module):
    """Scores a pair by the joined tokens of TF and target; vectors of names are frozen."""

    config: ScGREATConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config, ends = self.config, jnp.asarray(pairs.pairs)
        profiles = jnp.asarray(genes.nodes)[ends]  # [pair, 2, cell]
        x = nn.leaky_relu(nn.Dense(config.hidden, name="profile_0")(profiles), 0.01)
        x = nn.leaky_relu(nn.Dense(config.width, name="profile_1")(x), 0.01)
        if genes.embedding.shape[1]:
            x = x + jnp.asarray(genes.embedding)[ends]
        x = x + self.param("position", nn.initializers.normal(1.0), (2, config.width))
        for layer in range(config.layers):
            block = EncoderLayer(
                config.heads, config.feed_forward, config.dropout, name=f"layer_{layer}"
            )
            x = block(x, train=train)
        x, pooled = x.reshape(len(x), -1), None
        for layer, width in enumerate(config.widths):
            x = nn.PReLU(negative_slope_init=0.25, name=f"bend_{layer}")(
                nn.Dense(width, name=f"dense_{layer}")(x)
            )
            x = Dropout(config.widths_dropout)(x, train=train)
            if pooled is None:
                pooled = x.reshape(len(x), config.widths[-1], -1).mean(axis=-1)
        return nn.Dense(1, name="logit")(x + pooled)[:, 0]
