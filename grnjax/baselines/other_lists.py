"""What target lists of other cells say of a gene and a TF: rows that need no label of one's own.

Three rows, none of them fitted. *Rate*: how often other cells' TFs are listed at the gene, which
knows nothing of the TF. *Same*: the TF's own list in other cells. *Residual same*: that list less
what its size and the rate predict, in units of its deviation. A method that ranks targets in cells
without labels has learnt something only above *rate + residual same*.

A list says of the genes of its universe alone. Lists of the cells under test are left out by
`TargetLists.without`, those of a row of training and the test by `TargetLists.nested`. Lists of
one TF and cell type in several sources count together as one.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from grnjax.data.compendium.lists import TargetLists


def occupancy_rate(lists: TargetLists, *, alike: bool = False) -> Float[np.ndarray, " gene"]:
    """How often the lists have a gene, relative to their mean gene; 1 for all without any list.

    0 for a gene in no universe: what no list could have named, none says to be bound.

    Args:
        alike: whether every list counts alike, by label over the share of genes that it has;
            otherwise every listed pair does, so that short lists count for little.
    """
    share = lists.share
    if not (share > 0).any():
        return np.ones(len(lists.genes))
    size = np.where(share > 0, share, 1)
    weights = lists.weights * (share > 0) / (size if alike else 1)
    expected = np.bincount(lists.source, weights * share, len(lists.covered)) @ lists.covered
    return divide(lists.sum_lists(weights), expected)


def same_tf(lists: TargetLists, tfs: Sequence[str]) -> Float[np.ndarray, "tf gene"]:
    """The share of the cell types of the TF's own lists that list the gene; 0 without any."""
    return average_lists(lists, lambda rows: lists.unpack(rows), tfs)


def residual_same(
    lists: TargetLists, tfs: Sequence[str], *, alike: bool = False
) -> Float[np.ndarray, "tf gene"]:
    """The mean of the TF's lists less what their size and the rate predict, in deviations.

    A list with a share p of the genes is expected to have a gene of rate r with chance p r, at
    most 1. What is left of it is divided by its standard deviation over genes. 0 for a TF without
    any list, and for genes outside their universes.
    """
    rate, share = occupancy_rate(lists, alike=alike), lists.share

    def standardise(rows: np.ndarray) -> np.ndarray:
        inside = lists.covered[lists.source[rows]]
        left = lists.unpack(rows) - np.minimum(share[rows, None] * rate, 1)
        number = np.maximum(inside.sum(axis=1, keepdims=True), 1)
        left = inside * (left - (left * inside).sum(axis=1, keepdims=True) / number)
        deviation = np.sqrt((left**2).sum(axis=1, keepdims=True) / number)
        return left / np.where(deviation > 0, deviation, 1)

    return average_lists(lists, standardise, tfs)


def rate_and_residual_same(
    lists: TargetLists, tfs: Sequence[str], *, alike: bool = False
) -> Float[np.ndarray, "tf gene"]:
    """2 log(1 + rate) + residual same: the row to beat, with nothing fitted."""
    rate = occupancy_rate(lists, alike=alike)
    return 2 * np.log1p(rate) + residual_same(lists, tfs, alike=alike)


def partner_same(
    lists: TargetLists, similarity: Float[np.ndarray, "tf other"], others: Sequence[str]
) -> Float[np.ndarray, "tf gene"]:
    """The mean of other TFs' residual same, weighted by how near they are to the TF.

    Partners in complexes, TFs of a family, of alike motifs. 0 for a TF near to none with a list. A
    TF that is to be told nothing of its own needs a weight of 0 with itself, and of the TFs under
    test together the lists left out (`without_tfs`): of two of one family each would be told the
    other's labels.
    """
    others = list(others)
    has_list = np.array([len(lists.rows_of(other)) > 0 for other in others], dtype=bool)
    weights = similarity * has_list
    total = weights @ residual_same(lists, others)
    return divide(total, weights.sum(axis=1, keepdims=True))


def average_lists(
    lists: TargetLists, take: Callable[[np.ndarray], np.ndarray], tfs: Sequence[str]
) -> Float[np.ndarray, "tf gene"]:
    """The mean of each TF's lists over its cell types, gene by gene of their universes.

    Args:
        take: values [row, gene] of the lists in these places.
    """
    averages = np.zeros((len(tfs), len(lists.genes)))
    for average, tf in zip(averages, tfs, strict=True):
        rows = lists.rows_of(tf)
        if len(rows):
            weights = lists.weights[rows]
            inside = lists.covered[lists.source[rows]]
            average[:] = divide(weights @ (take(rows) * inside), weights @ inside)
    return averages


def divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The ratio; 0 where there is nothing to divide by."""
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
