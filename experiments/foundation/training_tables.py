"""The table of masked training of small foundation models, from the rows of the study."""

import functools
from collections.abc import Callable

from experiments.foundation.training import STUDY
from experiments.grnformer.tables import average
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from grnjax.foundation.unigram import NONE_TWICE, OF_GENE, UNIGRAM

MODELS = {"Geneformer": "geneformer", "scBERT": "scbert"}
ROWS = {
    "the model": "model",
    "unigram": UNIGRAM,
    "unigram, no gene twice in a cell": NONE_TWICE,
    "unigram of each gene": OF_GENE,
}


@functools.cache
def find() -> dict[tuple[str, str], list[float]]:
    """The losses by row and model."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in read_rows(STUDY):
        found.setdefault((row["method"], row["split"]), []).append(row["masked_loss"])
    return found


def loss_table() -> st.Table:
    """The loss of hidden tokens of test cells."""
    seeds = max(map(len, find().values()))
    note = f"Nats a hidden token, in test cells; mean of {seeds} seeds, ± half the 95 % t interval."
    return st.Table(
        ROWS,
        MODELS,
        lambda row, name: average(find().get((row, name), [])),
        "hidden tokens of PBMC 3k",
        note,
    )


TABLES: dict[str, Callable[[], object]] = {"masked loss": loss_table}
