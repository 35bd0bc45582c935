"""The TF-target pairs that a network ranks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from grnjax.types import Dataset, LabelledPairs, Split


def list_candidates(dataset: Dataset) -> LabelledPairs:
    """Each TF with each gene but itself, by TF and then target; label 1 where the edge is known."""
    tfs, genes = dataset.genes.tfs, len(dataset.genes.names)
    known = np.zeros((len(tfs), genes), np.float32)
    positives = dataset.known.positives
    known[np.searchsorted(tfs, positives[:, 0]), positives[:, 1]] = 1
    pairs = np.empty((len(tfs), max(genes - 1, 0), 2), np.int32)
    labels = np.empty(pairs.shape[:2], np.float32)
    every = np.arange(genes, dtype=np.int32)
    for row, tf in enumerate(tfs):  # a TF at a time: nothing larger than the result is made
        pairs[row, :, 0], pairs[row, :, 1] = tf, np.delete(every, tf)
        labels[row] = np.delete(known[row], tf)
    return LabelledPairs(pairs.reshape(-1, 2), labels.ravel())


def has_known_targets(candidates: LabelledPairs) -> np.ndarray:
    """Mask of the candidates whose TF has a known target.

    Of the other TFs nothing is known, so that their pairs tell neither right from wrong.
    """
    return np.isin(candidates.pairs[:, 0], candidates.positives[:, 0])


class Listing(NamedTuple):
    """Which pairs a table lists: so many of each target, the best, and of these the best of all."""

    top: int | None = None  # None for all
    of_target: int | None = None

    def choose(
        self, scores: Float[np.ndarray, " pair"], targets: Int[np.ndarray, " pair"]
    ) -> Int[np.ndarray, " listed"]:
        """The places of the pairs, ascending; of equal scores at the end, the first."""
        if self.of_target is None:
            return list_best(scores, self.top)
        order = np.lexsort((-scores, targets))
        _, first, count = np.unique(targets[order], return_index=True, return_counts=True)
        rank = np.arange(len(order)) - np.repeat(first, count)
        places = np.sort(order[rank < self.of_target])
        return places[list_best(scores[places], self.top)]


EVERY_PAIR = Listing()


def list_best(scores: Float[np.ndarray, " pair"], top: int | None) -> np.ndarray:
    """The places of the `top` highest scores, ascending; of equal ones at the end, the first."""
    if top is None or top >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, -top)[-top]
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    return np.sort(np.concatenate([above, equal[: top - len(above)]]))


def drop_unknown_tfs(pairs: LabelledPairs) -> LabelledPairs:
    """The pairs of TFs with a known target: of the others, nothing says that a pair is negative."""
    with_target = np.unique(pairs.positives[:, 0])
    return pairs.take(np.isin(pairs.pairs[:, 0], with_target))


def list_other_pairs(
    pairs: Int[np.ndarray, "pair 2"], tfs: Int[np.ndarray, " tf"], genes: int
) -> Int[np.ndarray, "other 2"]:
    """Every pair of a TF with another gene that is none of the given ones."""
    free = np.ones((len(tfs), genes), bool)
    free[np.arange(len(tfs)), tfs] = False
    free[np.searchsorted(tfs, pairs[:, 0]), pairs[:, 1]] = False
    row, target = np.nonzero(free)
    return np.stack([tfs[row], target], axis=1).astype(np.int32)


def list_split_tfs(splits: Sequence[Split]) -> Int[np.ndarray, " tf"]:
    """Gene indices of the TFs whose pairs stand in any part of the splits, ascending."""
    parts = [part for split in splits for part in (split.train, split.validation, split.test)]
    return np.unique(np.concatenate([part.pairs[:, 0] for part in parts]))


def leaves_pairs_unlabelled(split: Split, tfs: int, genes: int) -> bool:
    """Whether the train pairs are a balanced choice, drawn or published, among many more."""
    if split.kind.startswith("balanced"):
        return True
    listed = sum(len(part) for part in (split.train, split.validation, split.test))
    return split.kind.startswith("published") and listed < tfs * (genes - 1) / 2


def choose_like_test(split: Split, tfs: Int[np.ndarray, " tf"], genes: int) -> LabelledPairs:
    """The validation pairs; of a balanced split, its positives among all that is unlabelled.

    Balanced validation pairs have as many negatives as positives for each TF, test pairs have
    negatives of all TFs: what chooses well on the former need not on the latter. So the positives
    are set against a random part of the pairs that are neither train nor validation pairs. Test
    positives are among them, as nobody knows.
    """
    if not leaves_pairs_unlabelled(split, len(tfs), genes):
        return split.validation
    positives = split.validation.positives
    labelled = np.concatenate([split.train.pairs, split.validation.pairs])
    others = list_other_pairs(labelled, tfs, genes)
    room = min(len(others), max(len(split.test), len(split.validation)) - len(positives))
    drawn = np.random.default_rng(split.draw).choice(len(others), room, replace=False)
    return LabelledPairs(
        np.concatenate([positives, others[drawn]]),
        np.repeat(np.float32([1, 0]), [len(positives), room]),
    )
