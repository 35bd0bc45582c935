"""One network a group of cells, such as a cell type, and what differs between the groups.

Any method ranks the pairs of each group by the cells of the group alone; what else it is given
(known edges, evidence, lists of other cells) is the same for all. What differs is then measured
over the cells (`group_comparison.py`).
"""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Int

from grnjax.config import Positive, Range, Settings
from grnjax.data.batches import take_cells
from grnjax.data.cell_groups import count_cells, take_groups
from grnjax.data.expression_features import correlation, find_varying
from grnjax.data.label_matrix import locate_edges
from grnjax.data.names import list_names, show_name
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.tasks.cell_samples import bound_edges, warn_of_groups
from grnjax.tasks.group_comparison import (
    FEWEST_DETECTED,
    GroupDifferences,
    compare_groups,
    place_edges,
    write_notes,
)
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import Dataset, GeneTable

FOLDER = "groups"
LONGEST = 60  # letters of the name of a folder

Rank = Callable[[str, Dataset, Dataset | None], pd.DataFrame]
"""From the name of a group, its data set and what judges it, to the edges of its network."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupConfig(Settings):
    """Which groups of cells have a network, and how they are compared."""

    least_cells: Annotated[int, Range(FEWEST_DETECTED, None)] = 50
    """Cells that a group must have; smaller ones are left out and named."""  # at 50, r has +-.28
    resamples: Annotated[int, Range(100, 100_000)] = 500
    """How often the cells of a group are drawn again for intervals."""
    compared_edges: Positive = 1000
    """Best edges of each group that are compared between all groups."""


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """The groups that have a network."""

    names: list[str]  # sorted
    of_cell: np.ndarray  # [cell] str
    report: dict  # cells of each, what was left out

    def take(self, name: str, dataset: Dataset) -> Dataset:
        """The data set with the cells of this group alone; its genes are all the same."""
        genes = take_cells(dataset.genes, self.of_cell == name)
        return dataclasses.replace(dataset, genes=genes)

    def donors_of(self, name: str, donors: np.ndarray | None) -> np.ndarray | None:
        """The donors of the cells of this group, where they are known."""
        return None if donors is None else donors[self.of_cell == name]


@dataclasses.dataclass(frozen=True, eq=False)
class GroupNetworks:
    """A ranked network a group of cells, and what differs between them."""

    networks: Mapping[str, RankedNetwork]
    differences: GroupDifferences
    report: dict  # cells of each group, what was left out, how much differs, and what to know


def split_cells(genes: GeneTable, column: str, config: GroupConfig, source: str) -> Groups:
    """The groups of the column with enough cells; what is left out is said and counted.

    Raises:
        ConfigError: no such column, no grouping, or no group with enough cells.
    """
    of_cell = take_groups(genes.cells, column, source, flag="--by")
    cells, small = count_cells(of_cell, config.least_cells)
    told = list_names(f"{name} {count:,}" for name, count in small.items())
    if len(small) == len(cells):
        raise ConfigError(
            f"{source}: all {len(cells):,} groups of .obs column {column!r} have fewer than "
            f"{config.least_cells:,} cells ({told}); give another --by or a smaller "
            "--groups.least-cells."
        )
    if small:
        logger.warning(
            f"{source}: left out: {len(small):,} of {len(cells):,} groups, of fewer than "
            f"{config.least_cells:,} cells (--groups.least-cells): {told}"
        )
    without = int((of_cell == "").sum())
    if without:
        logger.warning(f"{source}: left out: {without:,} cells without a value of {column!r}")
    kept = [name for name in cells if name not in small]
    report = {
        "by": column,
        "cells": {name: cells[name] for name in kept},
        "left_out": small,
        "cells_without_group": without,
    }
    return Groups(kept, of_cell, report)


def infer_groups(
    dataset: Dataset,
    judged: Dataset | None,
    groups: Groups,
    config: GroupConfig,
    rank: Rank,
    *,
    method: MethodConfig,
    seed: int,
    donors: Int[np.ndarray, " cell"] | None = None,
    batch: str | None = None,
) -> tuple[GroupDifferences, dict]:
    """What differs between the groups, and a report, after ranking the pairs of each in turn.

    Args:
        dataset: genes in all cells, and known edges.
        judged: what judges a ranking that learns from no known edge (`network_inference.infer`).
        groups: of those cells.
        rank: makes the network of a group, and keeps it if it is to be kept.
        method: what ranks, by name.
        seed: draws the resamples.
        donors: the number of the donor of each cell; None leaves intervals over cells.
        batch: the column of the batches, if they are told apart.

    Raises:
        GrnjaxError: a group cannot be ranked, naming it.
    """
    genes, importance = dataset.genes, {}
    for name in groups.names:  # before the first one is ranked
        with naming(name):
            method.check_cells(int(np.count_nonzero(groups.of_cell == name)))
    warned = warn_of_groups(genes, groups.of_cell, groups.names, donors, batch)
    for number, name in enumerate(groups.names, start=1):
        own = groups.take(name, dataset)
        varying = int(find_varying(own.genes).sum())
        logger.info(
            f"group {number} of {len(groups.names)}, {show_name(name)}: "
            f"{len(own.genes.expression):,} cells, {varying:,} of {len(genes.names):,} genes vary"
        )
        with naming(name):
            edges = rank(name, own, judged and groups.take(name, judged))
        importance[name] = place_edges(edges, genes)
    found = compare_groups(
        genes,
        groups.of_cell,
        importance,
        edges=config.compared_edges,
        resamples=config.resamples,
        seed=seed,
        donors=donors,
    )
    notes = [*warned, *write_notes(method, found.edges, donors)]
    return found, {**groups.report, **found.count(), "notes": notes}


@contextlib.contextmanager
def naming(group: str) -> Iterator[None]:
    """Names the group in what is raised for it."""
    try:
        yield
    except GrnjaxError as error:
        error.args = (f"group {show_name(group)}: {error}", *error.args[1:])
        raise


def infer_each(
    dataset: Dataset,
    judged: Dataset | None,
    by: str,
    config: GroupConfig,
    rank: Callable[[str, Dataset, Dataset | None], RankedNetwork],
    *,
    method: MethodConfig,
    seed: int,
    donors: Int[np.ndarray, " cell"] | None = None,
    batch: str | None = None,
) -> GroupNetworks:
    """The networks of all groups of a column at once (`split_cells`, `infer_groups`).

    Args:
        rank: from the folder of a group to its network.
        donors: as in `infer_groups`, as is `batch`.
    """
    groups, networks = split_cells(dataset.genes, by, config, "expression"), {}
    folders = name_folders(groups.names)

    def keep(name: str, own: Dataset, judged: Dataset | None) -> pd.DataFrame:
        found = rank(folders[name], own, judged)
        networks[name] = describe_edges(found, own.genes, groups.donors_of(name, donors), seed)
        return networks[name].edges

    found, report = infer_groups(
        dataset, judged, groups, config, keep, method=method, seed=seed, donors=donors, batch=batch
    )
    return GroupNetworks(networks, found, report)


def describe_edges(
    network: RankedNetwork,
    genes: GeneTable,
    donors: Int[np.ndarray, " cell"] | None = None,
    seed: int = 0,
) -> RankedNetwork:
    """The network with what the cells of its group say: detection of both genes, and their r.

    `tf_detected` and `target_detected` are shares of the cells; `correlation` is Pearson's r, 0 for
    a gene that is constant or not measured, with its interval where the cells are of two `donors`
    or more (`cell_samples.bound_edges`).
    """
    share = np.where(genes.measured, (genes.as_measured != 0).mean(axis=0), np.nan)
    row, target = locate_edges(network.edges, genes)
    r = correlation(genes, genes.tfs)[row, target]
    tf = genes.tfs[row]
    columns = {"tf_detected": share[tf], "target_detected": share[target], "correlation": r}
    edges = bound_edges(network.edges.assign(**columns), genes, donors, seed=seed)
    return dataclasses.replace(network, edges=edges)


def name_folders(groups: Sequence[str]) -> dict[str, str]:
    """The folder of each group in that of the run, all different; letters, digits, -+. are kept."""
    taken: set[str] = set()
    folders = {}
    for name in groups:
        plain = re.sub(r"[^A-Za-z0-9+.-]+", "_", name)[:LONGEST].strip("_.") or "group"
        number, folder = 1, plain
        while folder.casefold() in taken:  # on some disks B and b are one
            number += 1
            folder = f"{plain}_{number}"
        taken.add(folder.casefold())
        folders[name] = f"{FOLDER}/{folder}"
    return folders
