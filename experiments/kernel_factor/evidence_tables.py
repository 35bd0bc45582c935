"""The tables of nearest genes in expression and of the compendium, on the kernel factor's page."""

import functools

import numpy as np

from experiments.gt_grn.bulk import KERNEL_FACTOR
from experiments.kernel_factor import bulk
from experiments.kernel_factor.beeline import MODEL
from experiments.kernel_factor.compendium import ALL, OPEN, SHIPPED, TODAY
from experiments.shared import tables as st
from experiments.shared.record import read_rows

BULK, COMPENDIUM = "kernel_factor_bulk", "kernel_factor_compendium"
KINDS = {
    "standard": "standard",
    "target-disjoint": "unseen targets",
    "group-disjoint": "unseen groups",
}
MEAN = "mean of the sets"


@functools.cache
def bacteria() -> st.Figures:
    """Rows of the draws on which the model was fitted; without nearest genes as GT-GRN's study."""
    rows, own = read_rows(BULK), ("set", "split", "draw")
    fitted = {tuple(row[key] for key in own) for row in rows if row["method"] == bulk.MODEL}
    before = read_rows("gt_grn_bulk", method=KERNEL_FACTOR)
    rows += [{**row, "method": bulk.WITHOUT} for row in before]
    return st.Figures(row for row in rows if tuple(row[key] for key in own) in fitted)


def bacteria_table() -> st.Table:
    """The model beside co-expressed targets, by set and kind of split."""
    figures = bacteria()
    names = dict.fromkeys(name for name, _ in figures.groups)
    columns = st.axis(
        "method",
        {
            bulk.CO_EXPRESSED: bulk.CO_EXPRESSED,
            "linear expression": "linear expression",
            bulk.WITHOUT: "no nearest genes",
            bulk.MODEL: MODEL,
        },
    )
    columns["gain"] = {"method": bulk.MODEL, "over": bulk.CO_EXPRESSED}
    rows = st.cross(st.sets(names), st.axis("split", KINDS), st.axis("figure", st.SHOWN))
    there = [title for title, row in rows.items() if (row["name"], row["split"]) in figures.groups]
    draws = {group: {row["draw"] for row in found} for group, found in figures.groups.items()}
    told = [f"{name}, {KINDS[kind]} {len(found)}" for (name, kind), found in draws.items()]
    note = (
        "Gain: the kernel factor model minus co-expressed targets. The evidence is expression "
        f"alone. Draws: {'; '.join(told)}."
    )
    return st.grid(figures, {title: rows[title] for title in there}, columns, "set", note)


@functools.cache
def with_lists() -> st.Figures:
    """Today's rows and those with lists on the draws that have all, and the mean over sets."""
    rows = [row for row in read_rows(COMPENDIUM) if row["seed"] == 0]
    by = {(row["set"], row["split"], row["draw"], row["method"]): row for row in rows}
    for row in read_rows("kernel_factor_beeline", method=MODEL, seed=0):
        place = row["set"], row["split"], row["draw"]
        if (*place, ALL) in by:
            by[*place, MODEL] = row
            by.setdefault((*place, TODAY), {**row, "method": TODAY})  # no expression: the same
    names = list(dict.fromkeys(name for name, *_ in by))
    for kind, draw, method in dict.fromkeys(key[1:] for key in by):
        found = [by.get((name, kind, draw, method)) for name in names]
        if all(found):
            figures = {key: np.mean([row[key] for row in found]) for key in st.FOUR}
            where = {"set": MEAN, "split": kind, "draw": draw, "method": method, "seed": 0}
            by[MEAN, kind, draw, method] = {**where, **figures}
    return st.Figures(by.values())


def compendium_table(split: str) -> st.Table:
    """What nearest genes and lists of other cells change, by set and in the mean."""
    figures = with_lists()
    columns = {"today": {"method": MODEL}}
    titles = {
        TODAY: "nearest genes",
        OPEN: "permissive, with lists",
        SHIPPED: "lists alone",
        ALL: "all, with lists",
    }
    columns |= {title: {"method": method, "over": MODEL} for method, title in titles.items()}
    rows = st.cross(st.sets(figures.sets(split)), st.axis("figure", st.SHOWN))
    note = "Columns after the first: differences from it on the same draws, first seed."
    return st.grid(figures, rows, columns, "set", note, split=split)


TABLES = {
    "bacteria": bacteria_table,
    "lists of other cells": functools.partial(compendium_table, "target-disjoint"),
    "lists of other cells, standard": functools.partial(compendium_table, "standard"),
}
CSV = {BULK: bacteria, COMPENDIUM: with_lists}
