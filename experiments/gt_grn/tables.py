"""The tables and the picture of GT-GRN's page, from the rows in experiments/results/."""

import functools

import numpy as np

from experiments.gt_grn.beeline import FORM_OF, MODEL, NEW, ablations
from experiments.gt_grn.bulk import KERNEL_FACTOR, PERMUTED
from experiments.scregnet.tables import curated_table
from experiments.shared import tables as st
from experiments.shared.pictures import plot_methods
from experiments.shared.record import read_rows
from experiments.shared.studies import MEAN, SCREGNET
from grnjax.tasks.cell_type import CLASSIFIERS, COMPONENTS

PUBLISHED_FORM = f"{MODEL}, published form"
BEELINE, BULK = (
    functools.partial(st.load, "gt_grn_beeline"),
    functools.partial(st.load, "gt_grn_bulk"),
)
SPLITS = {"standard": "standard", "target-disjoint": "unseen targets"}
FIGURES = st.axis("figure", st.SHOWN)
REFERENCES = {  # of one fit, of the mean of three
    "standard": ("ID-only rank 4", "ID-only ensemble"),
    "target-disjoint": ("linear expression", "linear expression"),
}
TRIVIAL = ("grnboost2", "ID-only ensemble", "linear expression", "co-expressed targets")
MODELS = (SCREGNET, KERNEL_FACTOR)
RECONSTRUCTION = "reconstruction, "  # begins the split of rows on the whole network
CELL_METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1"}
BELOW_VECTORS = {COMPONENTS: 1, "expression": 2}


def beside_table(split: str) -> st.Table:
    """The trivial row to beat, scRegNet, and the forms of GT-GRN, by set."""
    form, trivial = FORM_OF[split], REFERENCES[split][-1]
    methods = {trivial: trivial, SCREGNET: SCREGNET, PUBLISHED_FORM: "published form"}
    methods |= {form: "ours, one fit", form + MEAN: "ours, mean of 3"}
    rows = st.cross(st.sets(BEELINE().sets(split)), FIGURES)
    note = f"Ours is {form}."
    return st.grid(BEELINE(), rows, st.axis("method", methods), "set", note, split=split)


def gains_table(split: str) -> st.Table:
    """What one fit gains over the first trivial row, and the mean of fits over the last."""
    form, (first, last) = FORM_OF[split], REFERENCES[split]
    pairs = {
        "one fit": {"method": form, "over": first},
        "mean of 3": {"method": form + MEAN, "over": last},
    }
    note = f"One fit over {first}, the mean of three over {last}, on the same draws."
    rows = st.sets(BEELINE().sets(split))
    return st.grid(BEELINE(), rows, st.cross(FIGURES, pairs), "set", note, split=split)


def ablation_table(split: str) -> st.Table:
    """By how much a changed GT-GRN exceeds its form, with the same seed on the same draws."""
    form = FORM_OF[split]
    changes = st.axis("method", {m: m.removeprefix(f"{form}, ") for m in ablations(form)})
    whole = [name for name in BEELINE().sets(split) if "measured" not in name]
    note = f"{form}, changed, minus the same as it is; one seed."
    same = {"split": split, "over": form, "same_seeds": True}
    return st.grid(BEELINE(), st.cross(changes, FIGURES), st.sets(whole), "change", note, **same)


def reconstruction_table() -> st.Table:
    """The whole network by what was shown of it, by set."""
    rows = {
        f"{st.shorten_set(name)}, {split.removeprefix(RECONSTRUCTION)}": {
            "figures": figures,
            "name": name,
            "split": split,
            "method": figures.methods(name, split)[0],
        }
        for figures in (BEELINE(), BULK())
        for name, split in figures.groups
        if split.startswith(RECONSTRUCTION)
    }
    note = "The edges of train pairs, which are among all pairs, were shown to the model."
    return st.grid(BEELINE(), rows, st.axis("figure", st.FOUR), "set, pairs", note)


