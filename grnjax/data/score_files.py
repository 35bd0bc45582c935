"""Scores as the original programs write them: numbers alone, in the order of a file of pairs.

CNNC and DeepDRIM save an array of predictions (.npy), others a column of text; the pairs stand in a
file of their own, such as GENELink's Test_set.csv, which names genes by their number in Target.csv.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.beeline import name_pairs, read_numbered_genes
from grnjax.data.edges import read_edge_table
from grnjax.data.names import list_names
from grnjax.data.safe_arrays import read_header, translate
from grnjax.data.tables import read_rows
from grnjax.errors import EdgeFormatError

ROLES = {"tf": ("tf", "gene1", "source"), "target": ("target", "gene2", "gene")}
OF_CLASS_1 = 1
"""Column of a prediction of several classes: 1 is a TF with its target in all of them."""


def read_pairs(path: str | Path, numbers: str | Path | None = None) -> pd.DataFrame:
    """The pairs of a file in its order: columns tf, target and, where there is one, label.

    Args:
        numbers: Target.csv, where the file names genes by their number there.

    Raises:
        EdgeFormatError: no columns of TFs and targets, or numbers that are not in Target.csv.
    """
    path, table = Path(path), read_edge_table(path)
    table.columns = [str(name).strip().lower() for name in table.columns]
    found = {}
    for role, headings in ROLES.items():
        name = next((x for x in headings if x in table), None)
        if name is None:
            raise EdgeFormatError(
                f"{path}: no column of {role}s; it has {list_names(list(table.columns))}. Give a "
                "header with TF and Target."
            )
        found[role] = table[name].astype(str)
    pairs = pd.DataFrame(found)
    if "label" in table:
        labels = pd.to_numeric(table["label"], errors="coerce")
        if not labels.isin([0, 1]).all():
            raise EdgeFormatError(
                f"{path}: {(~labels.isin([0, 1])).sum():,} labels are neither 0 nor 1."
            )
        pairs["label"] = labels.to_numpy(np.int64)
    if numbers is None:
        return pairs
    return name_pairs(pairs, read_numbered_genes(Path(numbers), "gene"), path)


def read_scores(
    path: str | Path, pairs: pd.DataFrame, source: str | Path
) -> tuple[pd.DataFrame, bool]:
    """The pairs with the scores of a file of numbers as their weights: tf, target, weight; and
    whether these may be probabilities, as all lie in [0, 1].

    Args:
        pairs: as `read_pairs` gives them, one a score and in the same order.
        source: what the pairs were read from.

    Raises:
        EdgeFormatError: other than one number a pair.
    """
    scores = read_numbers(Path(path))
    if len(scores) != len(pairs):
        raise EdgeFormatError(
            f"{path} has {len(scores):,} scores and {source} {len(pairs):,} pairs; give the pairs "
            "that were scored, in the order of the scores."
        )
    wrong = np.count_nonzero(~np.isfinite(scores))
    if wrong:
        raise EdgeFormatError(f"{path}: {wrong:,} of {len(scores):,} scores are not finite.")
    # a program's weights count by their size, and a score below 0 means less than one above
    least, most = scores.min(initial=0), scores.max(initial=0)
    table = pairs[["tf", "target"]].assign(weight=scores - min(least, 0))
    return table, bool(least >= 0 and most <= 1)


def read_numbers(path: Path) -> Float[np.ndarray, " score"]:
    """One number a row, of an .npy array or of text; of several classes, that of class 1."""
    if path.suffix == ".npy":
        with translate(path, ".npy file", EdgeFormatError), open(path, "rb") as file:
            shape, dtype = read_header(file)
            size = np.prod(shape, dtype=np.float64) * dtype.itemsize
            if dtype.hasobject or dtype.kind not in "biuf" or size > path.stat().st_size:
                raise EdgeFormatError(f"{path}: it holds {dtype} {shape}, not an array of numbers.")
            file.seek(0)
            values = np.lib.format.read_array(file, allow_pickle=False).astype(np.float64)
    else:
        rows = [[x for x in row if x] for row in read_rows(path, EdgeFormatError)]
        rows = rows[1:] if rows and not is_row_of_numbers(rows[0]) else rows
        wrong = next((i for i, row in enumerate(rows) if not is_row_of_numbers(row)), None)
        if wrong is not None or len({len(row) for row in rows}) > 1:
            raise EdgeFormatError(f"{path}: not one number, or as many, in each row.")
        values = np.array(rows, np.float64)
    if values.ndim == 2 and values.shape[1] > 1 and (values[:, 0] == np.arange(len(values))).all():
        values = values[:, 1:]  # the index of a saved table
    if values.ndim == 2:
        values = values[:, min(OF_CLASS_1, values.shape[1] - 1)]
    if values.ndim != 1:
        raise EdgeFormatError(f"{path}: it holds an array {values.shape}, not one number a pair.")
    return values


def is_row_of_numbers(fields: list[str]) -> bool:
    """Whether each field is a number."""
    try:
        return bool([float(x) for x in fields])
    except ValueError:
        return False
