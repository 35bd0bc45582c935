"""What a network says a push of one TF does to every gene: signed, damped, in closed form.

With W the signed weights [tf, gene], each target's summing to 1 without their signs, and a the
damping, a push of TF p moves gene g by the sum over all paths, sum_k a^k (W^k)[p, g]. Paths go
through TFs alone, so that this is

    E = (I - a W_tt)^-1 a W,    W_tt = the columns of W that are TFs,

exactly, for a system as large as there are TFs. The sums of W make its spectral radius 1 at most:
the inverse exists for a < 1. This is network propagation (Cowen et al. 2017, Nature Reviews
Genetics 18:551), directed from regulator to target.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from grnjax.types import shapes


@jax.jit
@shapes
def propagate(
    weights: Float[Array, "tf gene"], tfs: Int[Array, " tf"], damping: float | Float[Array, ""]
) -> Float[Array, "tf gene"]:
    """The effect of a unit push of each TF on each gene, through paths of any length.

    Args:
        weights: signed; how much a target hears in all does not count.
        tfs: the columns of the TFs.
        damping: in (0, 1), what is left of an effect after one edge.
    """
    heard = jnp.abs(weights).sum(axis=0)
    share = damping * weights / jnp.where(heard > 0, heard, 1.0)
    return jnp.linalg.solve(jnp.eye(len(tfs)) - share[:, tfs], share)
