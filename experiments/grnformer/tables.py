"""The tables and the picture of GRNFormer's page, from the rows in experiments/results/."""

import functools
from collections.abc import Callable

import numpy as np
from scipy.stats import t

from experiments.grnformer.networks import CONDITIONS, FOLDS, LINES, PLACES, STUDY
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from grnjax.plotting.style import COLOURS, Figure, clean_axes, new_figure, set_title

PLANTED = {"auroc": "AUROC", "average_precision": "AP", "regulons": "eRegulons"}
SHARES = {"true_edges": "their edges, true", "true_triplets": "their triplets, true"}
OTHERS = ("enhancer, all signs", "enhancer, RNA alone", "grnboost2", "pearson")
MOTIF = "motif within reach"
CELLS = {"balanced_accuracy": "balanced accuracy", "low": "from", "high": "to", "ari": "ARI"}


def average(values: list[float | None], decimals: int = 3) -> str:
    """The mean of what is there, with half its 95 % t interval."""
    found = np.array([x for x in values if x is not None], float)
    if not len(found):
        return "-"
    half = None
    if len(found) > 1:
        half = float(t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / len(found) ** 0.5)
    if decimals:
        return st.write(float(found.mean()), half, decimals=decimals)
    return f"{found.mean():.1f}"


@functools.cache
def planted() -> dict[tuple[str, str], list[dict]]:
    """The rows of planted networks by condition and method."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in read_rows(STUDY, set="planted"):
        groups.setdefault((row["split"], row["method"]), []).append(row)
    return groups


def planted_table() -> st.Table:
    """The method in each condition, and others beside it on the paired multiome."""
    rows = {condition: (condition, "enhancer") for condition in CONDITIONS}
    rows |= {f"paired: {method}": ("paired", method) for method in (*OTHERS, MOTIF)}
    rows = {title: planted()[key] for title, key in rows.items()}

    def cell(found: list[dict], key: str) -> str:
        return average([row.get(key) for row in found], 0 if key == "regulons" else 3)

    columns = {title: key for key, title in (PLANTED | SHARES).items()}
    count = len(next(iter(rows.values())))
    note = f"Mean of {count} networks, ± half the width of the 95 % t interval; 20 TFs, 600 genes."
    return st.Table(rows, columns, cell, "planted multiome", note)


def cells_table() -> st.Table:
    """Which representation of cells knows their line."""
    found: dict[str, list[dict]] = {}
    for row in read_rows(STUDY, set=LINES):
        found.setdefault(row["method"], []).append(row)
    rows = dict(sorted(found.items(), key=lambda x: -x[1][0]["balanced_accuracy"]))

    def cell(of_method: list[dict], key: str) -> str:
        return st.write(float(np.mean([row[key] for row in of_method])))

    note = (
        f"Means over {len(next(iter(rows.values())))} draws of {FOLDS} folds; from and to: 95 % "
        "interval of balanced accuracy over resampled cells."
    )
    columns = {title: key for key, title in CELLS.items()}
    return st.Table(rows, columns, cell, "representation", note)


def plot_cells() -> Figure:
    """Cells of the four lines by the activity of regulons, a panel a network."""
    places: dict[str, list[dict]] = {}
    for row in read_rows(PLACES):
        places.setdefault(row["method"], []).append(row)
    figure = new_figure(4.2 * len(places), 4)
    panels = np.ravel(figure.subplots(1, len(places), squeeze=False))
    for axes, (method, rows) in zip(panels, places.items(), strict=True):
        for line, colour in zip(sorted({row["line"] for row in rows}), COLOURS, strict=False):
            x, y = zip(*((r["x"], r["y"]) for r in rows if r["line"] == line), strict=True)
            axes.scatter(x, y, s=5, color=colour, label=line, linewidths=0)
        clean_axes(axes)
        axes.set_xticks([])
        axes.set_yticks([])
        set_title(axes, method)
    panels[0].legend(frameon=False, markerscale=2)
    return figure


TABLES: dict[str, Callable[[], object]] = {"planted": planted_table, "cell lines": cells_table}
CSV: dict = {}
PICTURES = {"cell_lines.png": plot_cells}
