"""Vectors of genes from a foundation model, from text or from any other embedding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from grnjax.data.annotated import read_h5ad
from grnjax.data.names import list_names
from grnjax.data.safe_arrays import read_npz, translate
from grnjax.data.tables import (
    read_parquet_matrix,
    read_text_matrix,
    round_once,
    to_dense,
)
from grnjax.errors import ConfigError
from grnjax.evidence.coverage import place_rows
from grnjax.evidence.types import Evidence, GeneBlock
from grnjax.progress import logger


def read_vectors(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "vectors"
) -> Evidence:
    """The vector of each gene, as the file has it.

    Args:
        path: .npz with arrays `genes` and `embedding`, FILE.h5ad:KEY with a key of .varm, or a
            text or parquet table with gene names in its first column.
    """
    file, key = split_embedding(path)
    genes, table = load_vectors(file, key)
    if table.ndim != 2 or len(table) != len(genes):
        raise ConfigError(f"{file}: {len(genes):,} genes and an embedding of shape {table.shape}.")
    placed, coverage = place_rows(table, genes, names, tfs, file)
    covered = coverage.covered
    if not np.isfinite(placed[covered]).all():
        raise ConfigError(f"{file}: the embedding holds values that are missing or infinite.")
    report = coverage.report | {"dim": table.shape[1]}
    logger.info(f"{file}: vectors of {report['found']:,} of {len(names):,} genes, others zero")
    values = round_once(np.where(covered[:, None], placed, 0))
    return Evidence(
        name, "vectors", report, genes=(GeneBlock(name, values, covered, ("rbf", "linear")),)
    )


def split_embedding(path: str | Path) -> tuple[str, str | None]:
    """File and .varm key of FILE.h5ad:KEY; None for the key of any other path."""
    file, mark, key = str(path).rpartition(".h5ad:")
    return (f"{file}.h5ad", key) if mark else (str(path), None)


def load_vectors(path: str, key: str | None) -> tuple[Sequence[str], np.ndarray]:
    """Genes and vectors of a file; arrays that would run code when read are refused."""
    suffix = Path(path).suffix
    if suffix == ".npz":
        return load_arrays(path)
    if suffix == ".h5ad":
        data = read_h5ad(path, ConfigError)
        if key not in data.varm:
            raise ConfigError(
                f"{path}: .varm has {list_names(data.varm) or 'nothing'}, not {key}. "
                "Name the key as FILE.h5ad:KEY."
            )
        return list(data.var_names), to_dense(data.varm[key])
    read = read_parquet_matrix if suffix == ".parquet" else read_text_matrix
    table = read(path, ConfigError)
    return table.rows, table.values


def load_arrays(path: str) -> tuple[list[str], np.ndarray]:
    """The arrays `genes` and `embedding` of an .npz file."""
    genes, table = read_npz(path, ("genes", "embedding"), ConfigError)
    if genes.ndim != 1 or table.dtype.kind not in "biuf":
        raise ConfigError(
            f"{path}: genes is {genes.dtype} of shape {genes.shape} and embedding {table.dtype} of "
            f"shape {table.shape}; save a name a gene, and numbers of shape [gene, dimension]."
        )
    if genes.dtype.kind == "S":
        with translate(path, "list of genes in UTF-8", ConfigError):
            genes = np.char.decode(genes, "utf-8")
    return genes.astype(str).tolist(), to_dense(table)
