"""Box plots of a label-noise study."""

import numpy as np
import pandas as pd

from grnjax.errors import ConfigError
from grnjax.plotting.style import (
    COLOURS,
    INK,
    NORMAL,
    SMALL,
    Figure,
    clean_axes,
    new_figure,
    set_title,
)

METRICS = {"auroc": "AUROC", "average_precision": "average precision"}
NARROWEST = 6.5  # inches
GROUP = 0.8  # of the distance between two levels is filled with boxes


def plot_noise(rows: list[dict]) -> Figure:
    """AUROC and average precision by share of flipped labels, one box a method (scRegNet, Fig. 3).

    A box spans the middle half of the draws, its line is their median, its whiskers reach the
    outermost draws, and every draw is a dot.

    Args:
        rows: one a draw, with method, level (share of labels flipped, 0.01 for 1 %), auroc and
            average_precision.
    """
    table = pd.DataFrame(rows)
    missing = [name for name in ("method", "level", *METRICS) if name not in table]
    if missing:
        raise ConfigError(f"The rows of the noise study have no {' and no '.join(missing)}.")
    levels, methods = np.sort(table["level"].unique()), list(table["method"].unique())
    figure = new_figure(max(2.2 + 0.37 * len(levels) * max(3, len(methods)), NARROWEST), 3.6)
    for axes, (metric, title) in zip(figure.subplots(1, 2), METRICS.items(), strict=True):
        for place, method in enumerate(methods):
            chosen = table[table["method"] == method]
            values = [chosen[metric][chosen["level"] == level].to_numpy() for level in levels]
            width = GROUP / len(methods)
            centres = np.arange(len(levels)) + (place - (len(methods) - 1) / 2) * width
            colour = COLOURS[place % len(COLOURS)]
            draw_boxes(axes, values, centres, 0.75 * width, colour, label=method)
        axes.set_xticks(np.arange(len(levels)), [f"{100 * level:g} %" for level in levels])
        axes.set_xlabel("share of wrong training labels", fontsize=NORMAL)
        axes.grid(axis="y", color="#EEEEEE", linewidth=0.8)
        axes.set_axisbelow(True)
        clean_axes(axes)
        set_title(axes, title)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=SMALL
    )
    return figure


def draw_boxes(axes, values, centres, width, colour, label) -> None:
    """The boxes of one method, and its draws as dots side by side."""
    line = {"color": colour, "linewidth": 1.1}
    boxes = axes.boxplot(
        values,
        positions=centres,
        widths=width,
        whis=(0, 100),
        showcaps=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": colour + "40", "edgecolor": colour},
        whiskerprops=line,
        medianprops={"color": INK, "linewidth": 1.4},
        manage_ticks=False,
    )
    boxes["boxes"][0].set_label(label)
    for centre, draws in zip(centres, values, strict=True):
        across = centre + np.linspace(-0.3, 0.3, max(len(draws), 2))[: len(draws)] * width
        axes.plot(across, draws, "o", color=colour, markersize=2.2, markeredgewidth=0)
