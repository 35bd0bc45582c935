"""The regulators: a table to sort and search, and behind each TF its targets and its network."""

import pandas as pd

from grnjax.report.contents import TERM, Contents
from grnjax.report.payload import Regulon
from grnjax.report.regulators import find_regulators
from grnjax.types import CONFIDENT

ORDER, TITLE = 20, "Regulators"
COMMANDS = ("infer",)
MOST_TFS = 2000


def build(contents: Contents, page) -> dict | None:
    """Rows of the table, and the targets of each TF for the page to show on a click."""
    rows, about = [], None
    terms = find_terms(page.networks)
    page.payload.terms = [name.removeprefix(TERM) for name in terms]
    for group, own in page.networks.items():
        about = find_regulators(own)
        rests_on = name_classes(own.tables.get("tfs"))
        share = max(1, MOST_TFS // len(page.networks))
        shown = about.table.head(share)
        by_tf = dict([*own.edges[own.edges["tf"].isin(shown["tf"])].groupby("tf", sort=False)])
        for row in shown.to_dict("records"):
            more = {"group": group, "rests_on": rests_on.get(row["tf"], "")}
            rows.append(row | more | {"cut": len(about.table) - len(shown)})
            page.payload.regulons.append(Regulon(group, row["tf"], by_tf[row["tf"]]))
    assert about is not None
    if about.has_probability:
        page.payload.confident = CONFIDENT
    first = next(iter(page.networks.values()))
    about_groups = contents.record.get("groups") or {}
    return {
        "rows": rows,
        "rule": about.rule,
        "short": about.short,
        "has_groups": list(page.networks) != [""],
        "groups": list(page.networks),
        "by": about_groups.get("by"),
        "notes": about_groups.get("notes") or [],
        "has_interval": "low" in first.edges,
        "has_status": first.learned or "status" in first.edges,
        "has_sign": about.has_sign,
        "has_classes": any(row["rests_on"] for row in rows),
        "has_probability": about.has_probability,
        "explains": bool(terms),
        "left_out": max(row["cut"] for row in rows) if rows else 0,
    }


def find_terms(networks) -> list[str]:
    """The columns of the terms of a logit, where the run was asked to explain it."""
    columns = next(iter(networks.values())).edges.columns
    return [name for name in columns if name.startswith(TERM)]


def name_classes(table: pd.DataFrame | None) -> dict[str, str]:
    """What the ranking of each TF rests on, where the method says so."""
    if table is None or "rests_on" not in table:
        return {}
    return dict(zip(table["tf"], table["rests_on"], strict=True))
