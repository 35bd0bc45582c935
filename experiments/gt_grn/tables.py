"""The tables of README.md: one table a set, means over draws with 95 % intervals.

A study that has no rows yet says so in the place of its table.
"""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np

from experiments.bench.tables import describe
from experiments.gt_grn.beeline import FORM_OF, KNOWN, MEAN, MODEL, NEW
from experiments.gt_grn.bulk import KERNEL_FACTOR, PERMUTED
from experiments.kernel_factor.tables import write_difference
from experiments.shared.studies import SCREGNET
from grnjax.evaluation.report import markdown_table, paired_differences, shorten, summarise
from grnjax.methods.expression_only import ExpressionOnlyName
from grnjax.storage.files import read_json_lines
from grnjax.tasks.cell_type import CLASSIFIERS, COMPONENTS

BEELINE, UNSUPERVISED = "gt_grn_beeline", "expression_only_beeline"
BULK, CELLS = "gt_grn_bulk", "gt_grn_pbmc"
NEW_EDGES, TOP = "gt_grn_biological_check", 1000
PUBLISHED_FORM = f"{MODEL}, published form"
IN_ORDER = (SCREGNET, KERNEL_FACTOR, PUBLISHED_FORM, KNOWN, KNOWN + MEAN, NEW, NEW + MEAN, PERMUTED)
ABOVE = get_args(ExpressionOnlyName)
BELOW_TRIVIAL = {method: 1 + place for place, method in enumerate([*ABOVE, *IN_ORDER])}
RECONSTRUCTION = "reconstruction, "  # begins the split of rows on the whole network
AUROC = {"auroc": "AUROC"}
AP, EPR = {"average_precision": "AP"}, {"early_precision_ratio": "EPR"}
CHOICE = {"within_tf_auroc": "within-TF", "swap_micro": "swap"}  # which TF, which target
CELL_METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
BELOW_VECTORS = {COMPONENTS: 1, "expression": 2}


def gt_grn_tables(results: Path) -> dict[str, Callable[[], str]]:
    """Every table of the page by its name.

    Args:
        results: folder of the measured rows.
    """
    tables: dict[str, Callable[[], str]] = {}
    for kind, name in {"standard": "standard", "target-disjoint": "unseen targets"}.items():
        tables |= {
            name: lambda kind=kind: main_tables(results, kind),
            f"ablation, {name}": lambda kind=kind: ablation_table(results, kind),
            f"unsupervised, {name}": lambda kind=kind: unsupervised_tables(results, kind),
        }
    return tables | {
        "reconstruction": lambda: reconstruction_table(results),
        "bulk": lambda: bulk_tables(results),
        "cell types": lambda: cell_type_tables(results),
        "new edges": lambda: new_edges_table(results),
        "speed of inference": lambda: inference_speed_table(results),
        "speed of walks": lambda: walk_speed_table(results),
    }


def main_tables(results: Path, split: str) -> str:
    """Trivial rows, scRegNet and both forms of GT-GRN, by set."""
    tables = {}
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        shown = [row for row in rows if not is_ablation(row["method"])]
        tables[shorten_set(name)] = methods_table(shown, AUROC | AP | CHOICE)
    return stack_tables(tables, BEELINE)


def ablation_table(results: Path, split: str) -> str:
    """By how much a changed GT-GRN exceeds its form, on the draws and seeds that both have."""
    figures, form = AP | CHOICE, FORM_OF[split]
    lines = [
        "| set | change | " + " | ".join(figures.values()) + " |",
        "| --- | --- |" + " ---: |" * len(figures),
    ]
    draws = set()
    for (name, _), rows in read_groups(results, BEELINE, split).items():
        changed = [row["method"] for row in rows if is_ablation(row["method"])]
        for method in dict.fromkeys(changed):
            found = paired_differences(pair_rows(rows, method, form, figures), method, form)
            cells = [shorten_set(name), method.removeprefix(f"{form}, ")]
            cells += [write_difference(found[figure]) for figure in figures]
            lines.append("| " + " | ".join(cells) + " |")
            draws.add(found["average_precision"]["draws"])
    if not draws:
        return not_measured(BEELINE)
    note = (
        f"The change minus {form}, as it is, with the same seed on the same draws: mean over "
        f"{describe_range(draws)} draws, ± half of the 95 % t interval."
    )
    return "\n".join([*lines, "", note])


