"""Edges of a source as rows of genes and as pairs of TFs and genes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.data.label_matrix import row_of_tf
from grnjax.evidence.coverage import Coverage, cover_genes

FEWEST_GENES = 2  # a partner of one gene alone makes no two genes alike


def place_listed(
    edges: pd.DataFrame, names: np.ndarray, tfs: np.ndarray, path: str | Path, ends: Sequence[str]
) -> tuple[pd.DataFrame, Coverage]:
    """The edges that have neither label 0 nor weight 0, and which genes they cover.

    They get two columns, `tf_gene` and `target_gene`: gene indices, -1 for a name outside the run.
    The counts of `read_edges` are part of the report.

    Args:
        edges: as `read_edges` returns them.
        ends: the ends at which an edge covers a gene: `tf`, `target` or both.
    """
    is_listed = np.ones(len(edges), dtype=bool)
    for column in {"label", "weight"} & set(edges):
        is_listed &= edges[column].to_numpy() != 0
    listed = edges[is_listed]
    in_source = np.array(sorted({*listed["tf"], *listed["target"]}), dtype=str)
    has_end = np.isin(in_source, listed[list(ends)].to_numpy(str))
    coverage = cover_genes(in_source.tolist(), names, tfs, path, has_values=has_end)
    report = edges.attrs["report"] | {"label_or_weight_0": int((~is_listed).sum())}
    for end in ("tf", "target"):
        places = listed[end].map(coverage.index).fillna(-1).astype(int)
        listed = listed.assign(**{f"{end}_gene": places})
    return listed, dataclasses.replace(coverage, report=report | coverage.report)


def fill_rows(
    genes: Int[np.ndarray, " edge"], partners: np.ndarray, weights: np.ndarray, count: int
) -> Float[np.ndarray, "gene partner"]:
    """A row a gene over the partners, sorted by name, that at least `FEWEST_GENES` share."""
    _, column, genes_of = np.unique(partners, return_inverse=True, return_counts=True)
    is_shared = genes_of >= FEWEST_GENES
    place = np.cumsum(is_shared) - 1
    rows = np.zeros((count, is_shared.sum()), np.float32)
    is_kept = is_shared[column]
    rows[genes[is_kept], place[column[is_kept]]] = weights[is_kept]
    return rows


def fill_pairs(
    pairs: Int[np.ndarray, "edge 2"], weights: np.ndarray, tfs: np.ndarray, count: int
) -> Float[np.ndarray, "tf gene"]:
    """The weights of the gene pairs that start at a TF of the run and end at one of its genes."""
    row = row_of_tf(tfs, count)
    is_kept = (pairs >= 0).all(axis=1) & (row[pairs[:, 0]] >= 0)
    values = np.zeros((len(tfs), count), np.float32)
    values[row[pairs[is_kept, 0]], pairs[is_kept, 1]] = weights[is_kept]
    return values
