"""A ranked network as a small table of HTML, for notebooks."""

from collections.abc import Sequence
from html import escape

import pandas as pd

COLUMNS = ("tf", "target", "importance", "probability", "probability_true", "status")
STYLE = "text-align:left;padding:2px 10px 2px 0"


def draw_table(edges: pd.DataFrame, title: str, lines: Sequence[str], *, top: int = 10) -> str:
    """The best edges as HTML; every name is escaped.

    Args:
        edges: best first.
        title: what it is.
        lines: sentences between title and table.
        top: so many edges.
    """
    shown = [name for name in COLUMNS if name in edges]
    head = "".join(f'<th style="{STYLE}">{escape(name)}</th>' for name in shown)
    rows = []
    for row in edges[shown].head(top).itertuples(index=False):
        cells = "".join(f'<td style="{STYLE}">{show(value)}</td>' for value in row)
        rows.append(f"<tr>{cells}</tr>")
    said = "".join(f"<div>{escape(line)}</div>" for line in lines)
    more = f"<div>{len(edges) - top:,} more edges in .edges</div>" if len(edges) > top else ""
    return (
        f'<div class="grnjax"><div><b>{escape(title)}</b></div>{said}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}</div>"
    )


def show(value: object) -> str:
    """A cell: numbers to three digits, words escaped, nothing where nothing is known."""
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3g}"
    return escape(str(value))
