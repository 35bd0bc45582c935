"""Layers that several models share."""

from collections.abc import Sequence

import flax.linen as nn
from jaxtyping import Array, Float

from grnjax.types import shapes


class LeakyMLP(nn.Module):
    """Dense layers, each followed by LeakyReLU(0.01), the last one included; dropout between them.

    scRegNet's gene network (Kommu et al. 2025, Methods): one network for TFs and targets alike.
    The paper writes ReLU; the authors' runs use LeakyReLU. `dropout_at_evaluation` restores
    their dropout that stays on when the model is evaluated.
    """

    widths: Sequence[int]
    dropout: float = 0.0
    dropout_at_evaluation: bool = False

    @nn.compact
    @shapes
    def __call__(self, x: Float[Array, "gene dim"], *, train: bool) -> Float[Array, "gene dim2"]:
        still = not (train or self.dropout_at_evaluation)
        for layer, width in enumerate(self.widths):
            x = nn.leaky_relu(nn.Dense(width, name=f"layer_{layer}")(x), 0.01)
            if layer < len(self.widths) - 1:
                x = nn.Dropout(self.dropout, deterministic=still)(x)
        return x
