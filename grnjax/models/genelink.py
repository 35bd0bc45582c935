"""GENELink: graph attention over known edges, a network for TFs and one for targets, a score.

Chen and Liu 2022 (Bioinformatics 38:4522), Methods.
"""

import dataclasses
from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from grnjax.config import DropRate, Settings, Widths
from grnjax.models.gat import GATConfig
from grnjax.models.layers import LeakyMLP
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GENELinkConfig(Settings):
    """Settings of `GENELink`; the defaults are the published ones."""

    encoder: GATConfig = GATConfig(widths=(128, 64), heads=(3, 3))
    """The attention layers; where `isolated` is `all`, as published, genes without a train edge
    attend to all genes and become alike."""
    widths: Widths = (32, 16)
    """Widths of the networks of TFs and of targets."""
    score: Literal["dot", "cosine", "linear"] = "dot"
    """How a TF and a target make a logit: dot product, cosine, or a linear map of both with a
    softmax over two classes, the published form for directions."""
    dropout: DropRate = 0.01
    """Dropout in the networks of TFs and of targets."""
    dropout_at_evaluation: bool = False
    """The published code leaves that dropout on at evaluation; True restores it."""


class GENELink(nn.Module):
    """Scores TF-target pairs by the attention over their neighbours among train edges."""

    config: GENELinkConfig

    @nn.compact
    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        config = self.config
        nodes = jnp.asarray(genes.nodes)
        encoded = config.encoder.make("encoder")(nodes, genes.graph, train=train)
        tf, target = (
            LeakyMLP(config.widths, config.dropout, config.dropout_at_evaluation, name=name)(
                encoded[:, :0], encoded, train=train
            )[pairs.pairs[:, side]]
            for side, name in enumerate(("tf", "target"))
        )
        if config.score == "linear":
            classes = nn.Dense(2, name="classes")(jnp.concatenate([tf, target], axis=-1))
            return classes[:, 1] - classes[:, 0]
        product = jnp.sum(tf * target, axis=-1)
        if config.score == "cosine":
            lengths = (optax.safe_norm(x, 1e-8, axis=-1) for x in (tf, target))
            for length in lengths:
                product = product / length
        return product
