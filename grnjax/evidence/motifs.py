"""Motif hits in promoters or peaks: what of a gene's sequence the TFs may recognise."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.names import count_names, match_names
from grnjax.errors import GeneMismatchError
from grnjax.evidence.coverage import cover_genes
from grnjax.evidence.hit_tables import read_hit_table
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.progress import logger


def read_motifs(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "motifs"
) -> Evidence:
    """Motif profiles of genes, each TF's own motif at each gene, and TFs that hit alike.

    Args:
        path: a table of promoters or peaks x TFs, parquet or text: a gene column
            (gene_short_name, gene, target or symbol) and a column of hits a TF, 0 or 1 or a score
            of at least 0. Rows of the same gene are merged by their maximum.
    """
    hits, report = read_hit_table(path)
    report = {"source": str(path)} | report
    return describe_hits(hits, names, tfs, name=name, kind="motifs", report=report)


def describe_hits(
    hits: pd.DataFrame, names: np.ndarray, tfs: np.ndarray, *, name: str, kind: str, report: dict
) -> Evidence:
    """The evidence in a table of motif hits.

    A gene's profile holds every column that differs between the covered genes, whether or not
    the run knows its TF. TFs are compared over all genes of the table, those outside the run too.

    Args:
        hits: one row a gene (its index) and one column a TF; 0, or a hit or its score.
        report: `source` and what was counted so far; it is copied and completed.
    """
    hits = hits.sort_index().sort_index(axis=1)  # the order of a file never reaches a model
    source, values = report["source"], hits.to_numpy(np.float32)
    coverage = cover_genes(hits.index.tolist(), names, tfs, source)
    covered = coverage.covered
    profiles = values[coverage.positions[covered]]
    varies = profiles.min(axis=0) < profiles.max(axis=0)
    if not varies.any():
        raise GeneMismatchError(
            f"{source}: each of the {len(varies):,} columns of motif hits is the same for all "
            f"{len(profiles):,} covered genes, so nothing distinguishes them. Give more genes."
        )
    block = np.zeros((len(names), varies.sum()), np.float32)
    block[covered] = profiles[:, varies]

    tf_names = names[tfs]
    columns = match_names(tf_names.tolist(), hits.columns.tolist())
    columns.report(f"{source}, columns")
    has_column = columns.positions >= 0
    own_columns = columns.positions[has_column]
    own = np.zeros((len(tfs), len(names)), np.float32)
    own[np.ix_(has_column, covered)] = profiles[:, own_columns].T
    alike = np.zeros((len(tfs), len(tfs)), np.float32)
    alike[np.ix_(has_column, has_column)] = correlate_columns(values[:, own_columns])

    report = (
        coverage.report
        | report
        | {
            "tfs_found": int(has_column.sum()),
            "tfs_without_column": count_names(tf_names[~has_column]),
            "case_rule_of_columns": columns.rule,
            "case_ambiguous_columns": count_names(sorted(columns.ambiguous)),
            "columns": int(varies.sum()),
            "constant_columns": count_names(hits.columns[~varies]),
        }
    )
    logger.info(
        f"{source}: motif profiles of {report['found']:,} of {len(names):,} genes over "
        f"{report['columns']:,} columns ({len(varies) - report['columns']:,} constant ones "
        f"dropped); {report['tfs_found']:,} of {len(tfs):,} TFs have a column of their own"
    )
    return Evidence(
        name,
        kind,
        report,
        genes=(GeneBlock(name, block, covered, ("rbf", "linear")),),
        pairs=(PairBlock(f"{name}: own motif", own),),
        similarities=(TfSimilarity(f"{name}: hit profile", alike),),
    )


def correlate_columns(values: Float[np.ndarray, "gene tf"]) -> Float[np.ndarray, "tf tf"]:
    """Pearson r of every two columns; 0 for a constant column and on the diagonal."""
    centred = values - values.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred[:, values.min(axis=0, initial=np.inf) == values.max(axis=0, initial=-np.inf)] = 0
    length = np.sqrt(np.sum(centred**2, axis=0))
    centred /= np.where(length > 0, length, 1)
    r = np.clip(centred.T @ centred, -1, 1)
    np.fill_diagonal(r, 0)
    return r
