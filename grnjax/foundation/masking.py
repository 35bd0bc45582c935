"""Which tokens of cells are hidden, and what stands in their place.

BERT's rule (Devlin et al. 2019, section 3.1), which the models follow with shares of their own: of
the tokens chosen to be predicted most become the mask, some become another token and the others
stay as they are, so that a model cannot trust what it sees. Held-out cells are judged on tokens
that are really hidden: there all chosen ones become the mask.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from grnjax.types import shapes


@shapes
def choose_tokens(
    is_eligible: Bool[Array, "cell token"], shares: Float[Array, " cell"], key: jax.Array
) -> Bool[Array, "cell token"]:
    """Random tokens among those that are eligible: of each cell its share, rounded, but one."""
    drawn = jnp.where(is_eligible, jax.random.uniform(key, is_eligible.shape), 2.0)
    order = jnp.argsort(jnp.argsort(drawn, axis=1), axis=1)
    count = jnp.maximum(jnp.round(shares * is_eligible.sum(axis=1)), 1)
    return is_eligible & (order < count[:, None])


@shapes
def replace_chosen(
    is_chosen: Bool[Array, "cell token"], replaced: float, others: float, key: jax.Array | None
) -> tuple[Bool[Array, "cell token"], Bool[Array, "cell token"]]:
    """Which of the chosen become the mask, and which another token.

    Args:
        replaced: share that becomes the mask.
        others: share that becomes another token.
        key: None outside of training, where all become the mask.
    """
    if key is None:
        return is_chosen, jnp.zeros_like(is_chosen)
    drawn = jax.random.uniform(key, is_chosen.shape)
    is_other = (drawn >= replaced) & (drawn < replaced + others)
    return is_chosen & (drawn < replaced), is_chosen & is_other


@shapes
def gather_chosen(
    is_chosen: Bool[Array, "cell token"], most: int
) -> tuple[Array, Bool[Array, "cell place"]]:
    """The places of the chosen tokens of each cell, and which of so many places are any.

    Args:
        most: places a cell; it must hold all.
    """
    found, places = jax.lax.top_k(is_chosen.astype(jnp.int32), most)
    return places, found > 0
