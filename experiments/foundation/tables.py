"""The tables of the foundation models' pages, from the rows in experiments/results/."""

import functools

from experiments.bench.tables import describe_hardware
from experiments.foundation.random_weights import PUBLISHED
from experiments.foundation.scregnet import CONTROLS, MODELS, NONE, STUDY, TABLE
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from experiments.shared.studies import HESC, PUBLISHED_FORM, SCREGNET

SIZES = "foundation_published_sizes"
TRIVIAL = ("additive logistic", "ID-only ensemble")
SHOWN = st.AUROC | st.SHOWN


def size_rows() -> dict[str, dict]:
    """The rows of the sizes that were measured, in their order."""
    found = {row["method"]: row for row in read_rows(SIZES)}
    return {name: found[name] for name in PUBLISHED if name in found}


def sizes_table() -> st.Table:
    """Parameters, seconds and memory of each size."""
    rows = size_rows()
    cells = {
        "million parameters": lambda row: f"{row['parameters'] / 1e6:.2f}",
        "cells": lambda row: str(row["cells"]),
        "tokens a cell": lambda row: f"{row['tokens']:,}",
        "seconds a cell": lambda row: f"{row['s_a_cell']:.3g}",
        "of CPU": lambda row: f"{row['cpu_s_a_cell']:.3g}",
    }
    return st.Table(rows, cells, call, "size", describe_hardware([*rows.values()]))


def side_files_table() -> st.Table:
    """What stands in for what, genes found, and memory."""
    rows = size_rows()
    cells = {
        "stand-ins": lambda row: ", ".join(x.split("_STAND")[0] for x in row["stand_ins"]) or "-",
        "genes found": lambda row: f"{row['genes_found']:,} of {row['genes_given']:,}",
        "convert, s": lambda row: f"{row['convert_s']:.3g}",
        "convert, GiB": lambda row: gib(row["convert_peak_mib"]),
        "embed, GiB": lambda row: gib(row["peak_mib"]),
    }
    return st.Table(rows, cells, call, "size", describe_hardware([*rows.values()]))


def costs_table() -> st.Table:
    """What a thousand cells like those measured take."""
    rows = size_rows()
    cells = {
        "tokens a cell": lambda row: f"{row['tokens']:,}",
        "minutes a thousand cells": lambda row: f"{1000 * row['s_a_cell'] / 60:.2g}",
        "of CPU": lambda row: f"{1000 * row['cpu_s_a_cell'] / 60:.2g}",
        "memory, GiB": lambda row: gib(row["peak_mib"]),
        "to convert, GiB": lambda row: gib(row["convert_peak_mib"]),
    }
    return st.Table(rows, cells, call, "model", describe_hardware([*rows.values()]))


def call(row: dict, make) -> str:
    """A cell by the function of its column."""
    return make(row)


def gib(mib: float) -> str:
    """Memory in GiB."""
    return f"{mib / 1024:.1f}"


def vectors_table(split: str) -> st.Table:
    """Our form with each model's vectors, their controls, and two trivial rows."""
    sources = [NONE, TABLE, *(f"{model}, random weights" for model in MODELS)]
    names = {
        f"{SCREGNET}, {source}{words}": f"{source}{words}"
        for source in sources
        for words in CONTROLS
    }
    return with_coverage({x: x for x in TRIVIAL} | names, split)


def gains_table() -> st.Table:
    """By how much vectors exceed no vectors and their own rows permuted, on unseen targets."""
    sources = [TABLE, *(f"{model}, random weights" for model in MODELS)]
    rows = {x: {"method": f"{SCREGNET}, {x}"} for x in sources}
    columns = {
        f"{title} minus {over}": {"figure": figure, "over": over}
        for figure, title in st.SHOWN.items()
        for over in (NONE, "permuted")
    }

    def cell(row: dict, column: dict) -> str:
        method, figure = row["method"], column["figure"]
        over = f"{method}, permuted" if column["over"] == "permuted" else f"{SCREGNET}, {NONE}"
        place = {"name": HESC, "split": "target-disjoint", "figure": figure}
        return st.load(STUDY).cell(method=method, over=over, **place)

    draws = st.load(STUDY).draws(HESC, "target-disjoint")
    note = f"Mean over {draws} draws, paired, ± half the width of the 95 % t interval."
    return st.Table(rows, columns, cell, "vectors", note)


def published_form_table() -> st.Table:
    """The published form of scRegNet with each model's vectors."""
    sources = [NONE, TABLE, *(f"{model}, random weights" for model in MODELS)]
    names = {f"{PUBLISHED_FORM}, {source}": source for source in sources}
    return with_coverage(names, "published")


def with_coverage(names: dict[str, str], split: str) -> st.Table:
    """Figures of the methods that were measured, with how many genes have a vector, how wide."""
    figures = st.load(STUDY)
    there = {row["method"]: row for row in read_rows(STUDY, split=split, set=HESC)}
    rows = st.axis("method", {x: title for x, title in names.items() if x in there})
    about = {"genes with vectors": "found", "width": "width"}
    columns = st.axis("figure", SHOWN) | {title: {"key": key} for title, key in about.items()}

    def cell(row: dict, column: dict) -> str:
        if "key" in column:
            return f"{there[row['method']][column['key']]:,}" if "," in row["method"] else ""
        return figures.cell(name=HESC, split=split, **row, **column)

    draws = figures.draws(HESC, split)
    note = f"hESC, {next(iter(there.values()))['genes']} genes. " + (
        f"Mean over {draws} draws of the split, ± half the width of the 95 % t interval."
        if draws > 1
        else "One published split, mean of two seeds."
    )
    return st.Table(rows, columns, cell, "vectors", note)


TABLES = {
    "sizes": sizes_table,
    "side files": side_files_table,
    "vectors, published pairs": lambda: vectors_table("published"),
    "vectors, unseen targets": lambda: vectors_table("target-disjoint"),
    "gains, unseen targets": gains_table,
    "published form": published_form_table,
}
COSTS = {"costs": costs_table}
CSV = {STUDY: functools.partial(st.load, STUDY)}
PICTURES: dict = {}
