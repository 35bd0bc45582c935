"""How far to trust the network: sentences, calibration, precision and recall, and trivial rows."""

from collections.abc import Mapping

import pandas as pd

from grnjax.report.contents import Contents
from grnjax.report.curves import bin_probabilities, find_curve
from grnjax.report.rows import draw_bars, explain, plain, tabulate
from grnjax.report.trust import count_classes, tell_trust

ORDER, TITLE = 10, "How far to trust it"
COMMANDS = ("infer",)
FEWEST_BINS = 3

TITLES = {
    "hidden_rows": "True edges that were hidden, against true non-edges",
    "rows": "Known edges against other pairs",
}


def build(contents: Contents, page) -> dict | None:
    """Sentences, tables and charts; for a run over groups, the sentences of each group."""
    if contents.edges is None:
        return build_groups(page.networks)
    tables = [
        tabulate(contents.metrics[key], title, contents.method)
        for key, title in TITLES.items()
        if contents.metrics.get(key)
    ]
    curve, why = draw_curve(contents, page)
    return {
        "told": tell_trust(contents),
        "groups": {},
        "tables": tables,
        "classes": list_classes(contents),
        "calibration": draw_calibration(contents, page),
        "curve": curve,
        "bars": draw_first(contents, page),
        "explained": explain(tables),
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


def draw_first(contents: Contents, page) -> dict | None:
    """The method beside the trivial rows, on the edges that are hardest to fake."""
    for key, title in TITLES.items():
        if contents.metrics.get(key):
            return draw_bars(contents.metrics[key], title, contents.method, page)
    return None


def keep_judged(edges: pd.DataFrame) -> pd.DataFrame:
    """The edges of TFs with a known target: those of the others could not be found."""
    return edges[edges["tf"].isin(edges.loc[edges["status"] == "known", "tf"].unique())]
