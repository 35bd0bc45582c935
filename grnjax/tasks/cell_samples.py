"""What cells are samples of: batches that are told apart, and donors that intervals are over.

`--batch COLUMN` gives every gene one mean in all batches (`data/batches.py`), before any method
sees the cells. Donors are named by `--donor COLUMN`; by default they are the batches, since cells
of one batch are no independent draws either.
"""

import dataclasses

import numpy as np
import pandas as pd
from jaxtyping import Int

from grnjax.data.batches import centre_batches, choose_cells, number_in_order, take_cells
from grnjax.data.cell_groups import list_groups
from grnjax.data.expression_features import correlation
from grnjax.data.label_matrix import locate_edges
from grnjax.data.names import list_names, show_name
from grnjax.evaluation.donor_intervals import (
    bound_correlations,
    draw_weights,
    join_intervals,
    resample_correlations,
)
from grnjax.evaluation.group_differences import bound_correlation
from grnjax.progress import logger
from grnjax.types import Dataset, GeneTable

RESAMPLES = 500
PAIRS_AT_ONCE = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """Cells, and the donors that they are of."""

    dataset: Dataset
    judged: Dataset | None
    donors: Int[np.ndarray, " cell"] | None  # 0 and up; None where there are not two


def tell_apart(
    dataset: Dataset, judged: Dataset | None, batch: str | None, donor: str | None, source: str
) -> Samples:
    """The data sets with batches centred, without the cells of none, and the donors of the cells.

    Args:
        judged: of the same cells, or None.
        batch: column of .obs, as is `donor`, which by default is the same.
        source: of the expression, for messages.

    Raises:
        ConfigError: a column is not there, is no grouping, or names no batch of enough cells.
    """
    report = {}
    for what, column in (("batch", batch), ("donor", donor)):
        if column is None or (what == "donor" and column == batch):
            continue
        chosen, report[what] = choose_cells(dataset.genes, column, source, flag=f"--{what}")
        dataset, judged = (
            one and dataclasses.replace(one, genes=take_cells(one.genes, chosen))
            for one in (dataset, judged)
        )
        if len(report[what]["cells"]) == 1:
            rest = {"batch": "nothing is told apart", "donor": "intervals are over cells"}
            logger.warning(
                f"{source}: all cells have one value of .obs column {column!r}, so that "
                f"{rest[what]}; another --{what} COLUMN may have more"
            )
    columns = dataset.genes.cells
    if columns is None or not report:
        return Samples(dataset, judged, None)
    dataset = dataclasses.replace(dataset, report={**dataset.report, "samples": report})
    if batch is not None:
        of_cell = list_groups(columns[batch])
        dataset, judged = (
            one and dataclasses.replace(one, genes=centre_batches(one.genes, of_cell))
            for one in (dataset, judged)
        )
    donors = number_in_order(list_groups(columns[batch if donor is None else donor]))
    return Samples(dataset, judged, donors if donors.max() > 0 else None)


def bound_edges(
    edges: pd.DataFrame, genes: GeneTable, donors: Int[np.ndarray, " cell"] | None, *, seed: int
) -> pd.DataFrame:
    """The edges with the `correlation` of each and its 95 % interval over donors.

    It is Pearson's r, within batches where they are told apart; the interval is at least Fisher's
    over cells. Nothing is added where there are not two donors; a gene that does not vary has r 0
    and no interval.
    """
    if donors is None or len(np.unique(donors)) < 2:
        return edges
    donors = number_in_order(donors)
    count = int(donors.max()) + 1
    weights = draw_weights(count, RESAMPLES, np.random.default_rng([seed, count]))
    row, target = locate_edges(edges, genes)
    tf, r = genes.tfs[row], correlation(genes, genes.tfs)[row, target]
    values = genes.expression
    limits = np.empty((2, len(tf)))
    for start in range(0, len(tf), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        used, at = np.unique(np.concatenate([tf[part], target[part]]), return_inverse=True)
        first, second = np.split(at, 2)
        drawn = resample_correlations(values[:, used], donors, first, second, weights)
        found = bound_correlations(r[part], drawn, count)
        limits[:, part] = join_intervals(bound_correlation(r[part], len(values)), found)[1:]
        limits[:, part][:, ~np.isfinite(found.low)] = np.nan
    columns = {"correlation": r, "correlation_low": limits[0], "correlation_high": limits[1]}
    return edges.assign(**columns)


def count_donors(of_cell: np.ndarray, groups: list[str], donors: np.ndarray) -> np.ndarray:
    """How many donors have cells in each group, [group]."""
    return np.array([len(np.unique(donors[of_cell == name])) for name in groups])


def find_confounded(
    genes: GeneTable, of_cell: np.ndarray, groups: list[str]
) -> dict[str, Int[np.ndarray, " batch"]]:
    """The groups none of whose batches has a cell of another group, with their batches."""
    if genes.batches is None or len(groups) < 2:
        return {}
    batches = {name: np.unique(genes.batches.of_cell[of_cell == name]) for name in groups}
    return {
        name: own
        for name, own in batches.items()
        if not any(np.isin(own, other).any() for key, other in batches.items() if key != name)
    }


def warn_of_groups(
    genes: GeneTable,
    of_cell: np.ndarray,
    groups: list[str],
    donors: np.ndarray | None,
    batch: str | None,
) -> list[str]:
    """Says which groups cannot be told from their batches, and which have one donor; the same."""
    notes = []
    for name, own in find_confounded(genes, of_cell, groups).items():
        assert genes.batches is not None and genes.cells is not None and batch is not None
        called = pd.unique(list_groups(genes.cells[batch])[np.isin(genes.batches.of_cell, own)])
        notes.append(
            f"What differs in {show_name(name)} cannot be told from its batches "
            f"({list_names(sorted(called))} of {batch!r}), which have no cell of another group: "
            "take batches that hold several groups."
        )
    if donors is not None:
        alone = [
            name
            for name, count in zip(groups, count_donors(of_cell, groups, donors), strict=True)
            if count < 2
        ]
        if alone:
            notes.append(
                f"{list_names(alone)}: cells of one donor, which say nothing of others, so that "
                "these groups are not compared: give more donors."
            )
    for note in notes:
        logger.warning(note)
    return notes
