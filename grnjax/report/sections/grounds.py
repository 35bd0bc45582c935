"""What the network rests on: what it loses without each input, and labels shared with lists."""

from grnjax.report.contents import Contents
from grnjax.report.screen import tell_grounds

ORDER, TITLE = 30, "What it rests on"
COMMANDS = ("infer",)
MOST_SHOWN = 14


def build(contents: Contents, page) -> dict | None:
    """The sentence of the screen, a chart of what was measured, and the table behind it."""
    blocks = contents.record.get("blocks") or []
    first = next(iter(page.networks.values()))
    told = tell_grounds(first if contents.edges is None else contents)
    return {"told": told, "blocks": blocks, "chart": draw(blocks, page) if blocks else None}


def draw(blocks: list[dict], page) -> dict:
    """What average precision loses when each input is permuted over genes."""
    shown = [row for row in blocks if row["drop_average_precision"] is not None][:MOST_SHOWN][::-1]
    names = [row["name"] for row in shown]
    drops = [row["drop_average_precision"] for row in shown]
    reach = [row.get("drop_average_precision_high", drop) - drop
             for row, drop in zip(shown, drops, strict=True)]  # fmt: skip
    trace = {
        "type": "bar", "orientation": "h", "y": names, "x": [round(x, 4) for x in drops],
        "marker": {"color": "var(--method)"}, "width": 0.6, "showlegend": False,
        "error_x": {"type": "data", "array": [round(x, 4) for x in reach], "color": "var(--ink)",
                    "thickness": 1.2},
        "hovertemplate": "%{y}: %{x:+.3f}<extra></extra>",
    }  # fmt: skip
    layout = {"xaxis": {"title": "average precision lost without it"},
              "yaxis": {"automargin": True, "type": "category"}}  # fmt: skip
    name = page.payload.add_chart("grounds", [trace], layout, height=100 + 26 * len(names))
    told = [f"{n} {d:+.3f}" for n, d in zip(names[::-1], drops[::-1], strict=True)]
    return {"chart": name, "alt": f"Average precision lost without each input: {', '.join(told)}."}
