"""Probabilities of pairs in cells that nobody has assayed, by cell types that are left out in turn.

Each cell type of the lists is left out once, its pairs are scored by the rest, and its labels say
how often pairs of such a score are listed: a logistic curve for TFs with lists elsewhere and one
for those without. What is under test has been left out before, so its labels enter nothing.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from grnjax.data.compendium.lists import TargetLists
from grnjax.evaluation.calibration import Calibration, fit_calibration

FEWEST_TARGETS = 30  # of a list that calibrates
FEWEST_LISTS = 3  # by which a curve is fitted
GENES_A_LIST = 5_000  # at most, drawn once
LEAST_SLOPE = 1e-3  # so that pairs keep the order of their scores

Score = Callable[[TargetLists, list[str]], Float[np.ndarray, "tf gene"]]
"""Scores of TFs by lists of other cells."""


@dataclasses.dataclass(frozen=True, eq=False)
class ListCalibration:
    """Curves by whether a TF has lists in other cells; 0 and 1 where too few lists could tell."""

    curves: Mapping[bool, Calibration]
    lists: Mapping[bool, int]  # that each was fitted on

    def logits(
        self,
        scores: Float[np.ndarray, "tf gene"],
        has_lists: np.ndarray,
        prevalence: float | None = None,
    ) -> Float[np.ndarray, "tf gene"]:
        """The logit of each pair's probability, at this prevalence or at that of the lists."""
        found = np.empty(scores.shape, np.float64)
        for has, curve in self.curves.items():
            rows = has_lists == has
            found[rows] = curve.a * scores[rows] + curve.b + curve.shift_to(prevalence)
        return found

    @property
    def report(self) -> dict:
        """For run.json."""
        return {
            "with lists" if has else "without lists": {
                "lists": self.lists[has],
                "slope": curve.a,
                "offset": curve.b,
                "prevalence": curve.prevalence,
            }
            for has, curve in self.curves.items()
        }


def calibrate(lists: TargetLists, score: Score, *, seed: int) -> ListCalibration:
    """The curves of scores in cells that are left out in turn.

    Where one of the two kinds of TFs has too few lists, both share the curve of all.

    Args:
        seed: draws the genes, where there are many.
    """
    rng, genes = np.random.default_rng(seed), len(lists.genes)
    found: dict[bool, list] = {True: [], False: []}
    upper = np.char.upper(lists.genes.astype(str))  # as `name_tf` spells TFs
    for _, own, others in lists.nested():
        own = own.take(own.counts >= FEWEST_TARGETS)
        if not len(own) or not len(others):
            continue
        tfs = own.tfs.tolist()
        scores, labels = score(others, tfs), own.unpack(np.arange(len(own)))
        for row, tf in enumerate(tfs):
            pairs = np.flatnonzero(upper != tf)
            if genes > GENES_A_LIST:
                pairs = rng.choice(pairs, GENES_A_LIST, replace=False)
            has_list = len(others.rows_of(tf)) > 0
            found[has_list].append((scores[row, pairs], labels[row, pairs]))
    counts = {has: len(rows) for has, rows in found.items()}
    everything = found[True] + found[False]
    if min(counts.values()) < FEWEST_LISTS:
        found = {True: everything, False: everything}
    curves = {has: fit_curve(rows) for has, rows in found.items()}
    return ListCalibration(curves, counts)


def fit_curve(rows: list[tuple[np.ndarray, np.ndarray]]) -> Calibration:
    """The curve of scores and labels of some lists; that of no knowledge without any."""
    labels = np.concatenate([label for _, label in rows]) if rows else np.zeros(0)
    if not labels.any() or labels.all():
        return Calibration(a=1.0, b=0.0, prevalence=0.5)
    curve = fit_calibration(np.concatenate([score for score, _ in rows]), labels)
    return dataclasses.replace(curve, a=max(curve.a, LEAST_SLOPE))
