"""Edge perturbation: some edges of a cell's network make way for links between co-expressed genes.

GRNFormer's augmentation (Qiu et al. 2025): each edge is dropped with a chance of alpha, and as many
links as were dropped are added between genes that are detected in the same cell. It is drawn again
at every step, in training alone. Which genes are detected is expression, so genes whose value is to
be predicted must not count: their links would tell that they are expressed.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from grnjax.graphs.sampling import AddedEdges
from grnjax.types import shapes

EdgePerturbation = Literal["none", "random", "coexpression"]


def most_added(edges: int, share: float) -> int:
    """Room for the links that replace a share of so many edges: six deviations above the mean."""
    spread = 6 * math.sqrt(edges * share * (1 - share))
    return min(edges, math.ceil(edges * share + spread))


@shapes
def perturb_edges(
    is_active: Bool[Array, "cell edge"],
    is_candidate: Bool[Array, "cell gene"],
    is_tf: Bool[Array, " gene"],
    share: float,
    room: int,
    key: jax.Array,
) -> tuple[Bool[Array, "cell edge"], AddedEdges]:
    """The edges that each cell keeps, and the links that stand for those it lost, as many.

    A link starts at a TF as often as at any candidate, ends at a candidate, and joins two genes. A
    cell with fewer than two candidates keeps all its edges.

    Args:
        is_active: the edges of a cell's network.
        is_candidate: genes that links may join: those detected in the cell, or all of them.
        share: chance of an edge to be dropped.
        room: the most links a cell may get (`most_added`); edges beyond it are kept.
    """
    keys = jax.random.split(key, len(is_active))
    one = jax.vmap(_perturb_cell, (0, 0, None, None, None, 0))
    return one(is_active, is_candidate, is_tf, share, room, keys)


def _perturb_cell(is_active, is_candidate, is_tf, share: float, room: int, key):
    drop_key, side_key, tf_key, target_key = jax.random.split(key, 4)
    is_dropped = is_active & (jax.random.uniform(drop_key, is_active.shape) < share)
    is_dropped &= is_candidate.sum() >= 2
    is_dropped &= jnp.cumsum(is_dropped) <= room
    is_there = jnp.arange(room) < is_dropped.sum()

    sources = is_candidate & is_tf
    sources = jnp.where(sources.any(), sources, is_candidate)
    of_tfs = _draw_among(sources, room, tf_key)
    of_all = _draw_among(is_candidate, room, tf_key)
    tf = jnp.where(jax.random.bernoulli(side_key, shape=(room,)), of_tfs, of_all)
    # the target is drawn from all candidates but the TF: its own place is jumped over
    upto = jnp.cumsum(is_candidate)
    number = jax.random.uniform(target_key, (room,)) * (upto[-1] - 1)
    number = jnp.clip(number.astype(jnp.int32), 0, jnp.maximum(upto[-1] - 2, 0))
    number += number >= upto[tf] - 1
    target = jnp.searchsorted(upto, number, side="right").astype(jnp.int32)
    target = jnp.minimum(target, len(is_candidate) - 1)
    return is_active & ~is_dropped, AddedEdges(tf, target, is_there)


def _draw_among(is_member, count: int, key) -> Int[Array, " added"]:
    """Members of a set, each equally likely."""
    upto = jnp.cumsum(is_member)
    number = (jax.random.uniform(key, (count,)) * upto[-1]).astype(jnp.int32)
    found = jnp.searchsorted(upto, jnp.minimum(number, upto[-1] - 1), side="right")
    return jnp.minimum(found, len(is_member) - 1).astype(jnp.int32)
