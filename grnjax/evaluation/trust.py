"""How far to trust a ranking, in a sentence: what its best pairs hold beside the trivial rows.

The figure is that of the pairs that a reader takes: among as many best pairs as there are edges to
find, the share that is found. It is told as a multiple of chance, of the trivial row that reaches
most by the same figure, and of the best base rate, which knows no more than how many targets a TF
and how many regulators a gene has.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from grnjax.evaluation.report import paired_differences, summarise

FIGURE = "early_precision_ratio"
BASE_RATES = ("TF rate", "target rate", "degree product", "additive logistic")
HELD_OUT, KNOWN = "held-out known edges", "known edges"
"""What is found by a method that learns from known edges, and by one that does not."""


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
