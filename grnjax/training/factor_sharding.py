"""The kernel-informed factor model on several devices: each has some of the genes, with all TFs.

Pairs are most of the work and of the memory, so features, labels and coordinates are split by genes
over all devices; what is learned of TFs is on each, and jit does the rest. Genes are filled up to a
number that divides, by some that weigh nothing; random numbers of the others stay what they were.
"""

from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Float, Num

from grnjax.models.kernel_factor import PairGrid
from grnjax.training.objective import PyTree
from grnjax.training.sharding import DATA, MODEL, fetch, place
from grnjax.types import AnyArray

PER_TARGET = ("target_bias", "target_factors")  # parameters with one row a gene
WHOLE = P()
GENES = (DATA, MODEL)  # the axes of the mesh over which genes lie: all


class GenePairs(NamedTuple):
    """All that a step reads of pairs, the genes on the last axis but for coordinates."""

    grid: PairGrid
    labels: Num[AnyArray, "tf gene"]
    weights: Float[AnyArray, "tf gene"] | None = None  # 0 for pairs without a label


LAYOUT = GenePairs(
    PairGrid(
        z=P(GENES),
        features=P(None, None, GENES),
        attention=P(None, None, GENES),
        known_tf=WHOLE,
        known_target=P(GENES),
        base=WHOLE,
        neighbours=P(None, None, GENES),
    ),
    labels=P(None, GENES),
    weights=P(None, GENES),
)


def spread_genes(pairs: GenePairs, mesh: Mesh | None) -> GenePairs:
    """The pairs on the mesh, filled up with genes of zeros; as they are without one."""
    if mesh is None:
        return pairs
    missing = -len(pairs.grid.z) % mesh.size

    def put(layout: P, array: np.ndarray | None):
        if array is None:
            return None
        widths = [(0, missing if axis == GENES else 0) for axis in layout]
        widths += [(0, 0)] * (array.ndim - len(widths))
        whole = np.pad(array, widths) if widths else array
        return place(whole, NamedSharding(mesh, layout))

    return jax.tree.map(put, LAYOUT, pairs, is_leaf=lambda x: isinstance(x, P) or x is None)


def spread_members(members: dict, mesh: Mesh | None) -> dict[str, jax.Array]:
    """The parameters, whole on every device of the mesh; as they are without one."""
    if mesh is None:
        return members
    return {name: place(np.asarray(x), NamedSharding(mesh, WHOLE)) for name, x in members.items()}


def gather_members(members: dict, genes: int) -> dict[str, np.ndarray]:
    """Copies of the parameters [..., member, row, ...], without genes that filled up.

    Args:
        genes: how many there are.
    """
    found = {name: np.array(x) for name, x in fetch(members).items()}
    for name, axis in zip(PER_TARGET, (-1, -2), strict=True):
        found[name] = found[name].take(np.arange(genes), axis=axis)
    return found


def take_from_first(tree: PyTree) -> PyTree:
    """The arrays of process 0 on all: what each computes alone may differ in the last digits."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))
