"""Precision-recall curves."""

from collections.abc import Mapping

import numpy as np

from grnjax.errors import NonFiniteError, SplitError
from grnjax.plotting.style import (
    COLOURS,
    DASHES,
    GREY,
    NORMAL,
    SMALL,
    Figure,
    clean_axes,
    new_figure,
    set_title,
    shorten,
)


def plot_precision_recall(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> Figure:
    """One stepped curve a method, best first in the legend, and the line a random order follows.

    Average precision is the area under these steps; nothing is interpolated between them.

    Args:
        labels: [pair], 1 regulated, 0 not.
        scores: for each method, [pair], higher for more likely.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    labels = np.asarray(labels) > 0
    check_scores(labels, scores)
    figure = new_figure(5.6, 4.2)
    axes = figure.add_subplot()
    areas = {name: average_precision_score(labels, score) for name, score in scores.items()}
    for place, name in enumerate(sorted(areas, key=areas.get, reverse=True)):
        precision, recall, _ = precision_recall_curve(labels, scores[name])
        axes.step(
            recall,
            precision,
            where="post",
            color=COLOURS[place % len(COLOURS)],
            linestyle=DASHES[place % len(DASHES)],
            linewidth=1.6,
            label=f"{name}, AP {shorten(areas[name])}",
        )
    prevalence = labels.mean()
    axes.axhline(prevalence, color=GREY, linewidth=1, label=f"random, {shorten(prevalence)}")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_xlabel("recall: share of the true edges found", fontsize=NORMAL)
    axes.set_ylabel("precision: share of the edges found that are true", fontsize=NORMAL)
    axes.legend(frameon=False, fontsize=SMALL, loc="upper right")
    clean_axes(axes)
    set_title(axes, "Precision and recall", f"{labels.sum():,} true edges, {len(labels):,} pairs")
    return figure


def check_scores(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> None:
    """Refuses labels of one class, and scores that do not fit them or are not finite."""
    if not scores or labels.all() or not labels.any():
        raise SplitError(
            f"{labels.sum():,} true edges among {len(labels):,} pairs and {len(scores)} methods: a "
            "curve needs both classes and a method."
        )
    for name, score in scores.items():
        finite = np.isfinite(np.asarray(score, np.float64)).sum()
        if not len(score) == finite == len(labels):
            raise NonFiniteError(
                f"{name} has {finite:,} finite scores among {len(score):,} for {len(labels):,} "
                "pairs; give every pair a number."
            )
