"""Regulons as lists of genes: GMT, JSON, and the motif tables that pySCENIC's `ctx` writes."""

import contextlib
import csv
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from grnjax.data.headings import NEUTRAL, SIGNS, UNKNOWN_SIGNS, find_columns
from grnjax.data.names import list_names
from grnjax.data.safe_text import LONGEST_LINE, read_lines, tell_unreadable
from grnjax.data.sniff import identify
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

TARGETS, CONTEXT = "TargetGenes", "Context"  # columns of pySCENIC's table
MOTIF_TABLE_HEAD = 3  # lines of headings at most
REGULON_NAME = re.compile(
    r"(?P<tf>.+?)(_(direct|extended))?(_(?P<sign>[+-])([/_][+-])?)?"
    r"[_ ]*(\(((?P<other>[+-])|\d+ ?[gr])\))?"
)
"""A TF and what programs write after it: GATA1(+), GATA1_(42g), GATA1_direct_+/+_(42g)."""
TARGET = re.compile(
    r"""\(\s*(?:'([^'\\]*)'|"([^"\\]*)")\s*,\s*(?:np\.float\d+\()?([-+.\w]+?)\)?\s*\)"""
)
"""An item of pySCENIC's list, ('GATA1', 1.0), also as numpy 2 writes its numbers."""


@contextlib.contextmanager
def allow_long_fields() -> Iterator[None]:
    """Lets a field be as long as a line may be: a list of thousands of targets is one field."""
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def split_name(name: str) -> tuple[str, int]:
    """TF and sign of a regulon's name; the name itself and 0 where nothing follows a TF."""
    match = REGULON_NAME.fullmatch(name)
    if match is None:
        return name, 0
    return match["tf"], SIGNS.get(match["sign"] or match["other"], 0)


def take_sets(sets: Mapping[str, Sequence[str]], source: object) -> pd.DataFrame:
    """Regulons [regulon, tf, target, sign] of named lists of genes; repeats within one are said."""
    rows = [(name, *split_name(name), gene) for name, genes in sets.items() for gene in genes]
    table = pd.DataFrame(rows, columns=["regulon", "tf", "sign", "target"])
    is_copy = table.duplicated(["regulon", "target"])
    if is_copy.any():
        logger.info(f"{source}: {is_copy.sum():,} genes repeated within a set count once")
    return table[~is_copy]


def read_sets(path: str | Path) -> dict[str, list[str]] | None:
    """Lists of genes by name, if this is JSON, {"GATA1(+)": ["KLF1", ...]}; None if it is not.

    Raises:
        EdgeFormatError: it is JSON of another kind, or damaged.
    """
    if os.path.isdir(path) or identify(path, EdgeFormatError, may_be_json=True).kind != "text":
        return None
    with tell_unreadable(path, EdgeFormatError), open(path, "rb") as raw:
        lines = read_lines(raw, path, EdgeFormatError)
        first = next((line for line in lines if line.strip()), "")
        if not first.lstrip().startswith("{"):
            return None
        text = first + "".join(lines)
    try:
        sets = json.loads(text, object_pairs_hook=functools.partial(name_once, path=path))
    except (ValueError, RecursionError) as problem:
        raise EdgeFormatError(
            f"{path}: JSON that cannot be read ({problem}). Write the regulons again."
        ) from problem
    are_lists = all(
        isinstance(x, list) and all(isinstance(y, str) for y in x) for x in sets.values()
    )
    if not sets or not are_lists:
        raise EdgeFormatError(
            f'{path}: JSON of regulons is lists of genes by name, {{"GATA1(+)": ["KLF1", ...]}}, '
            "and this is something else."
        )
    return sets


