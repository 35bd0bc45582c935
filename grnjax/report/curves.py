"""Figures of a ranking that are drawn: shares by probability, and precision by recall."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from grnjax.evaluation.group_differences import bound_share

BINS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
FEWEST = 20  # pairs of a bin
POINTS = 250


class Curve(NamedTuple):
    """Precision by recall."""

    recall: list[float]
    precision: list[float]
    prevalence: float

    def at(self, recall: float) -> float | None:
        """The precision where the recall is first reached; None where it never is."""
        place = int(np.searchsorted(self.recall, recall))
        return self.precision[place] if place < len(self.precision) else None


def bin_probabilities(probability: pd.Series, is_known: pd.Series) -> pd.DataFrame:
    """A row a bin of enough pairs: mean probability, share that is known with Wilson's interval."""
    number = np.digitize(probability, BINS[1:-1])
    table = pd.DataFrame({"bin": number, "mean": probability, "known": is_known.to_numpy()})
    found = table.groupby("bin").agg(
        mean=("mean", "mean"), known=("known", "sum"), pairs=("known", "size")
    )
    found = found[found["pairs"] >= FEWEST].reset_index(drop=True)
    bounds = [bound_share(np.array([k]), int(n)) for k, n in zip(found["known"], found["pairs"])]
    for place, name in enumerate(("share", "low", "high")):
        found[name] = [float(bound[place][0]) for bound in bounds]
    return found


def find_curve(is_known: np.ndarray, scores: np.ndarray, positives: int, pairs: int) -> Curve:
    """The curve at a few hundred depths; equal scores enter it together.

    Args:
        positives: known edges that could have been found, also where they are not ranked.
        pairs: all that could have been ranked.
    """
    order = np.argsort(-scores, kind="stable")
    hits, ranked = np.cumsum(is_known[order]), scores[order]
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    recall, precision = hits[ends] / positives, hits[ends] / (ends + 1)
    levels = np.linspace(0, recall[-1], POINTS)
    kept = np.unique(np.minimum(np.searchsorted(recall, levels), len(recall) - 1))
    short = [[float(f"{x:.4g}") for x in values[kept]] for values in (recall, precision)]
    return Curve(*short, positives / pairs)
