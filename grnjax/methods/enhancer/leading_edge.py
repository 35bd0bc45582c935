"""Whether a TF's candidate targets stand high among the genes that its expression explains.

The running sum of gene set enrichment (Subramanian et al. 2005, PNAS 102:15545) goes up at each
candidate by its share of the candidates' weights, and down by 1 / (N - k) at each other gene. Its
largest deviation is the enrichment score, and the candidates up to there are the leading edge.
Between two candidates the sum only falls, so it is looked at before and after each candidate.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import false_discovery_control

from grnjax.config import Positive, Range, Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeadingEdgeConfig(Settings):
    """When candidate targets count as enriched."""

    permutations: Positive = 1000
    """Random sets of the same size."""
    most_p: Annotated[float, Range(0, 1, ends="(]")] = 0.05
    """Share of the random sets that may have an enrichment as high."""
    most_q: Annotated[float, Range(0, 1, ends="(]")] = 0.01
    """False discovery rate over all sets (Benjamini-Hochberg), by the standardised scores of the
    random sets of all of them."""
    fewest_targets: Positive = 10
    """Fewer candidates are not tried, and a regulon needs as many in its leading edges."""


class GeneSet(NamedTuple):
    """Candidate targets, and the ranking that they are looked for in."""

    ranking: int
    members: Int[np.ndarray, " member"]  # places in the ranking, ascending


@dataclasses.dataclass(frozen=True, eq=False)
class Enrichment:
    """How high the members of each set stand."""

    score: Float[np.ndarray, " set"]
    normalised: Float[np.ndarray, " set"]  # by the mean of random sets of the same sign
    p: Float[np.ndarray, " set"]
    q: Float[np.ndarray, " set"]
    edge: Int[np.ndarray, " set"]  # how many members are in the leading edge

    def passes(self, config: LeadingEdgeConfig) -> Bool[np.ndarray, " set"]:
        """The sets that count as enriched."""
        return (self.normalised > 0) & (self.p < config.most_p) & (self.q < config.most_q)


def running_extremes(
    members: Int[np.ndarray, "... member"], weights: Float[np.ndarray, " gene"]
) -> tuple[Float[np.ndarray, "..."], Int[np.ndarray, "..."]]:
    """The enrichment score of sets of members, and how many are in the leading edge.

    For a negative score, those are the members from the lowest point on. 0 and none where all
    members have a weight of 0, or all genes are members.

    Args:
        members: places in the ranking, ascending.
        weights: of all genes in the order of the ranking, 0 or more.
    """
    size, count = members.shape[-1], len(weights)
    steps = np.cumsum(weights[members], axis=-1, dtype=np.float64)
    total = steps[..., -1:]
    safe = np.where(total > 0, total, 1)
    missed = (members - np.arange(size)) / max(count - size, 1)
    after = steps / safe - missed
    before = (steps - weights[members]) / safe - missed
    top, low = after.max(axis=-1), before.min(axis=-1)
    is_up = top >= -low
    edge = np.where(is_up, after.argmax(axis=-1) + 1, size - before.argmin(axis=-1))
    is_ranked = (total[..., 0] > 0) & (size < count)
    return np.where(is_ranked, np.where(is_up, top, low), 0), np.where(is_ranked, edge, 0)


def find_leading_edges(
    rankings: Float[np.ndarray, "ranking gene"],
    sets: Sequence[GeneSet],
    config: LeadingEdgeConfig,
    *,
    seed: int,
) -> Enrichment:
    """The enrichment of each set in its ranking, against random sets of the same size.

    The random sets are the same for all rankings. A set's p counts its own. Its q compares its
    score, in deviations from the mean of its random sets above 0, with those of the random sets of
    all sets, which tells small values apart: large sets and small ones spread differently.

    Args:
        rankings: weights of the genes in falling order, 0 or more.
    """
    count = rankings.shape[1]
    sizes = np.array([len(item.members) for item in sets], int)
    score, normalised, p = np.zeros(len(sets)), np.zeros(len(sets)), np.ones(len(sets))
    standard = np.full(len(sets), -np.inf)
    edge, pool = np.zeros(len(sets), int), [np.zeros(0, np.float32)]
    for size, random in draw_sets(np.unique(sizes), count, config.permutations, seed):
        for place in np.flatnonzero(sizes == size).tolist():
            weights = rankings[sets[place].ranking]
            found, reach = running_extremes(sets[place].members, weights)
            null, _ = running_extremes(random, weights)
            score[place], edge[place] = found, reach
            same = null[null * found > 0]
            if found == 0 or not len(same):
                continue
            normalised[place] = found / np.abs(same).mean()
            p[place] = (np.sum(null >= found) + 1) / (len(null) + 1)
            ups = null[null > 0]
            spread = ups.std() if len(ups) > 1 else 0.0
            if found > 0 and spread > 0:
                standard[place] = (found - ups.mean()) / spread
                pool.append(((ups - ups.mean()) / spread).astype(np.float32))
    q = adjust(standard, np.sort(np.concatenate(pool)), config.permutations * len(pool[1:]))
    return Enrichment(score, normalised, p, q, edge)


def draw_sets(
    sizes: Int[np.ndarray, " size"], count: int, permutations: int, seed: int
) -> Iterator[tuple[int, Int[np.ndarray, "permutation size"]]]:
    """Random sets of each size among `count` genes, ascending; larger ones hold the smaller."""
    rng = np.random.default_rng([seed, 4])
    largest = int(sizes.max(initial=0))
    orders = np.empty((permutations, largest), np.int32)
    for row in orders:
        row[:] = rng.permutation(count)[:largest]
    for size in sizes:
        yield int(size), np.sort(orders[:, :size], axis=1)


def adjust(
    standard: Float[np.ndarray, " set"], pool: Float[np.ndarray, " null"], drawn: int
) -> Float[np.ndarray, " set"]:
    """The false discovery rate of each set by the pooled null; 1 for those that are not enriched.

    Args:
        standard: standardised scores; minus infinity for a set of a score of 0 or less.
        pool: standardised scores of random sets of a score above 0, ascending.
        drawn: how many random sets there were, those with scores of 0 or less too.
    """
    if not len(standard):
        return np.ones(0)
    higher = len(pool) - np.searchsorted(pool, standard.astype(np.float32), side="left")
    p = np.where(np.isfinite(standard), (higher + 1) / (drawn + 1), 1)
    return false_discovery_control(p, method="bh")
