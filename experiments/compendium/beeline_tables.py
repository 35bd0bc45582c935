"""Tables of BEELINE's sets left out."""

import math
from collections.abc import Callable

import numpy as np

from experiments.compendium.beeline import (
    CELLS,
    LISTED,
    MORE,
    OVER_PEARSON,
    OVER_RATE,
    PEARSON,
    PERMUTED,
    SHIPS,
    STRICT,
    STUDY,
    TREES,
)
from experiments.compendium.left_out import LOOK_UP, RATE
from experiments.grnformer.label_free_tables import NOTE, SWAP, WITHIN, entitle, find, write
from experiments.shared import tables as st

GAIN, MEAN = "difference", "mean of five"
ROWS = {
    WITHIN: (PEARSON, RATE, TREES, MORE, SHIPS),
    SWAP: (PEARSON, LOOK_UP, TREES, MORE, SHIPS),
}


def show(name: str, split: str, method: str, figure: str, key: str = "") -> str:
    """A figure of a set, or the mean of the sets, which are taken as independent."""
    if name != MEAN:
        return write(find(STUDY, name, split)[method], figure, key)
    stem = f"{figure}_{key}" if key else figure
    rows = [find(STUDY, cell, split)[method] for cell in CELLS]
    halves = [(row[f"{stem}_high"] - row[f"{stem}_low"]) / 2 for row in rows]
    half = math.sqrt(sum(x * x for x in halves)) / len(rows)
    return st.write(float(np.mean([row[stem] for row in rows])), half, signed=bool(key))


def set_table(split: str, figure: str) -> st.Table:
    """Each set left out, by row."""
    counts = {name: find(STUDY, name, split)[RATE]["within_tf_count"] for name in CELLS}
    rows = {f"{name} ({count} TFs)": name for name, count in counts.items()} | {MEAN: MEAN}
    columns = {entitle(x): x for x in ROWS[figure]}
    what = {WITHIN: "within-TF", SWAP: "swap"}[figure]
    note = f"{NOTE} The mean takes sets as independent."
    return st.Table(
        rows, columns, lambda name, x: show(name, split, x, figure), f"{split}, {what}", note
    )


def gain_table() -> st.Table:
    """The scorer with more evidence over rate, look-up and |Pearson|, strict; and the control."""
    columns = {
        "within-TF over rate": (OVER_RATE, WITHIN, GAIN),
        "within-TF over absolute Pearson": (OVER_PEARSON, WITHIN, GAIN),
        "swap over absolute Pearson": (OVER_PEARSON, SWAP, GAIN),
        "permuted, within-TF": (PERMUTED, WITHIN, ""),
        "permuted, swap": (PERMUTED, SWAP, ""),
    }
    rows = {name: name for name in (*CELLS, MEAN)}
    return st.Table(rows, columns, lambda name, x: show(name, STRICT, *x), f"{MORE}, strict", NOTE)


def mean_table() -> st.Table:
    """The means of five sets, strict and with lists."""
    columns = {
        f"{split}, {what}": (split, figure)
        for split in (STRICT, LISTED)
        for what, figure in (("within-TF", WITHIN), ("swap", SWAP))
    }
    rows = {entitle(x): x for x in (PEARSON, RATE, LOOK_UP, TREES, MORE, SHIPS)}
    note = "Means of five sets, taken as independent, ± half the 95 % interval over TFs."
    return st.Table(
        rows, columns, lambda method, x: show(MEAN, x[0], method, x[1]), "BEELINE's sets", note
    )


README: dict[str, Callable[[], object]] = {"BEELINE's sets": mean_table}
TABLES: dict[str, Callable[[], object]] = {
    "BEELINE, strict, within-TF": lambda: set_table(STRICT, WITHIN),
    "BEELINE, strict, swap": lambda: set_table(STRICT, SWAP),
    "BEELINE, with lists, within-TF": lambda: set_table(LISTED, WITHIN),
    "BEELINE, with lists, swap": lambda: set_table(LISTED, SWAP),
    "BEELINE, gains": gain_table,
}
