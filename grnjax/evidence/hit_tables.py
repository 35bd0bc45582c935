"""Tables of promoters or peaks x TFs, or of one hit a row, read into one row of hits a gene."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from grnjax.data.names import list_names
from grnjax.data.tables import (
    MISSING,
    is_number,
    open_parquet,
    parse_numbers,
    read_table_rows,
)
from grnjax.errors import EdgeFormatError

GENE_HEADINGS = ("gene_short_name", "gene", "target", "symbol", "gene_name", "gene_symbol", "genes")
PLACE_HEADINGS = {"", "index", "unnamed: 0", "__index_level_0__", "peak_id", "peak"}
PLACE_HEADINGS |= {"chr", "chrom", "chromosome", "start", "end", "strand"}
TF, SCORE = "tf", "score"  # headings of a table of one hit a row, as grnjax data motifs writes it
COLUMNS_AT_ONCE = 64


class HitRows(NamedTuple):
    """A table of motif hits as its file has it: a gene may have several rows."""

    genes: list[str]  # of each row, "" where it has none
    values: np.ndarray  # [row, column] float32
    columns: list[str]
    ignored: list[str]  # headings of the columns that hold no hits


def read_hit_table(path: str | Path) -> tuple[pd.DataFrame, dict]:
    """The hits of each gene (index) in each column, and counts of what was read.

    Several rows of a gene become one by their maximum; rows without a gene are dropped.
    """
    is_parquet = Path(path).suffix == ".parquet"
    rows = (read_parquet_hits if is_parquet else read_text_hits)(path)
    codes, genes = pd.factorize(np.array(rows.genes, dtype=object))
    merged = np.zeros((len(genes), len(rows.columns)), np.float32)
    for code, hits in zip(codes, rows.values, strict=True):
        np.maximum(merged[code], hits, out=merged[code])
    table = pd.DataFrame(merged, index=genes, columns=rows.columns)
    nameless = rows.genes.count("")
    if nameless:
        table = table.drop(index="")
    report = {
        "rows": len(rows.genes),
        "rows_without_gene": nameless,
        "rows_merged": len(rows.genes) - nameless - len(table),
        "ignored_columns": rows.ignored,
    }
    return table, report


def read_parquet_hits(path: str | Path) -> HitRows:
    """The rows of a parquet table, a few columns at a time: files hold hits in 8 bytes each."""
    with open_parquet(path, EdgeFormatError) as file:
        from pyarrow import float32, types

        schema = file.schema_arrow
        kinds = (types.is_floating, types.is_integer, types.is_boolean)
        is_numeric = [any(kind(column) for kind in kinds) for column in schema.types]
        gene, columns, ignored = choose_columns(schema.names, is_numeric, path)
        names = file.read(columns=[gene]).column(gene).to_pylist()
        values = np.empty((len(names), len(columns)), np.float32)
        for first in range(0, len(columns), COLUMNS_AT_ONCE):
            chosen = columns[first : first + COLUMNS_AT_ONCE]
            table = file.read(columns=chosen).select(chosen)
            for place, column in enumerate(table.columns, start=first):
                values[:, place] = column.cast(float32(), safe=False).to_numpy()
                check_scores(values[:, place], f"{path}: column {columns[place]}")
    genes = ["" if name is None else str(name).strip() for name in names]
    return HitRows(genes, values, columns, ignored)


def read_text_hits(path: str | Path) -> HitRows:
    """The rows of a text table; which columns hold numbers is seen from the first row."""
    headings, lines = read_table_rows(path, EdgeFormatError)
    first = next(lines, None)
    if first is None:
        raise EdgeFormatError(f"{path}: a header and no motif hits below it.")
    lower = [heading.strip().lower() for heading in headings]
    if {TF, SCORE} <= {*lower} and not is_number(first[lower.index(TF)]):
        return read_listed_hits(path, headings, itertools.chain([first], lines))
    is_numeric = [is_number(field) or field.strip().lower() in MISSING for field in first]
    gene, columns, ignored = choose_columns(headings, is_numeric, path)
    place_of = {heading: place for place, heading in enumerate(headings)}
    gene_place, places = headings.index(gene), [place_of[column] for column in columns]
    genes, values = [], []
    for number, fields in enumerate(itertools.chain([first], lines), start=1):
        row = fields[gene_place].strip()
        hits = [fields[place] for place in places]
        genes.append(row)
        values.append(parse_numbers(hits, path, row, columns, EdgeFormatError))
        check_scores(values[-1], f"{path}: row {number} ({row})")
    return HitRows(genes, np.stack(values), columns, ignored)


def read_listed_hits(
    path: str | Path, headings: Sequence[str], lines: Iterable[list[str]]
) -> HitRows:
    """The rows of a table of one hit a row: a column a TF, with the score of the row's hit."""
    lower = [heading.strip().lower() for heading in headings]
    gene, _, _ = choose_columns(headings, [True] * len(headings), path)
    place, tf, score = headings.index(gene), lower.index(TF), lower.index(SCORE)
    hits: dict[str, list] = {"gene": [], TF: [], SCORE: []}
    for line in lines:
        hits["gene"].append(line[place].strip())
        hits[TF].append(line[tf].strip())
        (value,) = parse_numbers([line[score]], path, line[place], [SCORE], EdgeFormatError)
        hits[SCORE].append(value)
    check_scores(np.array(hits[SCORE]), f"{path}: column {headings[score]}")
    table = tabulate_best(hits["gene"], hits[TF], hits[SCORE])
    ignored = [x for x in headings if x not in (gene, headings[tf], headings[score])]
    return HitRows(table.index.tolist(), table.to_numpy(), table.columns.tolist(), ignored)


