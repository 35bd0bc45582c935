"""One order and one scale for a matrix: genes by name, cells by content, counts as logs."""

import math

import numpy as np
import pandas as pd

from grnjax.data.names import count_names

COUNTS_PER_CELL = 10_000


def drop_repeated_genes(
    values: np.ndarray, genes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict]:
    """The matrix with every gene name once, and a report of the names that stood repeatedly."""
    is_dropped, report = find_repeats(values, genes)
    return values[:, ~is_dropped], genes[~is_dropped], report


def find_repeats(values: np.ndarray, genes: np.ndarray) -> tuple[np.ndarray, dict]:
    """Mask of the columns to drop so that every gene name stands once, and what stood repeatedly.

    Identical columns collapse; otherwise the one with the highest total stays. The order of the
    file must not decide a tie, so the columns are compared as bytes, in an order of the cells
    that does not depend on which of the columns comes first.
    """
    order = np.argsort(genes, kind="stable")
    names, starts, counts = np.unique(genes[order], return_index=True, return_counts=True)
    groups = [order[i : i + n] for i, n in zip(starts, counts, strict=True) if n > 1]
    identical, different = [], []
    is_dropped = np.zeros(len(genes), dtype=bool)
    if groups:
        symmetric = values.copy()
        for group in groups:
            symmetric[:, group] = np.sort(values[:, group], axis=1)
        cells = order_rows(symmetric[:, order])
        for group in groups:
            columns = [values[cells, place] for place in group]
            ranks = [(math.fsum(column.tolist()), column.tobytes()) for column in columns]
            is_dropped[group] = True
            is_dropped[group[ranks.index(max(ranks))]] = False
            (identical if len(set(ranks)) == 1 else different).append(genes[group[0]])
    report = {"identical": count_names(identical), "different": count_names(different)}
    return is_dropped, report


def sort_axes(
    values: np.ndarray, genes: np.ndarray, cells: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """The matrix with genes sorted by name and cells by content, and the table of the cells.

    Cells of the same content stand in the order of their names, the index of the table.
    """
    order = np.argsort(genes)
    values = np.ascontiguousarray(values[:, order])
    rows = order_rows(values)
    values = values[rows]
    follows_equal = (values[1:] == values[:-1]).all(axis=1)
    content = np.cumsum(np.append(True, ~follows_equal))
    rows = rows[np.lexsort((cells.index.to_numpy(str)[rows], content))]
    return values, genes[order], cells.iloc[rows]


def order_rows(values: np.ndarray) -> np.ndarray:
    """The order that sorts the rows by their bytes; equal rows are interchangeable."""
    values = np.ascontiguousarray(values)
    content = values.view(np.dtype((np.void, values.shape[1] * values.itemsize)))[:, 0]
    return np.argsort(content, kind="stable")


def normalise_counts(values: np.ndarray) -> None:
    """Turns counts in place into log(1 + counts per 10,000), cell by cell in float64.

    A cell without counts stays at zero.
    """
    for cell in values:
        counts = cell.astype(np.float64)
        cell[:] = np.log1p(counts * (COUNTS_PER_CELL / max(counts.sum(), 1)))
