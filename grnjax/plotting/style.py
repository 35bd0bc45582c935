"""What all pictures share: colours anyone can tell apart, plain axes, and no pyplot.

A `Figure` of its own needs no display and no global state: `figure.savefig("picture.png")`.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's colours, distinct with any colour vision; yellow is left out as too light.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2)), (0, (2, 1)))
INK, GREY, PALE = "#222222", "#767676", "#D9D9D9"
SMALL, NORMAL, LARGE = 8, 9, 11  # font sizes in points
GAP = 0.08  # between panels inside other axes, as a share of their width


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, laid out so that nothing is cut off."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=150, layout=layout)


def begin(ax: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """The axes to draw on: those given, in their figure, or the only ones of a new figure."""
    if ax is not None:
        return ax.get_figure(root=True), ax
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def begin_panels(
    ax: Axes | None, width: float, height: float, ratios: Sequence[float]
) -> tuple[Figure, list[Axes]]:
    """Panels side by side that share their rows: of a new figure, or inside the axes given.

    Args:
        ratios: the widths of the panels beside each other.
    """
    if ax is None:
        figure = new_figure(width, height)
        return figure, list(figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios))
    ax.set_axis_off()
    room, panels, left = 1 - GAP * (len(ratios) - 1), [], 0.0
    for ratio in ratios:
        share = room * ratio / sum(ratios)
        first = panels[0] if panels else None
        panels.append(ax.inset_axes((left, 0, share, 1), sharey=first))
        panels[-1].tick_params(labelleft=first is None)
        left += share + GAP
    return ax.get_figure(root=True), panels


def put_legend(
    figure: Figure, axes: Axes, ax: Axes | None, *, handles=None, ncols: int = 2, below: float = 0.2
) -> None:
    """What lines and boxes mean: under the figure, or, in a figure of others, under the axes.

    Args:
        axes: whose named artists are told where no handles are given.
        ax: the axes that were given, if any were.
        below: how far under them, as a share of their height.
    """
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    style = {"ncols": ncols, "frameon": False, "fontsize": SMALL, "labelcolor": INK}
    if ax is None:
        figure.legend(handles=handles, loc="outside lower center", **style)
    else:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -below)}
        ax.legend(handles=handles, **place, **style)


def clean_axes(axes: Axes, *, keep: Sequence[str] = ("left", "bottom")) -> None:
    """Takes away all sides of the frame but these, and quietens the ticks."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in keep)
        spine.set_color(GREY)
    axes.tick_params(labelsize=SMALL, color=GREY, labelcolor=INK)


def set_title(axes: Axes, title: str, note: str = "") -> None:
    """A title flush left, and a smaller note under it."""
    axes.set_title(title, loc="left", fontsize=LARGE, color=INK, pad=22 if note else 8)
    axes.annotate(
        note,
        (0, 1),
        xytext=(0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        color=GREY,
    )


def shorten(value: float) -> str:
    """0.8849 as .885; a figure given in two decimals, such as 0.89, keeps them."""
    decimals = 2 if value == round(value, 2) else 3
    return f"{value:.{decimals}f}".removeprefix("0")
