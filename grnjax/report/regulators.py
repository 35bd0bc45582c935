"""Which regulators a network rests on: a row a TF, with its confident targets and their signs."""

import dataclasses

import numpy as np
import pandas as pd

from grnjax.report.contents import Contents
from grnjax.types import CONFIDENT

LISTED = 1000


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Regulators:
    """The TFs of a network, those with most confident targets first."""

    table: pd.DataFrame
    """A row a TF: tf, targets (confident), new (of these), known (edges given), up and down (of the
    confident ones, by the sign of the correlation), best (target) and its figure."""
    is_confident: pd.Series  # [edge]
    rule: str  # what makes a target confident, in words
    short: str  # the same as the heading of a column
    has_probability: bool
    has_sign: bool


def find_regulators(contents: Contents) -> Regulators:
    """The TFs with a pair in the ranking.

    A target is confident from a probability of one half. Without probabilities no target can be
    called so: those among the best pairs of the ranking are counted instead, and called that.
    """
    edges = contents.edges
    assert edges is not None
    has_probability = "probability" in edges
    if has_probability:
        is_confident = edges["probability"] >= CONFIDENT
        rule = f"a probability of {CONFIDENT} or more"
        short = f"targets of p {CONFIDENT} or more"
        if contents.learned:
            rule += " of being listed in a network like the known one"
    else:
        is_confident = pd.Series(np.arange(len(edges)) < LISTED, index=edges.index)
        listed = min(LISTED, len(edges))
        rule = f"a place among the best {listed:,} pairs, as this method gives no probabilities"
        short = f"targets in the best {listed:,}"
    sign = edges["expression_sign"] if "expression_sign" in edges else 0
    status = edges["status"] if "status" in edges else ""
    flags = pd.DataFrame(
        {
            "tf": edges["tf"],
            "targets": is_confident,
            "new": is_confident & (status == "new"),
            "known": pd.Series(status == "known", index=edges.index),
            "up": is_confident & (sign > 0),
            "down": is_confident & (sign < 0),
        }
    )
    table = flags.groupby("tf", sort=False).sum()
    first = edges.drop_duplicates("tf").set_index("tf")  # the best, as edges stand by their rank
    table["best"] = first["target"]
    table["figure"] = first["probability" if has_probability else "importance"]
    table = table.sort_values(["targets", "figure"], ascending=False, kind="stable").reset_index()
    return Regulators(
        table=table,
        is_confident=is_confident,
        rule=rule,
        short=short,
        has_probability=has_probability,
        has_sign="expression_sign" in edges,
    )
