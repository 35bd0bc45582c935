"""GNE: a gene's vector from its name and its expression, trained to name the gene's neighbours.

Kishan, Li, Cui and Haake 2019 (BMC Systems Biology 13:38), Methods.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from grnjax.config import DropRate, Positive, Settings, Weight
from grnjax.models.layers import Dropout
from grnjax.types import GeneBatch, PairBatch, shapes


@dataclasses.dataclass(frozen=True, kw_only=True)
class GNEConfig(Settings):
    """Settings of `GNE`; the defaults are the published ones."""

    width: Positive = 128
    """Of the vectors of names, of expression, and of genes."""
    expression_weight: Weight = 1.0
    """Length of the vector of expression beside that of the name; 0 leaves topology alone."""
    dropout: DropRate = 0.5
    """Of both vectors, while training."""


class GNE(nn.Module):
    """r = tanh([name, weight ELU(x W)] V), and the vector of a gene as a neighbour.

    The logit of a pair is the product of the sums of both, by which an epoch is chosen; the method
    fits a logistic regression to their elementwise product afterwards.
    """

    config: GNEConfig

    @shapes
    def __call__(self, genes: GeneBatch, pairs: PairBatch, *, train: bool) -> Float[Array, " pair"]:
        vectors = sum(self.encode(genes, train=train))
        return jnp.sum(vectors[pairs.pairs[:, 0]] * vectors[pairs.pairs[:, 1]], axis=-1)

    @nn.compact
    def encode(
        self, genes: GeneBatch, *, train: bool
    ) -> tuple[Float[Array, "node dim"], Float[Array, "node dim"]]:
        """Of each gene, what it is and what it is as a neighbour."""
        config, nodes = self.config, jnp.asarray(genes.nodes)
        shape, start = (len(nodes), config.width), nn.initializers.normal(config.width**-0.5)
        parts = [scale_to_one(self.param("names", start, shape))]
        if config.expression_weight:
            of_expression = nn.elu(nn.Dense(config.width, use_bias=False, name="expression")(nodes))
            parts.append(config.expression_weight * scale_to_one(of_expression))
        joined = Dropout(config.dropout)(jnp.concatenate(parts, axis=-1), train=train)
        joint = nn.tanh(nn.Dense(config.width, use_bias=False, name="joint")(joined))
        return joint, self.param("neighbours", start, shape)


def scale_to_one(x: Float[Array, "node dim"]) -> Float[Array, "node dim"]:
    """Each row with length 1; zeros stay."""
    return x / optax.safe_norm(x, 1e-12, axis=-1, keepdims=True)
