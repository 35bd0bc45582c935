"""The tables and the picture of the kernel factor model's page, and those of the README."""

import dataclasses
import functools

import numpy as np

from experiments.gt_grn.beeline import KNOWN
from experiments.kernel_factor import evidence_tables, work_tables
from experiments.kernel_factor.beeline import (
    LINEAR_DISPERSION,
    MODEL,
    PERMUTED,
    SAME_TF,
    WITHOUT_NETWORKS,
)
from experiments.shared import tables as st
from experiments.shared.pictures import plot_methods
from experiments.shared.record import read_rows
from experiments.shared.studies import MEAN, SCREGNET

STUDY, WIDE = "kernel_factor_beeline", "kernel_factor_genome_wide"
HALF = "kernel_factor_half_known"
TUNED_ON, FRESH = range(5), range(5, 10)  # draws
ENSEMBLE, LINEAR, TARGET_RATE = "ID-only ensemble", "linear expression", "target rate"
CONTROLS = {WITHOUT_NETWORKS: "no other networks", PERMUTED: "evidence permuted"}
FIVE = {key: text for key, text in st.METRICS.items() if key != "matched_auroc"}
MOST_SOURCES = 12


def compare(
    split: str, reference: str, methods: dict[str, str], draws: range = TUNED_ON
) -> st.Table:
    """The model beside a reference and controls, with its gain over the reference, by set."""
    figures = st.load(STUDY, draws)
    first = {reference: "linear floor" if reference == LINEAR else reference}
    columns = st.axis("method", first | methods | {MODEL: MODEL})
    columns["gain"] = {"method": MODEL, "over": reference}
    rows = st.cross(st.sets(figures.sets(split)), st.axis("figure", st.FOUR))
    note = "Gain: the kernel factor model minus the first column on the same draws."
    same = {"split": split, "instead": {LINEAR: LINEAR_DISPERSION}}
    return st.grid(figures, rows, columns, "set", note, **same)


def same_tf_table() -> st.Table:
    """What keeping the TFs of the run in networks of its species adds, on unseen targets."""
    figures, split = st.load(STUDY, TUNED_ON, (0,)), "target-disjoint"
    names = [name for name in figures.sets(split) if SAME_TF in figures.methods(name, split)]
    columns = st.axis("method", {MODEL: MODEL, SAME_TF: "same TFs kept"})
    columns["difference"] = {"method": SAME_TF, "over": MODEL}
    rows = st.cross(st.sets(names), st.axis("figure", st.FOUR))
    return st.grid(figures, rows, columns, "set", "First seed.", split=split)


def sources_table(split: str, figure: str) -> st.Table:
    """What a figure loses when a source or pair feature is permuted over genes, by set."""
    drops: dict[str, dict[str, list[dict]]] = {}
    rows = [row for row in read_rows(STUDY, split=split) if row["draw"] in TUNED_ON]
    for row in rows:
        for source in row.get("blocks", ()):
            drops.setdefault(source["name"], {}).setdefault(row["set"], []).append(source)

    def lose(of_set: list[dict], key: str) -> float:
        return np.mean([drop[f"drop_{key}"] for drop in of_set])

    def size(source: str) -> float:
        return sum(lose(of_set, key) for of_set in drops[source].values() for key in st.SHOWN)

    def cell(source: dict, column: dict) -> str:
        of_set = source.get(column["name"])
        return st.write(lose(of_set, figure), signed=True) if of_set else ""

    largest = sorted(drops, key=size, reverse=True)[:MOST_SOURCES]
    note = f"{st.SHOWN[figure]} lost; the {MOST_SOURCES} largest of {len(drops)}; five draws."
    columns = st.sets(dict.fromkeys(row["set"] for row in rows))
    return st.Table({name: drops[name] for name in largest}, columns, cell, "source", note)


def wide_table() -> st.Table:
    """Genome-wide training labels, by set and kind of split."""
    figures = st.load(WIDE)
    splits = st.axis("split", {"standard": "standard", "target-disjoint": "unseen targets"})
    rows = st.axis("method", figures.methods(*next(iter(figures.groups))))
    peak = max(row["peak_gib"] for row in read_rows(WIDE))
    columns = st.cross(st.sets(figures.sets("standard")), splits)
    note = f"Peak memory {peak:.1f} GiB."
    return st.grid(figures, st.cross(rows, st.axis("figure", st.SHOWN)), columns, "method", note)


@functools.cache
def simulated() -> st.Figures:
    """The simulated networks, each of which is a draw."""
    rows = read_rows("kernel_factor_simulated_networks")
    return st.Figures({**r, "set": st.SIMULATED, "draw": r["set"], "seed": r["draw"]} for r in rows)


def simulated_table(split: str) -> st.Table:
    """All methods on one split of the simulated networks."""
    rows = st.axis("method", simulated().methods(st.SIMULATED, split))
    columns = st.axis("figure", FIVE)
    return st.grid(simulated(), rows, columns, "method", name=st.SIMULATED, split=split)


@functools.cache
def half() -> st.Figures:
    """Inference with half of the edges known; a seed is a draw, its folds count together."""
    rows = read_rows(HALF)
    return st.Figures({**row, "draw": row["seed"], "seed": row["draw"]} for row in rows)


