"""Regulation collected from the literature: TRRUST, CollecTRI, DoRothEA and tables like them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.blocks.evidence import Evidence, GeneBlock, PairBlock
from grnjax.data.blocks.gene_tables import report_coverage
from grnjax.data.blocks.interactions import fill_pairs, fill_rows, keep_listed
from grnjax.data.edges import read_edges, read_table, take_edges
from grnjax.data.genes import place_edges
from grnjax.data.names import list_names
from grnjax.data.tables import ANNOTATED, read_parquet
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.progress import logger

LEVEL_HEADING = "confidence"


def read_curated(
    path: str | Path,
    names: np.ndarray,
    tfs: np.ndarray,
    *,
    levels: Sequence[str] = ("A", "B", "C"),
    name: str = "curated",
) -> Evidence:
    """1 for each TF and gene that the file lists, and each gene's listed regulators.

    A gene's row has a column for every regulator in the file, among the TFs of the run or not,
    that regulates at least two genes of the run. Signs are left out.

    Args:
        path: an edge list as `read_edges` takes it, perhaps with a column `confidence`.
        names: the genes of the run.
        tfs: the gene indices of its TFs.
        levels: the confidence levels to keep. Most rows of DoRothEA are of level E, predicted
            only. A table without that column is kept whole.
        name: what the blocks are called.
    """
    edges, by_level = read_levels(path, levels)
    report = {"kind": "curated", "case_rule": "exact", **edges.attrs["report"]}
    if by_level:
        report |= {"rows": sum(by_level.values()), "rows_by_level": by_level}
        report["levels_kept"] = sorted(by_level.keys() & set(levels))
    edges = keep_listed(edges, report)
    pairs = place_edges(edges, names, report)
    is_inside = pairs[:, 1] >= 0
    targets, regulators = pairs[is_inside, 1], edges["tf"].to_numpy()[is_inside]
    covered = np.isin(np.arange(len(names)), targets)
    report |= report_coverage(covered, sorted(set(edges["target"])), names, path)

    rows = fill_rows(targets, regulators, np.ones(len(targets)), len(names))
    listed = fill_pairs(pairs, np.ones(len(pairs)), tfs, len(names))
    report |= {
        "tfs_found": int(listed.any(axis=1).sum()),
        "pairs": int(listed.sum()),
        "regulators": rows.shape[1],
        "regulators_of_one_gene": len(set(regulators)) - rows.shape[1],
    }
    logger.info(
        f"{path}: regulators of {report['found']:,} of {len(names):,} genes, targets of "
        f"{report['tfs_found']:,} of {len(tfs):,} TFs, {report['pairs']:,} pairs listed"
    )
    block = GeneBlock(name, rows, covered, kernels=("cosine",))
    genes = (block,) if rows.shape[1] else ()
    return Evidence(name, report, genes=genes, pairs=(PairBlock(name, listed),))


def read_levels(path: str | Path, levels: Sequence[str]) -> tuple[pd.DataFrame, dict[str, int]]:
    """The edges of the levels asked for, and the rows of each level; all, without levels."""
    frame = None
    if Path(path).suffix == ".parquet":
        frame = read_parquet(path, EdgeFormatError)
    elif Path(path).suffix not in ANNOTATED:
        headings, table = read_table(path)
        frame = None if headings is None else table.set_axis(headings, axis=1)
    columns = [] if frame is None else [str(column).strip().lower() for column in frame]
    if LEVEL_HEADING not in columns:
        return read_edges(path), {}
    level = frame.iloc[:, columns.index(LEVEL_HEADING)]
    found = level.value_counts(dropna=False).sort_index()
    is_kept = level.isin(levels)
    if not is_kept.any():
        raise ConfigError(
            f"{path}: none of its {len(frame):,} rows is of confidence level "
            f"{list_names(levels) or '(none asked for)'}; the file has {list_names(found.index)}. "
            "Ask for levels that it has."
        )
    edges = take_edges(frame[is_kept], str(path))
    edges.attrs["report"]["ignored_columns"].remove(level.name)
    return edges, {str(letter): int(rows) for letter, rows in found.items()}
