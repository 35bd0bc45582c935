"""Swap concordance: how often scores tell who regulates whom once all base rates are gone.

For TFs a, c and targets b, d with (a,b) and (c,d) regulated but (a,d) and (c,b) not, right is

    s(a,b) + s(c,d) > s(a,d) + s(c,b).

For one TF pair that is the AUROC of the gaps s(a,.) - s(c,.), targets of a only against targets of
c only. A score a(tf) + b(target) gets exactly half.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from grnjax.errors import NonFiniteError, SplitError
from grnjax.storage.memory import count_cores

TOLERANCE = 1e-5
TFS_AT_ONCE = 256
NUMBERS_AT_ONCE = 2**21  # gaps of one TF with so many, on a thread
LARGEST = 2**29 - 64
"""Of the gaps as integers, a margin included."""
NONE = np.int32(2**30)
"""A score that makes any gap larger than these, by an even number of steps; `UNEVEN` by an odd."""
UNEVEN = np.int32(2**30 + 1)
FAR = np.int32(~6)
"""Leaves 1 of an odd number below 8: integers so close may be in the other order, by rounding."""


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
    draws: int = 2**18,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    scale: float | None = None,
) -> dict[str, float]:
    """`micro` of `swap_concordance` from so many quadruples, each equally likely to be drawn.

    Two positive pairs are drawn until neither TF regulates the other's target, so nothing as large
    as TFs x TFs is made. `standard_error` is that of the drawing alone, below .001 of as many draws
    as by default; both are NaN where no quadruple was met among 64 times as many draws.
    """
    label, score, margin = tabulate_scores(pairs, labels, scores, tolerance, scale)
    tf, target = np.nonzero(label == 1)
    row, own = tf * label.shape[1], score[tf, target]  # where a TF's pairs begin
    rng, won, missing = np.random.default_rng(seed), [], draws
    for _ in range(64 if len(tf) else 0):
        ab, cd = rng.integers(len(tf), size=(2, missing + missing // 4 + 16))
        ad, cb = row[ab] + target[cd], row[cd] + target[ab]
        is_swap = np.flatnonzero((label.take(ad) == 0) & (label.take(cb) == 0))[:missing]
        ab, cd, ad, cb = (x[is_swap] for x in (ab, cd, ad, cb))
        gap, lower = own[ab] - score.take(cb), score.take(ad) - own[cd]
        won.append(((lower < gap - margin) + (lower <= gap + margin).astype(float)) / 2)
        missing -= len(is_swap)
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
    possible, table = np.triu(lacking * lacking.T, 1), tabulate_targets(label, score, margin)
    won = np.zeros(possible.shape)

    most = int(table.targets.max(initial=0))

    def compare_with_later(a: int) -> None:
        fitting = NUMBERS_AT_ONCE // (2 * int(table.targets[a]) + most + 1)
        step = min(max(fitting, 1), TFS_AT_ONCE)
        for first in range(a + 1, len(won), step):
            others = slice(first, min(first + step, len(won)))
            count = lacking[a, others], lacking[others, a]
            won[a, others] = count_won(a, others, count, table)

    with ThreadPoolExecutor(count_cores()) as pool:
        list(pool.map(compare_with_later, range(len(won))))
    return won, possible


class Table(NamedTuple):
    """Labels and scores, and scores as integers: two for each step.

    Where a target does not count, the integers are such that its gap is above all others and even.
    """

    label: np.ndarray  # [tf, target]
    score: np.ndarray  # [tf, target]
    margin: float
    margin_steps: np.int32
    steps: np.ndarray  # [tf, target + 1] of the score; at the end NONE
    others: np.ndarray  # [target, tf] the same of pairs labelled 0, else -NONE
    targets: np.ndarray  # [tf] how many
    place: np.ndarray  # [tf, most] of its targets; beyond a list's end that of NONE
    own: np.ndarray  # [tf, most] steps there, less one; 0 beyond a list's end


def tabulate_targets(label: np.ndarray, score: np.ndarray, margin: float) -> Table:
    """The arrays that all comparisons read."""
    (tfs, targets), (row, column) = label.shape, np.nonzero(label == 1)
    size = LARGEST / (float(np.ptp(score)) + margin or 1) / 2
    steps = np.full((tfs, targets + 1), NONE)
    steps[:, :-1] = 2 * np.rint((score - score.min()) * size).astype(np.int32)
    others = np.ascontiguousarray(np.where(label == 0, steps[:, :-1], -NONE).T)
    count = np.bincount(row, minlength=tfs)
    at = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    place = np.full((tfs, int(count.max(initial=1))), targets, np.intp)
    own = np.zeros(place.shape, np.int32)
    place[row, at], own[row, at] = column, steps[row, column] - 1
    margin_steps = np.int32(2 * round(margin * size))
    return Table(label, score, margin, margin_steps, steps, others, count, place, own)


def count_won(a: int, others: slice, count: tuple, table: Table) -> np.ndarray:
    """Swaps that are right between TF a and each other one, [other]; a tie counts one half.

    Gaps s(a,.) - s(c,.) at targets of a less the margin, those plus the margin, and gaps at targets
    of c are sorted together, the last of these odd; the ranks of the odd ones tell how many of the
    even ones are below. Where two are closer than rounding to steps could have exchanged, the swaps
    of that TF are counted from the scores.

    Args:
        count: the targets of a that are none of the other TF, and the reverse, [other] each.
    """
    of_a, width = table.place[a, : table.targets[a]], int(table.targets[others].max(initial=0))
    gaps = (table.steps[a].take(of_a)[:, None] - table.others[of_a, others]).T
    keys = np.empty((len(gaps), 2 * len(of_a) + width), np.int32)
    np.subtract(gaps, table.margin_steps, out=keys[:, : len(of_a)])
    np.add(gaps, table.margin_steps, out=keys[:, len(of_a) : 2 * len(of_a)])
    steps = table.steps[a].copy()
    steps[:-1][table.label[a] != 0] = UNEVEN
    place, own = table.place[others, :width], table.own[others, :width]
    np.subtract(steps.take(place), own, out=keys[:, 2 * len(of_a) :])

    keys.sort(axis=1)
    exact = "float32" if keys.shape[1] ** 2 < 2**25 else "float64"  # for sums of all ranks
    rank = (keys & 1).astype(exact) @ np.arange(keys.shape[1]).astype(exact)
    won = count[0] * count[1] - (rank - count[1] * (count[1] - 1) / 2) / 2  # float64
    is_close = (keys[:, 1:] - keys[:, :-1]) & FAR == 1
    for other in np.flatnonzero(is_close.any(axis=1)):
        won[other] = count_by_definition(a, others.start + other, table)
    return won


def count_by_definition(a: int, c: int, table: Table) -> float:
    """Swaps that are right between two TFs, gap by gap."""
    (label_a, score_a), (label_c, score_c) = ((table.label[x], table.score[x]) for x in (a, c))
    of_a, of_c = ((x == 1) & (y == 0) for x, y in ((label_a, label_c), (label_c, label_a)))
    upper, lower = (score_a[x] - score_c[x] for x in (of_a, of_c))
    lower.sort()
    clearly = lower.searchsorted(upper - table.margin, "left").sum()
    return (clearly + lower.searchsorted(upper + table.margin, "right").sum()) / 2


def tabulate_scores(pairs, labels, scores, tolerance: float, scale: float | None) -> tuple:
    """Labels [tf, target] (`tabulate_labels`), scores likewise, and what two gaps may differ by."""
    row, column, label = tabulate_labels(pairs, labels)
    score = np.zeros(label.shape)
    score.ravel()[row * label.shape[1] + column] = read_scores(scores)
    return label, score, tolerance * (np.abs(score).max() if scale is None else scale)


def tabulate_labels(pairs: np.ndarray, labels: np.ndarray) -> tuple:
    """Row and column of each pair, and the labels [tf, target], -1 where there is no pair.

    TFs and targets are those of the pairs, ascending.
    """
    (tfs, row), (targets, column) = map(number, np.asarray(pairs).T)
    label = np.full((len(tfs), len(targets)), -1, np.int8)
    label.ravel()[row * len(targets) + column] = np.asarray(labels) > 0
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
    if is_there.all():
        return np.arange(len(is_there)), names.astype(np.intp)
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