def bulk_table(split: str, methods: dict[str, str]) -> st.Table:
    """GT-GRN on bulk expression beside other rows."""
    rows, columns = st.cross(st.sets(BULK().sets(split)), FIGURES), st.axis("method", methods)
    return st.grid(BULK(), rows, columns, "set", f"GT-GRN is {NEW}, one fit.", split=split)


def bulk_gains_table(split: str) -> st.Table:
    """What GT-GRN gains in AP over each other row."""
    rows = st.axis("over", {other: f"over {other}" for other in (*TRIVIAL, *MODELS)})
    same = {"split": split, "method": NEW, "figure": "average_precision"}
    return st.grid(BULK(), rows, st.sets(BULK().sets(split)), "AP gained", **same)


def cell_type_table(name: str) -> st.Table:
    """Accuracy and macro-F1 of cell types by what stands for a cell."""
    found = read_rows("gt_grn_pbmc", set=name)
    by_features: dict[str, list[dict]] = {}
    for row in sorted(found, key=lambda row: BELOW_VECTORS.get(row["features"], 0)):
        by_features.setdefault(name_features(row), []).append(row)
    columns = {
        f"{kind}: {text}": (kind, key) for kind in CLASSIFIERS for key, text in CELL_METRICS.items()
    }
    note = "Mean ± standard deviation over 5 folds of 3 seeds; no interval, as folds share cells "
    note += "that they train on."
    return st.Table(by_features, columns, write_spread, "a cell is", note)


def name_features(row: dict) -> str:
    """What a cell is to the classifier, with the embedding or the width that it depends on."""
    features = row["features"]
    if features == "gene vectors":
        return row["embedding"]
    if features.endswith("vectors"):
        return f"{row['embedding']}, {features}"
    return f"{row['width']} {features}" if features == COMPONENTS else features


def write_spread(rows: list[dict], column: tuple[str, str]) -> str:
    """.837±.021, each fold of each seed once; nothing where not measured."""
    classifier, metric = column
    of_fold = {(r["seed"], r["fold"]): r[metric] for r in rows if r["classifier"] == classifier}
    values = list(of_fold.values())
    if not values:
        return ""
    return st.write(np.mean(values), np.std(values, ddof=1) if len(values) > 1 else None)


def new_edges_table() -> st.Table:
    """Curated edges among the best new ones, and among edges of the same degrees."""
    rows = read_rows("gt_grn_biological_check", top=1000)
    return curated_table({f"{row['method']}, {row['set']}": row for row in rows})


def plot_bulk():
    """AP of every kind of method on bulk expression, unseen targets."""
    methods, split = (*TRIVIAL, *MODELS, PERMUTED, NEW), "target-disjoint"
    title = "Bulk expression, genes never seen as targets"
    return plot_methods(BULK(), split, methods, {"average_precision": "average precision"}, title)


BESIDE = {x: x for x in TRIVIAL} | {NEW: MODEL}
BESIDE_MODELS = {x: x for x in MODELS} | {PERMUTED: "GT-GRN, permuted", NEW: MODEL}
MAKERS = {
    "": beside_table,
    "gains, ": gains_table,
    "ablation, ": ablation_table,
    "bulk, ": functools.partial(bulk_table, methods=BESIDE),
    "bulk, models, ": functools.partial(bulk_table, methods=BESIDE_MODELS),
    "bulk, gains, ": bulk_gains_table,
}
TABLES = {
    f"{begin}{name}": functools.partial(make, split)
    for begin, make in MAKERS.items()
    for split, name in SPLITS.items()
} | {
    "reconstruction": reconstruction_table,
    "pbmc68k": lambda: cell_type_table("pbmc68k"),
    "pbmc3k": lambda: cell_type_table("pbmc3k"),
    "new edges": new_edges_table,
}
CSV = {"gt_grn_beeline": BEELINE, "gt_grn_bulk": BULK}
PICTURES = {"bulk.png": plot_bulk}
