"""The tables of what networks add to masked-expression training, from the rows of the study."""

import functools
from collections.abc import Callable

from experiments.grnformer.pretrain import CONDITIONS, STUDY
from experiments.grnformer.tables import average
from experiments.shared import tables as st
from experiments.shared.record import read_rows

SETS = ("SNARE-seq", "PBMC 3k", "PBMC 68k", "simulated")
MEANS = ("gene mean in type",)
RANDOM = "random network"
ATTENDING = ("both", RANDOM)


@functools.cache
def find(size: str) -> dict[tuple[str, str], dict[int, dict]]:
    """The rows of models of a size by condition and set, then by seed."""
    found: dict[tuple[str, str], dict[int, dict]] = {}
    for row in read_rows(STUDY, split=size):
        found.setdefault((row["method"], row["set"]), {})[row["seed"]] = row
    return found


def list_measured(size: str) -> dict[str, str]:
    """The conditions that have a row, in their order."""
    there = {method for method, _ in find(size)}
    return {name: name for name in (*MEANS, *CONDITIONS) if name in there}


def list_sets(size: str) -> dict[str, str]:
    """The sets that have a row, in their order."""
    there = {name for _, name in find(size)}
    return {name: name for name in SETS if name in there}


def explained_table(size: str) -> st.Table:
    """The share of the gene mean's loss that each condition explains."""

    def cell(method: str, name: str) -> str:
        return average([row["explained"] for row in find(size).get((method, name), {}).values()])

    seeds = max(len(rows) for rows in find(size).values())
    note = (
        f"Share of the squared error of gene means that is gone; mean of up to {seeds} seeds, "
        "± half the 95 % t interval where there are several."
    )
    return st.Table(list_measured(size), list_sets(size), cell, "explained", note)


def beyond_table(size: str) -> st.Table:
    """By how much more than the random network of the same seed."""

    def cell(method: str, names: tuple[str, ...]) -> str:
        gains = []
        for name in names:
            found, random = (find(size).get((x, name), {}) for x in (method, RANDOM))
            both = sorted({*found} & {*random})
            gains += [found[seed]["explained"] - random[seed]["explained"] for seed in both]
        return average(gains)

    rows = {x: x for x in list_measured(size) if x not in (*MEANS, RANDOM)}
    sets = tuple(list_sets(size))
    columns = {x: (x,) for x in sets}
    if len(sets) > 1:
        columns["all sets and seeds"] = sets
    note = "Explained share less that with random networks of equal degrees, seed by seed."
    return st.Table(rows, columns, cell, "beyond random networks", note)


def attention_table() -> st.Table:
    """What TFs receive of the adapter's attention, before and after the fit."""
    rows = {
        f"{method}{title}": (size, method)
        for size, title in (("half", ""), ("half, untrained", ", untrained"))
        for method in ATTENDING
    }

    def cell(row: tuple[str, str], name: str) -> str:
        size, method = row
        found = [x["tf_attention"] for x in find(size).get((method, name), {}).values()]
        return f"{min(found):.2f} to {max(found):.2f}"

    note = "Mean attention on a TF over that on another gene, from the least to the most of 3 fits."
    return st.Table(rows, list_sets("half"), cell, "attention on TFs", note)


TABLES: dict[str, Callable[[], object]] = {
    "explained, half": functools.partial(explained_table, "half"),
    "beyond, half": functools.partial(beyond_table, "half"),
    "explained, default": functools.partial(explained_table, "default"),
    "beyond, default": functools.partial(beyond_table, "default"),
    "attention": attention_table,
}
