"""A heat map of scores, TFs by targets."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes

from grnjax.config import Positive
from grnjax.errors import EdgeFormatError
from grnjax.plotting.picture import PictureConfig, take_edges
from grnjax.plotting.style import (
    GREY,
    NORMAL,
    PALE,
    SMALL,
    Figure,
    begin,
    clean_axes,
    set_title,
)

NARROWEST = 7.0  # inches, what the note under the title needs


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoresPicture(PictureConfig):
    """A heat map of scores, TFs by targets, alike ones side by side."""

    score: str = "importance"
    """Column of the edges to draw."""
    tfs: Positive = 30
    """At most so many TFs, those furthest from the mean."""
    targets: Positive = 60
    """At most so many targets."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        edges = take_edges(network)
        return plot_scores(edges, score=self.score, tfs=self.tfs, targets=self.targets, ax=ax)


def plot_scores(
    edges: pd.DataFrame,
    *,
    score: str = "importance",
    tfs: int = 30,
    targets: int = 60,
    ax: Axes | None = None,
) -> Figure:
    """Scores of the TFs and targets that differ most from the rest, alike ones side by side.

    Rows and columns are ordered by hierarchical clustering (average linkage, leaves in the order
    that keeps neighbours close). Known edges carry a dot, pairs without a score are grey.

    Args:
        edges: tf, target, the score and, to mark known edges, status.
        score: the column to draw.
        tfs: at most so many TFs, those with the largest squared distance from the mean score.
        targets: at most so many targets, chosen likewise among the pairs of these TFs.
        ax: axes of a figure of yours; by default a new one.
    """
    missing = [name for name in ("tf", "target", score) if name not in edges]
    if missing:
        raise EdgeFormatError(f"edges: no column {' or '.join(missing)} to draw a heat map of.")
    repeated = int(edges.duplicated(["tf", "target"]).sum())
    if repeated:
        raise EdgeFormatError(f"edges: {repeated:,} pairs repeat others; give each once.")
    scores = edges.pivot(index="tf", columns="target", values=score)
    size = scores.shape
    away = (scores - np.nanmean(scores.to_numpy())) ** 2
    shown_tfs = away.sum(axis=1).nlargest(tfs).index
    shown_targets = away.loc[shown_tfs].sum().nlargest(targets).index
    scores = scores.loc[shown_tfs, shown_targets]
    scores = scores.iloc[order_alike(scores), order_alike(scores.T)]

    height = 0.17 * len(scores) + 1.7
    figure, axes = begin(ax, max(0.17 * scores.shape[1] + 2.4, NARROWEST), height)
    colours = colormaps["YlGnBu"].with_extremes(bad=PALE)
    image = axes.imshow(scores, cmap=colours, aspect="equal", interpolation="none")
    if "status" in edges:
        known = edges[edges["status"] == "known"]
        rows = scores.index.get_indexer(known["tf"])
        columns = scores.columns.get_indexer(known["target"])
        here = (rows >= 0) & (columns >= 0)
        axes.plot(columns[here], rows[here], "o", color="white", markersize=3.4)
        axes.plot(columns[here], rows[here], "o", color="black", markersize=2.2)
    axes.set_xticks(np.arange(scores.shape[1]), scores.columns, rotation=90)
    axes.set_yticks(np.arange(len(scores)), scores.index)
    clean_axes(axes, keep=())
    axes.tick_params(length=0, labelsize=SMALL - 1)
    bar = figure.colorbar(
        image, ax=axes, shrink=min(1, 1.6 / height), aspect=12, pad=0.01, anchor=(0, 0.9)
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, color=GREY)
    bar.set_label(score, fontsize=NORMAL)
    note = f"{len(scores):,} of {size[0]:,} TFs and {scores.shape[1]:,} of {size[1]:,} targets"
    note += ", those furthest from the mean score"
    if "status" in edges:
        note += "; dots are known edges"
    set_title(axes, "Which TF is scored for which target", note)
    return figure


def order_alike(scores: pd.DataFrame) -> np.ndarray:
    """The positions of the rows in the order of a clustering."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(scores) < 3:
        return np.arange(len(scores))
    filled = scores.fillna(scores.mean().mean()).to_numpy()
    return leaves_list(linkage(filled, method="average", optimal_ordering=True))