def half_table(split: str) -> st.Table:
    """The model beside rows of identities where half of the edges are known."""
    columns = st.axis("method", (MODEL, ENSEMBLE, "ID-only rank 4"))
    columns["gain"] = {"method": MODEL, "over": ENSEMBLE}
    rows = st.cross(st.sets(half().sets(split)), st.axis("figure", st.FOUR))
    note = "Gain: over the ID-only ensemble, on the same seeds."
    return st.grid(half(), rows, columns, "set", note, split=split)


def truth_table() -> st.Table:
    """The estimated known share, and calibration errors of new pairs against the hidden truth."""
    by_set: dict[str, list[dict]] = {}
    for row in read_rows(HALF, split="truth"):
        by_set.setdefault(row["set"], []).append(row)

    def cell(rows: list[dict], column: str) -> str:
        if column == "covered":
            return f"{sum(row['low'] <= row['kept'] <= row['high'] for row in rows)} of {len(rows)}"
        found = [row[column] for row in rows if row[column] is not None]
        return f"{min(found):.3f} to {max(found):.3f} ({len(found)})" if found else "not told"

    columns = {
        "estimated share": "value",
        "interval has it": "covered",
        "error, listed": "error_listed",
        "error, true": "error_true",
        "error by the share kept": "error_true_by_kept",
    }
    rows = {name.split("/")[1]: rows for name, rows in by_set.items()}
    note = "From least to largest over the seeds, and of how many; .5 of the edges were kept."
    return st.Table(rows, columns, cell, "set", note)


def readme_table() -> st.Table:
    """Our model beside the best trivial row, scRegNet and GT-GRN, on the standard split."""
    own, others, split = st.load(STUDY, TUNED_ON), st.load("gt_grn_beeline"), "standard"
    columns = {"best trivial row": {"method": ""}}
    for title, method in (("scRegNet", SCREGNET), ("GT-GRN", KNOWN + MEAN)):
        columns[title] = {"method": method, "figures": others}
    columns[f"**{MODEL}**"] = {"method": MODEL}
    rows = st.cross(st.sets(own.sets(split)), st.axis("figure", st.SHOWN))
    note = (
        "Best trivial row: the highest by each figure, of rows that know names and base rates or "
        "are linear. GT-GRN: the mean of three fits. Empty: not measured on these draws. On hESC, "
        "scRegNet and GT-GRN were judged with spike-ins among the genes, 3 % of the pairs."
    )
    made = st.grid(own, rows, columns, "set", note, split=split)

    def cell(row: dict, column: dict) -> str:
        if column["method"]:
            return made.cell(row, column)
        means = own.means(row["name"], split)
        trivial = [m for m in own.methods(row["name"], split) if not m.startswith(MODEL)]
        best = max(trivial, key=lambda method: means[method, row["figure"]][0])
        return made.cell(row, {"method": best})

    return dataclasses.replace(made, cell=cell)


def plot_readme():
    """AP and swap of our model beside trivial rows, on genes never seen as targets."""
    methods = ("TF rate", ENSEMBLE, LINEAR, PERMUTED, MODEL)
    shown = {"average_precision": "average precision", "swap_micro": "swap concordance"}
    title = "Genes never seen as targets"
    return plot_methods(st.load(STUDY, TUNED_ON), "target-disjoint", methods, shown, title)


TABLES = {
    "standard": lambda: compare("standard", ENSEMBLE, CONTROLS),
    "unseen targets": lambda: compare("target-disjoint", LINEAR, CONTROLS),
    "unseen TFs": lambda: compare("tf-disjoint", TARGET_RATE, {}),
    "both unseen": lambda: compare("both-disjoint", ENSEMBLE, {}),
    "fresh draws, standard": lambda: compare("standard", ENSEMBLE, {}, FRESH),
    "fresh draws, unseen targets": lambda: compare("target-disjoint", LINEAR, {}, FRESH),
    "simulated, standard": lambda: simulated_table("standard"),
    "simulated, unseen targets": lambda: simulated_table("target-disjoint"),
    "simulated, infer hidden": lambda: simulated_table("infer, hidden"),
    "sources, AP": lambda: sources_table("standard", "average_precision"),
    "sources, swap": lambda: sources_table("standard", "swap_micro"),
    "same TFs": same_tf_table,
    "genome-wide": wide_table,
    "half known, known edges": lambda: half_table("known"),
    "half known, hidden edges": lambda: half_table("hidden"),
    "half known, truth": truth_table,
    **evidence_tables.TABLES,
    **work_tables.TABLES,
}
README = {"BEELINE": readme_table}
CSV = {
    STUDY: functools.partial(st.load, STUDY, TUNED_ON),
    f"{STUDY}_fresh_draws": functools.partial(st.load, STUDY, FRESH),
    WIDE: functools.partial(st.load, WIDE),
    "kernel_factor_simulated_networks": simulated,
    HALF: half,
    **evidence_tables.CSV,
}
PICTURES = {"../../docs/unseen_targets.png": plot_readme}
