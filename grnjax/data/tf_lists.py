"""Lists of TFs: a name a line, all on one line, or tables with a column of TFs."""

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import numpy as np

from grnjax.data.headings import TF_WORDS, plain
from grnjax.data.names import check_genes, list_names
from grnjax.data.rewritings import REGULON, warn_of_dates
from grnjax.data.safe_text import hold_rows
from grnjax.data.species import Species, tell_species
from grnjax.data.tables import is_number, read_rows
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

SPECIES = ("human", "mouse")
NAME = re.compile(r"[^\s,;]+")
IS_TF = ("istf", "istranscriptionfactor")  # headings of a column that says so of each row
NO = {"no", "n", "false", "0"}


def read_tf_list(path: str | Path) -> list[str]:
    """The names of a TF list, each once: one a line, or a table with a TF or gene column.

    Lines without a heading that hold several names each, such as one line for all, hold TFs
    alone. Rows that a column `Is TF?` denies are left out. Which columns are not read is said.
    """
    rows = hold_rows(read_rows(path, EdgeFormatError), path, EdgeFormatError)
    rows = [[field.strip() for field in fields] for fields in rows]
    if len(rows) > 1 and len(rows[1]) == len(rows[0]) + 1 and plain(rows[0][0]) in (*TF_WORDS, "x"):
        rows[0] = ["", *rows[0]]  # R writes no heading over the names of the rows
    names = take_column(rows, path)
    if names is None:
        names = [
            re.sub(r"^c\(", "", field).strip("[]{}()'\"") for fields in rows for field in fields
        ]
        logger.info(f"{path}: {len(names):,} names on {len(rows):,} lines, all read as TFs")
    names = [REGULON.sub("", name) for name in names]
    names = list(dict.fromkeys(filter(None, names)))
    if not names:
        raise EdgeFormatError(f"{path}: a header and no names below it.")
    check_genes(names, path, EdgeFormatError)
    warn_of_dates(names, path)
    return names


def list_tfs(tfs: Iterable[str] | str | Path | None) -> list[str] | None:
    """Names of TFs from names or from the path of a list; None where none are given."""
    if isinstance(tfs, (str, Path)):
        return read_tf_list(tfs)
    return None if tfs is None else list(map(str, tfs))


def read_own_list(species: str) -> set[str]:
    """The TFs of human or mouse by the lists that come with grnjax, in upper case."""
    listed = resources.files("grnjax") / "shipped" / f"{species}-tfs.txt"
    return set(listed.read_text().split())


def find_own_list(genes: np.ndarray, source: str, species: Species = "auto") -> list[str] | None:
    """TFs among the genes by the lists that come with grnjax (shipped/README.md), human or mouse.

    None where none of them is on it, which a warning says. Where the species is not told by how
    the genes are written, it is that whose list has more of them.
    """
    own = tell_species(genes.tolist()) if species == "auto" else species
    found = {}
    for name in SPECIES if own is None else (own,):
        tfs = read_own_list(name)
        found[name] = sorted(gene for gene in genes.tolist() if gene.upper() in tfs)
    taken, names = max(found.items(), key=lambda item: len(item[1]))
    if not names:
        logger.warning(
            f"{source}: no list of TFs is given and no gene is on that of {taken} TFs that "
            f"comes with grnjax, so all {len(genes):,} genes count as TFs; --tfs=LIST names them"
        )
        return None
    logger.info(
        f"{source}: {len(names):,} TFs of the list of {taken} TFs that comes with grnjax; "
        "--tfs=LIST names others, --tfs=all takes every gene"
    )
    return names


def take_column(rows: list[list[str]], path: str | Path) -> list[str] | None:
    """The names in the column of TFs of a table; None of lines that hold several names each."""
    words = ["" if field.endswith("?") else plain(field) for field in rows[0]]
    known = [word for word in TF_WORDS if word in words]
    width = len(rows[0])
    if known and not (len(rows) == 1 and width > 3):
        column, body = words.index(known[0]), rows[1:]
    elif width > 1 and (rows[0][0] == "" and is_running([row[0] for row in rows[1:]])):
        body = rows[1:]
        column = first_of_names(body)
    elif all(len(row) == 1 for row in rows):
        return [row[0] for row in rows]
    else:
        is_ragged = len({len(row) for row in rows}) > 1
        cells = [field for row in rows for field in row if field]
        if is_ragged or (len(rows) <= width and len(set(cells)) == len(cells)):
            if all(NAME.fullmatch(cell) and not is_number(cell) for cell in cells):
                return None
        column, body = first_of_names(rows), rows
    if width > 1 and body:
        has_headings = len(body) < len(rows)
        headings = rows[0] if has_headings else [f"column {i + 1}" for i in range(width)]
        others = [heading for i, heading in enumerate(headings) if i != column and heading]
        unread = f"; not read: {list_names(others)}" if others else ""
        logger.info(
            f"{path}: TFs are those of {headings[column] or f'column {column + 1}'}{unread}"
        )
    body = drop_others(rows[0], body, path)
    return [row[column] for row in body if len(row) > column]


def drop_others(headings: list[str], body: list[list[str]], path: str | Path) -> list[list[str]]:
    """The rows without those that a column of the table says are no TFs."""
    place = next((i for i, heading in enumerate(headings) if plain(heading) in IS_TF), None)
    if place is None:
        return body
    is_denied = [len(row) > place and row[place].lower() in NO for row in body]
    denied = [row for row, no in zip(body, is_denied, strict=True) if no]
    if denied:
        logger.info(
            f"{path}: {len(denied):,} of {len(body):,} rows are left out, for {headings[place]} "
            f"says {denied[0][place]} of them"
        )
    return [row for row, no in zip(body, is_denied, strict=True) if not no]


def first_of_names(body: list[list[str]]) -> int:
    """The first column that does not hold numbers."""
    columns = range(min(map(len, body), default=1))
    return next((i for i in columns if not all(is_number(row[i]) for row in body)), 0)


def is_running(column: list[str]) -> bool:
    """Whether the entries are running numbers."""
    return any(column == [str(n) for n in range(i, i + len(column))] for i in (0, 1))
