"""What the README shows of GT-GRN: one line a set, and one line a change of the model."""

from collections.abc import Iterable
from pathlib import Path

from experiments.flagship_tables import average, pick, write_difference, write_four
from experiments.gt_grn_beeline import FORM_OF, MEAN, SCREGNET
from experiments.gt_grn_tables import (
    BEELINE,
    PUBLISHED_FORM,
    is_ablation,
    not_measured,
    pair_rows,
    read_groups,
    shorten_set,
)
from grnjax.evaluation.report import paired_differences

REFERENCES = {"standard": "ID-only rank 4", "target-disjoint": "linear expression"}
SHOWN = {"average_precision": "AP", "swap_micro": "swap"}


def summary_table(results: Path, split: str) -> str:
    """The trivial row to beat, the models, and what ours gains over that row on the same draws.

    Args:
        results: folder of the measured rows.
        split: kind of split.
    """
    ours = FORM_OF[split] + MEAN
    methods = (REFERENCES[split], SCREGNET, PUBLISHED_FORM, ours)
    heads = [*methods[:-1], "GT-GRN, ours", "gain in AP", "gain in swap"]
    lines = [write_line(["set", *heads]), "| --- |" + " ---: |" * len(heads)]
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        means = average([pick(row) for row in rows if row["method"] in methods])
        gain = paired_differences([pick(row) for row in rows], ours, methods[0])
        cells = [shorten_set(name), *(write_four(means.get(method)) for method in methods)]
        lines.append(write_line([*cells, *(write_difference(gain[figure]) for figure in SHOWN)]))
    if len(lines) == 2:
        return not_measured(BEELINE)
    note = (
        f"AUROC/AP/within-TF/swap, means over 5 draws; ours is {ours}. Gain is ours minus the "
        "first column on the same draws, ± half of its 95 % t interval."
    )
    return "\n".join([*lines, "", note])


def ablation_summary(results: Path, split: str) -> str:
    """One line a change of GT-GRN; by how much it exceeds the form that it changes, by set."""
    form, found = FORM_OF[split], {}
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        changed = dict.fromkeys(row["method"] for row in rows if is_ablation(row["method"]))
        for method in changed:
            paired = pair_rows(rows, method, form, SHOWN)
            found[shorten_set(name), method] = paired_differences(paired, method, form)
    if not found:
        return not_measured(BEELINE)
    sets = list(dict.fromkeys(name for name, _ in found))
    heads = [f"{name} {title}" for name in sets for title in SHOWN.values()]
    lines = [write_line(["change", *heads]), "| --- |" + " ---: |" * len(heads)]
    for method in dict.fromkeys(method for _, method in found):
        cells = [
            write_difference(found[name, method][figure]) if (name, method) in found else ""
            for name in sets
            for figure in SHOWN
        ]
        lines.append(write_line([method.removeprefix(f"{form}, "), *cells]))
    return "\n".join([*lines, "", f"{form}, changed, minus the same as it is, one seed, 5 draws."])


def write_line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"
