"""`grnjax train`: the method beside the trivial rows on held-out pairs, draw by draw."""

from grnjax.evaluation.report import COLUMNS
from grnjax.evaluation.trust import HELD_OUT, compare_rows
from grnjax.report.contents import Contents
from grnjax.report.rows import draw_bars, explain, tabulate

ORDER, TITLE = 10, "How it was judged"
COMMANDS = ("train",)
JUDGED = "Held-out test pairs"
COMPARED = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
NOTHING = {"mean": None, "half_width": None, "positive": 0, "draws": 0}


def build(contents: Contents, page) -> dict | None:
    """A sentence, a chart, the table of figures, and by how much the method is ahead."""
    rows = contents.metrics.get("rows") or []
    if not rows:
        return None
    table = tabulate(rows, JUDGED, contents.method)
    compared = compare_rows(rows, contents.method, HELD_OUT)
    return {
        "told": "" if compared is None else compared.sentence,
        "bars": draw_bars(rows, JUDGED, contents.method, page),
        "tables": [table],
        "explained": explain([table]),
        "ahead": list_differences(contents.metrics.get("paired_differences") or {}),
        "heads": [COLUMNS[key] for key in COMPARED],
        "splits": contents.metrics.get("splits") or [],
    }


def list_differences(differences: dict) -> list[dict]:
    """A line a trivial row or control: by how much the method exceeds it, on the same draws."""
    return [
        {"name": name, "cells": [own.get(key, NOTHING) for key in COMPARED]}
        for name, own in differences.items()
    ]
