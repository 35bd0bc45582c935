"""Cells of RNA and of ATAC brought together: paired by barcode, or grouped by cell type."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import sparse

from grnjax.data.accessibility import Accessibility
from grnjax.data.barcodes import join_barcodes
from grnjax.data.names import count_names, list_names
from grnjax.data.tables import read_table_rows
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.types import GeneTable

Pairing = Literal["auto", "paired", "unpaired"]
FEWEST_PAIRED = 20


@dataclasses.dataclass(frozen=True, eq=False)
class JoinedCells:
    """Expression and accessibility; in the same rows where they are of the same cells."""

    expression: Float[np.ndarray, "cell gene"]  # log scale
    groups: np.ndarray | None  # [cell] str, "" for none; None where no column names them
    counts: sparse.csr_matrix | None  # [cell of ATAC, peak]
    atac_groups: np.ndarray | None  # [cell of ATAC] str
    is_paired: bool
    report: dict


def bring_together(
    genes: GeneTable, atac: Accessibility | None, pairing: Pairing, groups: str | None
) -> JoinedCells:
    """The cells that are used, and what they are called.

    Paired, these are the cells that both files have; unpaired, all cells of a named group.

    Args:
        groups: a column of .obs, or a table of cell and group; None where none are known.

    Raises:
        ConfigError: no barcodes are shared though they must be, or unpaired cells without groups.
    """
    expression, report = genes.in_memory, {}
    of_rna = name_groups(genes.cells, groups, "the expression")
    if atac is None:
        return JoinedCells(expression, of_rna, None, None, False, {"pairing": "RNA alone"})
    names = [] if genes.cells is None else list(genes.cells.index)
    source = atac.report["source"]
    shared = join_barcodes(names, list(atac.cells.index), source)
    is_paired = len(shared) >= FEWEST_PAIRED
    if pairing == "unpaired":
        is_paired = False
    elif not is_paired and (pairing == "paired" or groups is None):
        wanted = "" if pairing == "paired" else ", and unpaired ones need --method.groups=COLUMN"
        raise ConfigError(
            f"{source}: {len(shared):,} of its {len(atac.cells):,} cells "
            f"({list_names(atac.cells.index)}) are among the {len(expression):,} of the expression "
            f"({list_names(names)}), too few for paired cells{wanted}."
        )
    if is_paired:
        lost = {key: shared.report[key] for key in ("cells_of_rna_alone", "cells_of_atac_alone")}
        if any(lost.values()):
            logger.warning(
                f"{source}: left out, not in both files: {lost['cells_of_rna_alone']:,} cells with "
                f"RNA alone and {lost['cells_of_atac_alone']:,} with ATAC alone"
            )
        report = {"pairing": "paired", **shared.report}
        if of_rna is not None:
            of_rna = of_rna[shared.first]
        counts = atac.counts[shared.second]
        return JoinedCells(expression[shared.first], of_rna, counts, of_rna, True, report)
    if of_rna is None:
        raise ConfigError(
            "unpaired cells are brought together by their types: give --method.groups=COLUMN, a "
            "column that both files have, or a table of cell and group."
        )
    logger.warning(
        f"{source}: cells are taken as unpaired ({len(shared):,} barcodes shared); correlations "
        "reflect differences between groups, and little of what varies within one"
    )
    of_atac = name_groups(atac.cells, groups, source)
    assert of_atac is not None
    order = np.lexsort((atac.cells.index.to_numpy(str), of_atac))
    report = {"pairing": "unpaired", "shared_cells": len(shared)}
    return JoinedCells(expression, of_rna, atac.counts[order], of_atac[order], False, report)


def name_groups(cells: pd.DataFrame | None, groups: str | None, source: str) -> np.ndarray | None:
    """The group of each cell, "" where it has none; None where no groups are asked for."""
    if groups is None:
        return None
    cells = pd.DataFrame() if cells is None else cells
    if groups in cells:
        named = cells[groups]
        return np.where(named.isna(), "", named.astype(str)).astype(str)
    if not Path(groups).is_file():
        raise ConfigError(
            f"{source}: --method.groups={groups} is neither a file nor a column of .obs, which has "
            f"{list_names(map(str, cells)) or 'none'}."
        )
    _, rows = read_table_rows(groups, ConfigError)
    group_of = {fields[0].strip(): fields[1].strip() for fields in rows if len(fields) > 1}
    named = np.array([group_of.get(str(name), "") for name in cells.index], str)
    if not (named != "").any():
        raise ConfigError(
            f"{groups}: it names a group for none of the {len(cells):,} cells of {source} "
            f"({list_names(cells.index)}); its first column ({list_names(group_of)}) must hold "
            "their barcodes."
        )
    return named


def drop_small(
    groups: np.ndarray, fewest: int, what: str
) -> tuple[dict[str, Int[np.ndarray, " cell"]], dict]:
    """The places of the cells of each group of at least `fewest`, and what was left out."""
    places = {name: np.flatnonzero(groups == name) for name in np.unique(groups) if name != ""}
    small = {name: len(x) for name, x in places.items() if len(x) < fewest}
    nameless = int((groups == "").sum())
    for name in small:
        del places[name]
    if small or nameless:
        shown = list_names(f"{name} ({count:,})" for name, count in small.items()) or "none"
        logger.warning(
            f"{what}: left out, groups of fewer than {fewest:,} cells: {shown}; and {nameless:,} "
            "cells without a group"
        )
    if not places:
        raise ConfigError(
            f"{what}: none of the groups of cells ({list_names(small) or 'none'}) has "
            f"{fewest:,}; lower --method.metacells.fewest-cells or give larger groups."
        )
    return places, {"small_groups": count_names(small), "cells_without_group": nameless}
