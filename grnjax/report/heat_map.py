"""Heat maps of the report: a row a regulator, a column a group of cells."""

import pandas as pd

from grnjax.report.payload import Payload

MOST_TOLD = 8


def draw_heat_map(
    payload: Payload,
    name: str,
    table: pd.DataFrame,
    colours: pd.DataFrame,
    *,
    hover: str,
    bar: dict,
) -> str:
    """Adds the chart, the first row on top; its name comes back.

    Args:
        table: [row, group], what a pointer shows, as `hover` has it (%{customdata}).
        colours: the same between 0 and 1.
        bar: title and format of the scale.
    """
    rows, groups = list(table.index[::-1]), list(table.columns)
    trace = {
        "type": "heatmap", "x": groups, "y": rows,
        "z": [[round(float(x), 3) for x in row] for row in colours.to_numpy()[::-1]],
        "customdata": [[round(float(x), 4) for x in row] for row in table.to_numpy()[::-1]],
        "hovertemplate": f"{hover}<extra></extra>",
        "colorscale": "scale", "xgap": 2, "ygap": 2, "zmin": 0, "zmax": 1,
        "colorbar": {"thickness": 10, "outlinewidth": 0, **bar},
    }  # fmt: skip
    layout = {"xaxis": {"type": "category", "tickangle": -40, "automargin": True},
              "yaxis": {"type": "category", "automargin": True}}  # fmt: skip
    return payload.add_chart(name, [trace], layout, height=170 + 20 * len(rows))


def draw_activity(payload: Payload, name: str, table: pd.DataFrame) -> dict:
    """Mean activity [regulon, group], each row coloured from its lowest group to its highest.

    Returns:
        The name of the chart, and what it shows in words.
    """
    scaled = table.sub(table.min(axis=1), axis=0)
    scaled = scaled.div(scaled.max(axis=1).where(lambda top: top > 0, 1), axis=0)
    hover = "%{y} in %{x}: activity %{customdata:.3f}"
    bar = {"title": {"text": "of its range", "side": "right"}}
    draw_heat_map(payload, name, table, scaled, hover=hover, bar=bar)
    peaks = table.idxmax(axis=1)
    told = ", ".join(f"{row} in {peaks[row]}" for row in table.index[:MOST_TOLD])
    return {"chart": name, "alt": f"Each regulon's activity is highest in one group: {told}."}
