"""Cells that no step is taken on: some to judge, some to choose the epoch."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from grnjax.errors import ConfigError


class CellParts(NamedTuple):
    """Rows of each part, in the order they were drawn."""

    test: Int[np.ndarray, " cell"]
    validation: Int[np.ndarray, " cell"]
    train: Int[np.ndarray, " cell"]


def hold_out_cells(cells: int, test: float, validation: float, *, seed: int) -> CellParts:
    """Shares of the cells to judge and to choose by, drawn by the seed; the rest is to train on.

    Raises:
        ConfigError: a part would be empty.
    """
    counts = [round(cells * share) for share in (test, validation)]
    if min(*counts, cells - sum(counts)) < 1:
        raise ConfigError(
            f"{cells:,} cells are too few to hold out {test:.0%} to judge and {validation:.0%} to "
            "choose the epoch; give more cells or larger shares."
        )
    order = np.random.default_rng(seed).permutation(cells)
    return CellParts(*np.split(order, np.cumsum(counts)))
