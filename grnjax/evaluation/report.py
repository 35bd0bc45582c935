"""Results tables: means over draws, paired differences, and plain text for a terminal.

A row is a dict with `method`, `draw`, `seed` and one entry per metric (None where undefined).
Seeds of one draw share their labels, so they are averaged first: the draws are the sample.
"""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from grnjax.errors import ConfigError

KEYS = ["method", "draw", "seed"]
COLUMNS = {
    "auroc": "AUROC",
    "average_precision": "AP",
    "ap_ratio": "AP ratio",
    "early_precision_ratio": "EPR",
    "within_tf_auroc": "within-TF",
    "within_target_auroc": "within-target",
    "swap_micro": "swap",
}


def summarise(rows: list[dict]) -> pd.DataFrame:
    """One line per method and metric: `mean`, `half_width` of its 95 % interval, `draws`.

    Methods keep the order in which they first appear. The interval is Student's t over draws; it
    and the mean are NaN where there are too few draws to give one.
    """
    by_draw = _average_over_seeds(rows)
    lines = []
    for method, table in by_draw.groupby(level="method", sort=False):
        for metric in table:
            values = table[metric].dropna().to_numpy()
            mean = values.mean() if len(values) else np.nan
            lines.append((method, metric, mean, half_width(values), len(values)))
    return pd.DataFrame(lines, columns=["method", "metric", "mean", "half_width", "draws"])


def paired_differences(rows: list[dict], method: str, reference: str) -> dict[str, dict]:
    """For each metric, by how much `method` exceeds `reference` on the draws that both have.

    Each entry holds `mean`, `sd`, `half_width` (of the 95 % interval), `positive` (draws in which
    the method is strictly ahead) and `draws`; None where there are too few draws.
    """
    by_draw = _average_over_seeds(rows)
    methods = list(by_draw.index.unique("method"))
    for name in (method, reference):
        if name not in methods:
            raise ConfigError(f"No results of {name!r}; there are {', '.join(methods)}.")
    difference = by_draw.loc[method] - by_draw.loc[reference]
    result = {}
    for metric in difference:
        values = difference[metric].dropna().to_numpy()
        many = len(values) > 1
        result[metric] = {
            "mean": float(values.mean()) if len(values) else None,
            "sd": float(values.std(ddof=1)) if many else None,
            "half_width": float(half_width(values)) if many else None,
            "positive": int((values > 0).sum()),
            "draws": len(values),
        }
    return result


def format_table(summary: pd.DataFrame, columns: dict[str, str] = COLUMNS) -> str:
    """The summary as aligned text, one method a line, with a note on what stands behind a mean."""
    header, *body = _make_cells(summary, columns)
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    lines = [
        "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()
        for cells in (header, *body)
    ]
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join([*lines, _describe_draws(summary)])


def _average_over_seeds(rows: list[dict]) -> pd.DataFrame:
    """Metrics [method and draw, metric], methods in order of first appearance."""
    if not rows:
        raise ConfigError("No results to summarise: run at least one method on one draw.")
    table = pd.DataFrame(rows)
    repeated = int(table.duplicated(KEYS).sum())
    if repeated:
        raise ConfigError(f"{repeated} results repeat a method, draw and seed: give each once.")
    metrics = [name for name in table if name not in KEYS]
    table[metrics] = table[metrics].astype(np.float64)  # None becomes NaN
    return table.groupby(["method", "draw"], sort=False)[metrics].mean()


def half_width(values: np.ndarray) -> float:
    """Of the 95 % t interval of the mean; NaN with fewer than two values."""
    n = len(values)
    return stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan


def _make_cells(summary: pd.DataFrame, columns: dict[str, str]) -> list[list[str]]:
    """Header and body as text; metrics that no method has are left out."""
    shown = [metric for metric in columns if (summary["metric"] == metric).any()]
    by_cell = summary.set_index(["method", "metric"])
    cells = [["method", *[columns[metric] for metric in shown]]]
    for method in summary["method"].unique():
        lines = [by_cell.loc[(method, metric)] for metric in shown]
        cells.append([method, *map(_write_value, lines, shown)])
    return cells


def _write_value(line: pd.Series, metric: str) -> str:
    if np.isnan(line["mean"]):
        return "-"
    decimals = 2 if metric.endswith("ratio") else 3
    text = shorten(line["mean"], decimals)
    if not np.isnan(line["half_width"]):
        text += "±" + shorten(line["half_width"], decimals)
    return text


def shorten(value: float, decimals: int = 3) -> str:
    """0.814 as .814, so that seven columns fit a terminal."""
    text = f"{value:.{decimals}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _describe_draws(summary: pd.DataFrame) -> str:
    draws = int(summary["draws"].max())
    if draws < 2:
        return "One draw of the split."
    return f"Mean over {draws} draws of the split, ± half the width of the 95 % t interval."
