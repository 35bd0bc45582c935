"""Regression trees for many targets at once: one small tree a target, all grown together.

Trees of boosting are small and many, and what they cost is the search for the best cut. So here
all targets share what a round draws: the cells in its bag, and the TFs tried at each node. The
tree of a target is distributed as if it had drawn alone, and the search is done for all of them
side by side: between any two neighbouring values of a TF (`exact_cuts.py`), or, for many cells,
between bins (`binned_cuts.py`; `sparse_cuts.py` on a processor).

Nodes of one level are numbered from the left; a cell's node is 2 n or 2 n + 1 after node n was cut.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

NO_CUT = np.inf
ORDERS = 1  # keeps the draws of TFs apart from those of cells


class Plan(NamedTuple):
    """How large trees are and what they draw."""

    depth: int
    cells: int
    tfs: int
    bag: int  # cells that a tree is grown on
    tried: int  # TFs that a node tries
    slots: int  # TFs that a node draws, some more if one of them may be the target

    @property
    def nodes(self) -> int:
        """How many nodes may be cut."""
        return 2**self.depth - 1

    def draw_bag(self, seed: int, number: int) -> Bool[np.ndarray, " cell"]:
        """The cells that tree `number` is grown on, from the seed and the number alone."""
        in_bag = np.zeros(self.cells, bool)
        in_bag[np.random.default_rng([seed, number]).permutation(self.cells)[: self.bag]] = True
        return in_bag

    def draw_tfs(self, seed: int, number: int) -> Int[np.ndarray, " slot"]:
        """The TFs tried at each node: all different within a node, any with the same chance.

        A node's TFs are taken from one random order until it is used up. Drawn each time,
        some would be tried more often than others, and that for all targets alike.
        """
        trees = self.tfs // self.tried  # from one order
        rng = np.random.default_rng([seed, number // trees, ORDERS])
        orders = rng.permuted(np.tile(np.arange(self.tfs), (self.nodes, 1)), axis=1)
        return np.roll(orders, -self.tried * (number % trees), axis=1)[:, : self.slots].ravel()


class Split(NamedTuple):
    """The best cut of each node of a level."""

    gain: Float[Array, "node target"]  # by how much it lowers the sum of squares; 0 for no cut
    slot: Int[Array, "node target"]  # which of the node's slots is cut
    cut: Float[Array, "node target"]  # cells above go right; infinite for no cut


class Search(Protocol):
    """Knows the cells in the bag and the TFs tried, and finds cuts."""

    def find_splits(
        self,
        values: Float[Array, "cell target"],
        node: Int[Array, "cell target"],
        sizes: Float[Array, "node target"],
        allowed: Bool[Array, "node slot target"],
    ) -> Split:
        """The best cut of each node of a level over its allowed slots.

        `values` have mean 0 in each node. With s and a the sum and number of its values at or
        below a cut, and N in all, the sum of squares falls by s^2 N / (a (N - a)).
        """


class Draw(NamedTuple):
    """What one tree draws, the same for all targets; slots are the TFs tried, node by node."""

    in_bag: Float[Array, " cell"]  # 1 where the tree is grown on the cell, else 0
    tried: Int[Array, " slot"]  # position of the TF
    values: Float[Array, "cell slot"]  # expression of the tried TF, or its bin, which cuts divide
    search: Search


def slots_of_level(nodes: int, slots: int) -> slice:
    """Where, among the slots of all nodes, those of the level of so many nodes stand."""
    return slice((nodes - 1) * slots, (2 * nodes - 1) * slots)


def grow_trees(
    residual: Float[Array, "cell target"],
    draw: Draw,
    allowed: Bool[Array, "slot target"],
    *,
    depth: int,
    tfs: int,
) -> tuple[Float[Array, "cell target"], Float[Array, "tf target"]]:
    """What each tree predicts of every cell, and how much each TF lowered the sum of squares.

    Trees are grown on the cells in the bag; a node that no allowed slot cuts stays whole.

    Args:
        residual: what to predict.
        allowed: which slots a target may use.
    """
    left = residual  # to predict once the means of the nodes so far are taken off
    node = jnp.zeros(residual.shape, jnp.int8)
    grows = jnp.ones((1, residual.shape[1]), bool)
    gains = jnp.zeros((tfs, residual.shape[1]), jnp.float32)
    slots = len(draw.tried) // (2**depth - 1)
    for level in range(depth):
        nodes = 2**level
        here = slots_of_level(nodes, slots)
        left, sizes = take_off_means(left, node, draw.in_bag, nodes)
        may = allowed[here].reshape(nodes, slots, -1) & grows[:, None]
        split = draw.search.find_splits(left, node, sizes, may)
        tried = draw.tried[here].reshape(nodes, slots)
        cut_by = jnp.take_along_axis(tried, split.slot, axis=1)  # [node, target]
        gains += jnp.where(cut_by == jnp.arange(tfs)[:, None, None], split.gain, 0).sum(axis=1)
        node = 2 * node + goes_right(node, split, draw.values[:, here])
        grows = jnp.repeat(grows & (split.gain > 0), 2, axis=0)
    left, _ = take_off_means(left, node, draw.in_bag, 2**depth)
    return residual - left, gains


def take_off_means(
    values: Float[Array, "cell target"],
    node: Int[Array, "cell target"],
    in_bag: Float[Array, " cell"],
    nodes: int,
) -> tuple[Float[Array, "cell target"], Float[Array, "node target"]]:
    """The values less the mean of their node over the bag, and how many of the bag it has."""

    def take_off(left, number):
        inside = node == number
        size = in_bag @ inside.astype(jnp.float32)
        total = jnp.matmul(in_bag, jnp.where(inside, left, 0), precision="highest")
        return left - jnp.where(inside, total / jnp.maximum(size, 1), 0), size

    # A loop, as the compiler would work out `node` and `values` again for each node otherwise.
    return jax.lax.scan(take_off, values, jnp.arange(nodes, dtype=node.dtype))


def goes_right(
    node: Int[Array, "cell target"], split: Split, values: Float[Array, "cell slot"]
) -> Bool[Array, "cell target"]:
    """Whether a cell goes to the right part of its node."""
    nodes = len(split.slot)

    def send(right, of_node):
        number, slot, cut, tried = of_node
        chosen = jax.nn.one_hot(slot, tried.shape[1], axis=0)
        value = jnp.matmul(tried, chosen, precision="highest")  # exact: one term is not 0
        return right | ((node == number) & (value > cut)), None

    tried = jnp.stack(jnp.split(values, nodes, axis=1))
    steps = jnp.arange(nodes, dtype=node.dtype), split.slot, split.cut, tried
    return jax.lax.scan(send, jnp.zeros(node.shape, bool), steps)[0]
