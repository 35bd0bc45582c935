"""`grnjax activity`: where each regulon is active, how its cells were told, and what differs."""

import numpy as np
import pandas as pd

from grnjax.data.cell_groups import list_groups
from grnjax.data.regulon_store import read_activity_file
from grnjax.evaluation.regulon_donors import compare_groups
from grnjax.evaluation.regulon_groups import measure_specificity
from grnjax.report.contents import Contents
from grnjax.report.heat_map import draw_activity

ORDER, TITLE = 10, "Activity"
COMMANDS = ("activity",)
MOST_SHOWN, MOST_REGULONS, A_GROUP = 24, 2000, 4
FALSE_DISCOVERIES = 0.05


def build(contents: Contents, page) -> dict | None:
    """What was scored, a heat map over types of cells, a table of regulons, and differences."""
    config = contents.record.get("config") or {}
    stored, obs = read_activity_file(contents.folder)
    types, donors = (
        list_groups(obs[column]) if column in obs else None
        for column in (config.get("groups"), config.get("donor"))
    )
    names, report = stored.regulons.names, contents.record.get("report") or {}
    table = stored.summary.rename_axis("regulon").reset_index()
    chart, by_type, rows = None, None, []
    if types is not None and len(np.unique(types[types != ""])) > 1:
        known = types != ""
        means = pd.DataFrame(stored.activity[known], columns=names).groupby(types[known]).mean().T
        spread = (means.max(axis=1) - means.min(axis=1)).sort_values(ascending=False, kind="stable")
        by_type = means.loc[spread.index[:MOST_SHOWN]]
        chart = draw_activity(page.payload, "activity", by_type)
        table["type"] = means.idxmax(axis=1)[names].to_numpy()
        if (stored.activity >= 0).all():
            specific = measure_specificity(stored.activity, types, names)
            table["specificity"] = specific.max(axis=0)[names].to_numpy()
            table["type"] = specific.idxmax(axis=0)[names].to_numpy()
        rows = list_differences(compare_groups(stored.activity, types, donors, names))
    table = table.sort_values("share_on", ascending=False, kind="stable")
    return {
        "method": config.get("method", "aucell"),
        "cells": len(stored.activity),
        "regulons": len(names),
        "bimodal": int(stored.is_bimodal.sum()),
        "share_on": float(stored.active.mean()),
        "by": config.get("groups"),
        "reference": report.get("share_on_in_reference") is not None,
        "chart": chart,
        "by_type": by_type,
        "rows": table.head(MOST_REGULONS).to_dict("records"),
        "has_types": "type" in table,
        "has_specificity": "specificity" in table,
        "differences": rows,
        "has_donors": donors is not None,
    }


def list_differences(table: pd.DataFrame) -> list[dict]:
    """The regulons that stand out most in each type; over donors, where they were compared."""
    over = "donor_" if "donor_q" in table else ""
    more = table[(table[f"{over}difference"] > 0) & (table[f"{over}q"] <= FALSE_DISCOVERIES)]
    return more.groupby("group", sort=True).head(A_GROUP).to_dict("records")
