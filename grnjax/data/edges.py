"""Networks in and out: any edge list becomes one table of tf, target, label, sign and weight."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from grnjax.data.names import list_names
from grnjax.data.tables import ANNOTATED, is_number, read_annotated, read_parquet, read_rows
from grnjax.errors import EdgeFormatError
from grnjax.storage.files import write_atomic

HEADINGS = {
    "tf": ("tf", "gene1", "source", "regulator"),
    "target": ("target", "gene2", "gene"),
    "label": ("label",),
    "sign": ("sign", "type", "mode", "mor"),
    "weight": ("weight", "importance", "edgeweight", "score"),
}
SIGNS = {"+": 1, "activation": 1, "activator": 1, "-": -1, "repression": -1, "repressor": -1}
UNKNOWN_SIGNS = {"", "?", "unknown"}


def read_edges(path: str | Path) -> pd.DataFrame:
    """One row a TF-target pair: `tf`, `target` and, where the file has them, more columns.

    `label` is 0 or 1; `sign` is +1, -1, or 0 where it is unknown or the file contradicts itself;
    `weight` is a float. Without a header the first two columns are TF and target, and a third
    one is a label if it holds only 0 and 1, a sign if it holds only words such as + or
    Activation, and a weight otherwise. A parquet table needs headings. An .h5ad file or a .zarr
    folder brings its edges as `.varp['grn']` or, as geneRNIB has them, as `.uns['prediction']`.

    `frame.attrs["report"]` counts what was dropped on the way.
    """
    if Path(path).suffix in ANNOTATED:
        return read_annotated_edges(path)
    return take_edges(read_edge_table(path), str(path))


def take_network(network: pd.DataFrame | str | Path, name: str) -> tuple[pd.DataFrame, str]:
    """The edges of a table in memory or of a file, and what to call it: `name` or its path."""
    if isinstance(network, pd.DataFrame):
        return take_edges(network, name), name
    return read_edges(network), str(network)


def read_edge_table(path: str | Path) -> pd.DataFrame:
    """The text or parquet table of a network with all its columns, under headings in any case."""
    if Path(path).suffix == ".parquet":
        frame = read_parquet(path, EdgeFormatError)
        has_names = not isinstance(frame.index, pd.RangeIndex)
        return frame.reset_index() if has_names else frame
    headings, table = read_table(path)
    if headings is None:
        third = [classify(table[2])] if len(table.columns) > 2 else []
        further = [f"column {position + 1}" for position in table]
        headings = ["tf", "target", *third, *further[3:]]
    return table.set_axis(headings, axis=1)


def take_edges(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """A network in memory as `read_edges` gives that of a file: same headings, same checks."""
    headings = list(map(str, frame.columns))
    columns = find_columns(headings)
    if "tf" not in columns or "target" not in columns:
        raise lack_of_columns(headings, source)
    roles = {}
    for role, place in columns.items():
        column = frame.iloc[:, place].reset_index(drop=True).astype(object)
        text = column.where(column.notna(), "").astype(str).str.strip()
        roles[role] = PARSERS[role](text, source) if role in PARSERS else text
    edges = clean_edges(pd.DataFrame(roles), source)
    used = columns.values()
    ignored = [name for place, name in enumerate(headings) if place not in used and name]
    edges.attrs["report"]["ignored_columns"] = ignored
    return edges


def read_table(path: str | Path) -> tuple[list[str] | None, pd.DataFrame]:
    """The headings (None for a file that starts with an edge) and the text of every column."""
    first, *body = read_rows(path, EdgeFormatError)
    columns = find_columns(first)
    headings = first if "tf" in columns and "target" in columns else None
    if headings is None:
        if columns or not 2 <= len(first) <= 4:
            raise lack_of_columns(first, path)
        body = [first, *body]
    elif body and len(body[0]) == len(first) + 1:  # R writes no heading over the row names
        headings = ["", *first]
    if not body:
        raise EdgeFormatError(f"{path}: a header and no edges.")
    width = len(headings or first)
    for number, fields in enumerate(body, start=1):
        if len(fields) != width:
            raise EdgeFormatError(
                f"{path}: row {number} has {len(fields):,} fields where {width:,} are expected."
            )
    table = pd.DataFrame(body, dtype=object)
    return headings, table.apply(lambda column: column.str.strip())


def find_columns(headings: list[str]) -> dict[str, int]:
    """The position of each role among the headings, for the roles that are there."""
    headings = [heading.strip().lower() for heading in headings]
    return {
        role: next(headings.index(name) for name in known if name in headings)
        for role, known in HEADINGS.items()
        if not set(known).isdisjoint(headings)
    }


def lack_of_columns(headings: list[str], source: str | Path) -> EdgeFormatError:
    """The error about a table whose headings name no TF and target."""
    return EdgeFormatError(
        f"{source}: no TF and target among its {len(headings):,} columns "
        f"({list_names(headings)}). Name them TF and target (or Gene1 and Gene2)."
    )


def classify(third: pd.Series) -> str:
    """What the third column of a file without header is: "label", "sign" or "weight"."""
    values = set(third.str.lower())
    if values <= {"0", "1"}:
        return "label"
    if values <= SIGNS.keys() | UNKNOWN_SIGNS:
        return "sign"
    return "weight"


def parse_labels(text: pd.Series, path: str | Path) -> pd.Series:
    """Labels as integers, 0 or 1."""
    labels = pd.to_numeric(text, errors="coerce")
    wrong = text[~labels.isin([0, 1])]
    if len(wrong):
        raise EdgeFormatError(
            f"{path}: labels must be 0 or 1, and {len(wrong):,} of {len(text):,} are not: "
            f"the first is {wrong.iloc[0]!r} in row {wrong.index[0] + 1}."
        )
    return labels.astype(np.int8)


def parse_signs(text: pd.Series, path: str | Path) -> pd.Series:
    """Signs as integers: +1, -1, or 0 for a word that names neither."""
    numbers = np.sign(pd.to_numeric(text, errors="coerce"))
    return text.str.lower().map(SIGNS).fillna(numbers).fillna(0).astype(np.int8)


def parse_weights(text: pd.Series, path: str | Path) -> pd.Series:
    """Weights as finite floats."""
    weights = pd.to_numeric(text, errors="coerce").astype(np.float64)
    wrong = text[~np.isfinite(weights)]
    if len(wrong):
        raise EdgeFormatError(
            f"{path}: {len(wrong):,} of {len(text):,} weights are not finite numbers: "
            f"the first is {wrong.iloc[0]!r} in row {wrong.index[0] + 1}."
        )
    return weights


PARSERS = {"label": parse_labels, "sign": parse_signs, "weight": parse_weights}


def read_annotated_edges(path: str | Path) -> pd.DataFrame:
    """The edges of an AnnData file, as `.varp['grn']`, [tf, target], or as geneRNIB keeps them."""
    data = read_annotated(path, EdgeFormatError)
    if "grn" in data.varp:
        return clean_edges(take_matrix(data.varp["grn"], data.var_names, path), str(path))
    if isinstance(data.uns.get("prediction"), pd.DataFrame):
        return take_edges(data.uns["prediction"], str(path))
    raise EdgeFormatError(
        f"{path}: no network: .varp holds {list_names(data.varp) or 'nothing'}, not 'grn', and "
        f".uns {list_names(data.uns) or 'nothing'}, not the table 'prediction'."
    )


def take_matrix(matrix, genes: pd.Index, path: str | Path) -> pd.DataFrame:
    """The non-zero entries of a matrix of weights, [tf, target]."""
    weights = sparse.coo_array(matrix)
    weights.eliminate_zeros()
    names = np.asarray(genes, dtype=object)
    tf, target = weights.coords
    frame = pd.DataFrame({"tf": names[tf], "target": names[target]})
    frame["weight"] = parse_weights(pd.Series(weights.data), path)
    return frame


def clean_edges(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """The same edges once each, without self loops; `attrs["report"]` counts what went.

    Rows that repeat a pair with another weight or sign become one: the largest absolute weight
    stays, as in BEELINE's evaluation, and a contradicted sign becomes 0. Weights of +1 and -1
    alone, as in decoupler's tables, are signs too.
    """
    check_names(frame, source)
    if "weight" in frame and "sign" not in frame and set(frame["weight"]) == {1, -1}:
        frame = frame.assign(sign=frame["weight"].astype(np.int8))
    report = {"source": source, "rows": len(frame)}
    is_loop = frame["tf"] == frame["target"]
    report["self_loops"] = int(is_loop.sum())
    frame = frame[~is_loop]
    is_copy = frame.duplicated()
    report["duplicates"] = int(is_copy.sum())
    frame = frame[~is_copy]

    pair = ["tf", "target"]
    repeated = frame[frame.duplicated(pair, keep=False)]
    if "label" in frame and len(repeated):
        labels = repeated.groupby(pair, sort=False)["label"].nunique()
        conflicts = labels[labels > 1].index
        if len(conflicts):
            shown = list_names(f"{tf} -> {target}" for tf, target in conflicts)
            raise EdgeFormatError(
                f"{source}: {len(conflicts):,} pairs are labelled both 0 and 1 ({shown}). "
                "Keep one label a pair."
            )
    report["repeated_pairs"] = int(frame.duplicated(pair).sum())
    if report["repeated_pairs"]:
        frame = merge_repeats(frame)
    frame = frame.reset_index(drop=True)
    if "sign" in frame:
        report["unknown_signs"] = int((frame["sign"] == 0).sum())
    frame.attrs["report"] = report
    return frame


def check_names(frame: pd.DataFrame, source: str) -> None:
    """Refuses rows without a name, and numbers in the place of names."""
    if frame.empty:
        raise EdgeFormatError(f"{source}: no edges.")
    for role in ("tf", "target"):
        names = frame[role].unique()
        if "" in names:
            row = int(np.flatnonzero(frame[role] == "")[0]) + 1
            raise EdgeFormatError(f"{source}: row {row} has no {role}.")
        if all(map(is_number, names)) and not all(float(name).is_integer() for name in names):
            raise EdgeFormatError(
                f"{source}: the {role} column holds numbers ({list_names(names)}), not gene "
                "names. Is this an expression file?"
            )


def merge_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a pair: the largest absolute weight, and the sign that no other row contradicts."""
    pair = ["tf", "target"]
    if "sign" in frame:
        signs = frame.groupby(pair)["sign"]
        frame = frame.assign(sign=np.sign(signs.transform("max") + signs.transform("min")))
    if "weight" in frame:
        frame = frame.sort_values("weight", key=np.abs, ascending=False, kind="stable")
    return frame.drop_duplicates(pair).sort_index()


