"""How far to trust the network: sentences, calibration, precision and recall, and trivial rows."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from grnjax.evaluation.report import COLUMNS, summarise
from grnjax.report.contents import Contents
from grnjax.report.curves import bin_probabilities, find_curve
from grnjax.report.trust import count_classes, tell_trust

ORDER, TITLE = 10, "How far to trust it"
FEWEST_BINS = 3

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
TITLES = {
    "hidden_rows": "True edges that were hidden, against true non-edges",
    "rows": "Known edges against other pairs",
}


def build(contents: Contents, page) -> dict | None:
    """Sentences, tables and charts; for a run over groups, the sentences of each group."""
    if contents.edges is None:
        return build_groups(page.networks)
    tables = [
        tabulate(contents.metrics[key], title, contents)
        for key, title in TITLES.items()
        if contents.metrics.get(key)
    ]
    shown = {name for table in tables for name in table["keys"]}
    curve, why = draw_curve(contents, page)
    return {
        "told": tell_trust(contents),
        "groups": {},
        "tables": tables,
        "classes": list_classes(contents),
        "calibration": draw_calibration(contents, page),
        "curve": curve,
        "bars": draw_bars(contents, page),
        "explained": {COLUMNS[key]: words for key, words in EXPLAINED.items() if key in shown},
        "why": why,
    }


def build_groups(networks: Mapping[str, Contents]) -> dict:
    """The sentences of each group, or of all at once where they are the same."""
    told = {name: tell_trust(own) for name, own in networks.items()}
    first = next(iter(networks))
    same = all(sentences == told[first] for sentences in told.values())
    return {
        "told": told[first] if same else [],
        "groups": {} if same else told,
        "classes": list_classes(networks[first]) if same else [],
        "tables": [],
        "calibration": None,
        "curve": None,
        "bars": None,
        "explained": {},
        "why": "",
    }


def list_classes(contents: Contents) -> list[dict]:
    """What the rankings of the TFs rest on, where the method says so."""
    table = contents.tables.get("tfs")
    return count_classes(table) if table is not None and "rests_on" in table else []


def tabulate(rows: list[dict], title: str, contents: Contents) -> dict:
    """The figures of the method and of each trivial row, as text."""
    summary = summarise(rows)
    keys = [key for key in COLUMNS if (summary["metric"] == key).any()]
    lines = []
    for method, own in summary.groupby("method", sort=False):
        by_metric = own.set_index("metric")
        cells = [tuple(by_metric.loc[key, ["mean", "half_width"]]) for key in keys]
        lines.append({"name": method, "cells": cells, "is_method": method == contents.method})
    return {"title": title, "keys": keys, "heads": [COLUMNS[key] for key in keys], "lines": lines}


def draw_calibration(contents: Contents, page) -> dict | None:
    """Of pairs with a probability, the share that is listed, by bin."""
    edges = contents.edges
    assert edges is not None
    if "probability" not in edges or "status" not in edges or contents.is_cut:
        return None
    edges = keep_judged(edges)
    bins = bin_probabilities(edges["probability"], edges["status"] == "known")
    if len(bins) < FEWEST_BINS:
        return None
    top = float(max(bins["mean"].max(), bins["high"].max()))
    traces = [
        {"x": [0, top], "y": [0, top], "mode": "lines", "name": "perfect",
         "line": {"color": "var(--grey)", "dash": "dash", "width": 1.5}, "hoverinfo": "skip"},
        {"x": plain(bins["mean"]), "y": plain(bins["share"]), "mode": "markers+lines",
         "name": contents.method, "marker": {"color": "var(--method)", "size": 9},
         "line": {"color": "var(--method)", "width": 1.5},
         "error_y": {"type": "data", "symmetric": False, "color": "var(--method)",
                     "array": plain(bins["high"] - bins["share"]),
                     "arrayminus": plain(bins["share"] - bins["low"]), "thickness": 1.2},
         "customdata": bins["pairs"].tolist(),
         "hovertemplate": "predicted %{x:.2f}, listed %{y:.2f}, of %{customdata:,} pairs"
                          "<extra></extra>"},
    ]  # fmt: skip
    layout = {"xaxis": {"title": "probability", "rangemode": "tozero"},
              "yaxis": {"title": "share that is known", "rangemode": "tozero"}}  # fmt: skip
    name = page.payload.add_chart("calibration", traces, layout)
    worst = bins.loc[(bins["mean"] - bins["share"]).abs().idxmax()]
    alt = (
        f"Calibration in {len(bins)} bins. Farthest from the diagonal: pairs of probability "
        f"{worst['mean']:.2f}, of which {worst['share']:.2f} are known."
    )
    return {"chart": name, "alt": alt, "bins": bins.to_dict("records")}


def draw_curve(contents: Contents, page) -> tuple[dict | None, str]:
    """Precision by recall of the known edges beside a random ranking, or why there is none."""
    edges = contents.edges
    assert edges is not None
    if "status" not in edges or not (edges["status"] == "known").any():
        return None, "No curve of precision and recall: no known edges were given to judge by."
    if contents.is_cut:
        return None, (
            "No curve of precision and recall: the tables of this run list its best pairs alone."
        )
    edges = keep_judged(edges)
    own = [row for row in contents.metrics.get("rows") or [] if row["method"] == contents.method]
    if not own:
        return None, "No curve of precision and recall: nothing judged the ranking."
    counts = [sum(row[key] for row in own) for key in ("positives", "pairs")]
    is_known = (edges["status"] == "known").to_numpy()
    curve = find_curve(is_known, edges["importance"].to_numpy(), *counts)
    traces = [
        {"x": curve.recall, "y": curve.precision, "mode": "lines", "name": contents.method,
         "line": {"color": "var(--method)", "width": 2.5},
         "hovertemplate": "recall %{x:.2f}, precision %{y:.2f}<extra></extra>"},
        {"x": [0, 1], "y": [curve.prevalence] * 2, "mode": "lines", "name": "random ranking",
         "line": {"color": "var(--grey)", "dash": "dash", "width": 1.5},
         "hovertemplate": "a random ranking: %{y:.3f}<extra></extra>"},
    ]  # fmt: skip
    layout = {"xaxis": {"title": "recall", "range": [0, 1]},
              "yaxis": {"title": "precision", "rangemode": "tozero"}}  # fmt: skip
    name = page.payload.add_chart("precision-recall", traces, layout)
    at = {level: curve.at(level) for level in (0.1, 0.5)}
    told = [f"{p:.2f} at a recall of {level:.0%}" for level, p in at.items() if p is not None]
    alt = (
        f"Precision is {' and '.join(told) or 'told below'}; a random ranking has "
        f"{curve.prevalence:.3f} everywhere."
    )
    return {"chart": name, "alt": alt}, ""


def keep_judged(edges: pd.DataFrame) -> pd.DataFrame:
    """The edges of TFs with a known target: those of the others could not be found."""
    return edges[edges["tf"].isin(edges.loc[edges["status"] == "known", "tf"].unique())]


def draw_bars(contents: Contents, page) -> dict | None:
    """Average precision of the method and of each trivial row, with intervals and chance."""
    key = next((key for key in TITLES if contents.metrics.get(key)), None)
    if key is None:
        return None
    rows = contents.metrics[key]
    summary = summarise(rows)
    own = summary[summary["metric"] == "average_precision"].dropna(subset="mean")
    own = own.sort_values("mean")
    chance = float(np.mean([row["prevalence"] for row in rows]))
    colours = ["var(--method)" if x == contents.method else "var(--other)" for x in own["method"]]
    names, mean = own["method"].tolist(), plain(own["mean"])
    traces = [
        {"type": "scatter", "mode": "markers", "x": mean, "y": names, "showlegend": False,
         "marker": {"color": colours, "size": 10,
                    "symbol": ["circle" if x == contents.method else "diamond" for x in names]},
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
    return {"chart": name, "title": TITLES[key],
            "alt": f"Average precision: {', '.join(told)}; chance {chance:.3f}."}  # fmt: skip


def plain(values: pd.Series) -> list:
    """Numbers of four digits, as JSON has them."""
    return [float(f"{value:.4g}") for value in values]
