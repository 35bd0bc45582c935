"""How far to trust a network, in words: what its best pairs hold beside the strongest trivial row.

The figure is that of the pairs that a reader takes: among as many best pairs as there are edges to
find, the share that is found. It is told as a multiple of chance, of the trivial row that reaches
most by the same figure, and of the best base rate, which knows no more than how many targets a TF
and how many regulators a gene has.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from grnjax.evaluation.report import paired_differences, summarise
from grnjax.report.contents import Contents

FIGURE = "early_precision_ratio"
BASE_RATES = ("TF rate", "target rate", "degree product", "additive logistic")
EDGES = {"hidden_rows": "hidden true edges", "rows": "held-out known edges"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the method finds beside what the trivial rows do."""

    what: str  # is found
    times_chance: float
    strongest: str | None  # the trivial row that reaches most; None where none was judged
    times_strongest: float | None
    is_clear: bool | None  # whether the 95 % interval of the difference leaves 0 out; None untold
    base_rate: str | None
    times_base_rate: float | None
    draws: int

    @property
    def sentence(self) -> str:
        """All of that as one sentence."""
        told = f"Finds {self.what} {times(self.times_chance)} as often as chance"
        if self.strongest is None:
            return f"{told}; no trivial row was judged beside it."
        if self.base_rate is not None and self.base_rate != self.strongest:
            told += f", {times(self.times_base_rate)} as often as the best base rate"
            told += f" ({self.base_rate})"
        ahead = self.times_strongest is not None and self.times_strongest > 1
        told += f" and {times(self.times_strongest)} as often as the strongest trivial row"
        told += f" ({self.strongest})"
        if self.is_clear is None:
            return f"{told}."
        if ahead and self.is_clear:
            return f"{told}."
        if not ahead and self.is_clear:
            return f"{told}: trust that row more than this network."
        return f"{told}, a difference that chance could make."


def times(ratio: float | None) -> str:
    """2.1 as "2.1 times"."""
    if ratio is None or not np.isfinite(ratio):
        return "infinitely many times"
    return f"{ratio:.2f} times" if ratio < 1.05 else f"{ratio:.1f} times"


def compare_rows(rows: Sequence[dict], method: str, what: str) -> Comparison | None:
    """The method beside the trivial rows by what the best pairs hold; None where it was not judged.

    The method is the first of the rows.
    """
    summary = summarise(list(rows))
    own = summary[summary["metric"] == FIGURE].set_index("method")
    if method not in own.index or not np.isfinite(own.loc[method, "mean"]):
        return None
    mean = own["mean"].dropna()
    others = mean.drop(method)
    reached = float(mean[method])

    def ratio(name: str | None) -> float | None:
        return reached / others[name] if name is not None and others[name] > 0 else None

    strongest = str(others.idxmax()) if len(others) else None
    rates = others[others.index.isin(BASE_RATES)]
    base_rate = str(rates.idxmax()) if len(rates) else None
    is_clear = None
    if strongest is not None:
        difference = paired_differences(list(rows), method, strongest)[FIGURE]
        if difference["half_width"] is not None:
            is_clear = abs(difference["mean"]) > difference["half_width"]
    return Comparison(
        what=what,
        times_chance=reached,
        strongest=strongest,
        times_strongest=ratio(strongest),
        is_clear=is_clear,
        base_rate=base_rate,
        times_base_rate=ratio(base_rate),
        draws=int(own.loc[method, "draws"]),
    )


def list_comparisons(contents: Contents) -> list[Comparison]:
    """One for each kind of edges that judged the network, what is hardest to fake first."""
    found = []
    for key, what in EDGES.items():
        if contents.metrics.get(key):
            word = what if key != "rows" or contents.learned else "known edges"
            found.append(compare_rows(contents.metrics[key], contents.method, word))
    return [one for one in found if one is not None]


def tell_trust(contents: Contents) -> list[str]:
    """How far to trust the network, one sentence each; says so where nothing was measured."""
    told = [one.sentence for one in list_comparisons(contents)]
    calibration = contents.metrics.get("calibration") or {}
    if calibration.get("reliability_error") is not None:
        off = calibration["reliability_error"]
        told.append(f"Its probabilities are off by {off:.3f} on average, on pairs left out.")
    classes = tell_classes(contents)
    if classes:
        told += classes
    elif not told:
        told.append(
            f"Nothing judged this ranking: {contents.method} learns from no known edge, and none "
            "were given to judge it by (--network FILE)."
        )
    return told


def tell_classes(contents: Contents) -> list[str]:
    """What rankings by lists of other cells reached with cells left out, by class of TFs."""
    table = contents.tables.get("tfs")
    if table is None or not {"rests_on", "left_out_within_tf_auroc"} <= {*table}:
        return []
    told = ["No label of these cells was read. Measured where other cells were left out, by TF:"]
    for row in count_classes(table):
        figures = "not ranked"
        if row["ranked"]:
            swap = "" if np.isnan(row["swap"]) else f", the right TF of two {row['swap']:.0%}"
            figures = f"a target before another gene {row['auroc']:.0%} of the time{swap}"
            figures = figures if np.isfinite(row["auroc"]) else "not measured"
        told.append(f"  {row['tfs']:,} TFs that rest on {row['rests_on']}: {figures}")
    return told


def count_classes(table: pd.DataFrame) -> list[dict]:
    """A row for each class of TFs of the compendium: how many, and what the class reached."""
    found = []
    for (rests_on, by), part in table.groupby(["rests_on", "ranked_by"], sort=False):
        mean = part[["left_out_within_tf_auroc", "left_out_swap"]].mean()
        row = {"rests_on": rests_on, "tfs": len(part), "ranked_by": by, "ranked": by != "left out"}
        row |= {"auroc": float(mean.iloc[0]), "swap": float(mean.iloc[1])}
        found.append(row | {"names": part["tf"].tolist()})
    return sorted(found, key=lambda row: (not row["ranked"], -row["auroc"]))
