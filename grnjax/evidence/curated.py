"""Regulation collected from the literature: TRRUST, CollecTRI, DoRothEA and tables like them."""

from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.annotated import ANNOTATED
from grnjax.data.edges import read_edge_table, read_edges, take_edges
from grnjax.data.names import list_names
from grnjax.data.sniff import identify
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.evidence.edge_rows import fill_pairs, fill_rows, place_listed
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock
from grnjax.progress import logger

LEVEL_HEADING = "confidence"
LEVELS = ("A", "B", "C")  # most rows of DoRothEA are of level E, predicted only


def read_curated(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "curated"
) -> Evidence:
    """1 for each TF and gene that the file lists, and each gene's listed regulators.

    A gene's row has a column for every regulator in the file, among the TFs of the run or not,
    that regulates several genes of the run. Signs are left out.

    Args:
        path: an edge list as `read_edges` takes it. Of one with a column `confidence` the rows of
            the `LEVELS` count, of any other all rows.
    """
    read, levels = read_levels(path)
    edges, coverage = place_listed(read, names, tfs, path, ["target"])
    inside = edges[edges["target_gene"] >= 0]
    targets, regulators = inside["target_gene"].to_numpy(), inside["tf"].to_numpy()
    rows = fill_rows(targets, regulators, np.ones(len(inside)), len(names))
    pairs = edges[["tf_gene", "target_gene"]].to_numpy()
    listed = fill_pairs(pairs, np.ones(len(pairs)), tfs, len(names))
    report = (
        coverage.report
        | levels
        | {
            "tfs_found": int(np.isin(tfs, edges["tf_gene"]).sum()),
            "tfs_with_pairs": int(listed.any(axis=1).sum()),
            "pairs": int(listed.sum()),
            "regulators": rows.shape[1],
            "regulators_of_one_gene": len(set(regulators)) - rows.shape[1],
        }
    )
    logger.info(
        f"{path}: regulators of {report['found']:,} of {len(names):,} genes, targets of "
        f"{report['tfs_with_pairs']:,} of {len(tfs):,} TFs, {report['pairs']:,} pairs listed"
    )
    block = GeneBlock(name, rows, coverage.covered, kernels=("cosine",))
    genes = (block,) if rows.shape[1] else ()
    return Evidence(name, "curated", report, genes=genes, pairs=(PairBlock(name, listed),))


def read_levels(path: str | Path) -> tuple[pd.DataFrame, dict]:
    """The edges of the `LEVELS`, and how many rows have each level; all edges without levels."""
    if identify(path, EdgeFormatError).kind in ANNOTATED:
        return read_edges(path), {}
    table = read_edge_table(path)
    columns = [str(column).strip().lower() for column in table]
    if LEVEL_HEADING not in columns:
        return take_edges(table, str(path)), {}
    level = table.iloc[:, columns.index(LEVEL_HEADING)]
    found = level.value_counts(dropna=False).sort_index()
    is_kept = level.isin(LEVELS)
    if not is_kept.any():
        raise ConfigError(
            f"{path}: none of its {len(table):,} rows is of confidence level "
            f"{list_names(LEVELS)}; the file has {list_names(found.index)}. Give a file with such "
            f"rows, or without its column {level.name} to count all."
        )
    edges = take_edges(table[is_kept], str(path))
    edges.attrs["report"]["ignored_columns"].remove(level.name)
    by_level = {str(letter): int(rows) for letter, rows in found.items()}
    kept = sorted(by_level.keys() & set(LEVELS))
    return edges, {"rows": len(table), "rows_by_level": by_level, "levels_kept": kept}
