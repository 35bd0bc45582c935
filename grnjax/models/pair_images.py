"""Images of pairs of genes: how many cells lie in each bin of one gene and each of the other.

Yuan and Bar-Joseph 2019 (PNAS 116:27151). Images are made on the device from the bins of genes,
some pairs at a time, and are nowhere kept.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.types import shapes

BINS = 32
SMALLEST_SHARE = 1e-4
"""A bin without cells counts as having this share of them."""


@shapes
def count_cells(
    bins: Int[Array, "gene cell"], pairs: Int[Array, "pair 2"], *, at_once: int | None = None
) -> Int[Array, "pair bin bin2"]:
    """How many cells a pair has in each bin of its target (rows) and of its TF (columns).

    A gene that was not measured has bins below 0, and is in no bin.

    Args:
        at_once: pairs counted together; by default one on a CPU, whose scatter is serial.
    """
    if at_once is None:
        at_once = 1 if jax.default_backend() == "cpu" else 256

    def count(pair):
        tf, target = bins[pair[0]], bins[pair[1]]
        place = jnp.where((tf >= 0) & (target >= 0), target * BINS + tf, BINS * BINS)
        cells = jnp.zeros(BINS * BINS, jnp.int32).at[place].add(1, mode="drop")
        return cells.reshape(BINS, BINS)

    return jax.lax.map(count, pairs, batch_size=at_once if at_once > 1 else None)


@shapes
def draw_images(
    bins: Int[Array, "gene cell"], pairs: Int[Array, "pair 2"]
) -> Float[Array, "pair bin bin2"]:
    """(log10(H / N + 1e-4) + 4) / 4 for the counts H of N cells: 0 without cells, 1 with all."""
    share = count_cells(bins, pairs) / jnp.float32(bins.shape[1])
    return (jnp.log10(share + SMALLEST_SHARE) + 4) / 4
