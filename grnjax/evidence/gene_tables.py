"""Numbers of genes from a table: dispersion statistics, p-values, any column a user has."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.names import list_names
from grnjax.data.safe_text import hold_rows
from grnjax.data.tables import (
    MISSING,
    check_matrix_names,
    read_parquet,
    read_table_rows,
    round_once,
)
from grnjax.errors import ConfigError
from grnjax.evidence.coverage import place_rows
from grnjax.evidence.types import Evidence, GeneBlock
from grnjax.progress import logger

P_VALUE_WORDS = ("pval", "padj")  # found in VGAMpValue, p_value, p.adj, pvals_adj
SMALLEST_P = 1e-300
WIDE_DECADES = 2
MOST_COLUMNS = 10_000  # of a table; each is parsed by itself


def read_gene_table(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "gene table"
) -> Evidence:
    """The numeric columns of a table of genes: text or parquet, a gene a row.

    The first column holds the gene names, such as BEELINE's GeneOrdering has them. P-values
    become -log10 p, at most 300; positive columns that span more than two decades become log10;
    both are judged on all rows of the file. Where a gene lacks some of the columns it gets their
    means over the covered genes; columns of text are ignored. The report counts all of it.
    """
    frame = read_frame(path)
    columns, transforms, ignored = [], {}, []
    for heading, text in frame.items():
        numbers = parse_column(text, heading, path)
        if numbers is None:
            ignored.append(heading)
        else:
            column, transforms[heading] = transform_column(numbers, heading)
            columns.append(column)
    if not columns:
        raise ConfigError(
            f"{path}: none of its {len(ignored):,} columns ({list_names(ignored)}) holds numbers. "
            "Give a table with gene names in the first column and numbers in the others."
        )
    table, rows = np.stack(columns, axis=1), frame.index.tolist()
    placed, coverage = place_rows(table, rows, names, tfs, path)
    values, filled = fill_gaps(placed)
    report = coverage.report | {
        "rows": len(rows),
        "columns": transforms,
        "ignored_columns": ignored,
        "filled_with_mean": filled,
    }
    logger.info(
        f"{path}: {len(columns):,} columns of {report['found']:,} of {len(names):,} genes, "
        f"{filled:,} missing entries filled with column means"
    )
    block = GeneBlock(name, values, coverage.covered, kernels=("rbf", "linear"))
    return Evidence(name, "table", report, genes=(block,))


def read_frame(path: str | Path) -> pd.DataFrame:
    """The table as it stands in the file, by gene: numbers are not parsed, so none are rounded."""
    if Path(path).suffix == ".parquet":
        frame = read_parquet(path, ConfigError)
        if isinstance(frame.index, pd.RangeIndex) and len(frame.columns):
            frame = frame.set_index(frame.columns[0])
        frame.index = frame.index.astype(str).str.strip()
        frame.columns = frame.columns.astype(str)
    else:
        (_, *headings), lines = read_table_rows(path, ConfigError)
        rows = hold_rows(lines, path, ConfigError)
        genes = [fields[0].strip() for fields in rows]
        frame = pd.DataFrame([fields[1:] for fields in rows], index=genes, columns=headings)
    if frame.empty:
        raise ConfigError(f"{path}: no table found: one line or one column only.")
    if len(frame.columns) > MOST_COLUMNS:
        raise ConfigError(
            f"{path}: {len(frame.columns):,} columns of numbers for each gene; a table may have "
            f"{MOST_COLUMNS:,}. Give an embedding of so many as vectors."
        )
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ConfigError(f"{path}: several columns are called {repeated[0]}. Rename them.")
    check_matrix_names(frame.index.tolist(), frame.columns.tolist(), path, ConfigError)
    return frame


def parse_column(
    column: pd.Series, heading: str, path: str | Path
) -> Float[np.ndarray, " row"] | None:
    """The numbers of a column in float64, NaN where one is missing; None for a column of text.

    Single precision would turn a p-value below 1e-45 into 0.
    """
    text = column.astype(str).str.strip()
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
    if np.isnan(numbers).all():
        return None
    is_missing = text.str.lower().isin(MISSING).to_numpy()
    wrong = text[~np.isfinite(numbers) & ~is_missing]
    if len(wrong):
        raise ConfigError(
            f"{path}: {len(wrong):,} of {len(text):,} entries of column {heading} are not finite "
            f"numbers: the first is {wrong.iloc[0]!r} of gene {wrong.index[0]}."
        )
    return numbers


def transform_column(
    numbers: Float[np.ndarray, " row"], heading: str
) -> tuple[Float[np.ndarray, " row"], str]:
    """The column on a scale where differences mean something, and which scale that is."""
    smallest, largest = np.nanmin(numbers), np.nanmax(numbers)
    word = re.sub("[^a-z]", "", heading.lower())
    if any(mark in word for mark in P_VALUE_WORDS) and 0 <= smallest and largest <= 1:
        return -np.log10(np.maximum(numbers, SMALLEST_P)), "-log10"
    if smallest > 0 and np.log10(largest) - np.log10(smallest) > WIDE_DECADES:
        return np.log10(numbers), "log10"
    return numbers, "as in the file"


def fill_gaps(
    placed: Float[np.ndarray, "gene dim"],
) -> tuple[Float[np.ndarray, "gene dim"], int]:
    """Values with the gaps of covered genes filled by column means, and how many were filled.

    A column without a value in any gene of the run becomes zeros.
    """
    is_known = ~np.isnan(placed)
    means = np.where(is_known, placed, 0).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)
    is_gap = is_known.any(axis=1, keepdims=True) & ~is_known
    values = np.where(is_known, placed, np.where(is_gap, means, 0))
    return round_once(values), int(is_gap.sum())
