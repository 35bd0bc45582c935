"""Labels flipped at random, for studies of what wrong labels cost a method."""

import numpy as np

from grnjax.types import LabelledPairs


def flip_labels(pairs: LabelledPairs, share: float, *, seed: int) -> LabelledPairs:
    """The same pairs in the same order, a random `share` of them with the other label.

    Every pair is as likely to be flipped, so where positives are rare most flips make false
    positives: of 756 known edges among 16,400 pairs, 5 % flipped leave 718 beside 782 false ones.
    With one seed, the flips of a lower share are among those of a higher one. Depends on the seed
    and on which pairs there are, not on their order.

    Raises:
        ValueError: the share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of flipped labels must be between 0 and 1, got {share}")
    canonical = np.lexsort(pairs.pairs.T[::-1])
    lottery = np.random.default_rng(seed).permutation(canonical)
    flipped = lottery[: round(share * len(pairs))]
    labels = pairs.labels.copy()
    labels[flipped] = 1 - labels[flipped]
    return LabelledPairs(pairs.pairs, labels)
