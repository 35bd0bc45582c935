"""How well scores separate regulated pairs from the rest, pooled and with base rates removed.

Pooled figures reward knowing which TFs have many targets; within-TF figures cancel that, and
within-target figures cancel how often a gene is regulated at all. Swap concordance cancels both.

Ties are never broken by the order of the rows: tied pairs enter a curve together, and a tied
comparison counts one half.
"""

from collections.abc import Collection

import numpy as np

from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.swaps import read_scores, sample_swaps, swap_concordance

MOST_COMPARED = 10**8
"""TFs times positive pairs: some seconds of exact swap concordance."""


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
    scores, is_positive = read_scores(scores), np.asarray(labels) > 0
    if not len(scores):
        raise SplitError("No pairs to evaluate: check that the part of the split is not empty.")
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(is_positive[order])[last_of_tie]
    return true, np.flatnonzero(last_of_tie) + 1 - true


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
    """Means of `binary_metrics` over the groups with both classes, found for all at once."""
    groups, is_positive = np.unique(groups, return_inverse=True)[1], np.asarray(labels) > 0
    pairs, positives = np.bincount(groups), np.bincount(groups, weights=is_positive)
    is_usable = (0 < positives) & (positives < pairs)
    pairs, positives, scores = pairs[is_usable], positives[is_usable], read_scores(scores)
    order = np.lexsort((-scores, groups))
    order = order[is_usable[groups[order]]]
    of_pair, scores = np.repeat(np.arange(len(pairs)), pairs), scores[order]
    ends = np.append((np.diff(of_pair) != 0) | (np.diff(scores) != 0), True)[: len(order)]
    ends, group = np.flatnonzero(ends), of_pair[ends]  # one for each tie
    true, counted = np.cumsum(is_positive[order])[ends], ends + 1
    gained, added = np.diff(true, prepend=0), np.diff(counted, prepend=0)
    counted = counted - (np.cumsum(pairs) - pairs)[group]  # in this group
    true = true - (np.cumsum(positives) - positives)[group]
    area = (true - gained / 2) * (added - gained)
    precise = true / counted * gained / positives[group]
    auroc = np.bincount(group, weights=area) / (positives * (pairs - positives))
    average_precision = np.bincount(group, weights=precise)
    each = {
        "auroc": auroc,
        "average_precision": average_precision,
        "ap_ratio": average_precision * pairs / positives,
    }
    means = {name: values.mean() if len(pairs) else np.nan for name, values in each.items()}
    return {name: float(mean) for name, mean in means.items()} | {"count": len(pairs)}


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


def evaluate_pairs(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    logits: bool = True,
    only: Collection[str] | None = None,
) -> dict[str, float | int | None]:
    """One row of a results table: every figure for these pairs, None where one is undefined.

    Args:
        pairs: [pair, 2], TF and target of each evaluated pair, no pair twice.
        scores: higher means more likely regulated. Any scale serves the rankings; swap
            concordance wants logits.
        logits: False for probabilities, which are turned into logits for swap concordance.
        only: the figures that are wanted, the others being neither computed nor returned.

    Beyond 10^8 TFs times positives, swap concordance comes from 262,144 quadruples, with
    `swap_standard_error` in place of its macro average.
    """

    def is_wanted(part: str) -> bool:
        return only is None or any(name.startswith(part) for name in only)

    pooled = binary_metrics(labels, scores)
    row = {name: value for name, value in pooled.items() if name != "auroc_trapezoid"}
    if is_wanted("within_tf"):
        by_tf = within_tf(pairs, labels, scores)
        row |= {f"within_tf_{name}": value for name, value in by_tf.items()}
    if is_wanted("within_target"):
        by_target = within_target(pairs, labels, scores)
        row |= {f"within_target_{name}": by_target[name] for name in ("auroc", "count")}
    if is_wanted("swap"):
        swap = measure_swaps(pairs, labels, scores if logits else to_logits(scores))
        row |= {f"swap_{name}": value for name, value in swap.items()}
    row |= {"pairs": len(scores), "positives": int(np.count_nonzero(np.asarray(labels) > 0))}
    return {
        name: None if np.isnan(value) else value
        for name, value in row.items()
        if only is None or name in only
    }


def measure_swaps(pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Swap concordance of all quadruples, or its micro average from a sample where it takes long.

    A sample has its standard error beside it.
    """
    compared = len(np.unique(np.asarray(pairs)[:, 0])) * np.count_nonzero(np.asarray(labels) > 0)
    if compared <= MOST_COMPARED:
        return swap_concordance(pairs, labels, scores)
    return sample_swaps(pairs, labels, scores)
