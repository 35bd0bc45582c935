"""Batches of cells, such as donors or runs: told apart, so that none of their differences counts.

Two genes that are both higher in one batch are correlated over all cells, though in no batch they
are. So each gene has one mean in all batches here, that of all cells, and what is left are the
differences between cells of a batch. Nothing else of a cell is altered: detection and ranks are
read from the values as they were measured (`GeneTable.as_measured`).
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from grnjax.data.cell_groups import count_cells, take_groups
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.types import CellBatches, GeneTable

FEWEST_CELLS = 10  # of a batch; fewer say next to nothing of how genes go together in it
NOTHING = 1e-12  # of a gene's largest value: differences within a batch that are rounding


def choose_cells(
    genes: GeneTable, column: str, source: str, *, flag: str = "--batch"
) -> tuple[Bool[np.ndarray, " cell"], dict]:
    """Which cells have a value of the column, shared by enough of them; the others are counted.

    Args:
        column: of .obs.
        source: of the expression, for messages.
        flag: what names the column.

    Raises:
        ConfigError: no such column, one that is no grouping, or no value that enough cells share.
    """
    of_cell = take_groups(genes.cells, column, source, flag=flag)
    cells, small = count_cells(of_cell, FEWEST_CELLS)
    told = list_names(f"{name} {count:,}" for name, count in small.items())
    if len(small) == len(cells):
        raise ConfigError(
            f"{source}: all {len(cells):,} values of .obs column {column!r} have fewer than "
            f"{FEWEST_CELLS} cells ({told}), too few to be batches; give another {flag} COLUMN."
        )
    if small:
        logger.warning(
            f"{source}: left out: the cells of {len(small):,} of {len(cells):,} values of .obs "
            f"column {column!r}, of fewer than {FEWEST_CELLS} cells: {told}"
        )
    without = int((of_cell == "").sum())
    if without:
        logger.warning(
            f"{source}: left out: {without:,} of {len(of_cell):,} cells without a value of "
            f"{column!r}; fill it in to keep them"
        )
    report = {
        "column": column,
        "cells": {name: count for name, count in cells.items() if name not in small},
        "left_out": small,
        "cells_without_value": without,
    }
    return (of_cell != "") & ~np.isin(of_cell, list(small)), report


def take_cells(genes: GeneTable, chosen: Bool[np.ndarray, " cell"]) -> GeneTable:
    """The table with these cells alone, their batches centred on them."""
    if chosen.all():
        return genes
    cells = None if genes.cells is None else genes.cells[chosen]
    batches = None if genes.batches is None else genes.batches.of_cell[chosen]
    taken = dataclasses.replace(
        genes, expression=genes.as_measured[chosen], cells=cells, batches=None
    )
    return taken if batches is None else centre_batches(taken, batches)


def centre_batches(genes: GeneTable, of_cell: np.ndarray) -> GeneTable:
    """The table with one mean of a gene in all batches; as it is where there is but one batch.

    What the batches are called does not matter, to the last bit.

    Args:
        of_cell: the batch of each cell, [cell].
    """
    of_cell = number_in_order(of_cell)
    if not len(of_cell) or of_cell.max() == 0:
        return genes
    x = genes.as_measured
    centred = x.astype(np.float64)
    mean, largest = centred.mean(axis=0), np.abs(x).max(axis=0)
    for batch in range(of_cell.max() + 1):
        here = of_cell == batch
        own = centred[here] - centred[here].mean(axis=0)
        centred[here] = np.where(np.abs(own) <= NOTHING * largest, 0, own)
    centred += mean
    return dataclasses.replace(
        genes, expression=centred.astype(np.float32), batches=CellBatches(of_cell, x)
    )


def number_in_order(names: np.ndarray) -> Int[np.ndarray, " cell"]:
    """Each cell's batch by a number, 0 for that of the first cell, and up as new ones come."""
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def split_batches(genes: GeneTable) -> list[GeneTable]:
    """The cells of each batch as they were measured; the table itself where there is but one."""
    if genes.batches is None:
        return [genes]
    x, of_cell = genes.as_measured, genes.batches.of_cell
    parts: list[Float[np.ndarray, "cell gene"]] = [
        x[of_cell == batch] for batch in range(of_cell.max() + 1)
    ]
    return [dataclasses.replace(genes, expression=part, cells=None, batches=None) for part in parts]
