"""Forms of networks: tables with and without headings, matrices, SIF, and those inside AnnData."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.annotated import read_annotated
from grnjax.data.headings import (
    NEUTRAL,
    SIGNS,
    UNKNOWN_SIGNS,
    WORDS,
    find_columns,
    is_heading,
    plain,
)
from grnjax.data.names import list_names
from grnjax.data.tables import MISSING, is_number
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

MOST_RELATIONS = 10  # kinds of an edge in the middle column of SIF
NEXT_STEP = "Give a line an edge, under the headings TF and target (or Gene1 and Gene2)."


def name_columns(lines: Sequence[list[str]], path: str | Path) -> pd.DataFrame:
    """The text of a network's table, each column under its heading or under its role."""
    rows = [[field.strip() for field in fields] for fields in lines]
    first, *body = rows
    columns = find_columns(first)
    if "tf" in columns and "target" in columns:
        has_rownames = body and len(body[0]) == len(first) + 1  # R has no heading over them
        return make_table(body, ["", *first] if has_rownames else first, path)
    for take in (take_named_matrix, take_sif):
        table = take(first, body, path)
        if table is not None:
            return table
    if {"tf", "target"} & columns.keys() or not 2 <= len(first) <= 4:
        raise lack_of_columns(first, path)
    table = make_table(rows, None, path)
    if columns or is_heading(first, body):
        return take_unknown_headings(first, body, columns, path)
    if is_heading(first, body) is None:
        logger.info(
            f"{path}: the first line ({list_names(first)}) is taken for an edge, though its names "
            "occur nowhere else; if it is a heading, call it TF and target"
        )
    if is_numbered(table):
        table = table.iloc[:, 1:]
        logger.info(f"{path}: the first column holds running numbers and is not read")
    third = [classify(table.iloc[:, 2])] if table.shape[1] > 2 else []
    further = [f"column {position + 1}" for position in range(table.shape[1])]
    return table.set_axis(["tf", "target", *third, *further[3:]], axis=1)


