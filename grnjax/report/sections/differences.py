"""What differs between the groups of `--by`: TFs and edges, with intervals."""

import pandas as pd

from grnjax.report.contents import Contents

ORDER, TITLE = 50, "Differences between groups"
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
    table = table.loc[names[::-1]]
    trace = {
        "type": "heatmap", "x": list(table.columns), "y": list(table.index),
        "z": [[round(float(x), 3) for x in row] for row in table.fillna(0).to_numpy()],
        "hovertemplate": "%{y}: in %{z:.0%} of the cells of %{x}<extra></extra>",
        "colorscale": "scale", "xgap": 2, "ygap": 2, "zmin": 0, "zmax": 1,
        "colorbar": {"title": {"text": "share of cells", "side": "right"}, "thickness": 10,
                     "tickformat": ".0%", "outlinewidth": 0},
    }  # fmt: skip
    layout = {"xaxis": {"type": "category", "tickangle": -40, "automargin": True},
              "yaxis": {"type": "category", "automargin": True}}  # fmt: skip
    name = page.payload.add_chart("differences", [trace], layout, height=170 + 20 * len(table))
    peaks = table.idxmax(axis=1)
    told = [f"{tf} in {peaks[tf]} ({table.loc[tf, peaks[tf]]:.0%})" for tf in names[:8]]
    return {"chart": name, "alt": f"TFs and where most cells have them: {', '.join(told)}."}
