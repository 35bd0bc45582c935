"""Labels shuffled under fixed degrees: what a method still scores on them is its degree share."""

import numpy as np

from grnjax.evaluation.swaps import tabulate_labels
from grnjax.progress import logger
from grnjax.types import LabelledPairs


def rewire_labels(pairs: LabelledPairs, *, seed: int, sweeps: int = 100) -> LabelledPairs:
    """The same pairs in the same order, each TF and each target with as many positives as before.

    TFs trade targets two by two: of the targets that one regulates and the other does not, each
    keeps its number but gets random ones (curveball, Strona et al. 2014, Nature Communications
    5:4114). Only pairs that are given take part, so a trade is a series of swaps in which (a,b),
    (c,d) are positive and (a,d), (c,b) negative. In a sweep every TF trades with one other; on
    BEELINE's networks few further positives move after 100. Two TFs need common targets to trade:
    the train part of a balanced split has few, and such a network is better rewired as a whole,
    before it is split.

    Depends on the seed and on which pairs there are, not on their order.
    """
    row, column, label = tabulate_labels(pairs.pairs, pairs.labels)
    label = trade_targets(label, np.random.default_rng(seed), sweeps)
    rewired = LabelledPairs(pairs.pairs, label[row, column].astype(np.float32))
    moved = share_moved(pairs, rewired)
    logger.info("Rewired labels: %.1f %% of the positives moved.", 100 * moved)
    return rewired


def trade_targets(label: np.ndarray, rng: np.random.Generator, sweeps: int) -> np.ndarray:
    """The table [tf, target] of 1 (positive), 0 (negative) and -1 (no pair) after the trades.

    In a sweep TFs meet in pairs (Carstens, Berger and Strona 2016), pool the targets that just
    one of the two has, and are assigned them at random, as many to each as before.
    """
    label = label.copy()
    for _ in range(sweeps):
        order = rng.permutation(len(label))
        for a, c in zip(order[::2], order[1::2], strict=False):
            pool = np.flatnonzero(label[a] + label[c] == 1)
            label[a, pool] = rng.permutation(label[a, pool])
            label[c, pool] = 1 - label[a, pool]
    return label


def share_moved(pairs: LabelledPairs, rewired: LabelledPairs) -> float:
    """The share of the positives that are negative after rewiring."""
    return float(np.mean(rewired.labels[pairs.labels > 0] == 0))
