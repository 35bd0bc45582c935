"""What differs between the groups of `--by`: TFs and edges, with intervals."""

import pandas as pd

from grnjax.report.contents import Contents
from grnjax.report.heat_map import MOST_TOLD, draw_heat_map

ORDER, TITLE = 50, "Differences between groups"
COMMANDS = ("infer",)
MOST_TFS, A_GROUP, MOST_EDGES = 30, 4, 20


def build(contents: Contents, page) -> dict | None:
    """The groups, a heat map of the TFs that differ, and tables of TFs and edges."""
    report = contents.record.get("groups")
    tfs, edges = (contents.tables.get(f"{name}_differences") for name in ("tf", "edge"))
    if report is None:
        return None
    compared = tfs is not None and len(report["cells"]) > 1 and "detected_difference" in tfs
    chart, rows, best = None, [], []
    if compared:
        assert tfs is not None
        more = tfs[(tfs["detected_difference"] > 0) & (tfs["detected_q"] <= 0.05)]
        more = more.sort_values("detected_difference", ascending=False, kind="stable")
        rows = more.groupby("group", sort=True).head(A_GROUP).sort_values(
            ["group", "detected_difference"], ascending=[True, False], kind="stable"
        ).to_dict("records")  # fmt: skip
        names = list(dict.fromkeys(row["tf"] for row in rows))[:MOST_TFS]
        chart = draw(tfs, names, page) if names else None
        best = edges.head(MOST_EDGES).to_dict("records") if edges is not None else []
    return {"report": report, "chart": chart, "rows": rows, "best": best}


def draw(tfs: pd.DataFrame, names: list[str], page) -> dict:
    """The share of the cells of each group that have each TF."""
    table = tfs.pivot_table(index="tf", columns="group", values="detected", aggfunc="first")
    table = table.loc[names].fillna(0)
    hover = "%{y}: in %{customdata:.0%} of the cells of %{x}"
    bar = {"title": {"text": "share of cells", "side": "right"}, "tickformat": ".0%"}
    name = draw_heat_map(page.payload, "differences", table, table, hover=hover, bar=bar)
    peaks = table.idxmax(axis=1)
    told = [f"{tf} in {peaks[tf]} ({table.loc[tf, peaks[tf]]:.0%})" for tf in names[:MOST_TOLD]]
    return {"chart": name, "alt": f"TFs and where most cells have them: {', '.join(told)}."}
