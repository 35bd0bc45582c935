"""Trees with cuts between bins on a processor: histograms by sparse products, a bin at a time.

On an accelerator one large matrix product tries all cuts (`binned_cuts.py`). A processor is faster
with fewer operations. A table of zeros and ones has which cells are in which bin of a TF, without
the bin that most cells are in: for most genes that of no count. Its sparse product with the
residuals of a node is a histogram for all targets, running sums of it are what lies below each cut,
and what the commonest bin has is the rest. Blocks of targets are grown side by side.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy import sparse

from grnjax.baselines.binned_cuts import BINS, bin_values
from grnjax.baselines.trees import Plan, slots_of_level

WIDEST, LANES = 128, 32  # targets of a block: at most, and a multiple of
NUMBERS_A_BLOCK = 2**20  # residuals, where that leaves it wide enough
WHOLE = BINS  # in the place of a cut: no bin is above it


class SparseBinned:
    """Expression of the TFs in bins, from which trees are drawn."""

    def __init__(self, expression: Float[np.ndarray, "cell tf"]):
        self.bins = np.stack([bin_values(x).astype(np.int8) for x in expression.T])  # [tf, cell]

    def choose_width(self, plan: Plan, targets: int) -> int:
        """How many of so many targets make a block."""
        fits = max(1, NUMBERS_A_BLOCK // plan.cells // LANES) * LANES
        return min(WIDEST, fits, math.ceil(targets / LANES) * LANES)

    def draw(self, seed: int, number: int, plan: Plan) -> "SparseDraw":
        """Draws of tree `number`, from the seed and the number alone."""
        in_bag, tried = plan.draw_bag(seed, number), plan.draw_tfs(seed, number)
        order = np.argsort(~in_bag, kind="stable")
        bins = self.bins[np.ix_(tried, order)]
        tables = [sort_into_bins(part) for part in np.split(bins[:, : plan.bag], plan.nodes)]
        by_place = np.ascontiguousarray(bins.T)
        return SparseDraw(in_bag.astype(np.float32), tried, order, by_place, tables)


class BinTable(NamedTuple):
    """Which cells of the bag are in which bin of each slot of a node."""

    is_in: sparse.csr_array  # [bin and slot, place], without the commonest bin of a slot
    commonest: Int[np.ndarray, " slot"]

    def add_up(
        self, values: Shaped[np.ndarray, "place target"], total: Shaped[np.ndarray, " target"]
    ) -> Shaped[np.ndarray, "cut slot target"]:
        """Sums of the values below each cut; `total` is that of all."""
        slots = np.arange(len(self.commonest))
        sums = (self.is_in @ values).reshape(BINS, len(slots), -1)
        sums[self.commonest, slots] = total - sums.sum(axis=0, dtype=values.dtype)
        for above in range(1, BINS - 1):
            sums[above] += sums[above - 1]
        return sums[:-1]


def sort_into_bins(bins: Int[np.ndarray, "slot place"]) -> BinTable:
    """The table of these cells."""
    slots, places = bins.shape
    commonest = np.array([np.bincount(of_slot).argmax() for of_slot in bins])
    slot, place = np.nonzero(bins != commonest[:, None])
    row = bins[slot, place].astype(np.int64) * slots + slot
    content = np.ones(len(row), np.int8), (row, place)
    return BinTable(sparse.csr_array(content, shape=(BINS * slots, places)), commonest)


class NodeSums(NamedTuple):
    """The cells of the bag in a node."""

    size: Float[np.ndarray, " target"]
    total: Float[np.ndarray, " target"]  # of their residuals
    grows: Bool[np.ndarray, " target"]  # until it is left whole

    @property
    def mean(self) -> Float[np.ndarray, " target"]:
        """Of the residuals; 0 of none."""
        return self.total / np.maximum(self.size, 1)


class Cut(NamedTuple):
    """The best cut of a node."""

    gain: Float[np.ndarray, " target"]  # by how much it lowers the sum of squares; 0 for no cut
    slot: Int[np.ndarray, " target"]
    place: Int[np.ndarray, " target"]  # bins above go right
    below: NodeSums
    above: NodeSums


class SparseDraw(NamedTuple):
    """What one tree draws, the same for all targets; slots are the TFs tried, node by node."""

    in_bag: Float[np.ndarray, " cell"]  # 1 where the tree is grown on the cell, else 0
    tried: Int[np.ndarray, " slot"]  # position of the TF
    order: Int[np.ndarray, " cell"]  # those of the bag first
    bins: Int[np.ndarray, "place slot"]  # of all cells in that order
    tables: list[BinTable]  # of each node, level by level

    def grow(
        self,
        residual: Float[np.ndarray, "cell target"],
        allowed: Bool[np.ndarray, "slot target"],
        *,
        depth: int,
        tfs: int,
    ) -> tuple[Float[np.ndarray, "cell target"], Float[np.ndarray, "tf target"]]:
        """As `trees.grow_trees`."""
        values, target = residual[self.order], np.arange(residual.shape[1])
        bag, slots = self.tables[0].is_in.shape[1], len(self.tried) // len(self.tables)
        node = np.zeros(values.shape, np.int8)
        gains = np.zeros((tfs, len(target)), np.float32)
        size = np.full(len(target), bag, np.float32)
        sums = [NodeSums(size, values[:bag].sum(axis=0), np.ones(len(target), bool))]
        for level in range(depth):
            here = slots_of_level(2**level, slots)
            tables, tried = self.tables[2**level - 1 :], self.tried[here].reshape(-1, slots)
            bins = np.split(self.bins[:, here], 2**level, axis=1)
            may = allowed[here].reshape(2**level, slots, -1)
            is_right, children = np.zeros(values.shape, bool), []
            for number, of_node in enumerate(sums):
                inside = node == number
                cut = find_cut(tables[number], values[:bag], inside[:bag], of_node, may[number])
                gains[tried[number][cut.slot], target] += cut.gain
                is_right |= inside & (bins[number][:, cut.slot] > cut.place)
                children += [cut.below, cut.above]
            node, sums = 2 * node + is_right, children
        means = np.stack([of_leaf.mean for of_leaf in sums])
        predicted = np.empty_like(residual)
        predicted[self.order] = means[node, target]
        return predicted, gains


def find_cut(
    table: BinTable,
    values: Float[np.ndarray, "place target"],
    inside: Bool[np.ndarray, "place target"],
    node: NodeSums,
    allowed: Bool[np.ndarray, "slot target"],
) -> Cut:
    """The best cut of a node over its allowed slots."""
    counted = np.int16 if len(values) < 2**15 else np.int32
    if inside.all():  # all targets have the same cells, as at the root
        total = np.full(1, len(values), counted)
        count = table.add_up(np.ones((len(values), 1), counted), total)
    else:
        count = table.add_up(inside.astype(counted), node.size.astype(counted))
    values = np.where(inside, values - node.mean, np.float32(0))
    total, size = table.add_up(values, np.zeros_like(node.total)), count.astype(np.float32)
    parts = size * (node.size - size)
    parts = np.where(allowed & node.grows & (parts > 0), parts, np.float32(np.inf))
    gain, target = total * total / parts, np.arange(values.shape[1])
    slot = gain.max(axis=0).argmax(axis=0)
    place = gain[:, slot, target].argmax(axis=0)
    best = gain[place, slot, target]
    cuts = best > 0
    size = np.broadcast_to(size, total.shape)[place, slot, target]
    below = np.where(cuts, size, node.size)
    rest = np.where(cuts, total[place, slot, target], 0) + below * node.mean
    return Cut(
        gain=best * node.size,
        slot=slot,
        place=np.where(cuts, place, WHOLE).astype(np.int8),
        below=NodeSums(below, rest, cuts),
        above=NodeSums(node.size - below, node.total - rest, cuts),
    )
