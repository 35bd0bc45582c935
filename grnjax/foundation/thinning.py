"""Cells as if fewer of their molecules had been counted, for scFoundation's training.

"Read-depth-aware" pretraining (Hao et al. 2024, Methods): the counts of half of the cells are
thinned, each by a share b of its own, and the model predicts the values before that. T tells the
depth that is asked for, S that of what is shown:

    b ~ Beta(2, 2),    count' ~ Binomial(count, b),    S = log10(total'),    T as it was

The half, the Beta and that cells of few counts are left alone are from memory of the paper.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from grnjax.foundation.tokenise_scfoundation import SCALE
from grnjax.types import shapes

SHAPE = 2.0  # of both sides of the Beta distribution


@shapes
def thin_cells(
    values: Float[Array, "cell token"],
    places: Int[Array, "cell token"],
    is_real: Bool[Array, "cell token"],
    key: jax.Array,
    *,
    genes: int,
    share: float,
    least: float,
) -> Float[Array, "cell token"]:
    """The values of the tokens after some of the cells were thinned; 0 where nothing is left.

    Counts are read back from values and S. Those of genes beside the list, where S is of all genes
    of an assay, are thinned as one.

    Args:
        values: ln(1 + 10,000 count / total) of genes, and the depths T and S.
        places: genes of the list, T (`genes`) and S (one more).
        share: of the cells that are thinned.
        least: counts that a cell needs to be thinned.
    """
    is_gene, is_s = is_real & (places < genes), is_real & (places == genes + 1)
    totals = 10 ** jnp.sum(jnp.where(is_s, values, 0), axis=1)
    counts = jnp.round(jnp.expm1(jnp.where(is_gene, values, 0)) * totals[:, None] / SCALE)
    beside = jnp.maximum(jnp.round(totals - counts.sum(axis=1)), 0)

    choice_key, rate_key, key = jax.random.split(key, 3)
    rates = jax.random.beta(rate_key, SHAPE, SHAPE, totals.shape)
    joined = jnp.concatenate([counts, beside[:, None]], axis=1)
    left = jax.random.binomial(key, joined, rates[:, None])
    thinned, after = left[:, :-1], left.sum(axis=1)
    chosen = jax.random.uniform(choice_key, totals.shape) < share
    chosen &= (totals > least) & (after > 1) & (thinned.sum(axis=1) > 0)

    safe = jnp.maximum(after, 2)[:, None]
    found = jnp.where(is_gene, jnp.log1p(thinned * SCALE / safe), values)
    found = jnp.where(is_s, jnp.log10(safe), found)
    return jnp.where(chosen[:, None], found, values)
