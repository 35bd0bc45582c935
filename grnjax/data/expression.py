"""Expression files read into one canonical matrix, whatever the order and kind of the file.

Genes come out sorted by name and cells by content, values as float32 on a log scale: permuting,
transposing or re-encoding a file changes no bit of what a model sees.
"""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from grnjax.config import Settings
from grnjax.data.canonical import (
    COUNTS_PER_CELL,
    drop_repeated_genes,
    normalise_counts,
    sort_axes,
)
from grnjax.data.names import ENSEMBL, identifier_kind, list_names
from grnjax.data.tables import (
    ANNOTATED,
    NamedMatrix,
    read_annotated,
    read_parquet_matrix,
    read_rows,
    read_text_matrix,
    to_dense,
)
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

LEAST_COUNT_MAXIMUM = 10  # whole numbers that stay below this may be something else than counts
ERCC = re.compile(r"ERCC-\d+", re.IGNORECASE)
KIND_WORDS = {"ensembl": "Ensembl ids", "entrez": "Entrez ids", "symbol": "symbols"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig(Settings):
    """What to read and how to understand it."""

    expression: str | None = None
    """Expression matrix with names on both axes: .h5ad, .zarr, .parquet, or text (gzip too)."""
    root: str | None = None
    """Folder of benchmark sets: beeline_labels/, beeline_expression/ and beeline_splits/; the
    environment variable GRNJAX_DATA names it otherwise."""
    split: str = "auto"
    """Published pairs: SOURCE[/sampleK] of the root, or a folder with Train_set.csv and
    Test_set.csv; draw draws pairs, and auto does where FOLDER itself has none."""
    orientation: Literal["auto", "cells-by-genes", "genes-by-cells"] = "auto"
    """What the rows and columns of the file are; auto asks which axis names the known genes."""
    gene_column: str | None = None
    """Column of .var, in an .h5ad or .zarr, that holds the gene symbols."""
    gene_names: str | None = None
    """Table of two columns, identifier and name, by which genes are renamed."""
    layer: str | None = None
    """Layer of an .h5ad or .zarr to read in the place of X."""
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

    values: np.ndarray  # [cell, gene] float32
    genes: np.ndarray  # [gene] str, sorted, unique
    report: dict


def read_expression(
    source: "str | Path | AnnData", config: DataConfig, reference: set[str]
) -> Expression:
    """The expression matrix as float32 [cell, gene] on a log scale.

    Args:
        source: an .h5ad file, a .zarr folder, a parquet or text table, or an AnnData object.
        config: how to understand it.
        reference: gene names of the network and the TF list; they tell genes from cells.
    """
    matrix, report = load_matrix(source, config)
    path = report["source"]
    rows_are_genes = find_orientation(matrix, config, reference, path, report)
    values = matrix.values.T if rows_are_genes else matrix.values
    genes, cells = matrix.rows, matrix.columns
    if not rows_are_genes:
        genes, cells = cells, genes
    check_values(values, genes, cells, config, path)

    is_expressed = values.any(axis=1)
    report["zero_cells"] = int((~is_expressed).sum())
    if not is_expressed.any():
        raise ExpressionFormatError(f"{path}: all {len(cells):,} cells are zero everywhere.")
    values, genes = values[is_expressed], np.array(genes, dtype=str)
    values, genes, report["duplicate_genes"] = drop_repeated_genes(values, genes)
    values, genes = sort_axes(values, genes)
    report["whole_numbers"] = bool((values == np.rint(values)).all())
    report["raw_counts"] = report["whole_numbers"] and bool(values.max() >= LEAST_COUNT_MAXIMUM)
    report["normalised"] = config.normalise == "always" or (
        config.normalise == "auto" and report["raw_counts"] and not config.scaled
    )
    if report["normalised"]:
        normalise_counts(values)
    report |= {
        "cells": len(values),
        "genes": len(genes),
        "identifiers": identifier_kind(genes),
        "ercc_spike_ins": sum(ERCC.fullmatch(gene) is not None for gene in genes),
    }
    log_report(path, report)
    return Expression(values, genes, report)


def load_matrix(source: "str | Path | AnnData", config: DataConfig) -> tuple[NamedMatrix, dict]:
    """The matrix as it was given, its names translated as the settings ask, and a report."""
    path = str(source) if isinstance(source, (str, Path)) else "AnnData object"
    suffix = Path(path).suffix
    report = {"source": path}
    if not isinstance(source, (str, Path)):
        matrix = take_annotated_matrix(source, config, path)
        report["format"] = "h5ad"
    elif suffix in ANNOTATED:
        data = read_annotated(path, ExpressionFormatError)
        matrix = take_annotated_matrix(data, config, path)
        report["format"] = suffix.removeprefix(".")
    else:
        for setting in ("gene_column", "layer"):
            if getattr(config, setting):
                raise ConfigError(
                    f"--data.{setting.replace('_', '-')} applies to .h5ad files and .zarr "
                    f"folders; {path} is neither."
                )
        is_parquet = suffix == ".parquet"
        read = read_parquet_matrix if is_parquet else read_text_matrix
        matrix = read(path, ExpressionFormatError)
        report["format"] = "parquet" if is_parquet else "text"
    if config.gene_names:
        matrix, report["renamed"] = rename_genes(matrix, config.gene_names, path)
    return matrix, report


def take_annotated_matrix(data: "AnnData", config: DataConfig, path: str) -> NamedMatrix:
    """The X or the layer of an AnnData object; rows are its obs, columns its var."""
    layers = [name for name in data.layers if name]
    if config.layer and config.layer not in layers:
        raise ExpressionFormatError(
            f"{path}: no layer {config.layer!r}; it has {list_names(layers) or 'none'}."
        )
    values = data.layers[config.layer] if config.layer else data.X
    if values is None:
        raise ExpressionFormatError(
            f"{path}: X is empty. Name a layer with --data.layer: {list_names(layers)}."
        )
    if values.dtype.kind not in "biuf":
        raise ExpressionFormatError(f"{path}: X holds {values.dtype}, not numbers.")
    columns = list(data.var_names)
    if config.gene_column:
        if config.gene_column not in data.var:
            raise ExpressionFormatError(
                f"{path}: .var has no column {config.gene_column!r}; "
                f"it has {', '.join(map(str, data.var.columns)) or 'none'}."
            )
        symbols = data.var[config.gene_column].astype(object)
        columns = list(symbols.where(symbols.notna(), data.var_names).astype(str))
    return NamedMatrix(to_dense(values), list(data.obs_names), columns)


def rename_genes(matrix: NamedMatrix, table: str, path: str | Path) -> tuple[NamedMatrix, int]:
    """The matrix with the names found in the table replaced, and how many there were.

    The version of an Ensembl id (the .3 of ENSG00000000003.3) need not stand in the table.
    """
    rows = read_rows(table, GeneMismatchError)
    names = {fields[0]: fields[1] for fields in rows if len(fields) > 1 and fields[1]}

    def rename(old: str) -> str:
        plain = old.partition(".")[0] if ENSEMBL.fullmatch(old) else old
        return names.get(old) or names.get(plain, old)

    rows, columns = list(map(rename, matrix.rows)), list(map(rename, matrix.columns))
    before, after = [*matrix.rows, *matrix.columns], [*rows, *columns]
    count = sum(old != new for old, new in zip(before, after, strict=True))
    if not count:
        raise GeneMismatchError(
            f"{table} names none of the genes of {path}. Its first column ({list_names(names)}) "
            "must hold the identifiers of the expression file."
        )
    return NamedMatrix(matrix.values, rows, columns), count


def find_orientation(
    matrix: NamedMatrix, config: DataConfig, reference: set[str], path: str | Path, report: dict
) -> bool:
    """Whether the rows are the genes, judged by which axis shares names with the network.

    An axis is the one of the genes if it shares at least ten times as many names as the other.
    """
    known = {name.upper() for name in reference}
    in_rows = len(known & {name.upper() for name in matrix.rows})
    in_columns = len(known & {name.upper() for name in matrix.columns})
    report["known_names"] = {"of": len(known), "in_rows": in_rows, "in_columns": in_columns}
    if config.orientation != "auto":
        rows_are_genes = config.orientation == "genes-by-cells"
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


def log_report(path: str | Path, report: dict) -> None:
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
    if report["zero_cells"]:
        logger.warning(f"{path}: {report['zero_cells']:,} cells without any expression dropped")
    for how, action in (("identical", "equal ones merged"), ("different", "highest total kept")):
        repeated = report["duplicate_genes"][how]
        if repeated["count"]:
            names = ", ".join(repeated["first"])
            logger.warning(f"{path}: {repeated['count']:,} repeated genes ({names}): {action}")
