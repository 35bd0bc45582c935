"""Swap concordance: how often scores tell who regulates whom once all base rates are gone.

For TFs a, c and targets b, d with (a,b) and (c,d) regulated but (a,d) and (c,b) not, right is

    s(a,b) + s(c,d) > s(a,d) + s(c,b).

For one TF pair that is the AUROC of the gaps s(a,.) - s(c,.), targets of a only against targets of
c only. A score a(tf) + b(target) gets exactly half.
"""

from typing import NamedTuple

import numpy as np

from grnjax.errors import NonFiniteError, SplitError

TOLERANCE = 1e-5
TFS_AT_ONCE = 256
LEVELS = 2**29 - 2
"""Of gaps, when they are sorted as integers."""


def swap_concordance(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    tolerance: float = TOLERANCE,
    scale: float | None = None,
) -> dict[str, float]:
    """The share of label swaps the scores get right; a score a(tf) + b(target) gets exactly half.

    `micro` weighs every quadruple alike, `macro` every TF pair that has one; both are NaN without
    any.

    Args:
        pairs: the evaluated pairs, each once.
        scores: logits. Turn probabilities into logits first: base rates add up only there.
        tolerance: two gaps tie when they differ by at most `tolerance * scale`, because an
            additive score cancels only up to rounding, which grows with the scores.
        scale: the largest absolute score unless given; 1 makes the tolerance absolute.
    """
    won, possible = count_swaps(pairs, labels, scores, tolerance=tolerance, scale=scale)
    won, possible = won[possible > 0], possible[possible > 0]
    return {
        "micro": float(won.sum() / possible.sum()) if len(won) else np.nan,
        "macro": float(np.mean(won / possible)) if len(won) else np.nan,
        "quadruples": int(possible.sum()),
        "tf_pairs": len(possible),
    }


def sample_swaps(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    draws: int = 2**20,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    scale: float | None = None,
) -> dict[str, float]:
    """`micro` of `swap_concordance` from so many quadruples, each equally likely to be drawn.

    Two positive pairs are drawn until neither TF regulates the other's target, so nothing as large
    as TFs x TFs is made. `standard_error` is that of the drawing alone; both are NaN where no
    quadruple was met among 64 times as many draws.
    """
    label, score, margin = tabulate_scores(pairs, labels, scores, tolerance, scale)
    tf, target = np.nonzero(label == 1)
    rng, won, missing = np.random.default_rng(seed), [], draws
    for _ in range(64 if len(tf) else 0):
        one, other = rng.integers(len(tf), size=(2, draws))
        is_swap = (label[tf[one], target[other]] == 0) & (label[tf[other], target[one]] == 0)
        one, other = one[is_swap][:missing], other[is_swap][:missing]
        a, b, c, d = tf[one], target[one], tf[other], target[other]
        gap, lower = score[a, b] - score[c, b], score[a, d] - score[c, d]
        won.append(((lower < gap - margin) + (lower <= gap + margin).astype(float)) / 2)
        missing -= len(one)
        if not missing:
            break
    found = np.concatenate([np.zeros(0), *won])
    return {
        "micro": float(found.mean()) if len(found) else np.nan,
        "standard_error": float(found.std() / np.sqrt(len(found))) if len(found) else np.nan,
        "draws": len(found),
    }


def count_swaps(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    tolerance: float = TOLERANCE,
    scale: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """For TFs a < c: the label swaps the scores get right, and all there are, [tf, tf] each.

    The TFs are those of the pairs, ascending; entries on and below the diagonal are zero. See
    `swap_concordance` for the rest.
    """
    label, score, margin = tabulate_scores(pairs, labels, scores, tolerance, scale)
    lacking = (label == 1).astype(np.float32) @ (label == 0).T.astype(np.float32)
    lacking = lacking.astype(np.int64)  # [a, c]: how many targets of a are none of c
    possible = np.triu(lacking * lacking.T, 1)
    table = tabulate_targets(label, score)

    won = np.zeros(possible.shape)
    for a, row in enumerate(possible):
        others = np.flatnonzero(row)
        won[a, others] = count_won(a, others, table, margin)
    return won, possible


class Gaps(NamedTuple):
    """Differences between the scores of two TFs at the same target."""

    value: np.ndarray  # [other TF, target]
    is_wanted: np.ndarray

    def to_keys(self, kind: int, reach: float, step: float) -> np.ndarray:
        """Integers in the same order, but for their two lowest bits; the highest if not wanted."""
        keys = ((self.value + reach) * step).astype(np.int32)
        keys <<= 2
        keys |= kind
        return np.where(self.is_wanted, keys, np.iinfo(np.int32).max)


class Table(NamedTuple):
    """Labels and scores by TF, and the targets of each TF in arrays as wide as the longest list."""

    label: np.ndarray  # [tf, target]
    score: np.ndarray  # [tf, target]
    by_target: tuple[np.ndarray, np.ndarray]  # is negative, score: [target, tf]
    place: np.ndarray  # [tf, most] columns; 0 beyond a list's end
    own: np.ndarray  # [tf, most] scores there
    targets: np.ndarray  # [tf] how many
    reach: float  # the largest gap between two scores


def tabulate_targets(label: np.ndarray, score: np.ndarray) -> Table:
    """The arrays that all comparisons read."""
    row, column = np.nonzero(label == 1)
    count = np.bincount(row, minlength=len(label))
    place = np.zeros((len(label), int(count.max(initial=1))), np.intp)
    place[row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)] = column
    by_target = np.ascontiguousarray((label == 0).T), np.ascontiguousarray(score.T)
    own, reach = np.take_along_axis(score, place, axis=1), float(np.ptp(score))
    return Table(label, score, by_target, place, own, count, reach)


