"""The method beside the trivial rows, as the pages of `infer` and `train` show it."""

import numpy as np
import pandas as pd

from grnjax.evaluation.report import COLUMNS, summarise

EXPLAINED = {
    "auroc": "how often a true pair is ranked above another one; .5 is chance.",
    "average_precision": "the share of true pairs among the best, averaged over all depths of the "
    "ranking; chance is the share of true pairs.",
    "ap_ratio": "AP over chance.",
    "early_precision_ratio": "the share of true pairs among as many best pairs as there are true "
    "ones, over chance.",
    "within_tf_auroc": "AUROC among the pairs of one TF, the mean over TFs: knowing which TFs have "
    "many targets does not help.",
    "within_target_auroc": "AUROC among the pairs of one target: knowing which genes are regulated "
    "by many does not help.",
    "swap_micro": "of two TFs and two targets, how often the true pairing is preferred: no base "
    "rate helps, and .5 is chance.",
}


def tabulate(rows: list[dict], title: str, method: str) -> dict:
    """The figures of the method and of each trivial row, as text."""
    summary = summarise(rows)
    keys = [key for key in COLUMNS if (summary["metric"] == key).any()]
    lines = []
    for name, own in summary.groupby("method", sort=False):
        by_metric = own.set_index("metric")
        cells = [tuple(by_metric.loc[key, ["mean", "half_width"]]) for key in keys]
        lines.append({"name": name, "cells": cells, "is_method": name == method})
    return {"title": title, "keys": keys, "heads": [COLUMNS[key] for key in keys], "lines": lines}


def explain(tables: list[dict]) -> dict[str, str]:
    """What each figure of the tables means, in words."""
    shown = {key for table in tables for key in table["keys"]}
    return {COLUMNS[key]: words for key, words in EXPLAINED.items() if key in shown}


def draw_bars(rows: list[dict], title: str, method: str, page) -> dict:
    """Average precision of the method and of each trivial row, with intervals and chance."""
    summary = summarise(rows)
    own = summary[summary["metric"] == "average_precision"].dropna(subset="mean")
    own = own.sort_values("mean")
    chance = float(np.mean([row["prevalence"] for row in rows]))
    colours = ["var(--method)" if x == method else "var(--other)" for x in own["method"]]
    names, mean = own["method"].tolist(), plain(own["mean"])
    traces = [
        {"type": "scatter", "mode": "markers", "x": mean, "y": names, "showlegend": False,
         "marker": {"color": colours, "size": 10,
                    "symbol": ["circle" if x == method else "diamond" for x in names]},
         "error_x": {"type": "data", "array": plain(own["half_width"].fillna(0)),
                     "color": "var(--grey)", "thickness": 1.2},
         "hovertemplate": "%{y}: %{x:.3f}<extra></extra>"},
        {"x": [chance, chance], "y": [names[0], names[-1]], "mode": "lines", "name": "chance",
         "line": {"color": "var(--grey)", "dash": "dash", "width": 1.5},
         "hovertemplate": "chance: %{x:.3f}<extra></extra>"},
    ]  # fmt: skip
    layout = {"xaxis": {"title": "average precision", "rangemode": "tozero"},
              "yaxis": {"automargin": True, "type": "category"}}  # fmt: skip
    name = page.payload.add_chart("trivial-rows", traces, layout, height=90 + 26 * len(names))
    told = [f"{n} {m:.3f}" for n, m in zip(names[::-1], mean[::-1], strict=True)]
    return {"chart": name, "title": title,
            "alt": f"Average precision: {', '.join(told)}; chance {chance:.3f}."}  # fmt: skip


def plain(values: pd.Series) -> list:
    """Numbers of four digits, as JSON has them."""
    return [float(f"{value:.4g}") for value in values]
