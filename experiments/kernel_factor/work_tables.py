"""The table of what less work changes: fewer repeats, and the forms for large sets."""

import numpy as np

from experiments.kernel_factor import fewer_fits, large_scale
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from grnjax.evaluation.report import half_width

ALL = "5 repeats"


def list_gaps(study: str, reference: str) -> dict[str, dict[str, list[float]]]:
    """By how much each method's figures differ from the reference's, by set and fold."""
    rows = {(row["set"], row["draw"], row["method"]): row for row in read_rows(study)}
    gaps: dict[str, dict[str, list[float]]] = {}
    for (name, draw, method), row in rows.items():
        other = rows[name, draw, reference]
        for figure in st.FOUR if method != reference else ():
            of_method = gaps.setdefault(method, {})
            of_method.setdefault(figure, []).append(row[figure] - other[figure])
    return gaps


def work_table() -> st.Table:
    """Differences of figures, with their intervals over sets and folds."""
    repeats = list_gaps(fewer_fits.STUDY, ALL)
    forms = list_gaps(large_scale.STUDY, large_scale.EXACT)
    rows = {f"{name} for 5": repeats[name] for name in sorted(repeats)} | forms

    def cell(gaps: dict[str, list[float]], figure: str) -> str:
        values = np.array(gaps[figure])
        return f"{values.mean():+.4f}±{half_width(values):.4f}".replace("0.", ".")

    counts = [len(next(iter(found.values()))["auroc"]) for found in (repeats, forms)]
    note = (
        f"Five sets of TFs+500 and three simulated networks: {counts[0]} folds. The last rows, "
        f"over {counts[1]} folds, are against the exact form."
    )
    columns = {title: key for key, title in st.FOUR.items()}
    return st.Table(rows, columns, cell, "change", note)


TABLES = {"less work": work_table}
