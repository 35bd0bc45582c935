"""Networks in and out: any edge list becomes one table of tf, target, label, sign and weight."""

import contextlib
from gzip import GzipFile
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.annotated import ANNOTATED
from grnjax.data.edge_forms import find_annotated, is_network, name_columns, name_frame
from grnjax.data.headings import (
    NEUTRAL,
    SIGNS,
    SMALL_IS_BETTER,
    UNKNOWN_SIGNS,
    WORDS,
    find_by_content,
    find_columns,
    hold_numbers,
    plain,
)
from grnjax.data.names import check_genes, list_names
from grnjax.data.rewritings import REGULON, warn_of_dates
from grnjax.data.safe_text import hold_rows
from grnjax.data.sniff import identify
from grnjax.data.tables import find_file, is_number, read_parquet, read_rows
from grnjax.errors import ConfigError, EdgeFormatError
from grnjax.progress import logger
from grnjax.storage.files import replace_whole

EDGES, RANKED = "edges.tsv", "rankedEdges.csv"  # in the folder of a run
MOST_PLAIN = 1_000_000  # edges; tables of more are gzipped
GZIP_LEVEL = 4
NETWORKS = 50  # most values of a column that tells networks apart


def read_edges(
    path: str | Path, *, weight_column: str | None = None, only: str | None = None
) -> pd.DataFrame:
    """One row a TF-target pair: `tf`, `target` and, where the file has them, more columns.

    `label` is 0 or 1; `sign` is +1, -1, or 0 where it is unknown or the file contradicts itself;
    `weight` is a float. Without a header the first two columns are TF and target, and a third
    one is a label if it holds only 0 and 1, a sign if it holds only words such as + or
    Activation, and a weight otherwise. SIF, matrices of TFs and genes, and AnnData are read too
    (`edge_forms`). A parquet table needs headings.

    `frame.attrs["report"]` counts what was dropped on the way, and names what was not read.

    Args:
        weight_column: heading of the weights, or the key of a network in AnnData.
        only: COLUMN=VALUE of the rows to read, where a table holds several networks.
    """
    if identify(path, EdgeFormatError).kind in ANNOTATED:
        table, is_matrix = find_annotated(path, weight_column)
        if is_matrix:
            weight = parse_weights(table["weight"].reset_index(drop=True), path)
            return clean_edges(table.assign(weight=weight), str(path))
        weight_column = weight_column if weight_column in table else None
    else:
        table = read_edge_table(path)
    return take_edges(table, str(path), weight_column=weight_column, only=only)


def take_network(
    network: pd.DataFrame | str | Path, name: str, *, weight_column: str | None = None
) -> tuple[pd.DataFrame, str]:
    """The edges of a table in memory or of a file, and what to call it: `name` or its path."""
    if isinstance(network, pd.DataFrame):
        return take_edges(network, name, weight_column=weight_column), name
    return read_edges(network, weight_column=weight_column), str(network)


def read_edge_table(path: str | Path) -> pd.DataFrame:
    """The text or parquet table of a network with all its columns, under headings in any case."""
    if identify(path, EdgeFormatError).kind == "parquet":
        frame = read_parquet(path, EdgeFormatError)
        has_names = not isinstance(frame.index, pd.RangeIndex)
        return frame.reset_index() if has_names else frame
    rows = hold_rows(read_rows(path, EdgeFormatError), path, EdgeFormatError)
    return name_columns(rows, path)


def take_edges(
    frame: pd.DataFrame,
    source: str,
    *,
    weight_column: str | None = None,
    only: str | None = None,
    keep_loops: bool = False,
) -> pd.DataFrame:
    """A network in memory as `read_edges` gives that of a file: same headings, same checks.

    Args:
        keep_loops: whether a TF may be its own target.
    """
    if not is_network(frame.columns):
        frame = name_frame(frame, source)
    headings = list(map(str, frame.columns))
    columns = find_columns(headings)
    if only is not None:
        frame = keep_rows(frame, only, source)
    for role in ("sign", "weight"):
        place = find_by_content(headings, frame, role) if role not in columns else None
        if place is not None:
            columns[role] = place
    if weight_column is not None:
        columns["weight"] = find_heading(weight_column, headings, source)
    roles = {}
    for role, place in columns.items():
        column = frame.iloc[:, place].reset_index(drop=True).astype(object)
        text = column.where(column.notna(), "").astype(str).str.strip()
        roles[role] = PARSERS[role](text, source) if role in PARSERS else text
    table = strip_regulons(pd.DataFrame(roles), source)
    warn_of_dates(pd.unique(table[["tf", "target"]].to_numpy().ravel()).tolist(), source)
    others = [
        place for place, name in enumerate(headings) if place not in columns.values() and name
    ]
    if table.duplicated(["tf", "target"]).any():
        find_networks(table, frame.iloc[:, others], source)
    edges = clean_edges(table, source, keep_loops=keep_loops)
    say_unread(edges.attrs["report"], frame.iloc[:, others], headings, columns)
    return edges


