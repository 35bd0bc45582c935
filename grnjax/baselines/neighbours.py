"""What is known of the targets whose expression is most like a gene's: guilt by association.

Genes of one operon share profile and regulators, so a target may be new to a split and yet be
known by its neighbours. As a trivial row this says what co-expression alone is worth; as features
of a pair it leaves a model to learn the rest.
"""

import numpy as np
from jaxtyping import Float

from grnjax.data.expression_features import correlation
from grnjax.data.label_matrix import LabelMatrix
from grnjax.types import GeneTable

NEIGHBOURS = (3, 10, 30, 100)
"""How many targets are asked."""


def ask_neighbours(genes: GeneTable, train: LabelMatrix) -> Float[np.ndarray, "tf gene neighbours"]:
    """Mean label residual of the nearest 3, 10, 30 and 100 targets that have train pairs.

    Nearest is what correlates most over cells, and a neighbour counts as much as it correlates, not
    at all below 0. A gene is no neighbour of its own: its labels count in the TF's share of
    positives alone, which residuals are from. 0 where none of them has a train pair with the TF,
    and for genes that are not measured.
    """
    targets = np.flatnonzero(train.observed.any(axis=0))
    likeness = np.maximum(correlation(genes, targets, keep=False), 0)
    likeness[np.arange(len(targets)), targets] = 0
    most = min(max(NEIGHBOURS), len(targets))
    nearest = np.sort(np.partition(likeness, -most, axis=0)[-most:], axis=0)[::-1]
    residuals, observed = train.residuals[:, targets], train.observed[:, targets]
    votes = []
    for count in NEIGHBOURS:
        weight = np.where(likeness >= nearest[min(count, most) - 1], likeness, 0)
        votes.append(residuals @ weight / np.maximum(observed @ (weight > 0), 1))
    return np.stack(votes, axis=-1)
