"""The matrix of an expression file or object as it was given, with the names of both axes."""

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grnjax.data.annotated import ANNOTATED, choose_modality, read_annotated
from grnjax.data.annotated_matrix import take_annotated_matrix
from grnjax.data.names import ENSEMBL, count_known, count_names, list_names
from grnjax.data.safe_sparse import check_annotated
from grnjax.data.sniff import identify
from grnjax.data.tables import (
    NAMELESS,
    NamedMatrix,
    check_matrix_names,
    is_number,
    name_frame,
    read_parquet_matrix,
    read_rows,
    read_text_matrix,
    round_once,
)
from grnjax.errors import ConfigError, ExpressionFormatError, GeneMismatchError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

AXIS_WORDS = {"gene", "genes", "gene_id", "geneid", "entrez", "entrezid", "entrez_id", "id", "name"}
AXIS_WORDS |= {"cell", "cells", "cell_id", "cellid", "cell_name", "barcode", "barcodes", "index"}
AXIS_WORDS |= {"sample", "samples", "sample_id", "unnamed: 0", "x", "row", "time", "time_point"}
NO_GENE = re.compile(
    r"(chr\w+|(GL|KI)\d+(\.\d)?|\d\d?|X|Y)[:_-]\d{3,}[-_]\d{3,}|.*[-_]TotalSeq\w*"
    r"|(ADT|HTO|[Hh]ashtag)[-_ ]?\d+|(ADT|HTO|[Hh]ashtag)[-_].+"
)
"""Names that regions and antibodies have where no column of var tells what they are."""
SUMMARIES = re.compile(  # what counters and quality control put beside genes or cells
    r"__\w+|length|effective_?length|total|sum|n_?(counts?|genes?|cells?|umis?)|total_counts"
    r"|n_genes_by_counts|ncount_\w+|nfeature_\w+|(percent|pct)[._](mt|mito|ribo|rb|hb)\w*"
    r"|pct_counts_\w+|doublet_scores?|size_?factors?|library_?size|seurat_clusters|(s|g2m)[._]score",
    re.IGNORECASE,
)


def load_matrix(source, config: Any, reference: set[str]) -> tuple[NamedMatrix, dict]:
    """The matrix as it was given, its names translated as the settings ask, and a report."""
    if isinstance(source, (str, Path)):
        path, (kind, is_gzipped) = str(source), identify(source, ExpressionFormatError)
        data = read_annotated(source, ExpressionFormatError) if kind in ANNOTATED else None
    else:
        data, kind, is_gzipped = take_object(source), "object", False
        path = "data frame" if isinstance(data, pd.DataFrame) else "AnnData object"
    report = {"source": path, "format": {"hdf5": "h5ad", "object": "h5ad"}.get(kind, kind)}
    if data is not None and not isinstance(data, pd.DataFrame):
        matrix, found = take_annotated_matrix(data, config, path, reference)
        report |= found
    else:
        for setting in ("gene_column", "layer"):
            if getattr(config, setting):
                raise ConfigError(
                    f"--data.{setting.replace('_', '-')} applies to .h5ad files and .zarr "
                    f"folders; {path} is neither."
                )
        if data is not None:
            matrix = name_frame(data, path, ExpressionFormatError)
            report["format"] = "data frame"
        elif kind in ("text", "parquet") and not (kind == "parquet" and is_gzipped):
            if kind == "parquet":
                matrix = read_parquet_matrix(path, ExpressionFormatError)
            else:
                matrix = read_text_matrix(path, ExpressionFormatError, rows_have_names=False)
                matrix = number_cells(matrix, reference, path)
        else:
            raise ExpressionFormatError(
                f"{path}: {'gzipped ' * is_gzipped}{kind} is not read as expression; give .h5ad, "
                ".zarr, 10x, loom, parquet or text with names on both axes."
            )
    if config.gene_names:
        matrix, report["renamed"] = rename_genes(matrix, config.gene_names, path)
    return matrix, report


