"""The tables of drug response and of drug class, from the rows of their studies."""

import functools
from collections.abc import Callable

import numpy as np

from experiments.cells.drug_class import STUDY as CLASS
from experiments.cells.drug_class_settings import STUDY as CLASS_SETTINGS
from experiments.cells.drug_class_settings import Config as CLASS_CONFIG
from experiments.cells.drug_class_settings import choose
from experiments.cells.drug_response import STUDY as RESPONSE
from experiments.cells.drug_response_vectors import STUDY as VECTORS
from experiments.cells.tables import Rows, find, select
from experiments.grnformer.tables import average
from experiments.shared import tables as st

SPLITS = ("mixed", "lines out")
OVER_SPLITS = "Mean over splits, ± half the 95 % t interval; drugs with ten test pairs or more."


def average_split(rows: Rows, column: tuple[str, str]) -> str:
    """The mean of a figure over the rows of a split."""
    split, key = column
    return average([row[key] for row in rows if row["split"] == split])


def response_table(name: str) -> st.Table:
    """Over all pairs and within drugs, on pairs at random and on lines held out."""
    columns = {
        f"{split}: {title}": (split, key)
        for split in SPLITS
        for title, key in (("PCC", "pcc"), ("within drug", "within_drug"))
    }
    columns["lines out: within line"] = ("lines out", "within_line")
    return st.Table(select(RESPONSE, name, SPLITS), columns, average_split, name, OVER_SPLITS)


def vectors_table() -> st.Table:
    """Ridge within drugs by what a line is described with."""
    columns = {f"{split}: within drug": (split, "within_drug") for split in SPLITS}
    columns |= {f"{split}: over both means": (split, "gain") for split in SPLITS}
    return st.Table(select(VECTORS, "", SPLITS), columns, average_split, "lines by", OVER_SPLITS)


def settings_table() -> st.Table:
    """AUROC on held-out bulk samples, and which setting each seed chose."""
    rows, config = find(CLASS_SETTINGS), CLASS_CONFIG()
    by_method: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {}).setdefault(row["seed"], []).append(row["auroc"])
    chosen = [choose(config, seed)[0] for seed in config.seeds]

    def cell(row: tuple[str, dict[int, list[float]]], column: str) -> str:
        name, by_seed = row
        if column == "chosen":
            return str(chosen.count(name))
        return average([float(np.mean(values)) for values in by_seed.values()])

    note = "Mean over four drugs and five folds; seeds, ± half the 95 % t interval."
    columns = {"AUROC": "auroc", "seeds that chose it": "chosen"}
    return st.Table({x[0]: x for x in by_method.items()}, columns, cell, "setting", note)


def class_table() -> st.Table:
    """AUROC of constructed single cells by drug, the mean, and the top of the band of chance."""
    by_method = select(CLASS, "", tuple({row["split"] for row in find(CLASS)}))
    drugs = sorted({row["split"] for row in find(CLASS)})

    def cell(rows: Rows, column: str) -> str:
        key = "auroc_high" if column == "chance" else "auroc"
        by_seed: dict[int, list[float]] = {}
        for row in rows:
            if column in ("mean", "chance", row["split"]):
                by_seed.setdefault(row["seed"], []).append(row[key])
        return average([float(np.mean(values)) for values in by_seed.values()])

    columns = {drug: drug for drug in drugs} | {"mean, and chance 97.5 %": "mean"}

    def both(rows: Rows, column: str) -> str:
        return cell(rows, column) + (f" ({cell(rows, 'chance')})" if column == "mean" else "")

    note = "Mean over seeds of the mean over folds, ± half the 95 % t interval."
    return st.Table(by_method, columns, both, "", note)


RESPONSE_PAGE: dict[str, Callable[[], object]] = {
    "GDSC2": functools.partial(response_table, "GDSC2"),
    "DeepCDR": functools.partial(response_table, "DeepCDR"),
}
VECTORS_TABLE = {"vectors": vectors_table}
CLASS_PAGE: dict[str, Callable[[], object]] = {"settings": settings_table, "classes": class_table}