def name_once(pairs: list[tuple[str, object]], *, path: str | Path) -> dict[str, object]:
    """The pairs of an object of JSON as a dict, unless a name stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EdgeFormatError(f"{path}: the set {twice} stands twice. Give each set a name.")
    return found


def is_gmt(rows: Sequence[list[str]], path: str | Path) -> bool:
    """Whether these are sets of genes, a name, a description and the genes a line.

    By the name of the file, or by lines of many lengths, each under a name of its own, whose
    second field is no kind of edge, as it is in SIF.
    """
    if str(path).lower().removesuffix(".gz").endswith(".gmt"):
        return True
    widths = {len(row) for row in rows}
    if len(widths) < 2 or min(widths) < 3 or {"tf", "target"} <= find_columns(rows[0]).keys():
        return False
    words = {row[1].strip().lower() for row in rows}
    is_sif = words <= SIGNS.keys() | NEUTRAL | UNKNOWN_SIGNS - {"na", ""}
    return not is_sif and len({row[0] for row in rows}) == len(rows)


def take_gmt(rows: Sequence[list[str]], path: str | Path) -> pd.DataFrame:
    """The sets of a GMT file; their descriptions, often addresses, are not read."""
    sets: dict[str, list[str]] = {}
    for number, (name, *rest) in enumerate(rows, start=1):
        name, genes = name.strip(), [gene.strip() for gene in rest[1:] if gene.strip()]
        if not name or len(rest) < 1:
            raise EdgeFormatError(
                f"{path}: line {number} ({name or 'unnamed'}) is no set of genes. Give a name, a "
                "description and genes a line, with tabs between them."
            )
        if name in sets:
            raise EdgeFormatError(f"{path}: the set {name} stands twice. Give each set a name.")
        sets[name] = genes
    empty = [name for name, genes in sets.items() if not genes]
    if empty:
        logger.warning(f"{path}: left out: {len(empty):,} sets without genes: {list_names(empty)}")
    return take_sets(sets, path)


def is_motif_table(rows: Sequence[list[str]]) -> bool:
    """Whether the headings are those of pySCENIC's `ctx`."""
    return any(TARGETS in row for row in rows[:MOTIF_TABLE_HEAD])


def take_motif_table(rows: Sequence[list[str]], path: str | Path) -> pd.DataFrame:
    """Regulons of pySCENIC's reg.csv: for each TF and sign the union over its motifs.

    A target has its largest weight. The sign is that of the module, activating or repressing.
    """
    place = next(i for i, row in enumerate(rows[:MOTIF_TABLE_HEAD]) if TARGETS in row)
    headings = [field.strip() for field in rows[place]]
    body = rows[place + 1 :]
    if body and body[0][:2] == ["TF", "MotifID"]:
        body = body[1:]
    tf = headings.index("TF") if "TF" in headings else 0
    frame = pd.DataFrame(
        {
            "tf": [row[tf].strip() for row in body],
            "context": [row[headings.index(CONTEXT)] for row in body]
            if CONTEXT in headings
            else "",
            "targets": [row[headings.index(TARGETS)] for row in body],
        }
        if all(len(row) == len(headings) for row in body)
        else refuse_widths(body, len(headings), path)
    )
    return take_motif_rows(frame, path)


def refuse_widths(body: Sequence[list[str]], width: int, path: str | Path) -> dict:
    """Names the first row that is not as wide as the headings."""
    number = next(i for i, row in enumerate(body, start=1) if len(row) != width)
    raise EdgeFormatError(
        f"{path}: row {number} has {len(body[number - 1]):,} fields where {width:,} are expected: "
        "the table of pySCENIC is damaged; write it again."
    )


def take_motif_rows(frame: pd.DataFrame, source: object) -> pd.DataFrame:
    """Regulons of rows of tf, context and targets, each a list as text or as a list."""
    rows = []
    for number, row in enumerate(frame.itertuples(index=False), start=1):
        sign = -1 if "repressing" in str(row.context) else 1
        name = f"{row.tf}({'-' if sign < 0 else '+'})"
        pairs = row.targets
        if isinstance(pairs, str):
            pairs = parse_targets(pairs, f"{source}: row {number}")
        rows += [(name, row.tf, sign, gene, weight) for gene, weight in pairs]
    if not rows:
        raise EdgeFormatError(f"{source}: headings and no targets.")
    table = pd.DataFrame(rows, columns=["regulon", "tf", "sign", "target", "weight"])
    keys = ["regulon", "tf", "sign", "target"]
    merged = table.groupby(keys, as_index=False)["weight"].max()
    logger.info(
        f"{source}: {len(frame):,} motifs of {frame['tf'].nunique():,} TFs; the targets of all "
        "motifs of a TF and sign are one regulon"
    )
    return merged


def parse_targets(text: str, place: str) -> list[tuple[str, float]]:
    """Genes and weights of the text [('GATA1', 1.0), ...]; nothing of it is evaluated."""
    found = [(one or other, number) for one, other, number in TARGET.findall(text)]
    rest = TARGET.sub("", text).translate({ord(mark): None for mark in "[], \t\r\n"})
    try:
        pairs = [(gene, float(number)) for gene, number in found]
    except ValueError:
        rest = rest or list_names(number for _, number in found)
        pairs = []
    if rest or not pairs or any(not gene or not abs(weight) < 1e300 for gene, weight in pairs):
        raise EdgeFormatError(
            f"{place}: {TARGETS} is no list of genes and weights, [('GATA1', 1.0), ...] "
            f"({rest[:30] or text[:30]!r}). Write the table again with pySCENIC's ctx."
        )
    return pairs