def write_edges(frame: pd.DataFrame, path: str | Path) -> None:
    """Writes TF, target, importance and all further columns, tab separated.

    The first three columns are the table that SCENIC's programs exchange. Edges are sorted by
    importance, ties by name; numbers are float32 in the fewest digits that read back exactly.
    """
    first = ["tf", "target", "importance"]
    others = [column for column in frame.columns if column not in first]
    table = sort_edges(frame)[first + others].rename(columns={"tf": "TF"})
    write_atomic(path, table.to_csv(sep="\t", index=False, lineterminator="\n"))


def write_ranked_edges(frame: pd.DataFrame, path: str | Path) -> None:
    """Writes BEELINE's rankedEdges.csv, which is tab separated despite its name.

    BEELINE ranks by absolute weight, so an importance below zero would come out as confident.
    """
    if (frame["importance"] < 0).any():
        raise ValueError("rankedEdges.csv needs importances of at least 0")
    table = sort_edges(frame)[["tf", "target", "importance"]]
    table.columns = ["Gene1", "Gene2", "EdgeWeight"]
    write_atomic(path, table.to_csv(sep="\t", index=False, lineterminator="\n"))


def sort_edges(frame: pd.DataFrame) -> pd.DataFrame:
    """The edges by falling importance, ties by TF and then target; floats as float32."""
    floats = frame.select_dtypes("floating").columns
    frame = frame.astype(dict.fromkeys(floats, np.float32))
    tf, target = (pd.Categorical(frame[role]).codes for role in ("tf", "target"))
    return frame.iloc[np.lexsort((target, tf, -frame["importance"].to_numpy()))]
