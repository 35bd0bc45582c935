"""Methods by what base rates cannot win: within-TF AUROC against swap concordance."""

from collections.abc import Mapping

import pandas as pd

from grnjax.plotting.style import (
    COLOURS,
    GREY,
    INK,
    NORMAL,
    SMALL,
    Figure,
    clean_axes,
    new_figure,
    set_title,
)

LEAST, MOST = 20.0, 420.0  # areas of a dot, in points


def plot_comparison(table: pd.DataFrame, note: str = "") -> Figure:
    """One dot a method; its area grows with the seconds of a fit, and trivial rows are crosses.

    Args:
        table: by method, `within_tf_auroc`, `swap_micro` and, but for trivial rows, `seconds`.
        note: what stands under the title, such as the name of the set.
    """
    figure = new_figure(7.2, 5.0)
    axes = figure.add_subplot()
    table = table.dropna(subset=["within_tf_auroc", "swap_micro"])
    seconds = table["seconds"] if "seconds" in table else pd.Series(dtype=float)
    sizes = scale_sizes(seconds.dropna().to_dict())
    for name, row in table.iterrows():
        x, y = row["within_tf_auroc"], row["swap_micro"]
        if name in sizes:
            axes.scatter(x, y, s=sizes[name], color=COLOURS[0], alpha=0.6, linewidth=0)
        else:
            axes.scatter(x, y, s=30, color=GREY, marker="x", linewidth=1.2)
        colour = INK if name in sizes else GREY
        axes.annotate(
            str(name),
            (x, y),
            xytext=(6, 4),
            textcoords="offset points",
            fontsize=SMALL,
            color=colour,
        )
    for draw in (axes.axhline, axes.axvline):
        draw(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("AUROC within a TF: TF base rates count nothing", fontsize=NORMAL)
    axes.set_ylabel("swap concordance: no base rate counts", fontsize=NORMAL)
    clean_axes(axes)
    set_title(axes, "Methods beside trivial rows (crosses); larger took longer", note)
    return figure


def scale_sizes(seconds: Mapping[str, float]) -> dict[str, float]:
    """Areas between the least and the largest, by the logarithm of the seconds."""
    import numpy as np

    if not seconds:
        return {}
    logs = np.log10(np.maximum(list(seconds.values()), 1e-3))
    spread = max(np.ptp(logs), 1e-9)
    areas = LEAST + (logs - logs.min()) / spread * (MOST - LEAST)
    return dict(zip(seconds, areas.tolist(), strict=True))