def tabulate_best(
    genes: Sequence[str], tfs: Sequence[str], scores: Sequence[float]
) -> pd.DataFrame:
    """The highest score of each TF (column) at each gene (index), 0 where there is no hit."""
    hits = pd.DataFrame({"gene": genes, "tf": tfs, "score": np.asarray(scores, np.float32)})
    return hits.groupby(["gene", "tf"])["score"].max().unstack(fill_value=0)


def choose_columns(
    headings: Sequence[str], is_numeric: Sequence[bool], path: str | Path
) -> tuple[str, list[str], list[str]]:
    """The heading of the gene column, those of the TF columns, and those of the others.

    A TF column holds numbers, and its heading is none that tables use for places in the genome.
    """
    lower = [heading.strip().lower() for heading in headings]
    known = [heading for heading in GENE_HEADINGS if heading in lower]
    if not known:
        raise EdgeFormatError(
            f"{path}: no gene column among its {len(headings):,} columns "
            f"({list_names(headings)}). Name it one of {', '.join(GENE_HEADINGS)}."
        )
    gene = headings[lower.index(known[0])]
    columns, ignored = [], []
    for heading, key, numeric in zip(headings, lower, is_numeric, strict=True):
        if heading != gene:
            (columns if numeric and key not in PLACE_HEADINGS else ignored).append(heading)
    if not columns:
        raise EdgeFormatError(
            f"{path}: beside {gene}, none of its {len(headings):,} columns "
            f"({list_names(headings)}) holds motif hits. Give a column of numbers a TF."
        )
    repeated = sorted(column for column, count in Counter(columns).items() if count > 1)
    if repeated:
        raise EdgeFormatError(
            f"{path}: {len(repeated):,} TF columns stand there more than once "
            f"({list_names(repeated)}). Merge each into one."
        )
    return gene, columns, ignored


def check_scores(scores: np.ndarray, where: str) -> None:
    """Refuses scores that are missing, infinite or negative."""
    wrong = ~(np.isfinite(scores) & (scores >= 0))
    if wrong.any():
        raise EdgeFormatError(
            f"{where}: {wrong.sum():,} of {len(scores):,} motif scores are missing, infinite or "
            f"below 0; the first is {scores[wrong][0]}. Write 0 where there is no hit."
        )
