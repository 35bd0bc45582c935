"""Means of like cells in the place of cells: fewer rows for methods that take long over many."""

import dataclasses

import numpy as np
import pandas as pd

from grnjax.data.cell_space import cluster, project
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.types import GeneTable

FEWEST = 10  # meta-cells
VARIABLE_GENES, COMPONENTS = 2000, 30


def pool_cells(genes: GeneTable, count: int, *, seed: int) -> GeneTable:
    """The table with so many meta-cells: the mean expression of each group of like cells.

    Groups are those of k-means on 30 principal components of the 2,000 genes of largest variance,
    from one start; each counts once, however many cells it has.

    Raises:
        ConfigError: as many meta-cells as cells, or batches that are told apart.
    """
    if genes.batches is not None:
        raise ConfigError(
            "--method.meta-cells would join cells of different batches; leave out one of it and "
            "--batch."
        )
    check_pool(len(genes.expression), count)
    space = project(genes.expression, genes=VARIABLE_GENES, components=COMPONENTS)
    label = cluster(space, count, np.random.default_rng([seed, 5]), starts=1)
    order = np.argsort(label, kind="stable")
    _, first, sizes = np.unique(label[order], return_index=True, return_counts=True)
    total = np.add.reduceat(genes.expression[order], first, axis=0, dtype=np.float64)
    pooled = (total / sizes[:, None]).astype(np.float32)
    logger.info(
        f"{len(sizes):,} meta-cells of {sizes.min():,} to {sizes.max():,} of {len(order):,} cells"
    )
    names = pd.DataFrame({"cells": sizes}, index=[f"meta-cell{i}" for i in range(len(sizes))])
    return dataclasses.replace(genes, expression=pooled, cells=names)


def check_pool(cells: int, count: int) -> None:
    """Refuses so many meta-cells of so many cells.

    Raises:
        ConfigError: they are very few, or as many.
    """
    if not FEWEST <= count < cells:
        raise ConfigError(
            f"--method.meta-cells {count:,}: {cells:,} cells make {FEWEST} to {cells - 1:,} "
            "meta-cells."
        )
