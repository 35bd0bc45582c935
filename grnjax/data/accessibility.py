"""Counts of open chromatin, cells x peaks, and where the peaks lie, whatever wrote the file.

Peaks come out in the order of chromosome, start and end, and cells as the file has them: who reads
them joins them by name. Fragments are not read.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.annotated import ANNOTATED, PEAKS, choose_modality, read_annotated
from grnjax.data.annotated_matrix import TYPE_COLUMNS
from grnjax.data.genome_places import PEAK_NAME
from grnjax.data.names import count_names, list_names
from grnjax.data.safe_sparse import check_annotated, to_native
from grnjax.data.sniff import identify
from grnjax.errors import ExpressionFormatError
from grnjax.progress import logger

if TYPE_CHECKING:  # its import costs half a second
    from anndata import AnnData

PEAK_TYPES = {"peaks", "peak", "atac", "chromatin accessibility"}
COLUMNS = {
    "chromosome": ("chromosome", "chrom", "chr", "seqnames", "seqname"),
    "start": ("start", "chromstart", "chrom_start", "peak_start"),
    "end": ("end", "stop", "chromend", "chrom_end", "peak_end"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Accessibility:
    """Counts of fragments or cuts in peaks, and what happened to the file on the way."""

    counts: sparse.csr_matrix  # [cell, peak] float32
    cells: pd.DataFrame  # names of the cells, the index, and .obs
    peaks: pd.DataFrame  # chromosome, start, end and peak (chr:start-end), sorted, unique
    report: dict


def read_accessibility(source) -> Accessibility:
    """The counts of a file or folder, or of an AnnData or MuData object.

    Args:
        source: .h5ad, .h5mu with a modality atac or peaks, .zarr, or 10x's .h5 or folder, in which
            features of the type Peaks are taken and genes left; or such an object.

    Raises:
        ExpressionFormatError: it holds no peaks, peaks without a place, or no counts.
    """
    error = ExpressionFormatError
    if isinstance(source, (str, Path)):
        path, kind = str(source), identify(source, error).kind
        if kind not in ANNOTATED:
            raise error(
                f"{path}: {kind} is not read as accessibility; give counts of peaks as .h5ad, "
                ".h5mu, .zarr, or the .h5 or folder of 10x."
            )
        data = read_annotated(source, error, PEAKS)
    else:
        path, data = "AnnData object", source
        if hasattr(source, "mod"):
            data = source[choose_modality(source.mod, "MuData object", error, PEAKS)]
        check_annotated(data, path, error)
    report: dict = {"source": path}
    counts, var = take_peaks(data, path, report)
    check_counts(counts, path)
    intervals = find_intervals(var, path)
    counts, intervals, repeated = sort_peaks(counts, intervals)
    report |= {
        "cells": counts.shape[0],
        "peaks": counts.shape[1],
        "repeated_peaks": count_names(repeated),
        "non_zero_share": counts.nnz / max(counts.shape[0] * counts.shape[1], 1),
    }
    if len(repeated):
        logger.warning(f"{path}: {len(repeated):,} repeated peaks added up: {list_names(repeated)}")
    logger.info(
        f"{path}: accessibility of {counts.shape[1]:,} peaks in {counts.shape[0]:,} cells, "
        f"{report['non_zero_share']:.1%} of it not zero"
    )
    cells = pd.DataFrame(
        {name: column.array for name, column in data.obs.items()},
        index=data.obs_names.astype(str).to_numpy(object),
    )
    return Accessibility(counts, cells, intervals, report)


def take_peaks(data: "AnnData", path: str, report: dict) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """The columns of X that are peaks, by the types of features that var has, and their var."""
    if data.X is None:
        raise ExpressionFormatError(f"{path}: X is empty; give the counts of the peaks.")
    counts = sparse.csr_matrix(to_native(data.X))
    column = next((name for name in TYPE_COLUMNS if name in data.var), None)
    if column is None:
        return counts, data.var
    types = data.var[column].astype(str).str.strip().str.lower()
    is_peak = types.isin(PEAK_TYPES).to_numpy()
    if is_peak.all() or not types.isin(PEAK_TYPES | {"gene expression"}).any():
        return counts, data.var
    others = types[~is_peak].value_counts().to_dict()
    if not is_peak.any():
        raise ExpressionFormatError(
            f"{path}: no peaks: .var column {column} has "
            f"{', '.join(f'{count:,} {kind}' for kind, count in others.items())}. Give the file "
            "that has the peaks of the cells, too."
        )
    report["not_peaks"] = others
    return counts[:, np.flatnonzero(is_peak)], data.var[is_peak]


def check_counts(counts: sparse.csr_matrix, path: str) -> None:
    """Refuses what cannot be counts or shares: nothing, text, negative or missing values."""
    if not counts.shape[0] or not counts.shape[1]:
        raise ExpressionFormatError(
            f"{path}: {counts.shape[0]:,} cells and {counts.shape[1]:,} peaks, so there is no "
            "accessibility. Check the filter that wrote the file."
        )
    values = counts.data
    if values.dtype.kind not in "biuf":
        raise ExpressionFormatError(f"{path}: X holds {values.dtype}, not numbers.")
    wrong = ~np.isfinite(values) | (values < 0)
    if wrong.any():
        raise ExpressionFormatError(
            f"{path}: {wrong.sum():,} of {len(values):,} entries are missing, infinite or "
            "negative; give counts of peaks."
        )
    if not values.any():
        raise ExpressionFormatError(f"{path}: all {counts.shape[0]:,} cells are closed everywhere.")


def find_intervals(var: pd.DataFrame, path: str) -> pd.DataFrame:
    """`chromosome`, `start` and `end` of each peak: of columns of var, or else of the names."""
    lower = {str(name).lower(): name for name in var}
    found = {
        role: next((lower[name] for name in names if name in lower), None)
        for role, names in COLUMNS.items()
    }
    if None not in found.values():
        table = pd.DataFrame(
            {role: var[column].astype(str).to_numpy(object) for role, column in found.items()}
        )
        source = f".var columns {', '.join(map(str, found.values()))}"
    else:
        names = pd.Series(var.index.astype(str).to_numpy(object))
        table, source = names.str.extract(PEAK_NAME), "names"
    is_place = table[["start", "end"]].apply(lambda x: x.str.fullmatch(r"\d{1,15}(\.0)?"))
    is_place = is_place.eq(True).all(axis=1) & table["chromosome"].notna()
    if not is_place.all():
        wrong = var.index[~is_place.to_numpy()].astype(str)
        raise ExpressionFormatError(
            f"{path}: {len(wrong):,} of {len(table):,} peaks ({list_names(wrong)}) have no place "
            f"in the genome by their {source}; name them like chr1:100-200, or give columns chrom, "
            "start and end in .var."
        )
    places = {role: table[role].astype(float).astype(np.int64) for role in ("start", "end")}
    return table.assign(**places)[["chromosome", "start", "end"]]


def sort_peaks(
    counts: sparse.csr_matrix, intervals: pd.DataFrame
) -> tuple[sparse.csr_matrix, pd.DataFrame, list[str]]:
    """The peaks in the order of their places, those of the same place added up and named."""
    table = intervals.sort_values(["chromosome", "start", "end"], kind="stable")
    order = table.index.to_numpy()
    spelled = (
        table["chromosome"] + ":" + table["start"].astype(str) + "-" + table["end"].astype(str)
    )
    table = table.assign(peak=spelled).reset_index(drop=True)
    again = table["peak"].duplicated().to_numpy()
    counts = sparse.csr_matrix(counts[:, order], dtype=np.float32)
    if again.any():
        group = np.cumsum(~again) - 1
        shape = (len(table), group[-1] + 1)
        counts = counts @ sparse.csr_matrix(
            (np.ones(len(group)), (np.arange(len(group)), group)), shape
        )
        counts = sparse.csr_matrix(counts, dtype=np.float32)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    repeated = table["peak"][again].unique().tolist()
    return counts, table[~again].reset_index(drop=True), repeated
