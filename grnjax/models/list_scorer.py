"""A small network that weighs what other cells' lists and motifs say of a TF and a gene.

It starts at the row to beat, *rate + residual same* (grnjax/baselines/other_lists.py), and adds to
it what training finds: a linear part, and one hidden layer by which what is known of the TF decides
how much each column counts. The same numbers serve every TF and gene, so that it says something of
TFs and cells that it has never seen.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from grnjax.config import Positive, Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListScorerConfig(Settings):
    """Settings of `ListScorer`."""

    width: Positive = 16
    """Units of the hidden layer."""


class ListScorer(nn.Module):
    """Logits of pairs, up to what is the same for all genes of a TF."""

    config: ListScorerConfig
    start: tuple[int, ...]  # columns whose sum it starts at

    @nn.compact
    def __call__(
        self, pairs: Float[Array, "*list gene feature"], tfs: Float[Array, "*list gate"]
    ) -> Float[Array, "*list gene"]:
        gates = jnp.broadcast_to(tfs[..., None, :], (*pairs.shape[:-1], tfs.shape[-1]))
        x = jnp.concatenate([pairs, gates], axis=-1)
        zeros = nn.initializers.zeros_init()
        linear = nn.Dense(1, name="linear", kernel_init=zeros)(x)
        hidden = nn.tanh(nn.Dense(self.config.width, name="hidden")(x))
        bent = nn.Dense(1, name="bent", use_bias=False, kernel_init=zeros)(hidden)
        return pairs[..., list(self.start)].sum(axis=-1) + (linear + bent)[..., 0]
