"""How far to trust the network of a run, in words; says so where nothing was measured."""

import numpy as np
import pandas as pd

from grnjax.evaluation.trust import HELD_OUT, KNOWN, Comparison, compare_rows
from grnjax.report.contents import Contents
from grnjax.types import CONFIDENT

FEWEST_SURE = 20  # pairs; the share of fewer is known to a tenth or worse
EDGES = {"hidden_rows": "hidden true edges", "rows": HELD_OUT}


def list_comparisons(contents: Contents) -> list[Comparison]:
    """One for each kind of edges that judged the network, what is hardest to fake first."""
    found = []
    for key, what in EDGES.items():
        if contents.metrics.get(key):
            word = what if key != "rows" or contents.learned else KNOWN
            found.append(compare_rows(contents.metrics[key], contents.method, word))
    return [one for one in found if one is not None]


def tell_trust(contents: Contents) -> list[str]:
    """How far to trust the network, one sentence each; says so where nothing was measured."""
    told = [one.sentence for one in list_comparisons(contents)]
    calibration = contents.metrics.get("calibration") or {}
    if calibration.get("reliability_error") is not None:
        off = calibration["reliability_error"]
        told.append(f"Its probabilities are off by {off:.3f} on average, on pairs left out.")
        told += tell_confident(contents.edges, calibration)
    classes = tell_classes(contents)
    if classes:
        told += classes
    elif not told:
        told.append(
            f"Nothing judged this ranking: {contents.method} learns from no known edge, and none "
            "were given to judge it by (--network FILE)."
        )
    return told


def tell_confident(edges: pd.DataFrame | None, calibration: dict) -> list[str]:
    """How many of the pairs that look sure are known, as the average is of pairs near 0."""
    assumed, known = (calibration.get(f"prevalence_{x}") for x in ("assumed", "known"))
    if edges is None or not {"probability", "status"} <= {*edges} or assumed != known:
        return []  # of another share of true edges, known ones say nothing
    sure = edges[edges["probability"] >= CONFIDENT]
    if len(sure) < FEWEST_SURE:
        return []
    share, given = (sure["status"] == "known").mean(), sure["probability"].mean()
    return [
        f"Of {len(sure):,} pairs of probability {CONFIDENT} or more, {share:.0%} are known, where "
        f"{given:.0%} were expected."
    ]


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
