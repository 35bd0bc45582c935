"""The tables of both README.md files, made from the measured rows in experiments/results/.

Run:     python -m experiments.tables          rewrites the tables, and the picture
         python -m experiments.tables --check  says whether the tables are up to date
"""

import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path

from experiments.published_figures import PUBLISHED
from grnjax.evaluation.report import markdown_table, paired_differences, summarise
from grnjax.storage.files import read_json_lines, write_atomic
from grnjax.tasks.link_prediction import MODEL

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
PICTURE = ROOT / "experiments" / "what_a_score_is_made_of.png"
METRICS = (
    "auroc",
    "average_precision",
    "early_precision_ratio",
    "within_tf_auroc",
    "swap_micro",
)
COLUMNS = dict(zip(METRICS, ("AUROC", "AP", "EPR", "within-TF", "swap"), strict=True))
MATCHED = COLUMNS | {"matched_auroc": "matched AUROC"}
DIFFERENCES = {"auroc": "AUROC", "average_precision": "AP", "within_tf_auroc": "within-TF",
               "swap_micro": "swap"}
REFERENCES = ("additive logistic", "ID-only rank 4", "ID-only ensemble", "linear expression")


def read_rows(study: str, **where: object) -> list[dict]:
    """The rows of a study that have these values, with their metrics alone."""
    rows = read_json_lines(RESULTS / f"{study}.jsonl")
    kept = [row for row in rows if all(row[key] == value for key, value in where.items())]
    if not kept:
        raise ValueError(f"experiments/results/{study}.jsonl has no rows with {where}")
    keys = ("method", "draw", "seed", *MATCHED)
    return [{key: row[key] for key in keys if key in row} for row in kept]


def results_table(study: str, columns: dict = COLUMNS, **where: object) -> str:
    """All methods of a study on one set and split."""
    return markdown_table(summarise(read_rows(study, **where)), columns)


def simulated_table(split: str) -> str:
    """One split of the simulated networks; each simulator seed is a draw."""
    rows = read_json_lines(RESULTS / "simulated_networks.jsonl")
    table = [
        {"method": row["method"], "draw": row["set"], "seed": row["draw"]}
        | {metric: row[metric] for metric in METRICS}
        for row in rows
        if row["split"] == split
    ]
    text = markdown_table(summarise(table), COLUMNS)
    return text.replace("draws of the split", "simulated networks")


def published_table(size: str) -> str:
    """AUROC / AP of each set beside what the paper states, on the paper's own split files."""
    methods = {
        "TF rate": "TF rate",
        "additive logistic": "additive",
        "ID-only rank 4": "ID-only rank 4",
        f"{MODEL}, published form": "published form",
        MODEL: "ours",
    }
    lines = [
        "| set | published scRegNet | " + " | ".join(methods.values()) + " | swap: rank 4 | ours |",
        "| --- |" + " ---: |" * (len(methods) + 3),
    ]
    for name in sorted({row["set"] for row in read_json_lines(RESULTS / "scregnet_beeline.jsonl")
                        if row["split"] == "scRegNet" and row["set"].endswith(size)}):
        means = average(read_rows("scregnet_beeline", set=name, split="scRegNet"))
        cells = [name.split("/")[1], "/".join(map(shorten, PUBLISHED[name]))]
        cells += [write_pair(means[method]) for method in methods]
        cells += [shorten(means[method]["swap_micro"]) for method in ("ID-only rank 4", MODEL)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def average(rows: list[dict]) -> dict[str, dict[str, float]]:
    """The mean of each metric over draws, by method."""
    summary = summarise(rows).pivot(index="method", columns="metric", values="mean")
    return summary.to_dict("index")


def write_pair(means: dict[str, float]) -> str:
    """AUROC / AP in the field's short form."""
    return f"{shorten(means['auroc'])}/{shorten(means['average_precision'])}"


def shorten(value: float, decimals: int = 3) -> str:
    """0.885 as .885."""
    return f"{value:.{decimals}f}".replace("0.", ".", 1)


def differences_table(study: str, **where: object) -> str:
    """By how much our model exceeds the rows that count, on the same draws."""
    rows = read_rows(study, **where)
    seen = {row["method"] for row in rows}
    models = [name for name in (MODEL, f"{MODEL}, mean of 5 seeds") if name in seen]
    lines = [
        "| | " + " | ".join(DIFFERENCES.values()) + " |",
        "| --- |" + " ---: |" * len(DIFFERENCES),
    ]
    for model in models:
        for reference in REFERENCES:
            found = paired_differences(rows, model, reference)
            cells = [write_difference(found[metric]) for metric in DIFFERENCES]
            lines.append(f"| {model} minus {reference} | " + " | ".join(cells) + " |")
    draws = len({row["draw"] for row in rows})
    note = f"Mean over {draws} draws of the paired difference, ± half of its 95 % t interval."
    return "\n".join([*lines, "", note])


def write_difference(found: dict) -> str:
    """+.012±.003, or - where the metric is undefined."""
    if found["mean"] is None:
        return "-"
    sign = "+" if found["mean"] >= 0 else "-"
    text = sign + shorten(abs(found["mean"]))
    return text if found["half_width"] is None else f"{text}±{shorten(found['half_width'])}"


def noise_table(name: str) -> str:
    """AUROC / AP at each level of label noise."""
    rows = [row for row in read_json_lines(RESULTS / "scregnet_label_noise.jsonl")
            if row["set"] == name]
    levels = sorted({row["level"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))
    means = {
        level: average([
            {key: row[key] for key in ("method", "draw", "seed", *METRICS)}
            for row in rows if row["level"] == level
        ])
        for level in levels
    }
    lines = [
        "| labels flipped | " + " | ".join(f"{100 * level:g} %" for level in levels) + " |",
        "| --- |" + " ---: |" * len(levels),
    ]
    for method in methods:
        cells = [write_pair(means[level][method]) for level in levels]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
