"""The TFs with most confident targets."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from grnjax.config import Positive
from grnjax.errors import ConfigError
from grnjax.plotting.picture import PictureConfig, are_confident, take_edges
from grnjax.plotting.style import (
    COLOURS,
    INK,
    NORMAL,
    SMALL,
    Figure,
    begin,
    clean_axes,
    put_legend,
    set_title,
)
from grnjax.types import CONFIDENT

BAR = 0.68  # height, where bars stand one apart
KINDS = {  # status: name in the legend, how it is drawn
    "known": ("known edges", {"facecolor": COLOURS[0], "edgecolor": COLOURS[0]}),
    "new": (
        "new edges",
        {"facecolor": "white", "edgecolor": COLOURS[1], "hatch": "/////"},
    ),
    "": ("edges", {"facecolor": COLOURS[0], "edgecolor": COLOURS[0]}),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegulatorsPicture(PictureConfig):
    """The TFs with most confident targets, known and new."""

    top: Positive = 20
    """So many TFs."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        return plot_regulators(take_edges(network), top=self.top, ax=ax)


def plot_regulators(edges: pd.DataFrame, *, top: int = 20, ax: Axes | None = None) -> Figure:
    """A bar a TF: how many targets have a probability of one half or more, known and new.

    Args:
        edges: tf, target, importance and probability, best first; perhaps status.
        top: so many TFs, those with most.
        ax: axes of a figure of yours; by default a new one.

    Raises:
        ConfigError: no edge is confident.
    """
    if "probability" not in edges or not edges["probability"].notna().any():
        raise ConfigError(
            "this network ranks by importance alone, without probabilities, so no target is more "
            "confident than the next; draw network or scores."
        )
    confident = edges[are_confident(edges)]
    if confident.empty:
        raise ConfigError(
            f"no edge has a probability of {CONFIDENT:g} or more (the best has "
            f"{edges['probability'].max():.3f}); draw network or scores."
        )
    status = confident["status"] if "status" in confident else pd.Series("", confident.index)
    counts = pd.crosstab(confident["tf"], status)
    order = counts.sum(axis=1).sort_values(ascending=False, kind="stable").index[:top]
    counts = counts.loc[order]
    rows = np.arange(len(counts))

    figure, axes = begin(ax, 5.6, 1.9 + 0.24 * len(counts))
    left = np.zeros(len(counts))
    for kind, (label, style) in KINDS.items():
        if kind in counts:
            width = counts[kind].to_numpy(float)
            axes.barh(rows, width, BAR, left=left, linewidth=1.0, label=label, **style)
            left += width
    for row, total in enumerate(left):
        axes.annotate(
            f"{total:,.0f}",
            (total, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=INK,
        )
    axes.set_yticks(rows, counts.index)
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * left.max())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"targets with a probability of {CONFIDENT:g} or more", fontsize=NORMAL)
    clean_axes(axes, keep=("bottom",))
    axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    if "status" in confident:
        put_legend(figure, axes, ax)
    tfs = confident["tf"].nunique()
    note = f"{len(counts):,} of {tfs:,} TFs with any; {len(confident):,} confident edges"
    set_title(axes, "Which regulators have most targets", note)
    return figure
