"""The tables of drug response, from the rows of its study."""

import functools
from collections.abc import Callable

from experiments.cells.drug_response import STUDY as RESPONSE
from experiments.cells.tables import Rows, select
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


RESPONSE_PAGE: dict[str, Callable[[], object]] = {
    "GDSC2": functools.partial(response_table, "GDSC2"),
    "DeepCDR": functools.partial(response_table, "DeepCDR"),
}
