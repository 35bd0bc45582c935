"""Expression files read into one canonical matrix, whatever the order and kind of the file.

Genes come out sorted by name and cells by content, values as float32 on a log scale: permuting,
transposing or re-encoding a file changes no bit of what a model sees.
"""

import dataclasses
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grnjax.config import Settings
from grnjax.data.canonical import (
    COUNTS_PER_CELL,
    drop_repeated_genes,
    normalise_counts,
    sort_axes,
)
from grnjax.data.expression_matrix import are_summaries, drop_others, load_matrix
from grnjax.data.names import check_genes, count_known, identifier_kind, list_names
from grnjax.data.rewritings import warn_of_dates
from grnjax.data.tables import NamedMatrix
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError
from grnjax.progress import logger
from grnjax.types import StreamedExpression

LEAST_COUNT_MAXIMUM = 10  # whole numbers that stay below this may be something else than counts
FEWEST_HINTS = 2  # names that must be found for hints to count
LARGEST_LOG = 50  # no logarithm of expression comes to this
EQUAL_TOTALS = 1e-3  # distance of the logs of totals from a power of ten, for TPM or CPM
ERCC = re.compile(r"ERCC-\d+", re.IGNORECASE)
KIND_WORDS = {"ensembl": "Ensembl ids", "entrez": "Entrez ids", "symbol": "symbols"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """What to read and how to understand it."""

    expression: str | None = None
    """Expression with names on both axes: .h5ad, .h5mu, .zarr, loom, 10x, .parquet or text."""
    root: str | None = None
    """Folder of benchmark sets, by default $GRNJAX_DATA: beeline_labels/ and so on."""
    split: str = "auto"
    """Published pairs: SOURCE[/sampleK] of the root, or a folder with Train_set.csv and
    Test_set.csv; draw draws pairs, and auto does where FOLDER itself has none."""
    orientation: Literal["auto", "cells-by-genes", "genes-by-cells"] = "auto"
    """What the rows and columns of the file are; auto asks which axis names the known genes."""
    gene_column: str | None = None
    """Column of .var with the gene names; by default that which has the known genes."""
    gene_names: str | None = None
    """Table of two columns, identifier and name, by which genes are renamed."""
    stream: Literal["auto", "always", "never"] = "auto"
    """Read cells in chunks for a method that needs no single cells (docs/scaling.md); auto does so
    where they would take more than a GiB in memory."""
    layer: str | None = None
    """Layer of an .h5ad or .zarr to read in the place of X; raw is .raw."""
    scaled: bool = False
    """The values are scaled: negative ones are allowed and nothing is normalised."""
    normalise: Literal["auto", "always", "never"] = "auto"
    """Scale to 10,000 counts a cell and take logs; auto does so where raw counts are recognised."""
    embedding: str | None = None
    """Frozen gene embedding: .npz with `genes` and `embedding`, or FILE.h5ad:KEY of .varm."""

    def __post_init__(self):
        super().__post_init__()
        if self.scaled and self.normalise == "always":
            raise ConfigError(
                "data.scaled=true and data.normalise=always contradict each other: "
                "scaled values cannot be normalised as counts. Drop one of the two."
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Expression:
    """Expression in canonical order, and what happened to the file on the way."""

    values: np.ndarray | StreamedExpression  # [cell, gene] float32
    genes: np.ndarray  # [gene] str, sorted, unique
    report: dict
    cells: pd.DataFrame | None = None  # their names, the index, and .obs of AnnData; row by row


def read_expression(
    source, config: DataConfig, reference: set[str], *, hints: set[str] | None = None
) -> Expression:
    """The expression matrix as float32 [cell, gene] on a log scale.

    Args:
        source: the path of a file or folder of any kind that `sniff.identify` knows, an AnnData or
            MuData object, or a data frame.
        config: how to understand it.
        reference: gene names of the network and the TF list; they tell genes from cells.
        hints: names that genes often have, which tell where there is no reference, if they can.
    """
    if config.stream == "always":
        raise ConfigError(
            "--data.stream=always reads the cells of an .h5ad file or AnnData object, genes in "
            "its columns, in chunks, for methods that need no single cells; leave it out, or take "
            "--method=pearson, spearman, grnboost2, compendium or kernel-factor without --by, "
            "--batch and --donor."
        )
    matrix, report = load_matrix(source, config, reference or hints or set())
    path = report["source"]
    if not reference and hints and config.orientation == "auto":
        config = follow_hints(matrix, config, hints, path)
    rows_are_genes = find_orientation(matrix, config, reference, path, report)
    values = matrix.values.T if rows_are_genes else matrix.values
    genes, cells = matrix.rows, matrix.columns
    if not rows_are_genes:
        genes, cells = cells, genes
    check_values(values, genes, cells, config, path)
    warn_of_dates(genes, path)
    about = matrix.about if matrix.about is not None and not rows_are_genes else pd.DataFrame()
    about = pd.DataFrame({name: column.array for name, column in about.items()}, index=list(cells))

    del matrix  # its values are freed as soon as they are copied
    is_summary = are_summaries(cells)
    if is_summary.any() and not is_summary.all():
        names = list_names(np.array(cells)[is_summary])
        logger.warning(
            f"{path}: left out: {is_summary.sum():,} sums by their names, no cells: {names}"
        )
        values, about = values[~is_summary], about[~is_summary]
    is_expressed = values.any(axis=1)
    report["zero_cells"] = int((~is_expressed).sum())
    if not is_expressed.any():
        raise ExpressionFormatError(f"{path}: all {len(cells):,} cells are zero everywhere.")
    values, about = values[is_expressed], about[is_expressed]
    genes = np.array(genes, dtype=str)
    values, genes = drop_others(values, genes, path, report)
    check_genes(genes.tolist(), path, ExpressionFormatError)
    values, genes, report["duplicate_genes"] = drop_repeated_genes(values, genes)
    values, genes, about = sort_axes(values, genes, about)
    describe_values(
        report,
        config,
        is_whole=bool((values == np.rint(values)).all()),
        largest=float(values.max()),
        totals=values.sum(axis=1, dtype=np.float64),
    )
    if report["normalised"]:
        normalise_counts(values)
    describe_genes(report, genes, len(values))
    log_report(path, report, config)
    return Expression(values, genes, report, about)


def describe_values(
    report: dict, config: DataConfig, *, is_whole: bool, largest: float, totals: np.ndarray
) -> None:
    """Puts into the report what the values look like, and whether they are to be normalised.

    Args:
        is_whole: whether all values are whole numbers.
        totals: of each cell, float64.
    """
    report["whole_numbers"] = is_whole
    report["raw_counts"] = is_whole and largest >= LEAST_COUNT_MAXIMUM
    report["largest"] = largest
    report["totals_are_equal"] = have_equal_totals(totals)
    report["normalised"] = config.normalise == "always" or (
        config.normalise == "auto" and report["raw_counts"] and not config.scaled
    )


def describe_genes(report: dict, genes: np.ndarray, cells: int) -> None:
    """Puts into the report what was read."""
    report |= {
        "cells": cells,
        "genes": len(genes),
        "identifiers": identifier_kind(genes),
        "ercc_spike_ins": sum(ERCC.fullmatch(gene) is not None for gene in genes),
    }


def have_equal_totals(totals: np.ndarray) -> bool:
    """Whether all cells add up to about the same power of ten, as those of TPM or CPM do."""
    if len(totals) < 2 or totals.min() <= 0:
        return False
    powers = np.log10(totals)
    return bool((np.abs(powers - np.rint(powers[0])) < EQUAL_TOTALS).all())


def follow_hints(
    matrix: NamedMatrix, config: DataConfig, hints: set[str], path: str | Path
) -> DataConfig:
    """The settings with the orientation that the hints tell, if they do."""
    in_rows, in_columns = (count_known(hints, names) for names in (matrix.rows, matrix.columns))
    if max(in_rows, in_columns) < FEWEST_HINTS or min(in_rows, in_columns) * 10 > max(
        in_rows, in_columns
    ):
        return config
    orientation = "genes-by-cells" if in_rows > in_columns else "cells-by-genes"
    logger.info(f"{path}: {orientation} by {max(in_rows, in_columns):,} names of well-known TFs")
    return dataclasses.replace(config, orientation=orientation)


def find_orientation(
    matrix: NamedMatrix, config: DataConfig, reference: set[str], path: str | Path, report: dict
) -> bool:
    """Whether the rows are the genes, judged by which axis shares names with the network.

    An axis is the one of the genes if it shares at least ten times as many names as the other.
    """
    known = {name.upper() for name in reference}
    in_rows, in_columns = (count_known(reference, names) for names in (matrix.rows, matrix.columns))
    report["known_names"] = {"of": len(known), "in_rows": in_rows, "in_columns": in_columns}
    if config.orientation != "auto":
        rows_are_genes = config.orientation == "genes-by-cells"
    elif not known and report["format"] not in ("text", "parquet"):
        rows_are_genes = False  # as in every AnnData object
    elif not known:
        raise ExpressionFormatError(
            f"{path}: no network or TF list shows which axis holds the genes. "
            "Pass --data.orientation=genes-by-cells or --data.orientation=cells-by-genes."
        )
    elif min(in_rows, in_columns) * 10 > max(in_rows, in_columns):
        raise ExpressionFormatError(
            f"{path}: {in_rows:,} row names and {in_columns:,} column names are among the "
            f"{len(known):,} genes of the network and TF list, so the orientation is unclear. "
            "Pass --data.orientation=genes-by-cells or --data.orientation=cells-by-genes."
        )
    else:
        rows_are_genes = in_rows > in_columns
    report["orientation"] = "genes-by-cells" if rows_are_genes else "cells-by-genes"
    report["orientation_from"] = "names" if config.orientation == "auto" else "setting"

    found = in_rows if rows_are_genes else in_columns
    genes = matrix.rows if rows_are_genes else matrix.columns
    is_other_kind = identifier_kind(genes) != identifier_kind(reference)
    if known and (found == 0 or (is_other_kind and found * 10 < min(len(known), len(genes)))):
        raise GeneMismatchError(describe_mismatch(matrix, reference, path, report))
    return rows_are_genes


def describe_mismatch(
    matrix: NamedMatrix, reference: set[str], path: str | Path, report: dict
) -> str:
    """The message for a file that has too few genes of the network."""

    def describe(names: list[str]) -> str:
        return f"{list_names(names)}: {KIND_WORDS[identifier_kind(names)]}"

    known = report["known_names"]
    next_step = (
        "Translate the identifiers with --data.gene-column=COLUMN (.h5ad) or "
        "--data.gene-names=TABLE."
    )
    if report["orientation_from"] == "setting" and known["in_rows"] + known["in_columns"]:
        next_step = "Check --data.orientation."
    return (
        f"{path}: of the {known['of']:,} genes of network and TF list "
        f"({describe(sorted(reference))}), {known['in_rows']:,} are among the "
        f"{len(matrix.rows):,} rows ({describe(matrix.rows)}) and {known['in_columns']:,} among "
        f"the {len(matrix.columns):,} columns ({describe(matrix.columns)}). {next_step}"
    )


def check_values(
    values: np.ndarray, genes: list[str], cells: list[str], config: DataConfig, path: str | Path
) -> None:
    """Refuses missing, infinite and (unless scaled) negative values; says where the first is."""
    if not values.size:
        raise ExpressionFormatError(
            f"{path}: {len(cells):,} cells and {len(genes):,} genes, so there is no expression. "
            "Check the filter that wrote the file."
        )

    def place(wrong: np.ndarray) -> str:
        cell, gene = np.unravel_index(np.argmax(wrong), wrong.shape)
        return f"the first for gene {genes[gene]} in cell {cells[cell]}"

    if not np.isfinite(values).all():
        is_missing = np.isnan(values)
        if is_missing.any():
            raise ExpressionFormatError(
                f"{path}: {is_missing.sum():,} of {values.size:,} values are missing (NaN), "
                f"{place(is_missing)}. Remove or fill them first."
            )
        is_infinite = np.isinf(values)
        raise ExpressionFormatError(
            f"{path}: {is_infinite.sum():,} of {values.size:,} values are infinite (or beyond "
            f"float32), {place(is_infinite)}. Remove them first."
        )
    if not config.scaled and values.min() < 0:
        is_negative = values < 0
        raise ExpressionFormatError(
            f"{path}: {is_negative.sum():,} of {values.size:,} values are negative, "
            f"{place(is_negative)}. Give counts or log values, or pass --data.scaled if the "
            "data are scaled on purpose."
        )


def log_report(path: str | Path, report: dict, config: DataConfig) -> None:
    """Says what was found in the file and what was done to it."""
    kind = KIND_WORDS[report["identifiers"]]
    logger.info(
        f"{path}: {report['cells']:,} cells, {report['genes']:,} genes ({kind}), "
        f"{report['orientation']}"
    )
    if report["format"] in ("h5ad", "zarr") and report["orientation"] == "genes-by-cells":
        logger.warning(f"{path}: the genes stand in obs, not in var; the matrix is transposed")
    if report["normalised"]:
        cause = "raw counts" if report["raw_counts"] else "as asked"
        logger.warning(
            f"{path}: {cause}: scaled to {COUNTS_PER_CELL:,} a cell and log-transformed "
            "(--data.normalise=never leaves the values as they are)"
        )
    elif report["whole_numbers"]:
        logger.warning(
            f"{path}: whole numbers, taken as they are (--data.normalise=always treats them as "
            "counts)"
        )
    elif config.normalise == "auto" and not config.scaled:
        warn_of_no_logs(path, report)
    if report["ercc_spike_ins"]:
        logger.warning(
            f"{path}: {report['ercc_spike_ins']:,} ERCC spike-ins count as genes, in the totals of "
            "cells too; take them out of the file if that is not meant"
        )
    if report["zero_cells"]:
        logger.warning(f"{path}: {report['zero_cells']:,} cells without any expression dropped")
    for how, action in (("identical", "equal ones merged"), ("different", "highest total kept")):
        repeated = report["duplicate_genes"][how]
        if repeated["count"]:
            names = ", ".join(repeated["first"])
            logger.warning(f"{path}: {repeated['count']:,} repeated genes ({names}): {action}")


def warn_of_no_logs(path: str | Path, report: dict) -> None:
    """Says that values which are taken for logs are none, by their size or what they add up to."""
    if report["totals_are_equal"]:
        unit = "TPM, CPM or shares, since every cell adds up to the same power of ten"
    elif report["largest"] > LARGEST_LOG:
        unit = "TPM, FPKM or estimated counts"
    else:
        return
    logger.warning(
        f"{path}: values up to {report['largest']:,.6g} are no logs but look like {unit}; taken as "
        "they are (--data.normalise=always scales each cell and takes logs, "
        "--data.normalise=never says they are meant so)"
    )
