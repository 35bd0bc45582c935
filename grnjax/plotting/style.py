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


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, laid out so that nothing is cut off."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=150, layout=layout)


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