def keep_rows(frame: pd.DataFrame, only: str, source: str) -> pd.DataFrame:
    """The rows that have the value in the column of COLUMN=VALUE."""
    heading, _, value = only.partition("=")
    headings = list(map(str, frame.columns))
    column = frame.iloc[:, find_heading(heading, headings, source)].astype(str).str.strip()
    if value not in set(column):
        raise ConfigError(
            f"{source}: no row has {value!r} in column {heading}; it has "
            f"{list_names(column.unique())}."
        )
    logger.info(f"{source}: {(column == value).sum():,} of {len(frame):,} rows have {only}")
    return frame[(column == value).to_numpy()]


def find_heading(heading: str, headings: list[str], source: str) -> int:
    """The position of a column that the user names."""
    if heading not in headings:
        raise ConfigError(f"{source}: no column {heading!r}; it has {', '.join(headings)}.")
    if plain(heading) in SMALL_IS_BETTER:
        raise ConfigError(
            f"{source}: small values are good ones in a column {heading!r}, and the largest "
            "weights rank first; give a column of which that is true, such as -log10 of it."
        )
    return headings.index(heading)


def strip_regulons(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with TFs in the place of regulons such as GATA1(+), which tell a sign."""
    regulons = {name: found for name in table["tf"].unique() if (found := REGULON.search(name))}
    if not regulons:
        return table
    tfs = {name: name[: found.start()] for name, found in regulons.items()}
    shown = list_names(f"{name} as {tf}" for name, tf in tfs.items())
    logger.info(f"{source}: {len(tfs):,} regulons are read as their TFs: {shown}")
    if "sign" not in table:
        signs = {name: SIGNS.get(found["sign"], 0) for name, found in regulons.items()}
        table = table.assign(sign=table["tf"].map(signs).fillna(0).astype(np.int8))
    return table.assign(tf=table["tf"].replace(tfs))


def say_unread(
    report: dict, others: pd.DataFrame, headings: list[str], columns: dict[str, int]
) -> None:
    """Says which columns are not read, and which are under other headings than the usual ones."""
    report["ignored_columns"] = list(map(str, others.columns))
    report["columns_of_numbers"] = [str(x) for x, column in others.items() if hold_numbers(column)]
    parts = [
        f"{role}s are those of {headings[columns[role]]}"
        for role in ("weight", "sign")
        if role in columns and plain(headings[columns[role]]) not in WORDS[role]
    ]
    if report["ignored_columns"]:
        parts.insert(0, f"columns not read: {', '.join(report['ignored_columns'][:20])}")
    if parts:
        logger.info(f"{report['source']}: {'; '.join(parts)}")


def offer_weights(edges: pd.DataFrame) -> str:
    """Which columns that were not read hold numbers, and how to take one for the weights."""
    columns = edges.attrs["report"].get("columns_of_numbers")
    small = [name for name in columns or () if plain(name) in SMALL_IS_BETTER]
    large = [name for name in columns or () if name not in small]
    if not large:
        return ""
    unfit = f" (not {list_names(small)}, where small values are good ones)" if small else ""
    return (
        f"--weight-column=NAME (weight_column in Python) takes {list_names(large)} as the "
        f"weights{unfit}"
    )


def find_networks(table: pd.DataFrame, others: pd.DataFrame, source: str) -> None:
    """Warns where a column tells the rows of a pair apart: several networks, as by cell type."""
    pairs = table[["tf", "target"]].reset_index(drop=True)
    repeats = int(pairs.duplicated().sum())
    for heading, column in others.items():
        values = column.astype(str).reset_index(drop=True)
        names = values.unique()
        is_measure = (pd.to_numeric(values, errors="coerce") % 1).gt(0).any()
        if is_measure or not 1 < len(names) <= min(NETWORKS, len(pairs) - repeats):
            continue
        if not pairs.assign(value=values).duplicated().any():
            logger.warning(
                f"{source}: {repeats:,} of {len(pairs):,} rows repeat a pair, once for each "
                f"{heading} ({len(names):,}: {list_names(names)}): {heading} is not read, and the "
                f"largest weight of a pair counts. For one network: grnjax data convert {source} "
                f"one.tsv --only '{heading}={names[0]}'"
            )


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
    words, numbers = text.str.lower(), pd.to_numeric(text, errors="coerce")
    unknown = text[~words.isin(SIGNS.keys() | UNKNOWN_SIGNS | NEUTRAL) & numbers.isna()]
    if len(unknown):
        logger.warning(
            f"{path}: {len(unknown):,} of {len(text):,} signs are words that tell none "
            f"({list_names(unknown.unique())}); they count as unknown"
        )
    return words.map(SIGNS).fillna(np.sign(numbers)).fillna(0).astype(np.int8)


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


def clean_edges(frame: pd.DataFrame, source: str, *, keep_loops: bool = False) -> pd.DataFrame:
    """The same edges once each, without self loops or with; `attrs["report"]` counts what went.

    Rows that repeat a pair with another weight or sign become one: the largest absolute weight
    stays, as in BEELINE's evaluation, and a contradicted sign becomes 0. Weights of +1 and -1
    alone, as in decoupler's tables, are signs too.
    """
    check_names(frame, source)
    if "weight" in frame and "sign" not in frame and set(frame["weight"]) == {1, -1}:
        frame = frame.assign(sign=frame["weight"].astype(np.int8))
    report = {"source": source, "rows": len(frame)}
    is_loop = (frame["tf"] == frame["target"]) & (not keep_loops)
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
        check_genes(names, source, EdgeFormatError)
        others = frame["target" if role == "tf" else "tf"].unique()
        are_whole = all(is_number(name) and float(name).is_integer() for name in names)
        are_ids = are_whole and any(map(is_number, others))  # Entrez ids
        if all(map(is_number, names)) and not are_ids:
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


def name_edges(name: str, edges: int) -> str:
    """The name of a table with so many edges: gzipped above `MOST_PLAIN`."""
    return f"{name}.gz" if edges > MOST_PLAIN else name


def find_edges(folder: Path, name: str = EDGES) -> Path:
    """A table of a run's folder, gzipped or not; the plain one where neither is there."""
    return find_file(folder, name) or folder / name


def write_edges(frame: pd.DataFrame, path: str | Path) -> None:
    """Writes TF, target, importance and all further columns, tab separated.

    The first three columns are the table that SCENIC's programs exchange. Edges are sorted by
    importance, ties by name; numbers are float32 in the fewest digits that read back exactly.
    """
    first = ["tf", "target", "importance"]
    others = [column for column in frame.columns if column not in first]
    table = sort_edges(frame)[first + others].rename(columns={"tf": "TF"})
    write_table(table, path)


def write_ranked_edges(frame: pd.DataFrame, path: str | Path) -> None:
    """Writes BEELINE's rankedEdges.csv, which is tab separated despite its name.

    BEELINE ranks by absolute weight, so an importance below zero would come out as confident.
    """
    if (frame["importance"] < 0).any():
        raise ValueError("rankedEdges.csv needs importances of at least 0")
    table = sort_edges(frame)[["tf", "target", "importance"]]
    table.columns = ["Gene1", "Gene2", "EdgeWeight"]
    write_table(table, path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Writes the rows tab separated, some at a time: no text as long as the file is made.

    A path that ends in .gz is compressed, to the same bytes each time.
    """
    with contextlib.ExitStack() as held:
        beside = held.enter_context(replace_whole(path))
        file = held.enter_context(open(beside, "wb"))
        if Path(path).suffix == ".gz":
            file = held.enter_context(GzipFile("", "wb", GZIP_LEVEL, file, mtime=0))
        table.to_csv(file, sep="\t", index=False, lineterminator="\n", encoding="utf-8")


def sort_edges(frame: pd.DataFrame) -> pd.DataFrame:
    """The edges by falling importance, ties by TF and then target; floats as float32."""
    floats = frame.select_dtypes("floating").columns
    frame = frame.astype(dict.fromkeys(floats, np.float32))
    tf, target = (pd.Categorical(frame[role]).codes for role in ("tf", "target"))
    return frame.iloc[np.lexsort((target, tf, -frame["importance"].to_numpy()))]