def unsupervised_tables(results: Path, split: str) -> str:
    """Methods that see no label, beside the trivial rows, by set."""
    tables = {
        shorten_set(name): methods_table(rows, AUROC | AP | EPR | CHOICE)
        for (name, _), rows in read_groups(results, UNSUPERVISED, split).items()
    }
    return stack_tables(tables, UNSUPERVISED)


def reconstruction_table(results: Path) -> str:
    """The whole network by what was shown of it, by set."""
    figures = AUROC | AP | CHOICE
    lines = [
        "| set | pairs | edges shown | " + " | ".join(figures.values()) + " |",
        "| --- | --- | --- |" + " ---: |" * len(figures),
    ]
    for study in (BEELINE, BULK):
        for (name, split), rows in read_groups(results, study).items():
            if not split.startswith(RECONSTRUCTION):
                continue
            means = summarise([pick_figures(row, figures) for row in rows]).set_index("metric")
            cells = [
                name,
                split.removeprefix(RECONSTRUCTION),
                "yes" if rows[0]["scores_train_edges"] else "no",
            ]
            for figure in figures:
                mean, half = means.loc[figure, ["mean", "half_width"]]
                cells.append(write_difference({"mean": mean, "half_width": half})[1:])
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else not_measured(BEELINE)


def bulk_tables(results: Path) -> str:
    """All methods on bulk expression, by set and kind of split."""
    tables = {
        f"{name}, {split}": methods_table(rows, AUROC | AP | EPR | CHOICE)
        for (name, split), rows in read_groups(results, BULK).items()
        if not split.startswith(RECONSTRUCTION)
    }
    return stack_tables(tables, BULK)


