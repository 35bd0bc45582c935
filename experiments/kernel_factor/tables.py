"""The tables of README.md: one line a set, AUROC/AP/within-TF/swap in every cell."""

from pathlib import Path

import numpy as np

from experiments.kernel_factor.beeline import (
    LINEAR_DISPERSION,
    MODEL,
    PERMUTED,
    SAME_TF,
    WITHOUT_NETWORKS,
)
from grnjax.evaluation.report import paired_differences, shorten, summarise
from grnjax.storage.files import read_json_lines

STUDY, WIDE_STUDY = "kernel_factor_beeline", "kernel_factor_genome_wide"
FIGURES = ("auroc", "average_precision", "within_tf_auroc", "swap_micro")
ENSEMBLE, TARGET_RATE, LINEAR = "ID-only ensemble", "target rate", "linear expression"
MOST_BLOCKS = 12
TUNED_ON, FRESH = range(5), range(5, 10)  # draws


def read_split(results: Path, split: str, draws: range = TUNED_ON) -> dict[str, list[dict]]:
    """The rows of some draws of a kind of split by set, in the order of measurement."""
    rows = read_json_lines(results / f"{STUDY}.jsonl")
    rows = [row for row in rows if row["split"] == split and row["draw"] in draws]
    return {
        name: [row for row in rows if row["set"] == name]
        for name in dict.fromkeys(row["set"] for row in rows)
    }


