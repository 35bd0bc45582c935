"""What a score rests on: the terms of one edge's logit, and the worth of each input of a run."""

import dataclasses
from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from scipy.special import expit

from grnjax.config import Positive
from grnjax.errors import ConfigError, NonFiniteError
from grnjax.plotting.picture import PictureConfig, choose_edge, take_edges
from grnjax.plotting.style import (
    COLOURS,
    GREY,
    INK,
    NORMAL,
    PALE,
    SMALL,
    Figure,
    begin,
    begin_panels,
    clean_axes,
    put_legend,
    set_title,
    shorten,
)

FOR = {"facecolor": COLOURS[0], "edgecolor": COLOURS[0]}
AGAINST = {"facecolor": "white", "edgecolor": COLOURS[1], "hatch": "/////"}
BAR = 0.66  # height, where bars stand one apart
ROOM = 0.15  # of the range of the logits, left at both ends for the numbers
SMALLEST_RANGE = 1.0  # so that terms next to nothing look like it
PREFIX = "logit: "  # of the columns of edges.tsv that hold the terms

WORDS, ENDS = ("name", "kind"), ("_low", "_high")
DROPS = {  # column: name in the legend, how it is drawn, how far below the middle of its row
    "drop_average_precision": (
        "average precision",
        {"marker": "o", "color": COLOURS[0], "markersize": 5.5},
        -0.14,
    ),
    "drop_swap_micro": (
        "swap concordance",
        {"marker": "D", "color": COLOURS[1], "markersize": 4.5, "markerfacecolor": "white"},
        0.14,
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContributionsPicture(PictureConfig):
    """Why one edge is scored as it is: the terms that add up to its logit."""

    tf: str | None = None
    """TF of the edge; by default that of the best new one."""
    target: str | None = None
    """Its target; by default the best of the TF."""
    most: Positive = 10
    """So many terms have a bar of their own."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        edges = take_edges(network)
        if not any(name.startswith(PREFIX) for name in edges.columns):
            raise ConfigError(
                "the run has no terms of its logits: make it with grnjax infer --explain, by a "
                "method that explains, such as kernel-factor."
            )
        edge = choose_edge(edges, self.tf, self.target)
        title = f"Why {edge['tf']} \N{RIGHTWARDS ARROW} {edge['target']}"
        return plot_contributions(edge, title=title, most=self.most, ax=ax)


def plot_contributions(
    terms: Mapping[str, float] | pd.Series, *, title: str, most: int = 10, ax: Axes | None = None
) -> Figure:
    """Why one edge is scored as it is: a waterfall of the terms that add up to its logit.

    Each bar starts where the one above it ends, the largest at the top; the first starts at logit
    0, a probability of one half. Filled bars lead right, hatched ones left.

    Args:
        terms: the base, the biases, the identities and what each input adds, by name; or a row of
            edges.tsv, of which the columns "logit: NAME" are taken.
        title: which edge it is.
        most: so many terms have a bar of their own; the smallest are summed as one.
        ax: axes of a figure of yours; by default a new one.
    """
    terms = take_terms(terms)
    wrong = [name for name, value in terms.items() if not np.isfinite(value)]
    if wrong:
        raise NonFiniteError(f"{', '.join(wrong)}: not finite, so the terms have no sum to draw.")
    if not terms or most < 1:
        raise ConfigError(f"{len(terms)} terms and {most} bars: a waterfall needs one of each.")
    steps = choose_steps(terms, most)
    ends = np.cumsum(list(steps.values()))
    starts = np.concatenate([[0], ends[:-1]])

    figure, axes = begin(ax, 5.2, 2.0 + 0.27 * len(steps))
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        style = FOR if end >= start else AGAINST
        axes.barh(row, end - start, BAR, left=start, linewidth=1.2, **style)
        write_number(axes, end, row, end - start)
        axes.vlines(end, row + BAR / 2, row + 1 - BAR / 2, color=GREY, linewidth=0.8)
    axes.barh(len(steps), ends[-1], BAR, color=GREY, edgecolor=GREY, linewidth=1.2)
    write_number(axes, ends[-1], len(steps), ends[-1])
    axes.axvline(0, color=PALE, linewidth=1, zorder=-1)

    low, high = min(ends.min(), 0), max(ends.max(), 0)
    room = ROOM * max(high - low, SMALLEST_RANGE)
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(len(steps) + 0.6, -0.6)
    axes.set_yticks(np.arange(len(steps) + 1), [*steps, "logit"])
    axes.set_xlabel("logit, term by term", fontsize=NORMAL)
    clean_axes(axes, keep=("bottom",))
    axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    axes.get_yticklabels()[-1].set_fontweight("bold")
    if ax is None:
        make_room_for_names(figure, axes)
    add_probabilities(axes)
    kinds = [Patch(**FOR, label="for the edge"), Patch(**AGAINST, label="against it")]
    put_legend(figure, axes, ax, handles=kinds, below=0.3)
    probability = write_probability(expit(ends[-1]))
    note = f"logit {write_signed(ends[-1])}, probability {probability} before calibration"
    set_title(axes, title, note)
    return figure


def take_terms(terms: Mapping[str, float] | pd.Series) -> dict[str, float]:
    """The columns "logit: NAME" without their prefix where there are any, else all that is given.

    A row of edges.tsv has none unless its run was asked to explain the logits.
    """
    prefixed = {
        name.removeprefix(PREFIX): value for name, value in terms.items() if name.startswith(PREFIX)
    }
    taken = prefixed or dict(terms.items())
    words = [name for name, value in taken.items() if not isinstance(value, Real)]
    if words:
        raise ConfigError(
            f"{', '.join(words)}: not numbers, so not terms of a logit; a row of edges.tsv has "
            f"columns that begin with '{PREFIX}' after grnjax infer --explain."
        )
    return taken


def make_room_for_names(figure: Figure, axes: Axes) -> None:
    """Widens the figure by the longest name beside its rows, so that no name narrows the axes."""
    longest = max(name.get_window_extent().width for name in axes.get_yticklabels())
    figure.set_figwidth(figure.get_figwidth() + longest / figure.dpi)


def choose_steps(terms: Mapping[str, float], most: int) -> dict[str, float]:
    """The largest terms by size, and last the sum of all others under their number."""
    ordered = sorted(terms, key=lambda name: (-abs(terms[name]), name))
    steps = {name: float(terms[name]) for name in ordered[:most]}
    others = ordered[most:]
    if others:
        name = "1 other" if len(others) == 1 else f"{len(others):,} others"
        steps[name] = float(sum(terms[other] for other in others))
    return steps


def write_number(axes: Axes, x: float, row: int, value: float) -> None:
    """The value at the end of its bar, on the side that the bar points to."""
    side = 1 if value >= 0 else -1
    axes.annotate(
        write_signed(value),
        (x, row),
        xytext=(4 * side, 0),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=SMALL,
        color=INK,
    )


def write_signed(value: float) -> str:
    """Two decimals and a sign."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def write_probability(probability: float) -> str:
    """Three decimals, without claiming that anything is certain."""
    if 0.001 <= probability <= 0.999:
        return f"{probability:.3f}".removeprefix("0")
    return "< .001" if probability < 0.5 else "> .999"


def add_probabilities(axes: Axes) -> None:
    """A second axis below that of the logits, which says the probability at each of its ticks."""
    below = axes.secondary_xaxis("bottom")
    below.spines["bottom"].set_position(("outward", 36))
    below.xaxis.set_major_formatter(lambda logit, _: write_probability(expit(logit)))
    below.set_xlabel("probability before calibration", fontsize=NORMAL)
    below.spines["bottom"].set_color(GREY)
    below.tick_params(labelsize=SMALL, color=GREY, labelcolor=INK)


def plot_block_worth(table: pd.DataFrame, *, ax: Axes | None = None) -> Figure:
    """What a run rests on: how much worse it gets without each input, and the kernel weights.

    The input that costs most average precision stands at the top. A mark left of 0 is an input
    without which the run did better. A drop or an interval that is missing is not drawn.

    Args:
        table: a row a block or pair feature: name, kind ("genes" or "pairs"), weight (of the
            block's kernels, NaN for pair features), drop_average_precision and drop_swap_micro;
            perhaps the ends of their intervals under the same names with _low and _high.
        ax: axes of a figure of yours; by default a new one.
    """
    ends = [f"{drop}{end}" for drop in DROPS if f"{drop}_low" in table for end in ENDS]
    needed = [*WORDS, "weight", *DROPS, *ends]
    missing = [column for column in needed if column not in table]
    if missing or table.empty:
        raise ConfigError(
            f"The table of {len(table):,} inputs has no {' and no '.join(missing) or 'row'}."
        )
    table = table.astype({column: np.float64 for column in needed if column not in WORDS})
    table = table.sort_values("drop_average_precision", ascending=False, kind="stable")
    rows = np.arange(len(table))

    figure, (drops, weights) = begin_panels(ax, 6.4, 1.9 + 0.3 * len(table), (4, 1))
    for column, (label, style, below) in DROPS.items():
        drops.plot(table[column], rows + below, linestyle="", label=label, zorder=3, **style)
        if f"{column}_low" in table:
            interval = (table[f"{column}{end}"] for end in ENDS)
            drops.hlines(rows + below, *interval, color=style["color"], linewidth=1.4, zorder=2)
    drops.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    drops.set_yticks(rows, table["name"])
    drops.set_ylim(len(table) - 0.4, -0.6)
    drops.grid(axis="y", color="#EEEEEE", linewidth=0.8)
    drops.set_axisbelow(True)
    drop = "drop and its interval" if ends else "drop"
    drops.set_xlabel(f"{drop}; right of 0 is worse without", fontsize=NORMAL)
    draw_weights(weights, table)
    for axes in (drops, weights):
        clean_axes(axes, keep=("bottom",))
        axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    if ax is None:
        make_room_for_names(figure, drops)
    put_legend(figure, drops, ax)
    set_title(drops, "What the run rests on", "each input in turn permuted over genes")
    return figure


def draw_weights(axes: Axes, table: pd.DataFrame) -> None:
    """A bar a block; pair features, which have no kernel, are named instead."""
    axes.barh(np.arange(len(table)), table["weight"], 0.5, color=GREY)
    for row, (kind, weight) in enumerate(zip(table["kind"], table["weight"], strict=True)):
        axes.annotate(
            "pair feature" if kind == "pairs" else shorten(weight),
            (0 if np.isnan(weight) else weight, row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=GREY if kind == "pairs" else INK,
        )
    largest = table["weight"].max()
    axes.set_xlim(0, 1.6 * largest if largest > 0 else 1)
    axes.set_xlabel("kernel weight", fontsize=NORMAL)
