"""Results rows: what scores are worth on labelled pairs, beside the trivial rows."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from grnjax.baselines.controls import rate_rows, scores_at, trivial_rows
from grnjax.data.candidates import has_known_targets
from grnjax.data.label_matrix import label_matrix
from grnjax.evaluation.bootstrap import bootstrap_over_tfs
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.evaluation.negatives import match_negatives
from grnjax.progress import logger
from grnjax.storage.memory import count_cores
from grnjax.types import Dataset, Fold, GeneTable, LabelledPairs, Split

MOST_TRIVIAL_CANDIDATES = 1_000_000
MATCHED = {"auroc": "matched_auroc", "average_precision": "matched_average_precision"}


def judge_split(split: Split, genes: int, method: str, seed: int, scores: np.ndarray) -> dict:
    """A results row: the method's metrics on the test pairs of a split.

    `matched_...` are those of the positives against as many negatives of the same degrees, the
    same ones for every method.
    """
    test = split.test
    metrics = evaluate_pairs(test.pairs, test.labels, scores)
    kept = match_negatives(split.train, test, genes, seed=split.draw)
    matched = evaluate_pairs(test.pairs[kept], test.labels[kept], scores[kept])
    metrics |= {name: matched[key] for key, name in MATCHED.items()}
    return {"method": method, "draw": split.draw, "seed": seed, **metrics}


def trivial_scores(genes: GeneTable, split: Split, tfs: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of the test pairs by each trivial method."""
    blocks = trivial_rows(genes, split.train, split.validation, tfs)
    return {name: scores_at(block, split.test, tfs) for name, block in blocks.items()}


def resample_tfs(
    split: Split, scores: Mapping[tuple[str, int], np.ndarray], *, samples: int, reference: str
) -> list[dict]:
    """Intervals over resampled TFs of each method, and of the reference's difference from it."""
    first: dict[str, np.ndarray] = {}
    for (name, _), values in scores.items():
        first.setdefault(name, values)
    table = bootstrap_over_tfs(
        split.test.pairs,
        split.test.labels,
        first,
        seed=split.draw,
        samples=samples,
        reference=reference,
    )
    return table.assign(draw=split.draw).to_dict("records")


def trivial_out_of_fold(
    dataset: Dataset, candidates: LabelledPairs, folds: Sequence[Fold]
) -> dict[str, np.ndarray]:
    """Out-of-fold scores [candidate] of the trivial rows, fitted where the first repeat is."""
    are_many = len(candidates) > MOST_TRIVIAL_CANDIDATES
    if are_many:
        logger.warning(
            f"{len(candidates):,} candidates: of trivial rows, base rates alone above "
            f"{MOST_TRIVIAL_CANDIDATES:,}"
        )
    genes = dataset.genes

    def fit_fold(fold: Fold) -> dict[str, np.ndarray]:
        split = fold.part.split
        if are_many:
            blocks = rate_rows(label_matrix(split.train, genes.tfs, len(genes.names)))
        else:
            blocks = trivial_rows(genes, split.train, split.validation, genes.tfs)
        hidden = candidates.take(fold.held_out)
        return {name: scores_at(block, hidden, genes.tfs) for name, block in blocks.items()}

    scores: dict[str, np.ndarray] = {}
    first = [fold for fold in folds if fold.repeat == 0]
    with ThreadPoolExecutor(count_cores()) as cores:  # each fit is too small for more than one
        for fold, found in zip(first, cores.map(fit_fold, first), strict=True):
            for name, held_out in found.items():
                column = scores.setdefault(name, np.empty(len(candidates), held_out.dtype))
                column[fold.held_out] = held_out
    return scores


def judge_folds(
    candidates: LabelledPairs,
    scores: dict[str, np.ndarray],
    folds: Sequence[Fold],
    among: np.ndarray | None = None,
) -> list[dict]:
    """Results rows: each method on the held-out pairs of each fold, a fold being a draw.

    Args:
        among: mask of the candidates that count; by default those of TFs with a known target.
    """
    among = has_known_targets(candidates) if among is None else among
    rows = []
    for fold in folds:
        if fold.repeat == 0:
            here = fold.held_out & among
            part = candidates.take(here)
            for method, column in scores.items():
                metrics = evaluate_pairs(part.pairs, part.labels, column[here])
                rows.append({"method": method, "draw": fold.fold, "seed": 0, **metrics})
    return rows
