"""The evidence of a run gathered from what a user names, and cleared of copies of its labels."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from grnjax.data.candidates import list_candidates
from grnjax.evidence.catalogue import read_blocks
from grnjax.evidence.expression import describe_expression
from grnjax.evidence.leak_check import check_leaks, drop_copied_columns
from grnjax.evidence.types import Evidence
from grnjax.evidence.vectors import read_vectors
from grnjax.types import Dataset, Split


class Cleared(NamedTuple):
    """Evidence that is no copy of the known network, and how near it comes."""

    evidence: list[Evidence]
    overlap: list[dict]  # for each TF, the column whose labels agree most with its own


def gather_evidence(
    dataset: Dataset,
    entries: Sequence[str] = (),
    embedding: str | None = None,
    *,
    tfs: np.ndarray | None = None,
    keep_own: bool = False,
) -> list[Evidence]:
    """Expression if there is any, frozen gene vectors if given, and the blocks that are named.

    Args:
        entries: a folder, or KIND=PATH each, as `read_blocks` takes them.
        embedding: file of frozen gene vectors.
        tfs: gene indices of the TFs, in whose order the arrays come back; by default all.
        keep_own: whether networks of the species keep the lists of these TFs.
    """
    genes = dataset.genes
    tfs = genes.tfs if tfs is None else tfs
    evidence = [describe_expression(genes, tfs)] if genes.measured.any() else []
    if embedding is not None:
        evidence.append(read_vectors(embedding, genes.names, tfs, name="embedding"))
    return evidence + read_blocks(entries, genes.names, tfs, keep_own=keep_own)


def clear_evidence(
    dataset: Dataset, evidence: Sequence[Evidence], splits: Sequence[Split], allow: Collection[str]
) -> Cleared:
    """The evidence without columns of networks that share an experiment with known edges.

    All known edges decide here, those that a fold holds out too. So evidence can only be lost by
    them, for all folds alike.

    Args:
        allow: sources to use as they are, by path or by its last part.

    Raises:
        SplitError: a source is a copy of the known network, and not allowed.
    """
    offered = [item for item in evidence if item.kind != "expression"]
    if not offered:
        return Cleared(list(evidence), [])
    genes, candidates = dataset.genes, list_candidates(dataset)
    asked = [item for item in offered if not is_audited(item)]
    overlap = check_leaks(asked, genes.tfs, dataset, splits, allow=allow)
    cleared = [
        drop_copied_columns(item, genes.tfs, genes.names, candidates, allow=allow)
        for item in evidence
    ]
    return Cleared(cleared, overlap)


def is_audited(item: Evidence) -> bool:
    """Whether copies of the labels of the run were left out of a source when it was read."""
    return item.report.get("is_audited", False)
