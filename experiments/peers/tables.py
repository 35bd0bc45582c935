"""The table and the picture of the page of peers."""

import functools

import pandas as pd

from experiments.shared.record import read_rows
from experiments.shared.studies import MDC
from experiments.shared.tables import FOUR, Figures, Table, axis
from grnjax.evaluation.report import summarise

DRAWS = range(5)  # on which peers were measured
SETS = ("mDC", "hESC", "mHSC-E", "hHEP", "mESC")
TRIVIAL = (
    "TF rate",
    "additive logistic",
    "ID-only rank 4",
    "ID-only ensemble",
    "linear expression",
)
NOTE = "Mean over five draws, ± half the 95 % t interval."
TRIVIAL_STUDY = "expression_only_beeline"  # has the trivial rows of the same draws


def collect() -> list[dict]:
    """Rows of the peers, and of the trivial methods on the same draws."""
    peers = read_rows("peers_beeline")
    measured = {(row["set"], row["method"]) for row in peers}
    trivial = [row for row in read_rows(TRIVIAL_STUDY) if row["method"] in TRIVIAL]
    rows = [row for row in trivial if (row["set"], row["method"]) not in measured]
    return [row for row in [*rows, *peers] if row["draw"] in DRAWS]


def load() -> Figures:
    """The figures of both."""
    return Figures(collect())


def methods_table(split: str, title: str) -> Table:
    """Trivial rows and peers by four figures."""
    figures = load()
    names = figures.methods(MDC, split)
    rows = axis("method", [*TRIVIAL, *(x for x in names if x not in TRIVIAL)])
    columns = axis("figure", FOUR)

    def cell(row, column) -> str:
        return figures.cell(name=MDC, split=split, **row, **column)

    return Table(rows, columns, cell, title, NOTE)


def sets_table(split: str, figure: str, title: str) -> Table:
    """Trivial rows and peers by one figure on each set."""
    figures = load()
    names = figures.methods(MDC, split)
    rows = axis("method", [*TRIVIAL, *(x for x in names if x not in TRIVIAL)])
    there = {name: f"Specific/{name}/TFs+500" for name in SETS}
    columns = {x: {"name": name} for x, name in there.items() if name in figures.sets(split)}

    def cell(row, column) -> str:
        return figures.cell(split=split, figure=figure, **row, **column)

    return Table(rows, columns, cell, title, NOTE)


def plot():
    """Within-TF AUROC against swap concordance on the standard split."""
    from grnjax.plotting.comparison import plot_comparison

    rows = [
        {key: row[key] for key in ("method", "draw", "seed", *FOUR)}
        | {"seconds": row.get("cpu_seconds", row.get("seconds"))}
        for row in collect()
        if row["split"] == "standard" and row["set"] == MDC
    ]
    table = summarise(rows).pivot(index="method", columns="metric", values="mean")
    assert isinstance(table, pd.DataFrame)
    return plot_comparison(table, "mDC, TFs+500, standard split, five draws; seconds of CPU")


TABLES = {
    "peers": functools.partial(methods_table, "standard", "seen genes"),
    "peers, unseen": functools.partial(methods_table, "target-disjoint", "unseen targets"),
    "swap, seen": functools.partial(sets_table, "standard", "swap_micro", "swap, seen genes"),
    "swap, unseen": functools.partial(
        sets_table, "target-disjoint", "swap_micro", "swap, unseen targets"
    ),
    "AP, seen": functools.partial(sets_table, "standard", "average_precision", "AP, seen genes"),
    "AP, unseen": functools.partial(
        sets_table, "target-disjoint", "average_precision", "AP, unseen targets"
    ),
}
CSV = {"peers_beeline": load}
PICTURES = {"peers.png": plot}