def name_frame(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """A table in memory or of parquet without headings for TF and target, as a file of text."""
    frame = frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
    has_headings = not isinstance(frame.columns, pd.RangeIndex)
    rows = [list(map(str, frame.columns))] * has_headings + frame.astype(str).to_numpy().tolist()
    return name_columns(rows, source)


def make_table(
    body: Sequence[list[str]], headings: Sequence[str] | None, path: str | Path
) -> pd.DataFrame:
    """The rows as a table, all as wide as the headings or the first row."""
    if not body:
        raise EdgeFormatError(f"{path}: a header and no edges.")
    width = len(body[0] if headings is None else headings)
    for number, fields in enumerate(body, start=1):
        if len(fields) != width:
            raise EdgeFormatError(
                f"{path}: row {number} has {len(fields):,} fields where {width:,} are expected. "
                f"{NEXT_STEP}"
            )
    return pd.DataFrame(body, columns=headings, dtype=object)


def take_unknown_headings(
    first: list[str], body: list[list[str]], columns: dict[str, int], path: str | Path
) -> pd.DataFrame:
    """The table under headings of which none is known for a TF or target: its first two columns."""
    free = [place for place in range(len(first)) if place not in columns.values()]
    if len(free) < 2 or not is_heading(
        [first[p] for p in free], [[r[p] for p in free] for r in body]
    ):
        raise lack_of_columns(first, path)
    logger.warning(
        f"{path}: the first line ({list_names(first)}) is taken for a heading, for its words occur "
        "nowhere else; TF and target are its first two. If it is an edge, put TF and target above"
    )
    headings = list(first)
    headings[free[0]], headings[free[1]] = "tf", "target"
    table = make_table(body, headings, path)
    if len(first) == 3 == len(free):
        table.columns = ["tf", "target", classify(table.iloc[:, 2])]
    return table


def lack_of_columns(headings: Sequence[str], source: str | Path, hint: str = "") -> EdgeFormatError:
    """The error about a table whose headings name no TF and target."""
    return EdgeFormatError(
        f"{source}: no TF and target among its {len(headings):,} columns "
        f"({list_names(headings)}). {hint}{NEXT_STEP}"
    )


def is_numbered(table: pd.DataFrame) -> bool:
    """Whether the first column holds running numbers beside two columns of names."""
    if table.shape[1] < 3 or table.iloc[:, 1:3].map(is_number).to_numpy().any():
        return False
    first = table.iloc[:, 0].tolist()
    return any(first == [str(n) for n in range(one, one + len(first))] for one in (0, 1))


def classify(third: pd.Series) -> str:
    """What the third column of a file without header is: "label", "sign" or "weight"."""
    values = set(third.str.lower())
    if values <= {"0", "1"}:
        return "label"
    if values <= SIGNS.keys() | UNKNOWN_SIGNS:
        return "sign"
    return "weight"


def take_sif(first: list[str], body: list[list[str]], path: str | Path) -> pd.DataFrame | None:
    """The edges of SIF, A activates B C ..., signed where the word tells; None of another form."""
    rows = [row for row in [first, *body] if len(row) > 1]
    if not rows or any(len(row) < 3 for row in rows):
        return None
    if len({row[1] for row in rows[:1000]}) > len(SIGNS) + len(NEUTRAL):
        return None  # genes, and quickly seen
    words = {row[1].lower() for row in rows}
    if not words <= SIGNS.keys() | UNKNOWN_SIGNS | NEUTRAL:
        others = {row[0] for row in rows} | {row[2] for row in rows}
        has_values = any(is_number(row[2]) or row[2].lower() in SIGNS for row in rows)
        is_same_width = {len(row) for row in rows} == {3}
        is_few = len(words) <= min(MOST_RELATIONS, len(rows) // 2)
        if has_values or not is_same_width or not is_few or words & {x.lower() for x in others}:
            return None
    edges = [(row[0], target, row[1]) for row in rows for target in row[2:] if target]
    logger.info(
        f"{path}: SIF, a TF, a kind of edge ({list_names(sorted(words))}) and targets a line"
    )
    alone = len(body) + 1 - len(rows)
    if alone:
        logger.info(f"{path}: {alone:,} lines name a gene alone and are left out")
    return pd.DataFrame(edges, columns=["tf", "target", "sign"], dtype=object)


def take_named_matrix(
    first: list[str], body: list[list[str]], path: str | Path
) -> pd.DataFrame | None:
    """The edges of a table of numbers, TFs x genes or genes x TFs; None of another form.

    The corner says which are the TFs, or else those that are fewer; of a square matrix, the rows.
    """
    widths = {len(row) for row in body}
    if len(widths) != 1 or not max(3, len(first)) <= max(widths) <= len(first) + 1:
        return None
    corner, columns = ("", first) if len(first) < max(widths) else (first[0], first[1:])
    if any(map(is_number, columns)):
        return None
    rows, numbers = [], []
    for name, *fields in body:
        rows.append(name)
        numbers.append(["0" if field.lower() in MISSING else field for field in fields])
        if not all(map(is_number, numbers[-1])):
            return None
    if not set(columns) & set(rows):
        raise lack_of_columns(
            first, path, "A matrix of TFs and genes is read if a TF is among its genes. "
        )
    values = np.array(numbers, dtype=np.float64)
    tf_rows = len(rows) <= len(columns)
    if plain(corner) in WORDS["tf"] + WORDS["target"]:
        tf_rows = plain(corner) in WORDS["tf"]
    logger.info(
        f"{path}: a matrix of {len(rows):,} x {len(columns):,} numbers; the "
        f"{'rows' if tf_rows else 'columns'} are TFs, the others targets, and what is not 0 an edge"
    )
    return take_matrix(*((values, rows, columns) if tf_rows else (values.T, columns, rows)))


def take_matrix(matrix: Any, tfs: Sequence[str], genes: Sequence[str]) -> pd.DataFrame:
    """The non-zero entries of a matrix of weights, [tf, target]."""
    weights = sparse.coo_array(matrix)
    weights.eliminate_zeros()
    tf, target = weights.coords
    frame = pd.DataFrame(
        {"tf": np.asarray(tfs, object)[tf], "target": np.asarray(genes, object)[target]}
    )
    return frame.assign(weight=weights.data)


def find_annotated(path: str | Path, key: str | None) -> tuple[pd.DataFrame, bool]:
    """The network inside AnnData, and whether it is a matrix: that of the key, or the only one.

    A network is a matrix of `.varp` or `.uns`, whose rows regulate its columns, or a table of
    `.uns` with TF and target. `.varp['grn']` and geneRNIB's `.uns['prediction']` go first.
    """
    data = read_annotated(path, EdgeFormatError)
    genes = data.var_names
    found = {f".varp[{name!r}]": matrix for name, matrix in data.varp.items()}
    for name, item in data.uns.items():
        is_table = isinstance(item, pd.DataFrame) and (
            is_network(item.columns) or not set(item.index).isdisjoint(item.columns)
        )
        if is_table or getattr(item, "shape", ()) == (len(genes),) * 2 != (0, 0):
            found[f".uns[{name!r}]"] = item
    usual = [place for place in (".varp['grn']", ".uns['prediction']") if place in found]
    fitting = usual[:1] or [place for place in found if place.lower() == ".varp['grn']"] or [*found]
    if key is not None and not is_used_below(key, found):
        fitting = [place for place in found if place.endswith(f"[{key!r}]")]
    if not found:
        raise EdgeFormatError(
            f"{path}: no network: .varp holds {list_names(data.varp) or 'nothing'}, not 'grn', and "
            f".uns {list_names(data.uns) or 'nothing'}, not the table 'prediction'."
        )
    if len(fitting) != 1:
        raise EdgeFormatError(
            f"{path}: {len(found):,} places may hold the network ({list_names(found)}). Take one "
            "with --weight-column=KEY (weight_column in Python), or call it .varp['grn']."
        )
    item = found[fitting[0]]
    if not usual:
        of = "" if isinstance(item, pd.DataFrame) else "; its rows regulate its columns"
        logger.info(f"{path}: the network is {fitting[0]}{of}")
    if isinstance(item, pd.DataFrame):
        return item, False
    return take_matrix(item, genes, genes), True


def is_network(headings: Iterable[object]) -> bool:
    """Whether the headings name TF and target."""
    return {"tf", "target"} <= find_columns(list(headings)).keys()


def is_used_below(key: str, found: dict[str, Any]) -> bool:
    """Whether the key is a column of one of the tables, and so none of a place."""
    return any(isinstance(item, pd.DataFrame) and key in item for item in found.values())