def comparison_table(
    results: Path,
    split: str,
    methods: dict[str, str],
    reference: str,
    draws: range = TUNED_ON,
) -> str:
    """Methods by set, and what the model gains over a reference on the same draws.

    Args:
        results: folder of the measured rows.
        split: kind of split.
        methods: the methods and what their columns are called.
        reference: the method that gains are over; where a set lacks it, the dispersion row.
        draws: which draws count.
    """
    heads = [*methods.values(), "gain"]
    lines = ["| set | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    count = 0
    for name, rows in read_split(results, split, draws).items():
        seen = {row["method"] for row in rows}
        own = reference if reference in seen else LINEAR_DISPERSION
        kept = [pick(row) for row in rows]
        means = average(kept)
        cells = [
            write_four(means.get(own if method == reference else method)) for method in methods
        ]
        gain = paired_differences(kept, MODEL, own)
        count = max(count, gain["auroc"]["draws"])
        cells.append(" ".join(write_difference(gain[figure]) for figure in FIGURES))
        lines.append("| " + " | ".join([name.split("/")[1], *cells]) + " |")
    note = (
        f"AUROC/AP/within-TF/swap, means over {count} draws; gain is the kernel factor model minus "
        "the first column on the same draws, ± half of its 95 % t interval."
    )
    return "\n".join([*lines, "", note])


def pick(row: dict) -> dict:
    """The row with the four figures alone."""
    return {key: row[key] for key in ("method", "draw", "seed", *FIGURES)}


def average(rows: list[dict]) -> dict[str, dict[str, float]]:
    """The mean of each figure over draws, by method."""
    summary = summarise(rows).pivot(index="method", columns="metric", values="mean")
    return summary.to_dict("index")


def write_four(means: dict[str, float] | None) -> str:
    """AUROC/AP/within-TF/swap in the field's short form; nothing where not measured."""
    return "" if means is None else "/".join(shorten(means[figure]) for figure in FIGURES)


def write_difference(found: dict) -> str:
    """+.012±.003, or - where the figure is undefined."""
    if found["mean"] is None:
        return "-"
    text = ("-" if found["mean"] < 0 else "+") + shorten(abs(found["mean"]))
    return text if found["half_width"] is None else f"{text}±{shorten(found['half_width'])}"


def blocks_table(results: Path, split: str) -> str:
    """What AP and swap lose when a block or pair feature is permuted over genes, by set."""
    sets = {
        name.split("/")[1]: [block for row in rows for block in row.get("blocks", ())]
        for name, rows in read_split(results, split).items()
    }
    found: dict[str, dict[str, str]] = {}
    size: dict[str, float] = {}
    for cell, blocks in sets.items():
        for name in dict.fromkeys(block["name"] for block in blocks):
            own = [block for block in blocks if block["name"] == name]
            drops = [
                np.mean([block[f"drop_{figure}"] for block in own])
                for figure in ("average_precision", "swap_micro")
            ]
            found.setdefault(name, {})[cell] = " ".join(
                ("-" if drop < 0 else "+") + shorten(abs(drop)) for drop in drops
            )
            size[name] = size.get(name, 0) + sum(drops) / len(sets)
    lines = ["| | " + " | ".join(sets) + " |", "| --- |" + " ---: |" * len(sets)]
    for name in sorted(found, key=size.get, reverse=True)[:MOST_BLOCKS]:
        lines.append("| " + " | ".join([name, *(found[name].get(c, "") for c in sets)]) + " |")
    note = f"AP and swap lost, the {MOST_BLOCKS} largest of {len(found)}; five draws, first seed."
    return "\n".join([*lines, "", note])


def same_tf_table(results: Path) -> str:
    """What keeping the TFs of the run in networks of its species adds, on unseen targets."""
    lines = [f"| set | {MODEL} | same TFs kept | difference |", "| --- | ---: | ---: | ---: |"]
    for name, rows in read_split(results, "target-disjoint").items():
        kept = [pick(row) for row in rows if row["seed"] == 0]
        means = average(kept)
        if SAME_TF in means:
            gain = paired_differences(kept, SAME_TF, MODEL)
            cells = [write_four(means[MODEL]), write_four(means[SAME_TF])]
            cells.append(" ".join(write_difference(gain[figure]) for figure in FIGURES))
            lines.append("| " + " | ".join([name.split("/")[1], *cells]) + " |")
    return "\n".join([*lines, "", "First seed; ± half of the 95 % t interval over draws."])


def wide_table(results: Path) -> str:
    """Genome-wide training labels, by set and kind of split."""
    rows = read_json_lines(results / f"{WIDE_STUDY}.jsonl")
    where = list(dict.fromkeys((row["set"], row["split"]) for row in rows))
    heads = [f"{name.split('/')[1]}, {split}" for name, split in where]
    means = [
        average([pick(row) for row in rows if (row["set"], row["split"]) == one]) for one in where
    ]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [write_four(of_one.get(method)) for of_one in means]
        lines.append("| " + " | ".join([method, *cells]) + " |")
    draws = len({row["draw"] for row in rows})
    peak = max(row["peak_gib"] for row in rows)
    note = f"AUROC/AP/within-TF/swap, means over {draws} draws. Peak memory {peak:.1f} GiB."
    return "\n".join([*lines, "", note])


def kernel_factor_tables(results: Path) -> dict:
    """Every table of the page by its name."""
    return {
        "standard": lambda: comparison_table(
            results,
            "standard",
            {
                ENSEMBLE: ENSEMBLE,
                WITHOUT_NETWORKS: "no other networks",
                MODEL: MODEL,
                PERMUTED: "evidence permuted",
            },
            ENSEMBLE,
        ),
        "unseen targets": lambda: comparison_table(
            results,
            "target-disjoint",
            {
                LINEAR: "linear floor",
                WITHOUT_NETWORKS: "no other networks",
                MODEL: MODEL,
                PERMUTED: "evidence permuted",
            },
            LINEAR,
        ),
        "unseen TFs": lambda: comparison_table(
            results, "tf-disjoint", {TARGET_RATE: TARGET_RATE, MODEL: MODEL}, TARGET_RATE
        ),
        "both unseen": lambda: comparison_table(
            results, "both-disjoint", {ENSEMBLE: ENSEMBLE, MODEL: MODEL}, ENSEMBLE
        ),
        "same TFs": lambda: same_tf_table(results),
        "fresh draws, standard": lambda: comparison_table(
            results, "standard", {ENSEMBLE: ENSEMBLE, MODEL: MODEL}, ENSEMBLE, FRESH
        ),
        "fresh draws, unseen targets": lambda: comparison_table(
            results, "target-disjoint", {LINEAR: "linear floor", MODEL: MODEL}, LINEAR, FRESH
        ),
        "blocks": lambda: blocks_table(results, "standard"),
        "genome-wide": lambda: wide_table(results),
    }
