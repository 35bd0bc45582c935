"""The tables of the page of networks from expression alone."""

import functools
from typing import get_args

from experiments.grnformer.tables import average
from experiments.shared.record import read_rows
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


ROWS = ("all 4,000 cells", "600 meta-cells", "600 cells", "200 meta-cells", "200 cells")


def meta_cells_table() -> Table:
    """GRNBoost2 on all cells, on meta-cells, and on as many cells at random."""
    figures = {"AUROC": "auroc", "AP": "average_precision", "within-TF": "within_tf_auroc"}
    figures |= {"swap": "swap_micro", "CPU seconds": "cpu_s"}
    rows = read_rows("expression_only_meta_cells")

    def cell(row: str, key: str) -> str:
        return average([x[key] for x in rows if x["split"] == row], 1 if key == "cpu_s" else 3)

    note = "Mean over 5 networks, ± half the 95 % t interval."
    return Table({x: x for x in ROWS}, figures, cell, "trees read", note)


TABLES = {
    f"{text}, {name}": functools.partial(methods_table, split, key)
    for split, name in SPLITS.items()
    for key, text in (AUROC | AP).items()
}
TABLES |= {
    f"{text}, batches": functools.partial(batches_table, key) for key, text in (AUROC | AP).items()
}
TABLES["meta-cells"] = meta_cells_table
CSV = {"expression_only_beeline": STUDY, "expression_only_batches": BATCHES}
PICTURES: dict = {}
