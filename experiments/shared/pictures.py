"""One picture for all pages: methods by set, a dot a method with the interval of its mean."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.shared.tables import Figures, shorten_set
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

OURS, *OTHERS = COLOURS[1], "#767676", COLOURS[0], *COLOURS[2:], "#999933"


def plot_methods(
    figures: Figures,
    split: str,
    methods: Sequence[str],
    shown: Mapping[str, str],
    title: str,
) -> Figure:
    """A panel for each figure, a group of dots for each set of the split.

    Args:
        methods: at most eight, from the uppermost dot of a group to the lowest.
        shown: figures and the titles of their panels.
    """
    sets = figures.sets(split)
    colours = (*OTHERS[: len(methods) - 1], OURS)
    step = len(methods) + 1.5
    picture = new_figure(9.5, 1.4 + 0.14 * step * len(sets))
    panels = picture.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (key, text) in zip(panels, shown.items(), strict=True):
        for place, (method, colour) in enumerate(zip(methods, colours, strict=True)):
            found = [figures.means(name, split).get((method, key)) for name in sets]
            mean, half, _ = np.array([x or (np.nan,) * 3 for x in found]).T
            y = step * np.arange(len(sets)) + place
            style = {"color": colour, "markersize": 5, "elinewidth": 1.2}
            axes.errorbar(mean, y, xerr=np.nan_to_num(half), fmt="o", label=method, **style)
        axes.grid(axis="x", color="#EEEEEE", linewidth=0.8)
        axes.set_axisbelow(True)
        clean_axes(axes)
        axes.tick_params(axis="y", length=0, labelsize=NORMAL)
        set_title(axes, text)
    centre = (len(methods) - 1) / 2
    panels[0].set_yticks(step * np.arange(len(sets)) + centre, [shorten_set(x) for x in sets])
    panels[0].set_ylim(step * len(sets) - 1, -1)
    picture.suptitle(title, x=0.01, ha="left", fontsize=NORMAL + 3, color=INK)
    handles, names = panels[0].get_legend_handles_labels()
    where = "outside lower center"
    picture.legend(handles, names, loc=where, ncols=4, frameon=False, fontsize=SMALL)
    return picture
