"""Activity of the regulons of a run in groups of its cells, where the expression is at hand."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.cell_groups import count_cells, is_grouping, list_groups
from grnjax.data.cell_rows import open_rows
from grnjax.data.cells import read_cells
from grnjax.data.expression import DataConfig
from grnjax.data.tenx import list_files
from grnjax.errors import ExpressionFormatError, GrnjaxError
from grnjax.graphs.activity import score_regulons
from grnjax.report.contents import Contents
from grnjax.report.regulators import find_regulators
from grnjax.tasks.record import digest_inputs

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

MOST_CELLS = 5_000  # drawn once, where there are more
CELLS_AT_ONCE = 4_096  # that are read of a file on disk
LEAST_CELLS, MOST_GROUPS = 10, 40
FEWEST_TARGETS, MOST_TFS = 5, 24
TYPES = re.compile(r"cell.?type|annot|label|cluster|leiden|louvain", re.IGNORECASE)


class AbsentError(Exception):
    """The sentence why there is no activity by group."""


@dataclasses.dataclass(frozen=True, eq=False)
class GroupActivity:
    """Mean AUCell activity, [tf, group], those first that differ most between groups."""

    activity: pd.DataFrame
    by: str
    cells: Mapping[str, int]  # of each group, that were scored
    of: int  # cells in all


def measure_groups(contents: Contents, networks: Mapping[str, Contents]) -> GroupActivity:
    """Mean activity of each regulon in each group.

    Raises:
        AbsentError: no expression at hand, no groups, or no regulon to score.
    """
    path = find_expression(contents)
    regulons = collect_regulons(networks)
    if not regulons:
        raise AbsentError(
            f"No activity by group: no TF has {FEWEST_TARGETS} confident targets or more."
        )
    data = contents.record.get("config", {}).get("data") or {}
    by = (contents.record.get("groups") or {}).get("by")
    by, of_cell, drawn, of = draw_cells(path, data.get("layer"), by)
    config = DataConfig(gene_column=data.get("gene_column"))
    reference = {*regulons, *set().union(*regulons.values())}
    cells = read_cells(drawn, config, reference, name=str(path))
    place = {name: number for number, name in enumerate(cells.genes)}
    sets = {tf: [place[x] for x in own if x in place] for tf, own in regulons.items()}
    sets = {tf: own for tf, own in sets.items() if len(own) >= FEWEST_TARGETS}
    if not sets or not len(of_cell):
        raise AbsentError("No activity by group: the genes of the file are not those of the run.")
    columns = np.repeat(np.arange(len(sets)), [len(own) for own in sets.values()])
    members = sparse.csr_array(
        (np.ones(len(columns)), (np.concatenate([*sets.values()]), columns)),
        shape=(len(cells.genes), len(sets)),
    )
    activity = score_regulons(cells.values, cells.genes, members, seed=0)
    table = pd.DataFrame(activity, columns=[*sets]).groupby(of_cell).mean().T
    spread = (table.max(axis=1) - table.min(axis=1)).sort_values(ascending=False, kind="stable")
    _, counts = np.unique(of_cell, return_counts=True)
    counted = dict(zip(table.columns, map(int, counts), strict=True))
    return GroupActivity(table.loc[spread.index[:MOST_TFS]], by, counted, of)


def draw_cells(
    path: Path, layer: str | None, by: str | None
) -> tuple[str, np.ndarray, "AnnData", int]:
    """The groups' column, the group of each cell drawn, these cells, and how many there are.

    A file that is large stays on disk, and rows of it alone are held.
    """
    try:
        with open_rows(path, layer=layer) as table:
            by, of_cell = choose_groups(table.obs, by)
            kept, _ = count_cells(of_cell, LEAST_CELLS)
            named = [name for name, count in kept.items() if count >= LEAST_CELLS][:MOST_GROUPS]
            rows = np.flatnonzero(np.isin(of_cell, named))
            if len(rows) > MOST_CELLS:
                rows = np.sort(np.random.default_rng(0).choice(rows, MOST_CELLS, replace=False))
            parts = [sparse.csr_array((0, len(table.var)), dtype=np.float32)]
            for start in range(0, len(table), CELLS_AT_ONCE):
                own = rows[(rows >= start) & (rows < start + CELLS_AT_ONCE)] - start
                if len(own):
                    parts.append(table.read(start, start + CELLS_AT_ONCE)[own])
    except ExpressionFormatError as error:  # no table of cells that could tell groups
        raise AbsentError(f"No activity by group: {error}") from error
    from anndata import AnnData

    values = sparse.csr_matrix(sparse.vstack(parts))
    drawn = AnnData(values, obs=table.obs.iloc[rows], var=table.var)
    return by, of_cell[rows], drawn, len(of_cell)


def find_expression(contents: Contents) -> Path:
    """The file or folder of expression that the run has read, as it was."""
    given = contents.record.get("config", {}).get("expression")
    if given is None:
        raise AbsentError(
            "No activity by group: the cells were simulated, and the run folder does not keep them."
        )
    path = Path(given)
    if not path.exists():
        raise AbsentError(
            f"No activity by group: {path.name} is not where the run found it; put it back and "
            "make the report again (grnjax report)."
        )
    inputs = contents.record.get("inputs", {}).items()
    told = {role: x for role, x in inputs if role.partition("/")[0] in ("expression", "beside")}
    try:
        is_same = digest_inputs(list_files(given)) == told
    except GrnjaxError:  # a file beside it is gone
        is_same = False
    if not is_same:
        raise AbsentError(f"No activity by group: {path.name} has changed since the run.")
    return path


def collect_regulons(networks: Mapping[str, Contents]) -> dict[str, set[str]]:
    """The confident targets of each TF, of all groups together."""
    found: dict[str, set[str]] = {}
    for own in networks.values():
        assert own.edges is not None
        edges = own.edges[find_regulators(own).is_confident]
        for tf, targets in edges.groupby("tf", sort=False)["target"]:
            found.setdefault(tf, set()).update(targets)
    return {tf: own for tf, own in found.items() if len(own) >= FEWEST_TARGETS}


def choose_groups(obs: pd.DataFrame, by: str | None) -> tuple[str, np.ndarray]:
    """The column of the run's groups, or the one that is most like cell types."""
    if by is None:
        fits = [
            key for key in obs if is_grouping(obs[key]) and 1 < obs[key].nunique() <= MOST_GROUPS
        ]
        by = next((key for key in fits if TYPES.search(str(key))), next(iter(fits), None))
    if by is None or by not in obs:
        raise AbsentError("No activity by group: the file has no column of .obs that groups cells.")
    return by, list_groups(obs[by])
