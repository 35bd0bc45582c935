"""The networks of many cells and of their types: one table of edges, and who has which regulon.

The networks of 10^5 cells are never stored as edges (GRNFormer, section "hierarchical network"): a
cell's network are the edges of the regulons that are active in it, a cell type's those of the
regulons that are active in enough of its cells.
"""

import dataclasses

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

TYPE_SHARE = 0.3
"""Share of the cells of a type in which a regulon must be active to be one of the type's."""


def share_by_type(
    active: Bool[np.ndarray, "cell regulon"], types: np.ndarray
) -> tuple[np.ndarray, Float[np.ndarray, "type regulon"]]:
    """The names of the types, and the share of the cells of each in which a regulon is active.

    Args:
        types: the name of each cell's type; "" where it has none.
    """
    names = np.unique(types[types != ""])
    shares = [active[types == name].mean(axis=0) for name in names]
    return names, np.reshape(shares, (len(names), active.shape[1]))


@dataclasses.dataclass(frozen=True, eq=False)
class CellNetworks:
    """Networks of cells and of cell types."""

    edges: pd.DataFrame  # tf, target (names) and regulon (its number)
    active: Bool[np.ndarray, "cell regulon"]
    type_active: Bool[np.ndarray, "type regulon"]
    cell_type: Int[np.ndarray, " cell"]  # the row of `type_active`

    @classmethod
    def of(cls, edges: pd.DataFrame, active: np.ndarray, types: np.ndarray) -> "CellNetworks":
        """With types' networks by `TYPE_SHARE`.

        Args:
            types: the name of each cell's type.
        """
        names, shares = share_by_type(active, types)
        return cls(edges, active, shares >= TYPE_SHARE, np.searchsorted(names, types))
