"""What train labels say of the genes whose expression is most like a gene's, as pair features.

Genes of one operon share profile and regulators, so the targets nearest to a gene tell of it even
where it is new to the split. The trivial row *co-expressed targets* asks them alone
(`grnjax.baselines.neighbours`); as features of a pair the model weighs them among all else.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from grnjax.data.expression_features import standardise
from grnjax.data.label_matrix import LabelMatrix
from grnjax.models.pair_features import measure_scale
from grnjax.types import StreamedExpression

KEPT = 400  # of the nearest genes of each, of which those with train pairs are asked
AT_ONCE = 1000  # genes whose likeness to all is in memory
VALUES_AT_ONCE = 2**26  # the same of a stream, which is read anew for each of these
MOST = 30.0  # standard deviations; the votes of an operon lie far out, and are what counts


class Nearest(NamedTuple):
    """The genes most like each gene, the nearest first."""

    places: Int[np.ndarray, "gene rank"]
    likeness: Float[np.ndarray, "gene rank"]  # correlation; 0 is none, and below 0 counts as 0


def find_nearest(expression: Float[np.ndarray, "cell gene"] | StreamedExpression) -> Nearest:
    """The genes that correlate most with each gene over cells, itself left out.

    A gene that is constant or not measured is like no other.
    """
    genes = expression.shape[1]
    kept = min(KEPT, genes)
    places = np.zeros((genes, kept), np.int32)
    likeness = np.zeros((genes, kept), np.float32)
    for rows, r in correlate_blocks(expression):
        r = np.maximum(r, 0)
        r[np.arange(len(rows)), rows] = 0
        nearest = np.argpartition(r, -kept, axis=1)[:, -kept:] if kept < genes else None
        nearest = np.broadcast_to(np.arange(kept), r.shape) if nearest is None else nearest
        found = np.take_along_axis(r, nearest, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        places[rows] = np.take_along_axis(nearest, order, axis=1)
        likeness[rows] = np.take_along_axis(found, order, axis=1)
    return Nearest(places, likeness)


def correlate_blocks(
    expression: Float[np.ndarray, "cell gene"] | StreamedExpression,
) -> Iterator[tuple[Int[np.ndarray, " row"], Float[np.ndarray, "row gene"]]]:
    """Some genes after the others, with their Pearson r with every gene."""
    cells, genes = expression.shape
    if isinstance(expression, StreamedExpression):
        for rows in split_range(genes, max(VALUES_AT_ONCE // max(genes, 1), 1)):
            yield rows, expression.correlate(rows, keep=False)
        return
    profiles = standardise(expression).T
    for rows in split_range(genes, AT_ONCE):
        yield rows, profiles[rows] @ profiles.T / np.float32(max(cells, 1))


def split_range(count: int, width: int) -> Iterator[Int[np.ndarray, " place"]]:
    """The numbers below a count, so many at a time."""
    return (np.arange(x, min(x + width, count)) for x in range(0, count, width))


def ask_nearest(
    nearest: Nearest,
    train: LabelMatrix,
    counts: Sequence[int],
    *,
    least: float = 0.0,
) -> Float[np.ndarray, "count tf gene"]:
    """Mean label residual of the nearest genes that have train pairs, for each of these counts.

    A neighbour counts as much as it correlates. No gene is asked about itself, so its labels enter
    the TF's share of positives alone. In deviations over the pairs of the TFs that have train
    pairs, clipped at `MOST`; 0 for other TFs, and for all where the answers tell too little.

    Args:
        least: correlation of the answers with the labels of train pairs that the best of the
            counts must reach (experiments/kernel_factor/README.md).
    """
    answers = gather_answers(nearest, train, counts)
    known, is_seen = train.observed > 0, train.observed.any(axis=1)
    told = [correlate(answer[known], train.residuals[known]) for answer in answers]
    found = np.zeros(answers.shape, np.float32)
    if max(told, default=0.0) < least:
        return found
    for scaled, answer in zip(found, answers, strict=True):
        scale = measure_scale(answer[is_seen])
        scaled[is_seen] = np.clip((answer[is_seen] - scale.mean) / scale.spread, -MOST, MOST)
    return found


def gather_answers(
    nearest: Nearest, train: LabelMatrix, counts: Sequence[int]
) -> Float[np.ndarray, "count tf gene"]:
    """The answers, as label residuals."""
    residuals, observed = train.residuals, train.observed
    is_asked = observed.any(axis=0)[nearest.places] & (nearest.likeness > 0)
    rank = np.where(is_asked, np.cumsum(is_asked, axis=1), np.inf)
    found = np.zeros((len(counts), len(train.tfs), len(nearest.places)), np.float32)
    for answer, count in zip(found, counts, strict=True):
        gene, column = np.nonzero(rank <= count)
        at = nearest.places[gene, column], gene
        shape = residuals.shape[1], len(nearest.places)
        weight = sparse.csr_array((nearest.likeness[gene, column], at), shape=shape)
        asked = sparse.csr_array((np.ones(len(gene), np.float32), at), shape=shape)
        answer[:] = (residuals @ weight) / np.maximum(observed @ asked, 1)
    return found


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson r; 0 where one of the two is constant."""
    spread = one.std() * other.std()
    return float(np.mean((one - one.mean()) * (other - other.mean())) / spread) if spread else 0.0
