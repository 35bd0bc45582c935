"""The tables and the picture of the scorer of the compendium, from the rows of its study."""

import functools
from collections.abc import Callable

import numpy as np

from experiments.compendium.classes import summarise
from experiments.compendium.left_out import ALL, DETECTED, LOOK_UP, RATE, UNCOMMON
from experiments.compendium.rivals import OVER_TREES
from experiments.compendium.rivals import STUDY as RIVALS
from experiments.compendium.scorer import CALIBRATION, LINES, SCORER, STUDY
from experiments.grnformer.label_free_tables import NOTE, SWAP, WITHIN, find, write
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from grnjax.plotting.style import COLOURS, INK, NORMAL, SMALL, Figure, clean_axes, new_figure

AP = "average_precision"
GAIN = "difference"
COLUMNS = {
    "scorer, within-TF": (SCORER, WITHIN, ""),
    "over look-up": (SCORER, WITHIN, GAIN),
    "AP over look-up": (SCORER, AP, GAIN),
    "scorer, swap": (SCORER, SWAP, ""),
    "swap over look-up": (SCORER, SWAP, GAIN),
}


@functools.cache
def list_lines() -> list[str]:
    """The lines, as they were measured."""
    names = dict.fromkeys(row["set"] for row in read_rows(STUDY))
    return [name for name in names if name != LINES and not name.endswith(DETECTED)]


def show(name: str, split: str, column: tuple[str, str, str]) -> str:
    """A figure of a row, or its gain over the look-up."""
    method, figure, key = column
    return write(find(STUDY, name, split)[method], figure, key)


def count(name: str, split: str) -> int:
    """Networks that are judged."""
    return next(iter(find(STUDY, name, split).values()))["within_tf_count"]


def line_table() -> st.Table:
    """Each line left out, all its TFs."""
    rows = {f"{name} ({count(name, ALL)} TFs)": name for name in list_lines()}
    return st.Table(rows, COLUMNS, lambda name, x: show(name, ALL, x), "all TFs", NOTE)


def pooled_table() -> st.Table:
    """The networks of all lines, each a TF of its own; over the trees they have one figure."""
    rows = {f"{x} ({count(LINES, x)} networks)": x for x in (ALL, UNCOMMON)}
    columns = {x: COLUMNS[x] for x in ("scorer, within-TF", "over look-up")}
    columns |= {"over boosted trees": (OVER_TREES, WITHIN, GAIN)}
    columns |= {"AP over look-up": COLUMNS["AP over look-up"]}

    def cell(split: str, column: tuple[str, str, str]) -> str:
        method, *rest = column
        study = RIVALS if method == OVER_TREES else STUDY
        return write(find(study, LINES, split)[method], *rest)

    return st.Table(rows, columns, cell, "all lines", NOTE)


def class_table() -> st.Table:
    """What TFs reached whose ranking rests on as much, and the errors of their probabilities."""
    figures = summarise()
    groups = list(figures[SCORER])
    rows = {f"{group} ({figures[SCORER][group]['networks']} networks)": group for group in groups}
    columns = {
        "look-up, within-TF": (LOOK_UP, "within_tf_auroc"),
        "scorer, within-TF": (SCORER, "within_tf_auroc"),
        "scorer, swap": (SCORER, "swap"),
        "calibration error": (SCORER, "error"),
        "error, prevalence set": (SCORER, "error_prevalence_set"),
    }

    def cell(group: str, column: tuple[str, str]) -> str:
        method, figure = column
        if figure.startswith("error"):
            lines = read_rows(CALIBRATION, method=method, split=group)
            weights = [row["networks"] for row in lines]
            return st.write(float(np.average([row[figure] for row in lines], weights=weights)))
        found = figures[method][group]
        half = None
        if figure == WITHIN:
            half = (found[f"{figure}_high"] - found[f"{figure}_low"]) / 2
        return "" if found[figure] is None else st.write(found[figure], half)

    note = "± half the 95 % interval over resampled networks."
    return st.Table(rows, columns, cell, "the ranking of the TF rests on", note)


def plot_lines() -> Figure:
    """Within-TF AUROC of rate, look-up and scorer in each line left out."""
    names, picture = list_lines(), new_figure(7.5, 0.4 * len(list_lines()) + 1.4)
    axes = picture.subplots()
    shades = {RATE: "#767676", LOOK_UP: COLOURS[0], SCORER: COLOURS[1]}
    for place, (method, colour) in enumerate(shades.items()):
        rows = [find(STUDY, name, ALL)[method] for name in names]
        mean, low, high = (
            np.array([row[f"{WITHIN}{end}"] for row in rows]) for end in ("", "_low", "_high")
        )
        y = 5 * np.arange(len(names)) + place
        ends = np.maximum([mean - low, high - mean], 0)
        axes.errorbar(mean, y, xerr=ends, fmt="o", label=method, color=colour, markersize=5)
    axes.set_yticks(5 * np.arange(len(names)) + 1, names)
    axes.set_ylim(5 * len(names) - 1, -1)
    axes.grid(axis="x", color="#EEEEEE", linewidth=0.8)
    clean_axes(axes)
    axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    axes.set_xlabel("within-TF AUROC, 95 % interval over TFs", fontsize=NORMAL, color=INK)
    picture.suptitle(
        "ChIP-seq of lines that no row has seen", x=0.01, ha="left", fontsize=NORMAL + 3, color=INK
    )
    picture.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)
    return picture


README: dict[str, Callable[[], object]] = {
    "scorer, all lines": pooled_table,
    "classes of TFs": class_table,
}
LINE_TABLES: dict[str, Callable[[], object]] = {"scorer, lines left out": line_table}
PICTURES = {"scorer.png": plot_lines}
