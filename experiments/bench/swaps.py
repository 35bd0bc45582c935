"""Swap concordance of many TFs: as an array program, as a loop over pairs of TFs, and sampled.

Run:     python -m experiments.bench.swaps
Cost:    about a minute
Prints:  one JSON line a case, kept in experiments/results/bench_swaps.jsonl

Random scores of 5,000 targets, a twentieth of the pairs positive. The peer is our own former form:
for each two TFs the gaps of one side are sorted and those of the other searched among them; both
must count the same swaps. `sample` draws a million quadruples; `error` is how far it is from the
exact figure, beside its standard error. Seconds by the clock, the fastest of the rounds.
"""

import time

import numpy as np

from experiments.bench.line import BenchFile
from grnjax.evaluation.swaps import count_swaps, sample_swaps, tabulate_labels

TARGETS, DENSITY, TOLERANCE = 5_000, 0.05, 1e-5
TFS, ROUNDS = (150, 300, 600), 3


def main() -> None:
    """Measures all sizes."""
    file = BenchFile("swaps")
    for tfs in TFS:
        case = make(tfs)
        ours, counted = measure(count_swaps, case)
        theirs, expected = measure(loop_over_pairs, case)
        for one, other in zip(counted, expected, strict=True):
            np.testing.assert_array_equal(one, other)
        file.add(f"{tfs} TFs", "s", ours, theirs, None, targets=TARGETS, density=DENSITY)
        seconds, sample = measure(sample_swaps, case)
        error = abs(sample["micro"] - counted[0].sum() / counted[1].sum())
        facts = {"error": float(f"{error:.2g}")}
        facts["standard_error"] = float(f"{sample['standard_error']:.2g}")
        file.add(f"sample/{tfs} TFs", "s", seconds, ours, None, info=True, **facts)


def make(tfs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs, labels and scores."""
    rng = np.random.default_rng(tfs)
    labels = rng.random((tfs, TARGETS)) < DENSITY
    scores = (rng.normal(size=labels.shape) + labels).astype(np.float32)
    return np.argwhere(np.ones_like(labels)), labels.ravel(), scores.ravel()


def measure(function, case):
    """The fastest round in seconds, and what came of it."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = function(*case)
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def loop_over_pairs(pairs: np.ndarray, labels: np.ndarray, scores: np.ndarray):
    """Won and possible swaps of each two TFs, one after the other."""
    row, column, label = tabulate_labels(pairs, labels)
    score = np.zeros(label.shape)
    score[row, column] = scores
    margin = TOLERANCE * np.abs(score).max()
    positive, negative = label == 1, label == 0
    lacking = (positive.astype(np.float32) @ negative.T.astype(np.float32)).astype(np.int64)
    possible = np.triu(lacking * lacking.T, 1)
    won, regulated = np.zeros(possible.shape), [np.flatnonzero(of_tf) for of_tf in positive]
    for a, c in np.argwhere(possible):
        of_a = regulated[a][negative[c, regulated[a]]]
        of_c = regulated[c][negative[a, regulated[c]]]
        gap, lower = score[a, of_a] - score[c, of_a], np.sort(score[a, of_c] - score[c, of_c])
        clearly = lower.searchsorted(gap - margin, "left").sum()
        won[a, c] = (clearly + lower.searchsorted(gap + margin, "right").sum()) / 2
    return won, possible


if __name__ == "__main__":
    main()
