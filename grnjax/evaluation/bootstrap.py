"""Intervals from resampling whole TFs: what the figures could have been with other TFs.

Pairs of one TF share its targets and its biology, so TFs are the sample, not pairs. No pair is
copied: a resample is how often each TF was drawn, and every figure is written in these counts.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from grnjax.errors import ConfigError
from grnjax.evaluation.swaps import count_swaps, tabulate_labels

LEVELS_AT_ONCE = 4096  # bounds memory: [sample, level] arrays are the largest


def bootstrap_over_tfs(
    pairs: np.ndarray,
    labels: np.ndarray,
    scores: Mapping[str, np.ndarray],
    *,
    seed: int,
    samples: int = 1000,
    reference: str | None = None,
) -> pd.DataFrame:
    """One line per method and metric, with 95 % percentile intervals over resampled TFs.

    `value` is the figure of the pairs as they are, between `low` and `high`. `difference` is by
    how much it exceeds that of the reference, and `difference_low` and `difference_high` are its
    interval over the same resamples. `samples` counts the resamples in which the metric is
    defined, `dropped` the others: those without a positive or a negative pair, or, for swap
    concordance, without a quadruple.

    Args:
        pairs: the evaluated pairs, each once.
        scores: of each method, one a pair, on the logit scale as `swap_concordance` wants them.
        reference: the method to compare with; without it there are no differences.
    """
    if reference is not None and reference not in scores:
        raise ConfigError(f"No scores of {reference!r}; there are {', '.join(scores)}.")
    tfs = len(np.unique(np.asarray(pairs)[:, 0]))
    drawn = np.random.default_rng(seed).multinomial(tfs, np.full(tfs, 1 / tfs), size=samples)
    counts = np.concatenate([np.ones((1, tfs)), drawn])  # [1 + sample, tf], the first as it is
    figures = {
        method: measure_resamples(counts, pairs, labels, of_method)
        for method, of_method in scores.items()
    }
    lines = []
    for method, of_method in figures.items():
        for metric, values in of_method.items():
            line = {"method": method, "metric": metric, **_describe("", values)}
            if reference is not None:
                line |= _describe("difference", values - figures[reference][metric])
            used = int(np.isfinite(values[1:]).sum())
            lines.append(line | {"samples": used, "dropped": samples - used})
    return pd.DataFrame(lines)


def _describe(name: str, values: np.ndarray) -> dict[str, float]:
    """The first value and the interval of the others, undefined ones left out."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    prefix = f"{name}_" if name else ""
    return {name or "value": values[0], f"{prefix}low": low, f"{prefix}high": high}


def measure_resamples(
    counts: np.ndarray, pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> dict[str, np.ndarray]:
    """Four metrics in each resample [sample], NaN where undefined.

    With m the counts, a concordance over pairs of TFs is a ratio of quadratic forms: AUROC is
    m'Wm / (m'p m'n), where W[a, c] counts how often a positive of a beats a negative of c (ties
    half), and p and n count positives and negatives; within-TF AUROC averages W[a, a] / (p_a n_a)
    over the draws of TFs with both classes; swap concordance counts quadruples instead.
    Average precision sums over score levels, where true and false positives are linear in m.

    Args:
        counts: [sample, tf], how often each TF is in the resample; TFs ascending.
    """
    won, possible = count_swaps(pairs, labels, scores)
    scores = np.asarray(scores, np.float64)
    row, _, label = tabulate_labels(pairs, labels)
    tfs = len(label)
    positive, negative = (
        _sort_by_tf(scores[chosen], row[chosen], tfs)
        for chosen in (np.asarray(labels) > 0, np.asarray(labels) <= 0)
    )
    p, n = (np.array([len(of_tf) for of_tf in part]) for part in (positive, negative))
    levels = np.unique(scores[np.asarray(labels) > 0])
    wins = np.zeros((tfs, tfs))
    precision = np.zeros(len(counts))  # summed over the positives of the resample
    for start in range(0, len(levels), LEVELS_AT_ONCE):
        level = levels[start : start + LEVELS_AT_ONCE]
        true, false = _count_from(positive, level), _count_from(negative, level)  # [tf, level]
        at_level = true - _count_from(positive, level, above=True)
        above = _count_from(negative, level, above=True)
        wins += at_level @ (n[:, None] - (false + above) / 2).T
        true, false = counts @ true, counts @ false  # [sample, level]
        precision += np.sum((counts @ at_level) * true / np.maximum(true + false, 1), axis=1)
    positives, negatives = counts @ p, counts @ n
    has_both = (p > 0) & (n > 0)
    within = np.divide(np.diag(wins), p * n, out=np.zeros(tfs), where=has_both)
    return {
        "auroc": _divide(_sum_over_tf_pairs(counts, wins), positives * negatives),
        "average_precision": _divide(precision, np.where(negatives > 0, positives, 0)),
        "within_tf_auroc": _divide(counts @ within, counts @ has_both),
        "swap_micro": _divide(
            _sum_over_tf_pairs(counts, won), _sum_over_tf_pairs(counts, possible)
        ),
    }


def _sort_by_tf(scores: np.ndarray, row: np.ndarray, tfs: int) -> list[np.ndarray]:
    """The scores of each TF, ascending."""
    order = np.lexsort((scores, row))
    return np.split(scores[order], np.searchsorted(row[order], np.arange(1, tfs)))


def _count_from(by_tf: list[np.ndarray], levels: np.ndarray, *, above: bool = False) -> np.ndarray:
    """How many scores of each TF are at or above each level, or only above it: [tf, level]."""
    below = [np.searchsorted(x, levels, side="right" if above else "left") for x in by_tf]
    return np.array([len(of_tf) for of_tf in by_tf], np.float64)[:, None] - below


def _sum_over_tf_pairs(counts: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """The amounts of TF pairs times how often both are drawn, m'Am for each row m of `counts`."""
    return np.sum((counts @ amounts) * counts, axis=1)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