def take_object(source) -> "AnnData | pd.DataFrame":
    """A matrix in memory as AnnData or as a data frame: MuData's RNA, what is backed by a file."""
    if hasattr(source, "mod") and hasattr(source, "obs"):
        error = ExpressionFormatError
        source = source[choose_modality(source.mod, "MuData object", error)]
    if hasattr(source, "obs") and hasattr(source, "var") and hasattr(source, "X"):
        source = source.to_memory() if getattr(source, "isbacked", False) else source
        check_annotated(source, "AnnData object", ExpressionFormatError)
        return source
    if hasattr(source, "to_pandas"):
        source = source.to_pandas()
    if isinstance(source, pd.DataFrame):
        return source
    raise ExpressionFormatError(
        f"expression cannot be a {type(source).__name__}, which does not name genes and cells: "
        "give an AnnData object, a data frame (cells x genes) or the path of a file."
    )


def number_cells(matrix: NamedMatrix, reference: set[str], path: str) -> NamedMatrix:
    """The matrix with its first column among the genes where that holds measurements.

    So it does if it has numbers below the name of a known gene, or below another heading than one
    of names and out of order, while the other columns are known genes.
    """
    heading, rows, known = matrix.corner.strip(), matrix.rows, matrix.columns
    has_numbers = bool(heading) and all(map(is_number, rows))
    numbers = np.array(rows, np.float64) if has_numbers else np.empty(0)
    is_order = heading.lower() in AXIS_WORDS or (np.diff(numbers) > 0).all()
    is_gene = count_known(reference, [heading]) > 0 or (
        not is_order and count_known(reference, known) > 0
    )
    if not has_numbers or count_known(reference, rows) or not is_gene:
        check_matrix_names(rows, known, path, ExpressionFormatError)
        return matrix
    logger.warning(
        f"{path}: no column of names: the first column, {heading}, holds measurements and counts "
        f"as a gene; the {len(rows):,} cells are numbered"
    )
    values = np.column_stack([round_once(numbers), matrix.values])
    return NamedMatrix(values, list(map(str, range(len(rows)))), [heading, *known])


def rename_genes(matrix: NamedMatrix, table: str, path: str | Path) -> tuple[NamedMatrix, int]:
    """The matrix with the names found in the table replaced, and how many there were.

    The version of an Ensembl id (the .3 of ENSG00000000003.3) need not stand in the table.
    """
    rows = read_rows(table, GeneMismatchError)
    rows = [fields for fields in rows if len(fields) > 1]
    names = {old: new for old, new, *_ in rows if new.strip().lower() not in NAMELESS}

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
    return dataclasses.replace(matrix, rows=rows, columns=columns), count


def are_summaries(names: Iterable[str]) -> np.ndarray:
    """Mask of the names that mean sums or qualities of genes or cells, such as Length or Total."""
    return np.array([SUMMARIES.fullmatch(name) is not None for name in names], bool)


def drop_others(
    values: np.ndarray, genes: np.ndarray, path: str, report: dict
) -> tuple[np.ndarray, np.ndarray]:
    """The matrix [cell, gene] without columns that are no genes by their names, or have none.

    A word such as nan is no name where several have it: a missing one, written as text.
    """
    kept, count = np.char.strip(genes), pd.Series(genes).map(pd.Series(genes).value_counts())
    is_word = np.isin(np.char.lower(kept), list(NAMELESS)) & (count > 1).to_numpy()
    is_other = np.array([NO_GENE.fullmatch(gene) is not None for gene in genes], bool)
    is_nameless, is_summary = (kept == "") | is_word, are_summaries(genes)
    found = {
        "without_a_name": (is_nameless, "genes without a name"),
        "not_genes_by_name": (is_other, "regions or antibodies by their names"),
        "summaries": (is_summary, "sums or qualities by their names, no genes"),
    }
    for key, (is_found, what) in found.items():
        if is_found.any():
            report[key] = count_names(genes[is_found])
            shown = f": {list_names(genes[is_found])}" if key != "without_a_name" else ""
            logger.warning(f"{path}: left out: {is_found.sum():,} {what}{shown}")
    keep = ~(is_nameless | is_other | is_summary)
    if not keep.any():
        raise ExpressionFormatError(
            f"{path}: none of {len(genes):,} columns is a gene by its name."
        )
    return (values, genes) if keep.all() else (values[:, keep], genes[keep])
