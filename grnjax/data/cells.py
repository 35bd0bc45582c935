"""Cells as a file has them, in its order and not made dense, for what ranks the genes of a cell."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from grnjax.data.annotated import ANNOTATED, read_annotated
from grnjax.data.annotated_matrix import choose_names, choose_place, find_genes
from grnjax.data.canonical import COUNTS_PER_CELL
from grnjax.data.expression import LEAST_COUNT_MAXIMUM, DataConfig, find_orientation
from grnjax.data.expression_matrix import drop_others, load_matrix, rename_genes, take_object
from grnjax.data.names import count_names, list_names, match_names
from grnjax.data.rewritings import warn_of_dates
from grnjax.data.safe_sparse import to_native
from grnjax.data.sniff import identify
from grnjax.data.tables import NamedMatrix
from grnjax.errors import ExpressionFormatError, GeneMismatchError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """Expression of cells in their own order, beside the object that it stands in."""

    values: np.ndarray | sparse.csr_array  # [cell, gene]
    genes: np.ndarray  # [gene] str, unique
    adata: "AnnData"  # of these cells in this order, with everything else that it holds
    report: dict


def read_cells(
    source, config: DataConfig, reference: set[str], *, name: str = "AnnData object"
) -> Cells:
    """The cells of a file or object, values as they are: only their order in a cell will count.

    Args:
        source: as for `expression.read_expression`.
        config: how to understand it; nothing is normalised.
        reference: gene names of the regulons, which tell genes from cells, and names from ids.
        name: what messages call an object.
    """
    is_path = isinstance(source, (str, Path))
    if is_path and identify(source, ExpressionFormatError).kind in ANNOTATED:
        adata, name = read_annotated(source, ExpressionFormatError), str(source)
    elif is_path:
        adata, name = read_table(source, config, reference), str(source)
        config = dataclasses.replace(config, gene_names=None)
    else:
        adata = take_object(source)
        if not hasattr(adata, "obs"):
            adata, name = read_table(adata, config, reference), "data frame"
    values, var, place = choose_place(adata, config, name)
    if values.dtype.kind not in "biuf":
        raise ExpressionFormatError(f"{name}: {place} holds {values.dtype}, not numbers.")
    values = to_native(values)
    genes, report = choose_names(adata.obs_names, var, config, name, reference)
    report |= {"source": name, "place": place, "cells": adata.n_obs}
    keep = find_genes(var, name, report)
    genes = np.array(genes, dtype=str)
    if sparse.issparse(values):
        values = sparse.csr_array(values)
    if not keep.all():
        values, genes = values[:, np.flatnonzero(keep)], genes[keep]
    values, genes = drop_others(values, genes, name, report)
    if config.gene_names:
        renamed = NamedMatrix(np.zeros((0, 0)), [], genes.tolist())
        renamed, report["renamed"] = rename_genes(renamed, config.gene_names, name)
        genes = np.array(renamed.columns, dtype=str)
    warn_of_dates(genes.tolist(), name)
    values, genes = merge_repeats(values, genes, name, report)
    if not adata.n_obs or not len(genes):
        raise ExpressionFormatError(
            f"{name}: {adata.n_obs:,} cells and {len(genes):,} genes, so there is no expression."
        )
    check_entries(values, config, name)
    return Cells(values, genes, adata, report | {"genes": len(genes)})


def read_table(source, config: DataConfig, reference: set[str]) -> "AnnData":
    """Text, parquet or a data frame as AnnData, cells x genes, whichever way round it was."""
    import anndata
    import pandas as pd

    matrix, report = load_matrix(source, config, reference)
    rows_are_genes = find_orientation(matrix, config, reference, report["source"], report)
    values = matrix.values.T if rows_are_genes else matrix.values
    cells, genes = (matrix.rows, matrix.columns)[:: -1 if rows_are_genes else 1]
    cells, genes = (pd.DataFrame(index=list(map(str, names))) for names in (cells, genes))
    return anndata.AnnData(sparse.csr_matrix(values), obs=cells, var=genes)


def merge_repeats(values, genes: np.ndarray, name: str, report: dict):
    """Every gene once: of columns with the same name the one with the highest total stays.

    Of equal totals the one whose values vary most.
    """
    names, place, count = np.unique(genes, return_inverse=True, return_counts=True)
    if (count == 1).all():
        return values, genes
    total = np.asarray(values.sum(axis=0, dtype=np.float64)).ravel()
    squares = values.multiply(values) if sparse.issparse(values) else np.square(values)
    square = np.asarray(squares.sum(axis=0, dtype=np.float64)).ravel()
    order = np.lexsort((-square, -total, place))
    first = np.concatenate([[True], np.diff(place[order]) > 0])
    keep = np.sort(order[first])
    report["repeated_genes"] = count_names(names[count > 1])
    logger.warning(
        f"{name}: {(count > 1).sum():,} repeated genes ({list_names(names[count > 1])}): highest "
        "total kept"
    )
    return values[:, keep], genes[keep]


def check_entries(values, config: DataConfig, name: str) -> None:
    """Refuses missing values and, unless they are said to be scaled, negative ones."""
    entries = values.data if sparse.issparse(values) else np.asarray(values)
    if entries.dtype.kind == "f" and not np.isfinite(entries).all():
        raise ExpressionFormatError(
            f"{name}: {int((~np.isfinite(entries)).sum()):,} values are missing or infinite. "
            "Remove or fill them first."
        )
    if not entries.any():
        raise ExpressionFormatError(f"{name}: every value is zero, so there is no expression.")
    negative = int((entries < 0).sum())
    if negative and not config.scaled:
        raise ExpressionFormatError(
            f"{name}: {negative:,} values are negative. Give counts or log values, or pass "
            "--data.scaled if the data are scaled on purpose: genes of a cell are then ranked by "
            "scaled values."
        )


def to_log_scale(cells: Cells, config: DataConfig) -> Cells:
    """The cells with counts scaled to 10,000 a cell and logs taken, as `read_expression` would.

    Raw counts are whole numbers that come to 10 at least; other values stay as they are, unless the
    settings say otherwise.
    """
    values = sparse.csr_array(cells.values, dtype=np.float32)
    is_raw = not (values.data % 1).any() and values.data.max(initial=0) >= LEAST_COUNT_MAXIMUM
    wanted = config.normalise == "always" or (config.normalise == "auto" and is_raw)
    if not wanted or config.scaled:
        return dataclasses.replace(
            cells, values=values, report=cells.report | {"normalised": False}
        )
    logger.warning(
        f"{cells.report['source']}: {'raw counts' if is_raw else 'as asked'}: scaled to "
        f"{COUNTS_PER_CELL:,} a cell and log-transformed (--data.normalise=never leaves them)"
    )
    totals = np.maximum(values.sum(axis=1, dtype=np.float64), 1)
    scaled = values.astype(np.float64).multiply(COUNTS_PER_CELL / totals[:, None])
    values = sparse.csr_array(scaled).log1p().astype(np.float32)
    return dataclasses.replace(cells, values=values, report=cells.report | {"normalised": True})


def fill_universe(cells: Cells, universe: np.ndarray) -> Cells:
    """The cells over these genes alone, 0 where one was not measured; how many were, is counted.

    AUCell ranks all genes of a matrix, so thresholds hold for the genes they were made with.

    Raises:
        GeneMismatchError: none of them was measured.
    """
    match = match_names(universe.tolist(), cells.genes.tolist())
    found = match.positions >= 0
    if not found.any():
        raise GeneMismatchError(
            f"{cells.report['source']}: none of the {len(universe):,} genes of the reference "
            f"({list_names(universe)}) is among its {len(cells.genes):,} "
            f"({list_names(cells.genes)}). Map the names first (--data.gene-names=TABLE)."
        )
    shape = len(cells.genes), len(universe)
    at = match.positions[found], np.flatnonzero(found)
    select = sparse.csr_array((np.ones(found.sum(), np.float32), at), shape=shape)
    values = sparse.csr_array(cells.values)
    values = (values @ select.astype(values.dtype)).tocsr()
    report = cells.report | match.report(cells.report["source"])
    report |= {"universe": len(universe), "of_universe_measured": int(found.sum())}
    return Cells(values, universe, cells.adata, report)
