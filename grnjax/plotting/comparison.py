"""Methods by what base rates cannot win: within-TF AUROC against swap concordance."""

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from grnjax.plotting.picture import PictureConfig, take_rows
from grnjax.plotting.style import (
    COLOURS,
    GREY,
    INK,
    NORMAL,
    SMALL,
    Figure,
    begin,
    clean_axes,
    set_title,
)

LEAST, MIDDLE, MOST = 20.0, 90.0, 420.0  # areas of a dot, in points
LETTER, DOT, AWAY = 4.6, 4.0, 6.0  # points: width of a letter, half a dot, from dot to name
MARGIN = 12.0  # points that a name may reach beyond the axes at their right
SIDES = [(side, up) for up in (4, -11, 15, -22, 26) for side in ("left", "right")]
"""Where a name may stand: which of its ends is at the point, and how far above."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonPicture(PictureConfig):
    """The method beside the trivial rows, by what base rates cannot win."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        rows = pd.DataFrame(take_rows(network, "within_tf_auroc", "swap_micro"))
        columns = [x for x in ("within_tf_auroc", "swap_micro", "seconds") if x in rows]
        table = rows.groupby("method", sort=False)[columns].mean()
        own = getattr(network, "method", None)
        if "seconds" not in table and own in table.index:
            table["seconds"] = [1.0 if name == own else None for name in table.index]
            return plot_comparison(table, "means over folds or draws", ax=ax, is_timed=False)
        return plot_comparison(table, "means over folds or draws", ax=ax)


def plot_comparison(
    table: pd.DataFrame, note: str = "", *, ax: Axes | None = None, is_timed: bool = True
) -> Figure:
    """One dot a method; its area grows with the seconds of a fit, and trivial rows are crosses.

    Args:
        table: by method, `within_tf_auroc`, `swap_micro` and, but for trivial rows, `seconds`.
        note: what stands under the title, such as the name of the set.
        ax: axes of a figure of yours; by default a new one.
        is_timed: whether the seconds say how long a fit took, and not only what is no trivial row.
    """
    figure, axes = begin(ax, 7.2, 5.0)
    table = table.dropna(subset=["within_tf_auroc", "swap_micro"])
    seconds = table["seconds"] if "seconds" in table else pd.Series(dtype=float)
    sizes = scale_sizes(seconds.dropna().to_dict())
    labels: list[tuple[str, float, float, str]] = []
    if not is_timed:
        sizes = dict.fromkeys(sizes, MIDDLE)
    for name, row in table.iterrows():
        x, y = row["within_tf_auroc"], row["swap_micro"]
        if name in sizes:
            axes.scatter(x, y, s=sizes[name], color=COLOURS[0], alpha=0.6, linewidth=0)
        else:
            axes.scatter(x, y, s=30, color=GREY, marker="x", linewidth=1.2)
        colour = INK if name in sizes else GREY
        labels.append((str(name), x, y, colour))
    write_labels(axes, labels)
    for draw in (axes.axhline, axes.axvline):
        draw(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("AUROC within a TF: TF base rates count nothing", fontsize=NORMAL)
    axes.set_ylabel("swap concordance: no base rate counts", fontsize=NORMAL)
    clean_axes(axes)
    title = "Methods beside trivial rows (crosses)" + ("; larger took longer" if is_timed else "")
    set_title(axes, title, note)
    return figure


def write_labels(axes: Axes, labels: list[tuple[str, float, float, str]]) -> None:
    """Each name beside its point, on the side that no other name or point takes up.

    Args:
        labels: name, x, y and colour.
    """
    axes.margins(x=0.12, y=0.06)
    axes.get_figure(root=True).draw_without_rendering()  # tells how large the axes come out
    per_point = axes.get_figure(root=True).dpi / 72
    at = axes.transData.transform([(x, y) for _, x, y, _ in labels]) / per_point
    left, right = axes.get_window_extent().intervalx / per_point
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in at]
    for (name, x, y, colour), own in zip(labels, at, strict=True):
        width = LETTER * len(name)

        def box(side: str, up: float, own=own, width=width) -> tuple[float, float, float, float]:
            start = own[0] + (AWAY if side == "left" else -AWAY - width)
            return start, own[1] + up, start + width, own[1] + up + SMALL

        def crowd(place: tuple[str, float], box=box) -> int:
            start, _, end, _ = box(*place)
            outside = start < left or end > right + MARGIN
            return sum(overlap(box(*place), other) for other in taken) + 2 * outside

        side, up = min(SIDES, key=crowd)
        taken.append(box(side, up))
        place = (AWAY if side == "left" else -AWAY, up)
        style = {"fontsize": SMALL, "color": colour, "ha": side}
        axes.annotate(name, (x, y), place, textcoords="offset points", **style)


def overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes, each left, bottom, right and top, have a place in common."""
    return all(one[i] < other[i + 2] and other[i] < one[i + 2] for i in (0, 1))


def scale_sizes(seconds: Mapping[str, float]) -> dict[str, float]:
    """Areas between the least and the largest, by the logarithm of the seconds."""
    import numpy as np

    if not seconds:
        return {}
    logs = np.log10(np.maximum(list(seconds.values()), 1e-3))
    spread = max(np.ptp(logs), 1e-9)
    areas = LEAST + (logs - logs.min()) / spread * (MOST - LEAST)
    return dict(zip(seconds, areas.tolist(), strict=True))
