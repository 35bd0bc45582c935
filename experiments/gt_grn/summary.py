"""What the README shows of GT-GRN: one line a set, and one line a change of the model."""

from collections.abc import Iterable
from pathlib import Path

from experiments.gt_grn.beeline import FORM_OF, MEAN, NEW, ablations
from experiments.gt_grn.bulk import KERNEL_FACTOR, PERMUTED
from experiments.gt_grn.tables import (
    BEELINE,
    BULK,
    PUBLISHED_FORM,
    describe_range,
    is_ablation,
    not_measured,
    pair_rows,
    read_groups,
    shorten_set,
)
from experiments.kernel_factor.tables import average, pick, write_difference, write_four
from experiments.shared.studies import SCREGNET
from grnjax.evaluation.report import paired_differences

REFERENCES = {
    "standard": ("ID-only rank 4", "ID-only ensemble"),
    "target-disjoint": ("linear expression",),
}
SHOWN = {"average_precision": "AP", "swap_micro": "swap"}
BULK_REFERENCES = (
    "grnboost2",
    "ID-only ensemble",
    "linear expression",
    "co-expressed targets",
    SCREGNET,
    KERNEL_FACTOR,
)


def summary_table(results: Path, split: str) -> str:
    """The trivial rows to beat, the models, and what our fits gain, single and their mean.

    A single fit is held against the first trivial row, the mean of fits against the last.

    Args:
        results: folder of the measured rows.
        split: kind of split.
    """
    references, form = REFERENCES[split], FORM_OF[split]
    methods = (*references, SCREGNET, PUBLISHED_FORM, form, form + MEAN)
    heads = [*methods[:-2], "ours, one fit", "ours, mean of 3"]
    heads += [f"gain in {title}" for title in SHOWN.values()]
    lines = [write_line(["set", *heads]), "| --- |" + " ---: |" * len(heads)]
    draws = set()
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        if not {*methods} <= {row["method"] for row in rows}:
            continue  # not yet measured
        means = average([pick(row) for row in rows if row["method"] in methods])
        kept = [pick(row) for row in rows if row["method"] in methods]
        single = paired_differences(kept, form, references[0])
        mean = paired_differences(kept, form + MEAN, references[-1])
        cells = [shorten_set(name), *(write_four(means[method]) for method in methods)]
        for figure in SHOWN:
            pair = (write_difference(gain[figure]) for gain in (single, mean))
            cells.append(", ".join(pair))
        lines.append(write_line(cells))
        draws.add(mean["auroc"]["draws"])
    if not draws:
        return not_measured(BEELINE)
    note = (
        f"AUROC/AP/within-TF/swap, means over {describe_range(draws)} draws; ours is {form}. Gains "
        f"are of one fit over {references[0]} and of the mean of three over {references[-1]}, on "
        "the same draws, ± half of the 95 % t interval."
    )
    return "\n".join([*lines, "", note])


def bulk_summary(results: Path, split: str) -> str:
    """GT-GRN on bulk expression beside other rows, its gains over each, and its control."""
    methods = (*BULK_REFERENCES, NEW, PERMUTED)
    heads = [*BULK_REFERENCES, "GT-GRN", "GT-GRN, permuted", "gain in AP over these"]
    lines = [write_line(["set", *heads]), "| --- |" + " ---: |" * len(heads)]
    draws = set()
    for (name, _), rows in read_groups(results, BULK, split).items():
        kept = [pick(row) for row in rows if row["method"] in methods]
        if not {*methods} <= {row["method"] for row in kept}:
            continue  # not yet measured
        means = average(kept)
        gains = [
            paired_differences(kept, NEW, other)["average_precision"] for other in BULK_REFERENCES
        ]
        cells = [name, *(write_four(means[method]) for method in methods)]
        lines.append(write_line([*cells, " ".join(map(write_difference, gains))]))
        draws.add(gains[0]["draws"])
    if not draws:
        return not_measured(BULK)
    note = (
        f"AUROC/AP/within-TF/swap, means over {describe_range(draws)} draws; GT-GRN is {NEW}, one "
        "fit, permuted with its expression and walks dealt out anew over genes. Gains are on the "
        "same draws, ± half of the 95 % t interval."
    )
    return "\n".join([*lines, "", note])


def ablation_summary(results: Path, split: str) -> str:
    """One line a change of GT-GRN; by how much it exceeds the form that it changes, by set."""
    form, found, draws = FORM_OF[split], {}, set()
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        changed = dict.fromkeys(row["method"] for row in rows if is_ablation(row["method"]))
        for method in changed:
            paired = pair_rows(rows, method, form, SHOWN)
            found[shorten_set(name), method] = paired_differences(paired, method, form)
            draws.add(found[shorten_set(name), method]["average_precision"]["draws"])
    if not found:
        return not_measured(BEELINE)
    sets = list(dict.fromkeys(name for name, _ in found))
    heads = [f"{name} {title}" for name in sets for title in SHOWN.values()]
    lines = [write_line(["change", *heads]), "| --- |" + " ---: |" * len(heads)]
    for method in (name for name in ablations(form) if any(name == method for _, method in found)):
        cells = [
            write_difference(found[name, method][figure]) if (name, method) in found else ""
            for name in sets
            for figure in SHOWN
        ]
        lines.append(write_line([method.removeprefix(f"{form}, "), *cells]))
    note = f"{form}, changed, minus the same as it is; one seed, {describe_range(draws)} draws."
    return "\n".join([*lines, "", note])


def write_line(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"
