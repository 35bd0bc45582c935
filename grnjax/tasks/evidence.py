"""The evidence of a run gathered from what a user names, and cleared of copies of its labels."""

from collections.abc import Sequence

from grnjax.data.blocks.catalogue import read_blocks
from grnjax.data.blocks.evidence import Evidence
from grnjax.data.blocks.expression import describe_expression
from grnjax.data.blocks.vectors import read_vectors
from grnjax.tasks.cross_fitting import Fold
from grnjax.tasks.leak_check import check_leaks, drop_copied_columns
from grnjax.types import Dataset, Split


def gather_evidence(
    dataset: Dataset, entries: Sequence[str] = (), embedding: str | None = None
) -> list[Evidence]:
    """Expression if there is any, frozen gene vectors if given, and the blocks that are named.

    Args:
        entries: a folder, or KIND=PATH each, as `read_blocks` takes them.
        embedding: file of frozen gene vectors.
    """
    genes = dataset.genes
    evidence = [describe_expression(genes, genes.tfs)] if genes.measured.any() else []
    if embedding is not None:
        evidence.append(read_vectors(embedding, genes.names, genes.tfs, name="embedding"))
    return evidence + read_blocks(entries, genes.names, genes.tfs)


def clear_evidence(
    dataset: Dataset, evidence: Sequence[Evidence], folds: Sequence[Fold], allow: Sequence[str]
) -> list[Evidence]:
    """The evidence without columns that share an experiment with known edges.

    Raises:
        SplitError: a source is a copy of the known network, and not allowed.
    """
    if not any(item.report.get("kind") == "network" for item in evidence):
        return list(evidence)
    genes = dataset.genes
    splits = [
        Split(fold.train, fold.validation, fold.hidden, "cross-fitted", fold.fold)
        for fold in folds
        if fold.member == 0
    ]
    check_leaks(evidence, genes.tfs, dataset, splits, allow=allow)
    return [
        drop_copied_columns(item, genes.tfs, genes.names, dataset.known) for item in evidence
    ]
