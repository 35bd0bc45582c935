"""Frozen vectors of genes for a method: a table, or a converted model that reads the expression."""

import dataclasses
from pathlib import Path

import numpy as np

from grnjax.evidence.vectors import read_vectors, split_embedding
from grnjax.foundation.encoder_config import SetEncoderConfig
from grnjax.methods.method import Problem


def is_model(embedding: str) -> bool:
    """Whether a setting names a folder, which a table of vectors never is."""
    return Path(embedding).is_dir()


def name_file(embedding: str | None) -> str | None:
    """The file whose digest tells the vectors from others; None where no setting names any."""
    if embedding is None:
        return None
    if not is_model(embedding):
        return split_embedding(embedding)[0]
    from grnjax.foundation.convert import find_manifest  # imports all models

    return str(find_manifest(Path(embedding)))


def add_vectors(problem: Problem, embedding: str, config: SetEncoderConfig) -> Problem:
    """The problem with the vectors, zeros for genes without one (`Problem.embedded`).

    Its data set's report then tells under `embedding` which genes have none.

    Args:
        embedding: a table as `evidence.vectors.read_vectors` takes it, or a converted model.
        config: how that reads the expression of the data set.
    """
    dataset, path = problem.dataset, embedding
    genes = dataset.genes
    about: dict = {}
    if is_model(embedding):
        from grnjax.foundation.set_vectors import embed_set  # imports all models

        read = dataset.report.get("expression")
        report = read if isinstance(read, dict) else None
        table, about = embed_set(embedding, genes, config, report=report, run=problem.folder)
        path = str(table)
    found = read_vectors(path, genes.names, genes.tfs)
    [block] = found.genes
    absent = np.flatnonzero(~block.covered)
    dataset.report["embedding"] = {
        **found.report,
        **about,
        "source": embedding,
        "without_vector": genes.names[absent].tolist(),
    }
    return dataclasses.replace(problem, embedding=block.values)
