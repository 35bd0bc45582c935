"""How well scores separate regulated pairs from the rest, pooled and with base rates removed.

Pooled figures reward knowing which TFs have many targets; within-TF figures cancel that, and
within-target figures cancel how often a gene is regulated at all. Swap concordance cancels both.

Ties are never broken by the order of the rows: tied pairs enter a curve together, and a tied
comparison counts one half.
"""

import numpy as np

from grnjax.errors import ConfigError, NonFiniteError, SplitError


def binary_metrics(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Areas under the ROC and precision-recall curves, and what they mean beside the prevalence.

    `average_precision` sums precision over steps of recall; `auprc_trapezoid` joins the points by
    lines from recall 0 at precision 1, so constant scores give it (1 + prevalence) / 2.
    `early_precision_ratio` is the precision among the best k pairs over the prevalence, where k is
    the number of positives and every pair tied with the k-th counts.
    """
    true, false = _count_down_the_ranking(labels, scores)
    positives, negatives = true[-1], false[-1]
    if not positives or not negatives:
        raise SplitError(
            f"{positives:,} positive and {negatives:,} negative pairs among {len(labels):,}: a "
            "metric needs both; evaluate on pairs of both classes."
        )
    precision, recall = true / (true + false), true / positives
    prevalence = positives / len(labels)
    area = np.trapezoid(np.append(0, true), np.append(0, false)) / (positives * negatives)
    average_precision = np.sum(precision * np.diff(recall, prepend=0.0))
    early = np.searchsorted(true + false, positives)  # first threshold that admits k pairs
    metrics = {
        "auroc": area,
        "average_precision": average_precision,
        "auprc_trapezoid": np.trapezoid(np.append(1.0, precision), np.append(0.0, recall)),
        "auroc_trapezoid": area,  # the same number: a tie is a slanted line under either name
        "prevalence": prevalence,
        "ap_ratio": average_precision / prevalence,
        "early_precision_ratio": precision[early] / prevalence,
    }
    return {name: float(value) for name, value in metrics.items()}


def _count_down_the_ranking(labels: np.ndarray, scores: np.ndarray) -> tuple:
    """Positives and negatives at or above each distinct score, from the highest score down."""
    scores, is_positive = _read_scores(scores), np.asarray(labels) > 0
    if not len(scores):
        raise SplitError("No pairs to evaluate: check that the part of the split is not empty.")
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(is_positive[order])[last_of_tie]
    return true, np.flatnonzero(last_of_tie) + 1 - true


def _read_scores(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    bad = np.count_nonzero(~np.isfinite(scores))
    if bad:
        raise NonFiniteError(
            f"{bad:,} of {len(scores):,} scores are NaN or infinite; give every pair a number."
        )
    return scores


def within_tf(pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Mean over TFs of the metrics of one TF's pairs, which no TF base rate can raise.

    Only TFs with both classes count, each once; `count` is their number, and the means are NaN
    if there is none.
    """
    return _average_over_groups(np.asarray(pairs)[:, 0], labels, scores)


def within_target(pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Mean over targets of the metrics of one target's pairs; see `within_tf`."""
    return _average_over_groups(np.asarray(pairs)[:, 1], labels, scores)


def _average_over_groups(groups: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict:
    labels, scores = np.asarray(labels) > 0, np.asarray(scores)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    usable = [rows for rows in members if 0 < labels[rows].sum() < len(rows)]
    each = [binary_metrics(labels[rows], scores[rows]) for rows in usable]
    names = ("auroc", "average_precision", "ap_ratio")
    means = {name: np.mean([one[name] for one in each]) if each else np.nan for name in names}
    return {name: float(mean) for name, mean in means.items()} | {"count": len(each)}


def to_logits(probabilities: np.ndarray) -> np.ndarray:
    """Log odds in float64, kept finite by the resolution of the given type."""
    probabilities = np.asarray(probabilities)
    if not np.issubdtype(probabilities.dtype, np.floating):
        probabilities = probabilities.astype(np.float64)
    if probabilities.size and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ConfigError(
            f"Scores from {probabilities.min():.3g} to {probabilities.max():.3g} are not "
            "probabilities; pass them as logits."
        )
    resolution = float(np.finfo(probabilities.dtype).eps)
    p = np.clip(probabilities.astype(np.float64), resolution, 1 - resolution)
    return np.log(p) - np.log1p(-p)


def swap_concordance(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    tolerance: float = 1e-5,
    scale: float | None = None,
) -> dict[str, float]:
    """The share of label swaps the scores get right; a score a(tf) + b(target) gets exactly half.

    For TFs a, c and targets b, d with (a,b) and (c,d) regulated but (a,d) and (c,b) not, right is

        s(a,b) + s(c,d) > s(a,d) + s(c,b).

    For one TF pair that is the AUROC of the gaps s(a,.) - s(c,.), targets of a only against
    targets of c only. `micro` weighs every such quadruple alike, `macro` every TF pair that has
    one; both are NaN without any.

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


def count_swaps(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    tolerance: float = 1e-5,
    scale: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """For TFs a < c: the label swaps the scores get right, and all there are, [tf, tf] each.

    The TFs are those of the pairs, ascending; entries on and below the diagonal are zero. See
    `swap_concordance` for the rest.
    """
    row, column, label = tabulate_labels(pairs, labels)
    score = np.zeros(label.shape)
    score[row, column] = _read_scores(scores)
    margin = tolerance * (np.abs(score).max() if scale is None else scale)
    regulated, is_negative = [np.flatnonzero(of_tf == 1) for of_tf in label], label == 0
    lacking = (label == 1).astype(np.float32) @ is_negative.T.astype(np.float32)
    lacking = lacking.astype(np.int64)  # [a, c]: how many targets of a are none of c
    possible = np.triu(lacking * lacking.T, 1)
    won = np.zeros(possible.shape)
    for a, c in np.argwhere(possible):
        of_a = regulated[a][is_negative[c, regulated[a]]]  # the targets of a that c lacks
        of_c = regulated[c][is_negative[a, regulated[c]]]
        gap = score[a, of_a] - score[c, of_a]  # should be larger than any of those below
        gaps_of_c = np.sort(score[a, of_c] - score[c, of_c])
        clearly_below = np.searchsorted(gaps_of_c, gap - margin, side="left")
        below_or_tied = np.searchsorted(gaps_of_c, gap + margin, side="right")
        won[a, c] = (clearly_below.sum() + below_or_tied.sum()) / 2
    return won, possible


def tabulate_labels(pairs: np.ndarray, labels: np.ndarray) -> tuple:
    """Row and column of each pair, and the labels [tf, target], -1 where there is no pair.

    TFs and targets are those of the pairs, ascending.
    """
    tfs, row = np.unique(np.asarray(pairs)[:, 0], return_inverse=True)
    targets, column = np.unique(np.asarray(pairs)[:, 1], return_inverse=True)
    label = np.full((len(tfs), len(targets)), -1, np.int8)
    label[row, column] = np.asarray(labels) > 0
    repeated = len(pairs) - np.count_nonzero(label >= 0)
    if repeated:
        raise SplitError(f"{repeated:,} of {len(pairs):,} pairs repeat others: evaluate each once.")
    return row, column, label


def evaluate_pairs(
    pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray, *, logits: bool = True
) -> dict[str, float | int | None]:
    """One row of a results table: every figure for these pairs, None where one is undefined.

    Args:
        pairs: [pair, 2], TF and target of each evaluated pair, no pair twice.
        scores: higher means more likely regulated. Any scale serves the rankings; swap
            concordance wants logits.
        logits: False for probabilities, which are turned into logits for swap concordance.
    """
    pooled = binary_metrics(labels, scores)
    by_tf = within_tf(pairs, labels, scores)
    by_target = within_target(pairs, labels, scores)
    swap = swap_concordance(pairs, labels, scores if logits else to_logits(scores))
    row = {name: value for name, value in pooled.items() if name != "auroc_trapezoid"}
    row |= {
        "within_tf_auroc": by_tf["auroc"],
        "within_tf_average_precision": by_tf["average_precision"],
        "within_tf_ap_ratio": by_tf["ap_ratio"],
        "within_tf_count": by_tf["count"],
        "within_target_auroc": by_target["auroc"],
        "within_target_count": by_target["count"],
        **{f"swap_{name}": value for name, value in swap.items()},
        "pairs": len(scores),
        "positives": int(np.count_nonzero(np.asarray(labels) > 0)),
    }
    return {name: None if np.isnan(value) else value for name, value in row.items()}
