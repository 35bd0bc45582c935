"""GENELink's split of Non-Specific, STRING and LOF/GOF networks: balanced train, sparse test.

Train and validation hold as many negatives as positives of each TF. Test negatives are drawn over
all annotated TFs, those without any edge included, so the number of edges of a TF, which the
balanced train pairs still show, separates test positives from test negatives by itself.
"""

from typing import get_args

import numpy as np

from grnjax.errors import ConfigError, SplitError
from grnjax.progress import logger
from grnjax.types import LabelledPairs, SplitProtocol

TRAIN, VALIDATION, TEST = range(3)


def draw_balanced_parts(
    is_known: np.ndarray,
    tfs: np.ndarray,
    rng: np.random.Generator,
    *,
    protocol: SplitProtocol,
    prevalence: float | None,
) -> dict[str, LabelledPairs]:
    """Train, validation and test pairs by the rule of GENELink, each sorted by TF and target.

    Of a TF's n positives, floor(2n/3) are for training, a fifth of those (floor) go to validation
    and the rest to test; of two positives train and test get one each, and a single one goes to
    either with equal odds. A test negative takes a TF at random and then a gene at random.

    Args:
        is_known: [tf, gene], the positives of each annotated TF; no self loops.
        tfs: [tf], the gene index of each row, ascending.
        protocol: "corrected" keeps train pairs out of the test negatives. "as-published" lets
            them in: GENELink's own check compares pairs with labelled pairs and never finds one.
        prevalence: share of positives in test, `network_density` unless given.
    """
    if protocol not in get_args(SplitProtocol):
        protocols = ", ".join(get_args(SplitProtocol))
        raise ConfigError(f"There is no protocol {protocol!r}; choose one of {protocols}.")
    if prevalence is None:
        prevalence = network_density(is_known, tfs)
    if not 0 < prevalence < 1:
        raise ConfigError(f"A test prevalence of {prevalence:g} is not between 0 and 1.")
    is_self = np.zeros(is_known.shape, bool)
    is_self[np.arange(len(tfs)), tfs] = True
    positive, negative = _balance_each_tf(is_known, is_self, rng)  # [part, tf, gene] each
    is_taken = is_self | positive[TEST] | positive[VALIDATION] | negative[VALIDATION]
    if protocol == "corrected":
        is_taken |= positive[TRAIN] | negative[TRAIN]
    tested = int(np.count_nonzero(positive[TEST]))
    negative[TEST] = _draw_pairs(~is_taken, int(tested // prevalence) - tested, rng)
    parts = {}
    for part, name in enumerate(("train", "validation", "test")):
        row, gene = np.nonzero(positive[part] | negative[part])
        pairs = np.stack([tfs[row], gene], axis=1).astype(np.int32)
        parts[name] = LabelledPairs(pairs, positive[part][row, gene].astype(np.float32))
    return parts


def network_density(is_known: np.ndarray, tfs: np.ndarray) -> float:
    """Edges over pairs of a TF and another gene, both with an edge, to three decimals.

    This is BEELINE's density, edges / (TFs x genes - TFs), in which genes without an edge do not
    count even if they were measured; GENELink's table of densities holds the same numbers. Not
    rounded where that would leave nothing.
    """
    has_edge = is_known.any(axis=1)
    genes = np.union1d(tfs[has_edge], np.flatnonzero(is_known.any(axis=0)))
    density = np.count_nonzero(is_known) / (np.count_nonzero(has_edge) * (len(genes) - 1))
    return round(density, 3) or density


def _balance_each_tf(
    is_known: np.ndarray, is_self: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs are positives and which are negatives of each part; test negatives come later."""
    positive = np.zeros((3, *is_known.shape), bool)
    negative = np.zeros_like(positive)
    missing = 0
    for row in np.flatnonzero(is_known.any(axis=1)):
        targets = rng.permutation(np.flatnonzero(is_known[row]))
        others = rng.permutation(np.flatnonzero(~is_known[row] & ~is_self[row]))
        trained, validated = _count_parts(len(targets), rng)
        cuts = [trained, trained + validated]
        for part, genes in enumerate(np.split(targets, cuts)):
            positive[part, row, genes] = True
        for part, genes in enumerate(np.split(others, cuts)[:TEST]):
            negative[part, row, genes] = True
        missing += max(0, cuts[1] - len(others))
    if missing:
        logger.warning(
            "%d negatives fewer than positives in train and validation: some TFs regulate so many "
            "genes that too few are left.",
            missing,
        )
    return positive, negative


def _count_parts(positives: int, rng: np.random.Generator) -> tuple[int, int]:
    """How many of a TF's positives train and validate; the others test."""
    if positives <= 2:
        return (1 if positives == 2 else int(rng.integers(2))), 0
    learned = positives * 2 // 3
    return learned - learned // 5, learned // 5


def _draw_pairs(is_open: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` open pairs [tf, gene] as a mask: every TF alike, then its open genes alike."""
    room = is_open.sum(axis=1)
    if count > room.sum():
        raise SplitError(
            f"{count:,} test negatives are needed for the prevalence, but only {room.sum():,} "
            "pairs are free: ask for a higher prevalence."
        )
    wanted = np.zeros(len(room), np.int64)
    while missing := count - wanted.sum():
        has_room = np.flatnonzero(wanted < room)
        wanted[has_room] += rng.multinomial(missing, np.full(len(has_room), 1 / len(has_room)))
        wanted = np.minimum(wanted, room)
    drawn = np.zeros_like(is_open)
    for row, size in enumerate(wanted):
        drawn[row, rng.permutation(np.flatnonzero(is_open[row]))[:size]] = True
    return drawn
