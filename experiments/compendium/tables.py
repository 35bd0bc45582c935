"""The tables of the compendium, from the rows of its study."""

import functools
from collections.abc import Callable

from experiments.compendium import beeline_tables, rival_tables, scorer_tables
from experiments.compendium.left_out import (
    ALL,
    DETECTED,
    LOOK_UP,
    MIXTURE,
    MORE,
    RATE,
    SAME,
    STUDY,
    WITH,
)
from experiments.grnformer.label_free_tables import NOTE, SWAP, WITHIN, find, name_columns, write
from experiments.shared import tables as st

CSV: dict[str, Callable[[], st.Figures]] = {}
PICTURES: dict[str, Callable] = scorer_tables.PICTURES
COLUMNS = {
    "rate, within-TF": (RATE, WITHIN),
    "same, within-TF": (SAME, WITHIN),
    "rate + residual same, within-TF": (LOOK_UP, WITHIN),
    "same, swap": (SAME, SWAP),
    "rate + residual same, swap": (LOOK_UP, SWAP),
}


@functools.cache
def count_tfs(name: str, split: str, study: str = STUDY) -> int:
    """How many TFs of a line are judged."""
    rows = find(study, name, split)
    return rows[RATE]["within_tf_count"] if rows else 0


def line_table(split: str) -> st.Table:
    """Every line left out, on all genes."""

    def cell(name: str, column: tuple[str, str]) -> str:
        method, figure = column
        rows = find(scorer_tables.STUDY, name, split)
        return write(rows[method], figure)

    counts = {x: count_tfs(x, split, scorer_tables.STUDY) for x in scorer_tables.list_lines()}
    rows = {f"{name} ({count} TFs)": name for name, count in counts.items() if count > 1}
    return st.Table(rows, COLUMNS, cell, split, NOTE)


def detected_table() -> st.Table:
    """The pairs of the mixture of cell lines."""
    rows = {
        f"{line}, {what}": (line, split)
        for line in MIXTURE
        for what, split in (("all TFs", ALL), ("with lists elsewhere", WITH))
    }

    def cell(row: tuple[str, str], column: tuple[str, str]) -> str:
        (line, split), (method, figure) = row, column
        return write(find(STUDY, f"{line}{DETECTED}", split)[method], figure)

    counts = {title: count_tfs(f"{line}{DETECTED}", x) for title, (line, x) in rows.items()}
    titles = {f"{title} ({counts[title]})": row for title, row in rows.items()}
    return st.Table(titles, COLUMNS, cell, "detected genes", NOTE)


def kinds_table() -> st.Table:
    """The look-up with other kinds of lists among those of binding."""
    found = {line: find(STUDY, f"{line}{DETECTED}", ALL) for line in MIXTURE}

    def cell(method: str, column: tuple[str, str]) -> str:
        return write(found[column[0]][method], column[1])

    rows = {x: x for x in (LOOK_UP, *MORE.values())}
    return st.Table(rows, name_columns(MIXTURE), cell, "detected genes, all TFs", NOTE)


TABLES = scorer_tables.README | beeline_tables.README
LINES: dict[str, Callable[[], object]] = {
    **scorer_tables.LINE_TABLES,
    **rival_tables.TABLES,
    "lines left out": functools.partial(line_table, ALL),
    "TFs with lists elsewhere": functools.partial(line_table, WITH),
    "detected genes": detected_table,
    "kinds of lists": kinds_table,
}
SETS = beeline_tables.TABLES
