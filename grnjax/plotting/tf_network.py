"""A network around one TF: its best targets on rings, and who else regulates them."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from grnjax.config import Positive
from grnjax.errors import EdgeFormatError, GeneMismatchError
from grnjax.plotting.picture import PictureConfig, choose_tf, take_edges
from grnjax.plotting.style import (
    COLOURS,
    INK,
    NORMAL,
    SMALL,
    Figure,
    begin,
    put_legend,
    set_title,
)

RINGS = ((10, 1.1), (20, 2.0), (30, 2.9))  # places on a ring, its radius; best targets inside
OTHERS = 6  # further TFs at most
WIDEST, THINNEST = 4.0, 0.8  # points
TF_COLOUR, TARGET_COLOUR, OTHER_COLOUR = COLOURS[1], COLOURS[0], COLOURS[2]
DASHED = (0, (2.2, 1.4))
INCHES = 1.2  # per unit of the layout
LETTER, HALF_HEIGHT = 0.036, 0.13  # inches that half a letter's width and half a box take up
FULL_SIZE = 9  # letters; a longer name is written smaller


COLUMNS = {  # as edges.tsv, rankedEdges.csv and network files of other programs call them
    "tf": ("tf", "gene1", "source", "regulator"),
    "target": ("target", "gene2"),
    "importance": ("importance", "edgeweight", "weight", "score"),
    "status": ("status",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkPicture(PictureConfig):
    """The best targets of one TF on rings, and the TFs that share them."""

    tf: str | None = None
    """Which TF; by default the one with most confident targets."""
    top: Positive = 30
    """So many targets, at most 60."""

    def draw(self, network, ax: Axes | None = None) -> Figure:
        edges = take_edges(network)
        return plot_tf_network(edges, self.tf or choose_tf(edges), top=self.top, ax=ax)


def plot_tf_network(
    edges: pd.DataFrame | str | Path, tf: str, *, top: int = 30, ax: Axes | None = None
) -> Figure:
    """The TF in the middle, its `top` best targets around it, clockwise by rank from the top.

    The inner ring holds the ten best. Width is score; a solid edge is known, a dashed one new.
    The squares outside are the TFs with most known edges to the targets shown. Where nothing is
    known all edges are solid and no squares drawn.

    Args:
        edges: TF, target, importance and perhaps status ("known" or "new"), as a table or as a
            file that `grnjax infer` writes, edges.tsv or rankedEdges.csv.
        tf: its name as in `edges`.
        top: how many targets, at most 60.
        ax: axes of a figure of yours; by default a new one.
    """
    edges = name_columns(edges)
    own = edges[edges["tf"] == tf].sort_values("importance", ascending=False, kind="stable")
    if own.empty:
        names = ", ".join(map(str, edges["tf"].unique()[:5]))
        raise GeneMismatchError(f"No edge starts at {tf}; among the TFs are {names}.")
    shown = own[: min(top, sum(places for places, _ in RINGS))]
    others, sharing = find_others(edges, shown, tf)
    place = dict(zip(shown["target"], place_targets(len(shown)), strict=True))
    radius = max(np.hypot(*where) for where in place.values()) + 0.9
    outside = place_outside(others, place, radius)

    reach = radius + 0.3 if outside else radius - 0.4
    figure, axes = begin(ax, 2 * reach * INCHES, 2 * reach * INCHES + 1.2)
    for other, target in others[["tf", "target"]].to_numpy():
        ends = np.transpose([outside[other], place[target]])
        axes.plot(*ends, color=OTHER_COLOUR, linewidth=0.8, alpha=0.5, zorder=1)
    low, high = shown["importance"].min(), shown["importance"].max()
    for target, score, status in shown[["target", "importance", "status"]].to_numpy():
        width = THINNEST + (WIDEST - THINNEST) * (score - low) / max(high - low, 1e-12)
        draw_arrow(axes, place[target], target, width, DASHED if status == "new" else "-")
    for target, where in place.items():
        draw_name(axes, where, target, TARGET_COLOUR, "round,pad=0.3")
    for other, where in outside.items():
        draw_name(axes, where, other, OTHER_COLOUR, "square,pad=0.35")
    draw_name(axes, (0, 0), tf, TF_COLOUR, "square,pad=0.5", size=NORMAL + 3)

    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.axis("off")
    is_told = bool((shown["status"] != "").any())
    known = int((shown["status"] == "known").sum())
    note = f"{len(shown):,} of {len(own):,} scored targets, by rank clockwise from the top"
    note += f"; {known} known, {len(shown) - known} new" if is_told else ""
    set_title(axes, f"The best targets of {tf}", note)
    shared = f"known edge of another TF ({len(outside)} of {sharing:,} drawn)"
    handles = name_lines((low, high), shared if outside else None, is_told=is_told)
    put_legend(figure, axes, ax, handles=handles, ncols=3, below=0.02)
    return figure


def name_columns(edges: pd.DataFrame | str | Path) -> pd.DataFrame:
    """The columns tf, target, importance and status, "" where the table has no status."""
    if not isinstance(edges, pd.DataFrame):
        edges = pd.read_csv(edges, sep="\t", keep_default_na=False)
    lower = {str(heading).lower(): heading for heading in reversed(edges.columns)}
    found = {
        name: next((lower[word] for word in words if word in lower), None)
        for name, words in COLUMNS.items()
    }
    missing = [name for name, heading in found.items() if heading is None and name != "status"]
    if missing:
        raise EdgeFormatError(f"edges: no column {' or '.join(missing)} to draw a network of.")
    columns = {name: edges[heading] for name, heading in found.items() if heading is not None}
    return pd.DataFrame({"status": "", **columns})


def find_others(edges: pd.DataFrame, shown: pd.DataFrame, tf: str) -> tuple[pd.DataFrame, int]:
    """Known edges to the targets shown, of the few TFs with most; how many TFs have any."""
    is_other = (edges["tf"] != tf) & (edges["status"] == "known")
    known = edges[is_other & edges["target"].isin(shown["target"])]
    by_tf = known["tf"].value_counts()
    return known[known["tf"].isin(by_tf.index[:OTHERS])], len(by_tf)


def place_targets(count: int) -> np.ndarray:
    """[rank, 2], from the inner ring out; rings are half a step apart, so that edges show."""
    places = []
    for ring, (room, radius) in enumerate(RINGS):
        here = min(room, count - len(places))
        turns = (np.arange(here) + 0.5 * (ring % 2)) / max(here, 1)
        places.extend(radius * point_at(2 * np.pi * turns))
    return np.array(places)


def place_outside(others: pd.DataFrame, place: dict, radius: float) -> dict:
    """Evenly spaced places of the further TFs, as near to the middle of their targets as can be."""
    towards = {
        tf: np.arctan2(*np.sum([place[target] for target in part["target"]], axis=0))
        for tf, part in others.groupby("tf", sort=False)
    }
    order = sorted(towards, key=towards.get)
    even = 2 * np.pi * np.arange(len(order)) / max(len(order), 1)
    turn = np.angle(sum(np.exp(1j * (towards[tf] - angle)) for tf, angle in zip(order, even)))
    return dict(zip(order, radius * point_at(even + turn), strict=True))


def point_at(angles: np.ndarray) -> np.ndarray:
    """[angle, 2], points of the unit circle, clockwise from the top."""
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def draw_arrow(axes, where: np.ndarray, name: str, width: float, style) -> None:
    """An arrow from the middle to the border of the box around the name."""
    half_box = np.array([LETTER * (min(len(name), FULL_SIZE) + 2), HALF_HEIGHT]) / INCHES
    inside = np.min(half_box / np.maximum(np.abs(where), 1e-9))
    axes.add_patch(
        FancyArrowPatch(
            (0, 0),
            where * (1 - inside),
            arrowstyle="-|>,head_length=3,head_width=1.8",
            mutation_scale=1.6 if width < 2 else 1.2,
            shrinkA=0,
            shrinkB=0,
            linewidth=width,
            linestyle=style,
            color=INK,
            zorder=2,
        )
    )


def draw_name(axes, where, name, colour, box, size=SMALL) -> None:
    """A gene's name in a box of its colour."""
    axes.text(
        *where,
        name,
        ha="center",
        va="center",
        fontsize=size * min(1, FULL_SIZE / len(name)),
        color=INK,
        zorder=3,
        bbox={"boxstyle": box, "facecolor": "white", "edgecolor": colour, "linewidth": 1.4},
    )


def name_lines(scores: tuple[float, float], shared: str | None, *, is_told: bool) -> list[Line2D]:
    """What lines and boxes mean."""
    low, high = scores
    told = [
        Line2D([], [], color=INK, linewidth=2, label="known edge"),
        Line2D([], [], color=INK, linewidth=2, linestyle=DASHED, label="new edge"),
    ]
    entries = [
        *(told if is_told else []),
        Line2D([], [], color=INK, linewidth=WIDEST, label=f"score {high:.2g}"),
        Line2D([], [], color=INK, linewidth=THINNEST, label=f"score {low:.2g}"),
    ]
    if shared:
        entries.append(Line2D([], [], color=OTHER_COLOUR, linewidth=1, label=shared))
    return entries
