"""The group of each cell, such as its type, by a column of obs; or why a column is no grouping."""

import numpy as np
import pandas as pd

from grnjax.data.names import list_names
from grnjax.errors import ConfigError

MOST_GROUPS = 50  # of numbers; of words as many as half the cells


def take_groups(
    obs: pd.DataFrame | None, column: str, name: str, *, flag: str = "--groups"
) -> np.ndarray:
    """The group of each cell by a column of obs, [cell] str; "" where it has none.

    Args:
        obs: what is known of the cells; None where nothing is.
        name: of the file, for messages.
        flag: what names the column.

    Raises:
        ConfigError: no such column, or one that is no grouping; columns that could serve are named.
    """
    obs = pd.DataFrame() if obs is None else obs
    if column not in obs:
        raise ConfigError(
            f"{name}: .obs has no column {column!r} for {flag}; {name_groupings(obs)}."
        )
    groups = list_groups(obs[column])
    if not is_grouping(obs[column]):
        number = len(np.unique(groups[groups != ""]))
        raise ConfigError(
            f"{name}: .obs column {column!r} has {number:,} different values in {len(groups):,} "
            f"cells, so it is no grouping by cell type; give another {flag} "
            f"({name_groupings(obs)})."
        )
    return groups


def count_cells(of_cell: np.ndarray, least: int) -> tuple[dict[str, int], dict[str, int]]:
    """The cells of each group, and of those that have fewer than `least`; cells of none aside."""
    names, counts = np.unique(of_cell[of_cell != ""], return_counts=True)
    cells = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return cells, {name: count for name, count in cells.items() if count < least}


def list_groups(values: pd.Series) -> np.ndarray:
    """The values as [cell] str; "" where there is none."""
    values = values.astype(object)
    return values.where(values.notna(), "").astype(str).to_numpy(str)


def is_grouping(values: pd.Series) -> bool:
    """Whether a column has values, and not as many as a measurement or a name of each cell has."""
    number = values.nunique()
    is_measured = pd.api.types.is_numeric_dtype(values)
    return 0 < number <= MOST_GROUPS or (not is_measured and 0 < number <= len(values) / 2)


def name_groupings(obs: pd.DataFrame) -> str:
    """The columns that could serve, in words."""
    fitting = {key: obs[key].nunique() for key in obs if is_grouping(obs[key])}
    if not fitting:
        return f"it has {list_names(obs.columns) or 'none'}, and none of them could serve"
    shown = list_names([f"{key} ({count:,} values)" for key, count in fitting.items()])
    return f"those that could serve are {shown}"
