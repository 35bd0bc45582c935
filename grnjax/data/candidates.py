"""The TF-target pairs that a network ranks."""

import numpy as np

from grnjax.types import Dataset, LabelledPairs


def list_candidates(dataset: Dataset) -> LabelledPairs:
    """Each TF with each gene but itself, by TF and then target; label 1 where the edge is known."""
    tfs, genes = dataset.genes.tfs, len(dataset.genes.names)
    known = np.zeros((len(tfs), genes), np.float32)
    positives = dataset.known.positives
    known[np.searchsorted(tfs, positives[:, 0]), positives[:, 1]] = 1
    row, target = np.nonzero(tfs[:, None] != np.arange(genes))
    pairs = np.stack([tfs[row], target], axis=1).astype(np.int32)
    return LabelledPairs(pairs, known[row, target])


def has_known_targets(candidates: LabelledPairs) -> np.ndarray:
    """Mask of the candidates whose TF has a known target.

    Of the other TFs nothing is known, so that their pairs tell neither right from wrong.
    """
    return np.isin(candidates.pairs[:, 0], candidates.positives[:, 0])


def drop_unknown_tfs(pairs: LabelledPairs) -> LabelledPairs:
    """The pairs of TFs with a known target: of the others, nothing says that a pair is negative."""
    with_target = np.unique(pairs.positives[:, 0])
    return pairs.take(np.isin(pairs.pairs[:, 0], with_target))
