"""How a text table is written, seen from its first lines: comments, separator, decimal commas."""

import csv
import itertools
import re
from collections.abc import Iterable, Iterator

from grnjax.progress import logger

FIRST_LINES = 100  # that are looked at
COMMENT = re.compile(r"""\s*["']?#""")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)
DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.IGNORECASE)
STATED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # by a spreadsheet
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")  # may be either
GENE_WORDS = set(  # of which headings are made
    "gene genes tf tfs target targets source regulator regulated factor node protein from to name "
    "symbol parent child upstream downstream head tail input output start end effector id chrom "
    "chr".split()
)


def split_lines(lines: Iterable[str], source: object = "text") -> Iterator[list[str]]:
    """Yields the fields of each line that is neither blank nor a comment, without their quotes.

    Comments begin with #; the last one before the first row is its heading if it has as many
    fields. What is not the plain case is said.
    """
    comments: list[str] = []
    kept = drop_comments(iter(lines), comments)
    start = list(itertools.islice(kept, 1))
    above = list(comments)
    peeked = [*start, *itertools.islice(kept, FIRST_LINES)]
    stated = STATED.fullmatch(peeked[0].strip()) if peeked else None
    separator = stated[1] if stated else find_separator(peeked)
    peeked = peeked[1:] if stated else peeked
    heading = find_heading(above, peeked, separator)
    peeked = [*heading, *peeked]
    has_commas = has_decimal_commas(peeked, separator)
    found = ["separated by semicolons"] * (separator == ";") + ["decimal commas"] * has_commas
    if found:
        logger.info(f"{source}: {' and '.join(found)}")
    for fields in split_fields(itertools.chain(peeked, kept), separator):
        if any(fields):
            yield [point_at(field) for field in fields] if has_commas else fields
    if heading:
        del comments[len(above) - 1]
    if comments:
        first = comments[0].strip()[:60]
        logger.info(f"{source}: {len(comments):,} comment lines left out, the first {first!r}")


def drop_comments(lines: Iterator[str], comments: list[str]) -> Iterator[str]:
    """Yields the lines that are neither blank nor comments, and collects the comments."""
    for line in lines:
        if COMMENT.match(line):
            comments.append(line)
        elif not line.isspace():
            yield line


def find_separator(lines: list[str]) -> str | None:
    """The mark between fields, None for blanks: a tab, semicolon, bar or comma of the first line.

    Semicolons go before commas where each line has as many of them and commas stand in numbers
    alone, and before blanks where their first fields have none.
    """
    first = lines[0] if lines else ""
    if "\t" in first:
        return "\t"
    if ";" in first and len({line.count(";") for line in lines}) == 1:
        in_words = any(re.search(r"(?<!\d),|,(?!\d)", line) for line in lines)
        has_blanks = all(len(line.partition(";")[0].split()) > 1 for line in lines)
        if not in_words and not has_blanks:
            return ";"
    if "," not in first and len(first.split()) == 1 < len(first.split("|")):
        return "|" if len({line.count("|") for line in lines}) == 1 else None
    return "," if "," in first else None


def find_heading(comments: list[str], rows: list[str], separator: str | None) -> list[str]:
    """The last comment, without its #, if it is the heading of the rows, which have none."""
    if not comments or not rows:
        return []
    text = comments[-1].strip().removeprefix('"').removeprefix("#").strip(" ")
    heading, first = (next(split_fields([line], separator), []) for line in (text, rows[0]))
    if len(heading) < 2 or len(heading) != len(first) or is_heading_text(first):
        return []
    over_numbers = len(first) > 2 and all(map(is_number, first[1:]))
    is_above = over_numbers and not any(map(is_number, heading[1:]))
    return [f"{text}\n"] if is_above or is_heading_text(heading) else []


def is_heading_text(fields: list[str]) -> bool:
    """Whether one of the fields is a word that headings are made of, and all are words."""
    words = [re.findall("[a-z]+", field.lower()) for field in fields]
    return any(GENE_WORDS.intersection(found) for found in words) and all(
        len(found) <= 3 and not is_number(field) for found, field in zip(words, fields, strict=True)
    )


def split_fields(lines: Iterable[str], separator: str | None) -> Iterator[list[str]]:
    """Yields the fields of each line, without their quotes."""
    if separator is None:
        return ([field.strip('"') for field in line.split()] for line in lines)
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def has_decimal_commas(lines: list[str], separator: str | None) -> bool:
    """Whether numbers are written with commas, and none with a point."""
    fields = [field.strip() for row in split_fields(lines, separator) for field in row]
    with_comma = [f for f in fields if "," in f and DECIMAL_COMMA.fullmatch(f)]
    if all(map(THOUSANDS.fullmatch, with_comma)):
        return False
    return not any("." in field and DECIMAL_POINT.fullmatch(field) for field in fields)


def point_at(field: str) -> str:
    """A number with a decimal comma with a point in its place; any other field as it is."""
    return field.replace(",", ".") if DECIMAL_COMMA.fullmatch(field.strip()) else field


def is_number(field: str) -> bool:
    """Whether the text reads as a number."""
    try:
        float(field)
    except ValueError:
        return False
    return True
