"""Precision-recall curves."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from grnjax.config import Positive
from grnjax.errors import ConfigError, NonFiniteError, SplitError
from grnjax.plotting.picture import PictureConfig, take_edges
from grnjax.plotting.style import (
    COLOURS,
    DASHES,
    GREY,
    NORMAL,
    SMALL,
    Figure,
    begin,
    clean_axes,
    set_title,
    shorten,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrecisionRecallPicture(PictureConfig):
    """Precision and recall of the ranking by the known edges, which no model saw that scored them.

    A network in memory has the trivial rows beside it; a run folder keeps their figures alone.
    """

    most: Positive = 6
    """So many methods at most, the best."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        candidates, scores = getattr(network, "candidates", None), getattr(network, "scores", {})
        if candidates is not None and scores:
            labels = candidates.labels
            scores = choose_best(labels, scores, network.method, self.most)
            return plot_precision_recall(labels, scores, ax=ax)
        edges = take_edges(network, "status")
        if getattr(network, "every_score", None) is not None:
            raise ConfigError(
                f"the table lists the best {len(edges):,} pairs alone, and a curve needs all; "
                "infer with --top=all, without --top-per-target."
            )
        name = getattr(network, "method", "the ranking")
        known = edges["status"].to_numpy() == "known"
        return plot_precision_recall(known, {name: edges["importance"].to_numpy()}, ax=ax)


def choose_best(
    labels: np.ndarray, scores: Mapping[str, np.ndarray], own: str, most: int
) -> dict[str, np.ndarray]:
    """The method and the trivial rows that are best by average precision."""
    from sklearn.metrics import average_precision_score

    areas = {name: average_precision_score(labels > 0, score) for name, score in scores.items()}
    ordered = sorted(areas, key=lambda name: (name != own, -areas[name]))
    return {name: scores[name] for name in ordered[:most]}


def plot_precision_recall(
    labels: np.ndarray, scores: Mapping[str, np.ndarray], *, ax: Axes | None = None
) -> Figure:
    """One stepped curve a method, best first in the legend, and the line a random order follows.

    Average precision is the area under these steps; nothing is interpolated between them.

    Args:
        labels: [pair], 1 regulated, 0 not.
        scores: for each method, [pair], higher for more likely.
        ax: axes of a figure of yours; by default a new one.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    labels = np.asarray(labels) > 0
    check_scores(labels, scores)
    figure, axes = begin(ax, 5.6, 4.2)
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
