"""Exact cuts of trees for many targets at once, by a walk over the cells.

The walk goes in order of a tried TF's expression and keeps running sums of all targets side by
side, so that a cut is tried between any two neighbouring values of the TF within the bag.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from grnjax.baselines.trees import NO_CUT, Draw, Plan, Split, slots_of_level

SAME = 1e-7  # values nearer than this are one value, as in scikit-learn
UNROLLED = 4  # cells that one turn of the walk takes
NUMBERS_A_STEP = 10_240  # that the walk updates together; four such tables stay in a core's cache
WIDEST, LANES = 256, 16  # targets of a block: at most, and a multiple of; cores share blocks


class Presorted:
    """Expression of the TFs with the order of cells by each, from which trees are drawn."""

    def __init__(self, expression: Float[np.ndarray, "cell tf"]):
        self.expression = expression
        self.order = np.argsort(expression, axis=0, kind="stable").T.astype(np.int32)  # [tf, cell]

    def choose_width(self, plan: Plan, targets: int) -> int:
        """How many targets make a block, for one compilation always as many."""
        slots = plan.slots * 2 ** (plan.depth - 1)  # of the last level
        return min(WIDEST, math.ceil(NUMBERS_A_STEP / max(slots, 1) / LANES) * LANES)

    def draw(self, seed: int, number: int, plan: Plan) -> Draw:
        """Draws of tree `number`, from the seed and the number alone."""
        in_bag, tried = plan.draw_bag(seed, number), plan.draw_tfs(seed, number)
        order = self.order[tried]
        order = order[in_bag[order]].reshape(len(tried), plan.bag).T
        walk = Walk(order, cuts_after(self.expression[order, tried]))
        return Draw(in_bag.astype(np.float32), tried, self.expression[:, tried], walk)


def cuts_after(values: Float[np.ndarray, "place slot"]) -> Float[np.ndarray, "place slot"]:
    """Halfway from each value to the next; infinite at the last and where the next is the same."""
    here, following = values[:-1], values[1:]
    halfway = here + (following - here) / 2
    halfway = np.where(halfway < following, halfway, here)  # neighbouring floats
    cuts = np.full_like(values, NO_CUT)
    cuts[:-1] = np.where(following > here + SAME, halfway, NO_CUT)
    return cuts


class Walk(NamedTuple):
    """The search for the cuts of one tree."""

    cells: Int[Array, "place slot"]  # cells in the bag, by rising expression of the tried TF
    cuts: Float[Array, "place slot"]  # the cut after each of them; infinite where there is none

    def find_splits(
        self,
        values: Float[Array, "cell target"],
        node: Int[Array, "cell target"],
        sizes: Float[Array, "node target"],
        allowed: Bool[Array, "node slot target"],
    ) -> Split:
        """As `grnjax.baselines.trees.Search` says."""
        nodes, slots, targets = allowed.shape
        here = slots_of_level(nodes, slots)
        is_cut = jnp.isfinite(self.cuts[:, here]).astype(jnp.float32)
        number = jnp.repeat(jnp.arange(nodes, dtype=node.dtype), slots)[:, None]
        total = jnp.repeat(sizes, slots, axis=0)  # [slot, target]

        def walk(carry, step):
            s, a, best, best_place = carry
            cell, may_cut, place = step
            inside = node[cell] == number
            s += jnp.where(inside, values[cell], 0)
            a += inside
            parts = a * (total - a)
            gain = jnp.where(parts > 0, s * s * may_cut[:, None] / parts, 0)
            better = gain > best
            return (s, a, jnp.maximum(gain, best), jnp.where(better, place, best_place)), None

        zeros = jnp.zeros((nodes * slots, targets), jnp.float32)
        places = jnp.arange(len(self.cells), dtype=jnp.int32)
        steps = self.cells[:, here], is_cut, places
        start = zeros, zeros, zeros, zeros.astype(jnp.int32)
        (_, _, best, place), _ = jax.lax.scan(walk, start, steps, unroll=UNROLLED)
        best = jnp.where(allowed, best.reshape(nodes, slots, targets), 0)
        slot = jnp.argmax(best, axis=1)
        at = functools.partial(jnp.take_along_axis, indices=slot[:, None], axis=1)
        gain = at(best)[:, 0]
        column = slots * jnp.arange(nodes)[:, None] + slot
        cut = self.cuts[:, here][at(place.reshape(nodes, slots, targets))[:, 0], column]
        return Split(gain * sizes, slot, jnp.where(gain > 0, cut, NO_CUT))
