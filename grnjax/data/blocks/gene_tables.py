"""Numbers of genes from a table: dispersion statistics, p-values, any column a user has."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from grnjax.data.blocks.evidence import Evidence, GeneBlock
from grnjax.data.names import count_names, identifier_kind, list_names, match_names
from grnjax.data.tables import MISSING, check_matrix_names, read_parquet, read_rows, round_once
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger

P_VALUE_WORDS = ("pval", "padj")  # found in VGAMpValue, p_value, p.adj, pvals_adj
SMALLEST_P = 1e-300
WIDE_DECADES = 2


def read_gene_table(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "gene table"
) -> Evidence:
    """The numeric columns of a table of genes: text or parquet, a gene a row.

    The first column holds the gene names, such as BEELINE's GeneOrdering has them. P-values
    become -log10 p, at most 300; positive columns that span more than two decades become log10;
    both are judged on all rows of the file. Where a gene lacks some of the columns it gets their
    means over the covered genes; columns of text are ignored. The report counts all of it.

    Args:
        path: the table.
        names: the genes of the run.
        tfs: the gene indices of its TFs.
        name: what the block is called.
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
    placed, report = place_rows(np.stack(columns, axis=1), frame.index.tolist(), names, path)
    values, covered, filled = fill_gaps(placed)
    report = {"kind": "gene table", "source": str(path), **report}
    report |= report_coverage(covered, frame.index.tolist(), names, path)
    report |= {"tfs_found": int(covered[tfs].sum())}
    report |= {"columns": transforms, "ignored_columns": ignored, "filled_with_mean": filled}
    logger.info(
        f"{path}: {len(columns):,} columns of {report['found']:,} of {len(names):,} genes, "
        f"{filled:,} missing entries filled with column means"
    )
    block = GeneBlock(name, values, covered, kernels=("rbf", "linear"))
    return Evidence(name, report, genes=(block,))


def read_frame(path: str | Path) -> pd.DataFrame:
    """The table as it stands in the file, by gene: numbers are not parsed, so none are rounded."""
    if Path(path).suffix == ".parquet":
        frame = read_parquet(path, ConfigError)
        if isinstance(frame.index, pd.RangeIndex) and len(frame.columns):
            frame = frame.set_index(frame.columns[0])
        frame.index = frame.index.astype(str).str.strip()
        frame.columns = frame.columns.astype(str)
    else:
        header, *rows = read_rows(path, ConfigError)
        if rows and len(rows[0]) == len(header) + 1:  # R writes no heading over the row names
            header = ["", *header]
        for number, fields in enumerate(rows, start=1):
            if len(fields) != len(header):
                raise ConfigError(
                    f"{path}: row {number} ({fields[0]}) has {len(fields):,} fields where "
                    f"{len(header):,} are expected."
                )
        genes = [fields[0].strip() for fields in rows]
        headings = [heading.strip() for heading in header[1:]]
        frame = pd.DataFrame([fields[1:] for fields in rows], index=genes, columns=headings)
    if frame.empty:
        raise ConfigError(f"{path}: no table found: one line or one column only.")
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


def place_rows(
    table: Float[np.ndarray, "row dim"], rows: Sequence[str], names: np.ndarray, path: str | Path
) -> tuple[Float[np.ndarray, "gene dim"], dict]:
    """The rows of a table in the gene order of the run, NaN for absent genes, and a report."""
    repeated = pd.Index(rows)[pd.Index(rows).duplicated()].unique()
    if len(repeated):
        raise ConfigError(
            f"{path}: {len(repeated):,} genes have several rows ({list_names(repeated)}). "
            "Keep one row a gene."
        )
    match = match_names(names.tolist(), rows)
    is_found = match.positions >= 0
    placed = np.full((len(names), table.shape[1]), np.nan)
    placed[is_found] = table[match.positions[is_found]]
    report = {
        "rows": len(rows),
        "case_rule": match.rule,
        "case_ambiguous": count_names(sorted(match.ambiguous)),
    }
    return placed, report


def fill_gaps(
    placed: Float[np.ndarray, "gene dim"],
) -> tuple[Float[np.ndarray, "gene dim"], Bool[np.ndarray, " gene"], int]:
    """Values with gaps filled by column means, which genes have any value, how many were filled.

    A column without a value in any gene of the run becomes zeros.
    """
    is_known = ~np.isnan(placed)
    covered = is_known.any(axis=1)
    means = np.where(is_known, placed, 0).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)
    is_gap = covered[:, None] & ~is_known
    values = np.where(is_known, placed, np.where(is_gap, means, 0))
    return round_once(values), covered, int(is_gap.sum())


def report_coverage(
    covered: Bool[np.ndarray, " gene"],
    in_file: Sequence[str],
    names: np.ndarray,
    path: str | Path,
) -> dict:
    """How many genes the file has something of and which it lacks; an error where it lacks all."""
    if not covered.any():
        raise GeneMismatchError(
            f"{path}: it has nothing of the {len(names):,} genes of the run ({list_names(names)}: "
            f"{identifier_kind(names)}) among its {len(in_file):,} ({list_names(in_file)}: "
            f"{identifier_kind(in_file)}). Give a file with the same kind of gene name."
        )
    return {"found": int(covered.sum()), "absent": count_names(names[~covered])}
