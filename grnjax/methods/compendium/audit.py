"""Do the labels that are to judge a ranking stand among the lists that it was made from?

Cell types are left out by name, and a name that the table of aliases does not know is a leak that
only the labels themselves give away. They refuse here, and never choose what is ranked.
"""

from collections.abc import Sequence

import numpy as np

from grnjax.data.compendium.lists import TargetLists
from grnjax.errors import SplitError
from grnjax.evidence.leak_check import check_leaks
from grnjax.evidence.types import Evidence, GeneBlock
from grnjax.types import Dataset, LabelledPairs, Split

NO_PAIRS = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
LISTS_OF = "lists of "


def refuse_copies(lists: TargetLists, dataset: Dataset, splits: Sequence[Split] = ()) -> list[dict]:
    """For each TF with known targets the list that agrees most with them; refuses a copy.

    Args:
        lists: over the genes of the data set, in its order.
        splits: whose parts are looked at besides all labels.

    Raises:
        SplitError: lists of a cell type are a copy of the labels (`check_leaks`).
    """
    evidence = [tell_cell(lists, cell) for cell in np.unique(lists.cells).tolist()]
    splits = splits or [Split(NO_PAIRS, NO_PAIRS, NO_PAIRS, "none", 0)]
    try:
        return check_leaks(evidence, dataset.genes.tfs, dataset, splits)
    except SplitError as problem:
        found, cell = str(problem), str(problem).partition(":")[0].removeprefix(LISTS_OF)
        raise SplitError(
            f"compendium: {found.partition('. Leave the file out')[0]}; leave these cells out by "
            f"--method.without {cell}, or remove their lists (grnjax data compendium list)."
        ) from problem


def tell_cell(lists: TargetLists, cell: str) -> Evidence:
    """The lists of a cell type as a network, which the leak check can read."""
    rows = np.flatnonzero(lists.cells == cell)
    inside = lists.covered[lists.source[rows]]
    values = np.where(inside, lists.unpack(rows) - 0.5, 0).astype(np.float32).T
    source = f"{LISTS_OF}{cell}"
    block = GeneBlock(source, values, inside.any(axis=0), kernels=("linear",))
    report = {"source": source, "columns": {source: lists.tfs[rows].tolist()}}
    return Evidence(source, "network", report, genes=(block,))
