"""What motif, TF and peak say together of a triplet: TF, peak, gene.

Each of the three ranks all triplets. The rank ratios of one, sorted a <= b <= c, are compared with
those of a triplet whose ranks are drawn at random: the chance that all order statistics of three
uniform numbers are at least as small (Stuart et al. 2003, Science 302:249; Aerts et al. 2006,
Nature Biotechnology 24:537, which SCENIC+ uses).
"""

import numpy as np
from jaxtyping import Float, Int


def order_statistic(ratios: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """The chance Q = 6abc - 3ab^2 - 3a^2c + a^3 of rank ratios as small, sorted a <= b <= c."""
    a, b, c = np.moveaxis(np.sort(ratios, axis=-1), -1, 0)
    return 6 * a * b * c - 3 * a * b**2 - 3 * a**2 * c + a**3


def rank_ratios(values: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """The rank of each value, the largest first, as a share of all; equal ones share their mean."""
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    ends = np.append(starts[1:], len(values))
    means = (starts + ends + 1) / 2
    ratios = np.empty(len(values))
    ratios[order] = np.repeat(means, ends - starts) / max(len(values), 1)
    return ratios


def rank_triplets(
    motif: Float[np.ndarray, " row"],
    tf_gene: Float[np.ndarray, " row"],
    region_gene: Float[np.ndarray, " row"],
    *,
    seed: int,
) -> tuple[Float[np.ndarray, " row"], Int[np.ndarray, " row"]]:
    """Q of each triplet, and its rank, 0 the best; equal ones in a random order of the seed."""
    ratios = np.stack([rank_ratios(x) for x in (motif, tf_gene, region_gene)], axis=-1)
    score = order_statistic(ratios)
    tie = np.random.default_rng([seed, 5]).permutation(len(score))
    rank = np.empty(len(score), np.int64)
    rank[np.lexsort((tie, score))] = np.arange(len(score))
    return score, rank
