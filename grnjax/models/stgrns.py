"""STGRNS: a pair as a sequence of windows of cells, read by a transformer layer.

Xu, Zhang, Liu and Zhang 2023 (Bioinformatics 39(4), btad165), Methods.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.config import DropRate, Positive, Settings
from grnjax.models.pair_encoder import EncoderLayer, sinusoids
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class STGRNSConfig(Settings):
    """Settings of `STGRNS`; the defaults are the published ones."""

    window: Positive = 100
    """Cells of a window; those of a last window that is not full are left out."""
    heads: Positive = 2
    feed_forward: Positive = 256
    layers: Positive = 1
    dropout: DropRate = 0.1


@shapes
def cut_windows(
    nodes: Float[Array, "node cell"], pairs: Int[Array, "pair 2"], window: int
) -> Float[Array, "pair token dim"]:
    """A token a window: the TF's values in its cells, and then the target's."""
    count = nodes.shape[1] // window
    tokens = nodes[:, : count * window].reshape(len(nodes), count, window)
    return jnp.concatenate([tokens[pairs[:, 0]], tokens[pairs[:, 1]]], axis=-1)


class STGRNS(nn.Module):
    """Scores a pair by the mean of its tokens; `nodes` are log expression in the order of cells."""

    config: STGRNSConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config = self.config
        x = cut_windows(jnp.asarray(genes.nodes), jnp.asarray(pairs.pairs), config.window)
        x = x + sinusoids(*x.shape[1:])
        for layer in range(config.layers):
            block = EncoderLayer(
                config.heads, config.feed_forward, config.dropout, name=f"layer_{layer}"
            )
            x = block(x, train=train)
        x = nn.relu(nn.Dense(x.shape[-1], name="hidden")(x.mean(axis=1)))
        classes = nn.Dense(2, name="classes")(x)
        return classes[:, 1] - classes[:, 0]
