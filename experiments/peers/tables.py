"""The table and the picture of the page of peers."""

import functools

import pandas as pd

from experiments.shared.record import read_rows
from experiments.shared.studies import MDC
from experiments.shared.tables import FOUR, Figures, Table, axis
from grnjax.evaluation.report import summarise

DRAWS = range(1)  # on which peers were measured
TRIVIAL = (
    "TF rate",
    "additive logistic",
    "ID-only rank 4",
    "ID-only ensemble",
    "linear expression",
)
TRIVIAL_STUDY = "expression_only_beeline"  # has the trivial rows of the same draws


def collect() -> list[dict]:
    """Rows of the peers, and of the trivial methods on the same draws of mDC."""
    peers = read_rows("peers_beeline", set=MDC)
    methods = {row["method"] for row in peers}
    trivial = read_rows(TRIVIAL_STUDY, set=MDC)
    rows = [x for x in trivial if x["method"] in TRIVIAL and x["method"] not in methods]
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

    return Table(rows, columns, cell, title, "Draw 0 of the split.")


def plot():
    """Within-TF AUROC against swap concordance on the standard split."""
    from grnjax.plotting.comparison import plot_comparison

    rows = [
        {key: row[key] for key in ("method", "draw", "seed", *FOUR)}
        | {"seconds": row.get("cpu_seconds", row.get("seconds"))}
        for row in collect()
        if row["split"] == "standard"
    ]
    table = summarise(rows).pivot(index="method", columns="metric", values="mean")
    assert isinstance(table, pd.DataFrame)
    return plot_comparison(
        table, "mDC, TFs+500, standard split, one draw; seconds by the clock of a busy machine"
    )


TABLES = {
    "peers": functools.partial(methods_table, "standard", "seen genes"),
    "peers, unseen": functools.partial(methods_table, "target-disjoint", "unseen targets"),
}
CSV = {"peers_beeline": load}
PICTURES = {"peers.png": plot}
