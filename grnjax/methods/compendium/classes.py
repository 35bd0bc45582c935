"""What the ranking of a TF rests on, and how good rankings are that rest on no more.

The figures come with grnjax and were measured with cell lines left out
(experiments/compendium/left_out.py, which writes the file); nobody types them.
"""

import dataclasses
import functools
import json
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import pandas as pd

from grnjax.data.compendium.lists import TargetLists

LISTS, MOTIF, NOTHING = "lists in other cells", "motif alone", "nothing"
CLASSES = (LISTS, MOTIF, NOTHING)
GROUPS = {1: "1", 2: "2 or more"}  # cell types that have a list of the TF
MEASURED = "compendium-classes.json"


class Figures(NamedTuple):
    """What a class of TFs reached with cells left out."""

    within_tf_auroc: float
    within_tf_auroc_low: float
    within_tf_auroc_high: float
    swap: float | None  # None where no two TFs of the class are of one line
    networks: int  # that it was measured on


@dataclasses.dataclass(frozen=True, eq=False)
class TfClasses:
    """The class of each TF of a run."""

    names: np.ndarray  # [tf] str
    classes: np.ndarray  # [tf] str, of `CLASSES`
    cells: list[list[str]]  # in which there are lists of the TF

    @property
    def groups(self) -> list[str]:
        """What figures are told of: the class, with the number of cell types where it has lists."""
        return [name_group(*pair) for pair in zip(self.classes, map(len, self.cells), strict=True)]


def classify(
    tfs: Sequence[str] | np.ndarray, lists: TargetLists, motifs: TargetLists | None
) -> TfClasses:
    """What there is of each TF, the best first: its own lists, its motif, nothing."""
    cells = [lists.cells_of(tf) for tf in tfs]
    has_motif = [motifs is not None and len(motifs.rows_of(tf)) > 0 for tf in tfs]
    classes = [
        LISTS if own else MOTIF if motif else NOTHING
        for own, motif in zip(cells, has_motif, strict=True)
    ]
    return TfClasses(np.array(tfs, dtype=str), np.array(classes, dtype=str), cells)


def name_group(of_class: str, cells: int) -> str:
    """The class, and for one with lists in how many cell types they are."""
    return f"{of_class} ({GROUPS[min(cells, max(GROUPS))]})" if of_class == LISTS else of_class


@functools.cache
def read_measured() -> dict[str, dict[str, Figures]]:
    """What each group of TFs reached, by the row that ranked them."""
    text = (resources.files("grnjax") / "shipped" / MEASURED).read_text()
    return {
        row: {group: Figures(**figures) for group, figures in groups.items()}
        for row, groups in json.loads(text).items()
    }


def tabulate_classes(classes: TfClasses, row: str) -> pd.DataFrame:
    """A row a TF: its class, cell types, and what its group reached; NaN where not measured."""
    measured = read_measured().get(row, {})
    table = pd.DataFrame(
        {
            "tf": classes.names.astype(object),
            "rests_on": classes.classes.astype(object),
            "cell_types": [len(cells) for cells in classes.cells],
            "cells": [", ".join(cells) for cells in classes.cells],
        }
    )
    for figure in Figures._fields:
        found = [getattr(measured.get(group), figure, None) for group in classes.groups]
        table[f"left_out_{figure}"] = np.array(found, dtype=float)
    return table