def cell_type_tables(results: Path) -> str:
    """Accuracy and macro-F1 of cell types by what stands for a cell, by set."""
    heads = [f"{kind}: {title}" for kind in CLASSIFIERS for title in CELL_METRICS.values()]
    tables = {}
    for (name, split), rows in read_groups(results, CELLS).items():
        lines = ["| a cell is | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
        rows.sort(key=lambda row: BELOW_VECTORS.get(row["features"], 0))
        for features in dict.fromkeys(map(name_features, rows)):
            own = [row for row in rows if name_features(row) == features]
            cells = [
                write_spread(own, kind, metric) for kind in CLASSIFIERS for metric in CELL_METRICS
            ]
            lines.append("| " + " | ".join([features, *cells]) + " |")
        seeds = len({row["seed"] for row in rows})
        note = f"Mean ± standard deviation over {split} of {seeds} seeds; no interval, as folds "
        tables[name] = "\n".join([*lines, "", f"{note}share cells that they train on."])
    return stack_tables(tables, CELLS)


def new_edges_table(results: Path) -> str:
    """Curated edges among the best new ones, and among edges of the same degrees."""
    heads = ("curated network", "ranking of mDC", "listed", "same degrees", "p", "uniform")
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- |" + " ---: |" * 4]
    for row in read_json_lines(results / f"{NEW_EDGES}.jsonl"):
        if row["top"] == TOP:
            cells = [row["set"], row["method"], str(row["supported"]), f"{row['expected']:.1f}"]
            cells += [shorten(row["p_value"]), f"{row['uniform_precision'] * TOP:.1f}"]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else not_measured(NEW_EDGES)


def inference_speed_table(results: Path) -> str:
    """Each method's time beside its peer's, and whether it ranks TFs as the peer does."""
    rows = read_json_lines(results / "bench_unsupervised.jsonl")
    if not rows:
        return not_measured("bench.unsupervised")
    lines = [
        "| case | grnjax | peer | times faster | ours-theirs | theirs-theirs |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        row["extrapolated"] = row["peer_targets"] < row["genes"]
        cells = [row["case"], describe(row, "ours"), describe(row, "peer"), f"{row['ratio']:.3g}"]
        cells += [shorten(row["ours_theirs"]), shorten(row["theirs_theirs"])]
        lines.append("| " + " | ".join(cells) + " |")
    note = (
        "Last two: rank correlation of importances, of grnjax with the peer and of the peer with "
        f"itself under another seed. * From a part of the targets. {describe_hardware(rows)}"
    )
    return "\n".join([*lines, "", note])


def walk_speed_table(results: Path) -> str:
    """Steps a second of the walks, and what their language model has learnt."""
    rows = read_json_lines(results / "bench_walks.jsonl")
    if not rows:
        return not_measured("bench.walks")
    lines = [
        "| case | time | million steps a second | held-out loss | unigram entropy |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        steps = f"{row['steps_a_second'] / 1e6:.1f}" if "steps_a_second" in row else ""
        losses = [
            f"{row[key]:.2f}" if key in row else "" for key in ("held_out_loss", "unigram_entropy")
        ]
        cells = [row["case"], describe(row, "ours"), steps, *losses]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Loss and entropy in nats. {describe_hardware(rows)}"])


def read_groups(
    results: Path, study: str, split: str | None = None
) -> dict[tuple[str, str], list[dict]]:
    """The rows of a study, of one kind of split or all, by set and split as they were measured."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in read_json_lines(results / f"{study}.jsonl"):
        if split in (None, row["split"]):
            groups.setdefault((row["set"], row["split"]), []).append(row)
    return groups


def methods_table(rows: list[dict], figures: dict[str, str]) -> str:
    """One line a method: trivial rows, unsupervised methods, models."""
    rows = sorted(rows, key=lambda row: BELOW_TRIVIAL.get(row["method"], 0))
    return markdown_table(summarise([pick_figures(row, figures) for row in rows]), figures)


def pick_figures(row: dict, figures: dict[str, str]) -> dict:
    """The row with these figures alone."""
    return {key: row[key] for key in ("method", "draw", "seed", *figures)}


def pair_rows(rows: list[dict], method: str, reference: str, figures: dict[str, str]) -> list[dict]:
    """The rows of two methods on the draws and seeds that both have."""
    both = [
        {
            (row["draw"], row["seed"]): pick_figures(row, figures)
            for row in rows
            if row["method"] == name
        }
        for name in (method, reference)
    ]
    common = both[0].keys() & both[1].keys()
    return [one[key] for one in both for key in sorted(common)]


def is_ablation(method: str) -> bool:
    """Whether it is a form of GT-GRN with something changed."""
    return method.startswith((f"{KNOWN}, ", f"{NEW}, ")) and not method.endswith(MEAN)


def name_features(row: dict) -> str:
    """What a cell is to the classifier, with the embedding or the width that it depends on."""
    features = row["features"]
    if features == "gene vectors":
        return row["embedding"]
    if features.endswith("vectors"):
        return f"{row['embedding']}, {features}"
    return f"{row['width']} {features}" if features == COMPONENTS else features


def write_spread(rows: list[dict], classifier: str, metric: str) -> str:
    """.837±.021, each fold of each seed once; nothing where not measured."""
    of_fold = {
        (row["seed"], row["fold"]): row[metric] for row in rows if row["classifier"] == classifier
    }
    values = list(of_fold.values())
    if len(values) < 2:
        return "".join(map(shorten, values))
    return f"{shorten(np.mean(values))}±{shorten(np.std(values, ddof=1))}"


def shorten_set(name: str) -> str:
    """Specific/hESC/TFs+500, measured genes as hESC, measured genes."""
    _, cell, genes = name.split("/")
    _, comma, note = genes.partition(", ")
    return cell + comma + note


def stack_tables(tables: dict[str, str], study: str) -> str:
    """Tables one below the other, each under its name."""
    if not tables:
        return not_measured(study)
    return "\n\n".join(f"**{name}**\n\n{table}" for name, table in tables.items())


def not_measured(study: str) -> str:
    """What stands in the place of a table until its study has rows."""
    name = study.replace("gt_grn_", "gt_grn.").replace("only_", "only.")
    lines = (
        "| | |",
        "| --- | --- |",
        "| measured | not yet |",
        f"| to measure | `python -m experiments.{name}` |",
    )
    return "\n".join(lines)


def describe_range(numbers: set[int]) -> str:
    """5, or 3 to 5."""
    return " to ".join(str(number) for number in sorted({min(numbers), max(numbers)}))


def describe_hardware(rows: list[dict]) -> str:
    """On what the rows were measured."""
    return f"{'; '.join(sorted({row['hardware'] for row in rows}))}."
