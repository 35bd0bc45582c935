"""The tables of networks without labels, from the rows of both studies."""

from collections.abc import Callable, Iterable

from experiments.grnformer.label_free import ALL, DETECTED, STUDY, find_reference
from experiments.grnformer.label_free_mouse import OVER
from experiments.grnformer.label_free_mouse import STUDY as MOUSE
from experiments.grnformer.label_free_rows import WHOLE
from experiments.shared import tables as st
from experiments.shared.record import read_rows

WITHIN, SWAP = "within_tf_auroc", "swap_micro"
LINES = ("H1", "K562")
COLUMNS = {
    "AUROC": (ALL, "auroc"),
    "AP": (ALL, "average_precision"),
    "within-TF": (ALL, WITHIN),
    "swap": (ALL, SWAP),
    "within-TF, detected TFs": (DETECTED, WITHIN),
}
NOTE = "± half the 95 % interval over resampled TFs."


def find(study: str, name: str, split: str) -> dict[str, dict]:
    """The rows of a set and split by method."""
    return {row["method"]: row for row in read_rows(study, set=name, split=split)}


def entitle(method: str) -> str:
    """The row's name as a table can have it."""
    method = method.replace("|Pearson| and", f"|Pearson|, cells of {WHOLE}, and")
    return method.replace("|Pearson|", "absolute Pearson")


def write(row: dict, figure: str, key: str = "") -> str:
    """A figure, or a difference of it, with half its interval."""
    value = row[f"{figure}_{key}" if key else figure]
    stem = f"{figure}_{key}" if key else figure
    low, high = row[f"{stem}_low"], row[f"{stem}_high"]
    half = (high - low) / 2 if low is not None and high is not None else None
    return st.write(value, half, signed=bool(key))


def name_columns(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Two columns a set: within-TF AUROC, and swap concordance."""
    figures = {"within-TF": WITHIN, "swap": SWAP}
    return {f"{x}, {what}": (x, key) for x in names for what, key in figures.items()}


def donors_table() -> st.Table:
    """GM12878 by lists of other donors: two TFs, over which there are no intervals."""
    found = find(STUDY, "GM12878", ALL)
    columns = {name: figure for name, (split, figure) in COLUMNS.items() if split == ALL}
    one = found["rate"]
    note = f"RELA and PAX5; {one['pairs']:,} pairs, {one['positives']:,} of them listed."
    rows = {entitle(x): row for x, row in found.items()}
    return st.Table(rows, columns, lambda row, key: st.write(row[key]), "GM12878", note)


def line_table(line: str) -> st.Table:
    """Every row of a line: all pairs, and those of detected TFs."""
    found = {split: find(STUDY, line, split) for split in (ALL, DETECTED)}

    def cell(method: str, column: tuple[str, str]) -> str:
        split, figure = column
        return write(found[split][method], figure)

    one = {split: next(iter(rows.values())) for split, rows in found.items()}
    counts = [one[split]["within_tf_count"] for split in (ALL, DETECTED)]
    note = f"{NOTE} {counts[0]} TFs, {counts[1]} of them detected; {one[ALL]['pairs']:,} pairs."
    return st.Table({entitle(x): x for x in found[ALL]}, COLUMNS, cell, line, note)


def added_table() -> st.Table:
    """What accessibility adds to the same row without it."""
    found = {line: find(STUDY, line, ALL) for line in LINES}
    methods = [x for x in found[LINES[0]] if find_reference(x) != x]
    titles = {x: entitle(x).replace("H1", "the line") for x in methods}

    def cell(method: str, column: tuple[str, str]) -> str:
        line, figure = column
        return write(found[line][method.replace("H1", line)], figure, "difference")

    return st.Table(
        {titles[x]: x for x in methods},
        name_columns(LINES),
        cell,
        "what is added",
        f"Difference to the same row without accessibility, {NOTE}",
    )


def mouse_table() -> st.Table:
    """The rows of both mouse cell types."""
    found = {name: find(MOUSE, name, ALL) for name in ("mESC", "mHSC-E")}
    columns = name_columns(found)

    def cell(method: str, column: tuple[str, str]) -> str:
        return write(found[column[0]][method], column[1])

    counts = "; ".join(
        f"{name}: {rows['rate']['within_tf_count']} TFs, {rows['rate']['pairs']:,} pairs"
        for name, rows in found.items()
    )
    return st.Table(
        {entitle(x): x for x in found["mESC"]}, columns, cell, "row", f"{NOTE} {counts}."
    )


def mouse_added_table() -> st.Table:
    """What motifs of peaks and promoters add to the same row of expression."""
    found = {name: find(MOUSE, name, ALL) for name in ("mESC", "mHSC-E")}
    columns = name_columns(found)

    def cell(method: str, column: tuple[str, str]) -> str:
        return write(found[column[0]][method], column[1], "difference")

    note = f"Difference to the same row of expression alone, {NOTE}"
    return st.Table({entitle(x): x for x in OVER}, columns, cell, "what is added", note)


TABLES: dict[str, Callable[[], object]] = {
    "H1 without labels": lambda: line_table("H1"),
    "K562 without labels": lambda: line_table("K562"),
    "GM12878 without labels": donors_table,
    "what accessibility adds": added_table,
    "mouse without labels": mouse_table,
    "what mouse motifs add": mouse_added_table,
}
