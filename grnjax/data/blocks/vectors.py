"""Vectors of genes from a foundation model, from text or from any other embedding."""

from pathlib import Path

import numpy as np

from grnjax.data.blocks.evidence import Evidence, GeneBlock
from grnjax.data.blocks.gene_tables import place_rows, report_coverage
from grnjax.data.genes import read_embedding, split_embedding
from grnjax.data.tables import read_parquet_matrix, read_text_matrix, round_once
from grnjax.errors import ConfigError
from grnjax.progress import logger

EMBEDDING_FILES = (".npz", ".h5ad")


def read_vectors(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "vectors"
) -> Evidence:
    """The vector of each gene, as the file has it.

    Args:
        path: .npz with arrays `genes` and `embedding`, FILE.h5ad:KEY, or a text or parquet table
            with gene names in its first column.
        names: the genes of the run.
        tfs: the gene indices of its TFs.
        name: what the block is called.
    """
    is_embedding = split_embedding(path)[0].endswith(EMBEDDING_FILES)
    read = read_embedding if is_embedding else read_vector_table
    values, covered, report = read(path, names)
    report = {"kind": "vectors", **report, "tfs_found": int(covered[tfs].sum())}
    block = GeneBlock(name, values, covered, kernels=("rbf", "linear"))
    return Evidence(name, report, genes=(block,))


def read_vector_table(
    path: str | Path, names: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict]:
    """What `read_embedding` returns, from a text or parquet table with a gene a row."""
    read = read_parquet_matrix if Path(path).suffix == ".parquet" else read_text_matrix
    table = read(path, ConfigError)
    if not np.isfinite(table.values).all():
        raise ConfigError(f"{path}: the table holds values that are missing or infinite.")
    placed, report = place_rows(table.values, table.rows, names, path)
    covered = ~np.isnan(placed).any(axis=1)
    report = {"source": str(path), **report, "dim": placed.shape[1]}
    report |= report_coverage(covered, table.rows, names, path)
    logger.info(f"{path}: vectors of {report['found']:,} of {len(names):,} genes, others zero")
    return round_once(np.where(covered[:, None], placed, 0)), covered, report
