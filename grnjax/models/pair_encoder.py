"""A transformer layer over the few tokens of each pair, for models of pairs as short sequences."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.models.layers import Dropout
from grnjax.types import shapes


class EncoderLayer(nn.Module):
    """Self-attention and a network of two layers, each added to its input and then normalised.

    Vaswani et al. 2017, section 3, with ReLU and dropout of attention weights, as PyTorch's layer
    is by default.
    """

    heads: int
    feed_forward: int
    dropout: float

    @nn.compact
    @shapes
    def __call__(
        self, x: Float[Array, "pair token dim"], *, train: bool
    ) -> Float[Array, "pair token dim"]:
        attention = nn.MultiHeadDotProductAttention(
            self.heads, dropout_rate=self.dropout, deterministic=not train, name="attention"
        )
        drop = Dropout(self.dropout)
        x = nn.LayerNorm(epsilon=1e-5, name="norm_0")(x + drop(attention(x), train=train))
        hidden = nn.relu(nn.Dense(self.feed_forward, name="feed_forward_0")(x))
        hidden = Dropout(self.dropout)(hidden, train=train)
        hidden = nn.Dense(x.shape[-1], name="feed_forward_1")(hidden)
        hidden = Dropout(self.dropout)(hidden, train=train)
        return nn.LayerNorm(epsilon=1e-5, name="norm_1")(x + hidden)


def sinusoids(tokens: int, dim: int) -> Float[Array, "token dim"]:
    """Positions as sines and cosines of falling frequency, section 3.5 of the same paper."""
    rate = 10_000 ** (-jnp.arange(0, dim, 2) / dim)
    angle = jnp.arange(tokens)[:, None] * rate
    both = jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)
    return both.reshape(tokens, -1)[:, :dim]
