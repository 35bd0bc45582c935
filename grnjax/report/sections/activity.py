"""`grnjax activity`: where each regulon is active, how its cells were told, and what differs."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grnjax.data.annotated import choose_modality, open_hdf5
from grnjax.data.cell_groups import list_groups
from grnjax.data.regulon_store import ACTIVE, ACTIVITY, NETWORK, StoredActivity, read_activity
from grnjax.errors import ConfigError
from grnjax.evaluation.regulon_donors import compare_donors
from grnjax.evaluation.regulon_groups import compare_activity, measure_specificity
from grnjax.report.contents import Contents
from grnjax.report.heat_map import draw_activity

ORDER, TITLE = 10, "Activity"
COMMANDS = ("activity",)
MOST_SHOWN, MOST_REGULONS, A_GROUP = 24, 2000, 4
FALSE_DISCOVERIES = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """The activity of a file, and what is known of each cell where columns were named."""

    stored: StoredActivity
    types: np.ndarray | None  # [cell] str, "" where a cell has none
    donors: np.ndarray | None  # the same


def build(contents: Contents, page) -> dict | None:
    """What was scored, a heat map over types of cells, a table of regulons, and differences."""
    config = contents.record.get("config") or {}
    scored = read_scored(contents.folder, config.get("groups"), config.get("donor"))
    stored, types = scored.stored, scored.types
    names, report = stored.regulons.names, contents.record.get("report") or {}
    table = pd.DataFrame({"regulon": names, "tf": stored.regulons.tfs})
    table["targets"], table["threshold"] = stored.regulons.sizes, stored.thresholds
    table["is_bimodal"], table["share_on"] = stored.is_bimodal, stored.active.mean(axis=0)
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
        rows = list_differences(scored)
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
        "has_donors": scored.donors is not None,
    }


def read_scored(path: Path, groups: str | None, donor: str | None) -> Scored:
    """The activity in a file, without its expression."""
    from anndata import AnnData
    from anndata.io import read_elem

    with open_hdf5(path, ConfigError) as file:
        room: Any = file
        if path.suffix == ".h5mu":
            room = file["mod"][choose_modality(file["mod"], path, ConfigError)]
        try:
            obsm = {key: read_elem(room["obsm"][key]) for key in (ACTIVITY, ACTIVE)}
            kept = {NETWORK: read_elem(room["uns"][NETWORK])}
            adata = AnnData(obs=read_elem(room["obs"]), obsm=obsm, uns=kept)
        except (KeyError, ValueError, TypeError) as problem:
            raise ConfigError(
                f"{path} holds no activity that can be read ({problem})."
            ) from problem
    named = (
        list_groups(adata.obs[column]) if column is not None and column in adata.obs else None
        for column in (groups, donor)
    )
    return Scored(read_activity(adata, path), *named)


def list_differences(scored: Scored) -> list[dict]:
    """The regulons that stand out most in each type; over donors, where they are known."""
    activity, names = scored.stored.activity, scored.stored.regulons.names
    table, told = compare_activity(activity, scored.types, names), ("difference", "q")
    if scored.donors is not None:
        over_donors = compare_donors(activity, scored.types, scored.donors, names)
        table = table.merge(over_donors, on=["group", "regulon"], how="left")
        table = table.sort_values(["group", "donor_p"], kind="stable")
        told = ("donor_difference", "donor_q")
    difference, q = told
    more = table[(table[difference] > 0) & (table[q] <= FALSE_DISCOVERIES)]
    return more.groupby("group", sort=True).head(A_GROUP).to_dict("records")
