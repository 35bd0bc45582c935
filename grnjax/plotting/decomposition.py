"""The one picture of what a published score is made of."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from grnjax.errors import ConfigError
from grnjax.plotting.picture import PictureConfig, take_rows
from grnjax.plotting.style import (
    COLOURS,
    GREY,
    INK,
    LARGE,
    NORMAL,
    SMALL,
    Figure,
    begin_panels,
    clean_axes,
    put_legend,
    set_title,
    shorten,
)

METHODS = {
    "TF rate": "how many targets each TF has",
    "additive logistic": "plus how many TFs each target has",
    "published scRegNet": "scRegNet, as published",
    "ID-only rank 4": "gene names alone, no expression (rank 4)",
    "scRegNet": "grnjax's model",
}
"""The methods drawn, in this order, and what the legend says of them."""

BARE = ("TF rate", "additive logistic", "ID-only rank 4")  # that know no expression

FILLS = ("#DDDDDD", "#AAAAAA", "white", COLOURS[4], COLOURS[0])
EDGES = ("#DDDDDD", "#AAAAAA", COLOURS[1], COLOURS[4], COLOURS[0])
PANELS = {  # title, note, where bars start
    "auroc": ("AUROC", "bars start at .5, a coin toss", 0.5),
    "average_precision": ("average precision", "black lines: a random order", 0.0),
    "swap_micro": ("swap concordance", "base rates alone score exactly .5", 0.5),
}
BAR = 0.82  # height, where bars stand one apart


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecompositionPicture(PictureConfig):
    """What the run's figures are made of: base rates and names beside the method."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        rows = take_rows(network, *PANELS)
        own = getattr(network, "method", rows[0]["method"])
        found = {row["method"] for row in rows}
        methods = {name: label for name, label in METHODS.items() if name in found and name in BARE}
        methods[own] = own
        folder = getattr(network, "folder", None)
        name = folder.name if folder is not None else "this run"
        return plot_decomposition([{"set": name, **row} for row in rows], methods, ax=ax)


def plot_decomposition(
    rows: list[dict], methods: dict[str, str] = METHODS, *, ax: Axes | None = None
) -> Figure:
    """What the score is made of: base rates alone beside the models, a group of bars a data set.

    The first two panels are the published figures of merit, which base rates win. The third is
    swap concordance, on which a sum of a TF's and a target's base rate gets exactly one half.

    Args:
        rows: set, method, auroc, average_precision and swap_micro (None where unknown), perhaps
            prevalence. Rows of one set and method are averaged; sets keep their order.
        methods: which methods to draw, in order, and what the legend calls them; at most five.
        ax: axes of a figure of yours; by default a new one.
    """
    table = pd.DataFrame(rows)
    missing = [name for name in ("set", "method", *PANELS) if name not in table]
    if missing:
        raise ConfigError(f"The rows have no {' and no '.join(missing)}.")
    absent = [name for name in methods if name not in set(table["method"])]
    if absent or len(methods) > len(FILLS):
        raise ConfigError(
            f"{len(methods)} methods to draw, at most {len(FILLS)}; without rows: "
            f"{', '.join(absent) or 'none'}."
        )
    figures = [name for name in (*PANELS, "prevalence") if name in table]
    table[figures] = table[figures].astype(np.float64)
    means = table.groupby(["set", "method"], sort=False)[figures].mean()
    sets = list(table["set"].unique())
    step = len(methods) + 1.2

    figure, panels = begin_panels(ax, 10.5, 2.1 + 0.165 * step * len(sets), (1,) * len(PANELS))
    for axes, (metric, (title, note, start)) in zip(panels, PANELS.items(), strict=True):
        for place, method in enumerate(methods):
            values = np.array([means[metric].get((name, method), np.nan) for name in sets])
            y = step * np.arange(len(sets)) + place
            style = {"color": FILLS[place], "edgecolor": EDGES[place], "linewidth": 1.2}
            bars = axes.barh(y, values - start, BAR, left=start, **style, label=methods[method])
            label_bars(axes, bars, values, start)
        if metric == "average_precision" and "prevalence" in means:
            top = step * np.arange(len(sets)) - 0.6
            random = means["prevalence"].groupby("set", sort=False).mean()[sets]
            axes.vlines(random, top, top + len(methods) + 0.2, color=INK, linewidth=1.2)
        axes.axvline(start, color=GREY, linewidth=0.8)
        ticks = [start, (1 + start) / 2, 1]
        axes.set_xlim(start, 1)
        axes.set_xticks(ticks, [f"{tick:g}".removeprefix("0") or "0" for tick in ticks])
        clean_axes(axes, keep=("bottom",))
        axes.tick_params(axis="y", length=0, labelsize=NORMAL)
        set_title(axes, title, note)
    panels[0].set_yticks(step * np.arange(len(sets)) + (len(methods) - 1) / 2, sets)
    panels[0].set_ylim(step * len(sets) - 1.2, -0.9)
    if ax is None:
        figure.suptitle(
            "What a published score is made of", x=0.01, ha="left", fontsize=LARGE + 3, color=INK
        )
    put_legend(figure, panels[0], ax, ncols=3)
    return figure


def label_bars(axes, bars, values: np.ndarray, start: float) -> None:
    """Each value at the end of its bar, "not published" where there is none."""
    for bar, value in zip(bars, values, strict=True):
        y = bar.get_y() + bar.get_height() / 2
        known = not np.isnan(value)
        axes.annotate(
            shorten(value) if known else "not published",
            (max(value, start) if known else start, y),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL - 1.5,
            color=INK if known else GREY,
        )
