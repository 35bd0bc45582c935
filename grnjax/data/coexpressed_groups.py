"""Groups of co-expressed genes, such as operons, that a split keeps on one side.

Complete linkage on 1 - r: all genes of a group correlate with one another by at least `LEAST`, so
that no chain of genes joins what has nothing to do with each other (the connected components of
such a graph hold nine genes of ten in bacteria). A group of more than a tenth of the genes is cut
where its last merge was, until none is. Genes on two sides may still correlate above `LEAST`,
where each does so with a part of the other's group alone.
"""

import numpy as np
from jaxtyping import Int

from grnjax.data.expression_features import standardise
from grnjax.errors import ConfigError
from grnjax.types import GeneTable

LEAST = 0.7  # correlation within a group
MOST = 0.1  # of the measured genes in a group
MOST_GENES = 20_000  # whose distances fit into memory: 3.2 GB


def group_genes(genes: GeneTable) -> Int[np.ndarray, " gene"]:
    """The number of each gene's group; a gene that is constant or not measured is one of its own.

    Raises:
        ConfigError: no expression, or more genes than have their distances in memory.
    """
    from scipy.cluster.hierarchy import linkage

    z = standardise(genes.expression)
    varying = np.flatnonzero(genes.measured & z.any(axis=0)) if len(z) else np.zeros(0, np.intp)
    count = len(varying)
    if not 2 <= count <= MOST_GENES:
        raise ConfigError(
            f"{count:,} genes vary over the cells, and groups of co-expressed genes need from 2 to "
            f"{MOST_GENES:,}: take --split.kind=target-disjoint, or other genes."
        )
    z = z[:, varying]
    r = z.T @ z / np.float32(len(z))
    distance = np.maximum(1 - r[np.triu_indices(count, 1)], 0)
    merges = linkage(distance.astype(np.float64), "complete")
    group = np.arange(len(genes.names))
    for members in cut_tree(merges, count):
        group[varying[members]] = varying[members[0]]
    return np.unique(group, return_inverse=True)[1]


def cut_tree(merges: np.ndarray, count: int) -> list[list[int]]:
    """The members of each group, from the merges [merge, 4] of a tree of so many genes."""
    most = max(2, int(MOST * count))
    members: list[list[int]] = [[gene] for gene in range(count)]
    is_whole = [True] * count
    for left, right, height, size in merges:
        joins = is_whole[int(left)] and is_whole[int(right)]
        joins = joins and height <= 1 - LEAST and size <= most
        is_whole.append(bool(joins))
        members.append(members[int(left)] + members[int(right)] if joins else [])
        if joins:
            members[int(left)], members[int(right)] = [], []
    return [sorted(group) for group in members if group]