def count_won(a: int, others: np.ndarray, table: Table, margin: float) -> np.ndarray:
    """Swaps that are right between TF a and each other one, [other]; a tie counts one half."""
    won = np.zeros(len(others))
    for first in range(0, len(others), TFS_AT_ONCE):
        block = slice(first, first + TFS_AT_ONCE)
        won[block] = compare(*find_gaps(a, others[block], table), margin, table.reach)
    return won


def find_gaps(a: int, others: np.ndarray, table: Table) -> tuple[Gaps, Gaps]:
    """Gaps s(a,.) - s(c,.) at targets of a, and at those of the other TF c, [other, target] each.

    Not wanted are targets that both have, or that were not evaluated with both.
    """
    is_negative, score = table.by_target
    of_a, width = table.place[a, : table.targets[a]], table.targets[others].max()
    gap = table.score[a, of_a] - score[of_a].take(others, axis=1).T
    of_c = table.place[others, :width]
    gap_of_c = table.score[a].take(of_c) - table.own[others, :width]
    is_wanted = np.arange(width) < table.targets[others, None]
    is_wanted &= (table.label[a] == 0).take(of_c)
    return Gaps(gap, is_negative[of_a].take(others, axis=1).T), Gaps(gap_of_c, is_wanted)


def compare(upper: Gaps, lower: Gaps, margin: float, reach: float) -> np.ndarray:
    """How often an upper gap exceeds a lower one of its row by more than a margin, [row].

    A smaller difference counts one half. All of a row are sorted at once: upper gaps less the
    margin, lower ones, upper ones plus the margin, as integers that hold in their two lowest bits
    which of these they are. Rows in which two different ones are too close for that are searched
    gap by gap.

    Args:
        reach: the largest absolute gap.
    """
    shifted = upper._replace(value=upper.value - margin), upper._replace(value=upper.value + margin)
    parts = shifted[0], lower, shifted[1]
    step = LEVELS / (2 * (reach + margin) or 1)
    keys = np.concatenate(
        [x.to_keys(kind, reach + margin, step) for kind, x in enumerate(parts)], 1
    )
    keys.sort(axis=1)
    differ = keys[:, 1:] ^ keys[:, :-1]
    is_close = ((differ > 0) & (differ < 4)).any(axis=1)
    below = np.cumsum((keys & 3) == 1, axis=1, dtype=np.int32)
    won = np.einsum("rv,rv->r", below, (keys & 1) ^ 1) / 2
    for row in np.flatnonzero(is_close):
        less, others, more = (np.sort(x.value[row][x.is_wanted[row]]) for x in parts)
        found = others.searchsorted(less, "left").sum() + others.searchsorted(more, "right").sum()
        won[row] = found / 2
    return won


def tabulate_scores(pairs, labels, scores, tolerance: float, scale: float | None) -> tuple:
    """Labels [tf, target] (`tabulate_labels`), scores likewise, and what two gaps may differ by."""
    row, column, label = tabulate_labels(pairs, labels)
    score = np.zeros(label.shape)
    score[row, column] = read_scores(scores)
    return label, score, tolerance * (np.abs(score).max() if scale is None else scale)


def tabulate_labels(pairs: np.ndarray, labels: np.ndarray) -> tuple:
    """Row and column of each pair, and the labels [tf, target], -1 where there is no pair.

    TFs and targets are those of the pairs, ascending.
    """
    (tfs, row), (targets, column) = map(number, np.asarray(pairs).T)
    label = np.full((len(tfs), len(targets)), -1, np.int8)
    label[row, column] = np.asarray(labels) > 0
    repeated = len(pairs) - np.count_nonzero(label >= 0)
    if repeated:
        raise SplitError(f"{repeated:,} of {len(pairs):,} pairs repeat others: evaluate each once.")
    return row, column, label


def number(names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones, ascending, and which of them each is; small integers are not sorted."""
    if not (len(names) and names.dtype.kind in "iu" and 0 <= names.min() <= names.max() < 2**24):
        return np.unique(names, return_inverse=True)
    is_there = np.zeros(names.max() + 1, bool)
    is_there[names] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[names]


def read_scores(scores: np.ndarray) -> np.ndarray:
    """The scores in float64.

    Raises:
        NonFiniteError: one is NaN or infinite.
    """
    scores = np.asarray(scores, np.float64)
    bad = np.count_nonzero(~np.isfinite(scores))
    if bad:
        raise NonFiniteError(
            f"{bad:,} of {len(scores):,} scores are NaN or infinite; give every pair a number."
        )
    return scores
