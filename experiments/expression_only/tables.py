"""The tables of the page of networks from expression alone."""

import functools
from typing import get_args

from experiments.shared.tables import AP, AUROC, Table, axis, grid, load, sets
from grnjax.methods.expression_only import ExpressionOnlyName

STUDY = functools.partial(load, "expression_only_beeline")
SPLITS = {"standard": "standard", "target-disjoint": "unseen targets"}
TRIVIAL = ("TF rate", "ID-only ensemble", "linear expression")


def methods_table(split: str, figure: str) -> Table:
    """Methods that see no label, below trivial rows that do, by set."""
    rows, columns = (
        axis("method", (*TRIVIAL, *get_args(ExpressionOnlyName))),
        sets(STUDY().sets(split)),
    )
    return grid(STUDY(), rows, columns, "method", split=split, figure=figure)


TABLES = {
    f"{text}, {name}": functools.partial(methods_table, split, key)
    for split, name in SPLITS.items()
    for key, text in (AUROC | AP).items()
}
CSV = {"expression_only_beeline": STUDY}
PICTURES: dict = {}
