"""Where the regulators act: the activity of their confident targets in each group of cells."""

from grnjax.errors import GrnjaxError
from grnjax.report.activity import AbsentError, measure_groups
from grnjax.report.contents import Contents

ORDER, TITLE = 40, "Cells"


def build(contents: Contents, page) -> dict | None:
    """A heat map of mean activity by group, or the sentence why there is none."""
    try:
        found = measure_groups(contents, page.networks)
    except AbsentError as error:
        return {"why": str(error), "chart": None, "table": None, "found": None}
    except (GrnjaxError, OSError) as error:
        why = f"No activity by group: {error}"
        return {"why": why, "chart": None, "table": None, "found": None}
    table = found.activity
    scaled = table.sub(table.min(axis=1), axis=0)
    scaled = scaled.div(scaled.max(axis=1).where(lambda top: top > 0, 1), axis=0)
    tfs, groups = list(table.index[::-1]), list(table.columns)
    trace = {
        "type": "heatmap", "x": groups, "y": tfs,
        "z": [[round(float(x), 3) for x in row] for row in scaled.to_numpy()[::-1]],
        "customdata": [[round(float(x), 4) for x in row] for row in table.to_numpy()[::-1]],
        "hovertemplate": "%{y} in %{x}: activity %{customdata:.3f}<extra></extra>",
        "colorscale": "scale", "xgap": 2, "ygap": 2, "zmin": 0, "zmax": 1,
        "colorbar": {"title": {"text": "of its range", "side": "right"}, "thickness": 10,
                     "outlinewidth": 0},
    }  # fmt: skip
    layout = {"xaxis": {"type": "category", "tickangle": -40, "automargin": True},
              "yaxis": {"type": "category", "automargin": True}}  # fmt: skip
    name = page.payload.add_chart("cells", [trace], layout, height=170 + 20 * len(tfs))
    peaks = table.idxmax(axis=1)
    told = [f"{tf} in {peaks[tf]}" for tf in table.index[:8]]
    alt = f"Each regulon's activity is highest in one group: {', '.join(told)}."
    return {"why": "", "chart": name, "alt": alt, "table": table, "found": found}
