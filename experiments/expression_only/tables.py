"""The tables of the page of networks from expression alone."""

import functools
from typing import get_args

from experiments.shared.tables import AP, AUROC, SIMULATED, Table, axis, grid, load, sets
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


BATCHES = functools.partial(load, "expression_only_batches")
CONDITIONS = ("no shifts, pooled", "no shifts, told apart", "shifts, pooled", "shifts, told apart")


def batches_table(figure: str) -> Table:
    """Methods on simulated cells of four batches, by whether these differ and are told apart."""
    methods = tuple(name for name in get_args(ExpressionOnlyName) if name != "genie3")
    columns = axis("split", CONDITIONS)
    return grid(
        BATCHES(), axis("method", methods), columns, "method", name=SIMULATED, figure=figure
    )


TABLES = {
    f"{text}, {name}": functools.partial(methods_table, split, key)
    for split, name in SPLITS.items()
    for key, text in (AUROC | AP).items()
}
TABLES |= {
    f"{text}, batches": functools.partial(batches_table, key) for key, text in (AUROC | AP).items()
}
CSV = {"expression_only_beeline": STUDY, "expression_only_batches": BATCHES}
PICTURES: dict = {}
