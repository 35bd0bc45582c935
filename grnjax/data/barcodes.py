"""Cells that were measured twice: the barcodes of one file found in another."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from grnjax.data.names import count_names, list_names
from grnjax.progress import logger

REWRITINGS = {
    "a sample before #": (re.compile(r"^.*#"), ""),
    "the suffix of a sample, as in -1": (re.compile(r"([-_.]\d{1,3})+$"), ""),
    "what stands around the bases": (re.compile(r"^.*?([ACGTN]{8,}).*$"), r"\1"),
}
"""What programs put around the barcode; each is applied to what those before it left."""


@dataclasses.dataclass(frozen=True, eq=False)
class SharedCells:
    """Where the cells that two files share stand in each, in the order of the first."""

    first: np.ndarray  # [cell] int
    second: np.ndarray  # [cell] int
    report: dict

    def __len__(self) -> int:
        return len(self.first)


def join_barcodes(first: Sequence[str], second: Sequence[str], source: object) -> SharedCells:
    """The cells that stand in both lists: as spelled, else as `REWRITINGS` leave them.

    A rewriting joins two barcodes only where each is the only one of its list that it leaves so.
    What stands in a list repeatedly is joined to nothing, as it cannot be told which cell it is.
    """
    pairs: dict[int, int] = {}
    keys, rewritten = [list(map(str, first)), list(map(str, second))], {}
    repeated = [name for names in keys for name, count in Counter(names).items() if count > 1]
    for what, step in {"": None, **REWRITINGS}.items():
        if step is not None:
            pattern, replacement = step
            keys = [[pattern.sub(replacement, name) for name in names] for names in keys]
        joined = join_unique(keys[0], keys[1], pairs)
        pairs |= joined
        if what and joined:
            shown = [f"{first[i]} and {second[j]}" for i, j in joined.items()]
            rewritten[what] = count_names(shown)
            logger.warning(
                f"{source}: {len(joined):,} barcodes joined that differ by {what}: "
                f"{list_names(shown)}"
            )
    order = np.array(sorted(pairs), np.int64)
    report = {
        "shared_cells": len(pairs),
        "cells_of_rna_alone": len(first) - len(pairs),
        "cells_of_atac_alone": len(second) - len(pairs),
        "barcodes_rewritten": rewritten,
        "repeated_barcodes": count_names(repeated),
    }
    return SharedCells(
        order, np.array([pairs[place] for place in order.tolist()], np.int64), report
    )


def join_unique(first: list[str], second: list[str], joined: dict[int, int]) -> dict[int, int]:
    """Places of equal keys that each list has once; places that have been joined are left out."""
    taken, places = set(joined.values()), {}
    counts = Counter(first), Counter(second)
    for place, key in enumerate(second):
        if place not in taken and counts[1][key] == 1 == counts[0][key]:
            places[key] = place
    return {
        place: places[key]
        for place, key in enumerate(first)
        if place not in joined and key in places
    }
