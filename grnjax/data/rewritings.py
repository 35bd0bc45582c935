"""What exporters do to gene names: another case, a version, a dot for a hyphen, a date."""

import datetime
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from grnjax.progress import logger

REGULON = re.compile(r"\s*_?\((?P<sign>[+-]|\d+ ?[gr])\)$")  # after a TF's name, as in SCENIC
CASE = "case"
DATE = "a date that a spreadsheet made of one"
# Patterns and what takes their place; each is applied to upper case, and after those before it.
REWRITINGS = {
    CASE: [],
    "hyphens or blanks of another kind": [
        ("[\u2010-\u2015\u2212\u00ad]", "-"),
        ("[\u200b-\u200d\u2060\ufeff]", ""),
        (r"^[^\S\n]+|[^\S\n]+$", ""),
    ],
    "an identifier after it, as in TP53|7157": [
        (r"^([^|\n]+)\|[^|\n]*$", r"\1"),
        (r"^(\S+)_ENS[A-Z]*G\d{6,}(\.\d+)?$", r"\1"),
    ],
    "a decimal point, as in 1007.0": [(r"^(\d+)\.0+$", r"\1")],
    "the version of an Ensembl id": [(r"^(ENS[A-Z]*G\d{6,}|AT[1-5CM]G\d{5})\.\d+$", r"\1")],
    "_PAR_Y, a gene's copy on the Y chromosome": [(r"^(ENS[A-Z]*G\d{6,})(\.\d+)?_PAR_Y$", r"\1")],
    "the suffix of a regulon, as in (+)": [
        (r"(?=[_ (])(_(DIRECT|EXTENDED))?(_[+-](/[+-])?)?[_ ]*(\(([+-]|\d+ ?[GR])\))?$", "")
    ],
    "the name of a genome before them": [(r"^(GRC[HMRZ]\w+?|HG(19|38)|MM(9|10|39))_+", "")],
    "punctuation, as R and Seurat rewrite it": [(r"[^\w\n]|_", "."), (r"^(?=\d)", "X")],
}
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = rf"(?P<month>{'|'.join(MONTHS)})[a-z]*"
DATES = [
    re.compile(rf"X?(?P<day>\d{{1,2}})[-./ ]{MONTH}([-./ ]\d+)?", re.IGNORECASE),
    re.compile(rf"{MONTH}[-./ ](?P<day>\d\d)([-./ ]\d+)?", re.IGNORECASE),
    re.compile(r"\d{4}-(?P<number>\d\d)-(?P<day>\d\d)([T ]00:00(:00)?)?"),
]
STARTS_LIKE_DATE = re.compile(rf"X?\d|{MONTH}[-./ ]", re.IGNORECASE)
SERIALS = range(36526, 54789)  # the days of 2000 to 2049 as spreadsheets number them
DATED = {"MARCH": 3, "MARCHF": 3, "MARC": 3, "MTARC": 3, "SEP": 9, "SEPT": 9, "SEPTIN": 9}
DATED |= {"OCT": 10, "NOV": 11, "DEC": 12, "DELEC": 12, "FEB": 2, "APR": 4}
DATED_SYMBOL = re.compile(rf"({'|'.join(DATED)})(\d{{1,2}})", re.IGNORECASE)


def strip_names(
    names: Collection[str], patterns: Iterable[tuple[str, str]] | None = None
) -> list[str]:
    """Each name in upper case and as these patterns leave it, by default all `REWRITINGS`."""
    if patterns is None:
        patterns = [pattern for steps in REWRITINGS.values() for pattern in steps]
    text = "\n".join(name.replace("\n", " ") for name in names)
    text = (text if text.isascii() else unicodedata.normalize("NFKC", text)).upper()
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text.split("\n") if names else []


def read_date(name: str) -> tuple[int, int] | None:
    """Month and day of a name that is a date; None for any other."""
    for pattern in DATES:
        found = pattern.fullmatch(name)
        if found:
            month = found.groupdict().get("month")
            number = MONTHS.index(month.lower()) + 1 if month else int(found["number"])
            return number, int(found["day"])
    if name.isdecimal() and int(name) in SERIALS:
        day = datetime.date(1899, 12, 30) + datetime.timedelta(int(name))
        return day.month, day.day
    return None


def find_dates(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Month and day of each name that is a date; whole numbers are days only among symbols."""
    are_numbers = 2 * sum(name.isdecimal() for name in names) > len(names)
    found = {name: read_date(name) for name in names if STARTS_LIKE_DATE.match(name)}
    return {n: date for n, date in found.items() if date and not (are_numbers and n.isdecimal())}


def pair_dates(ours: Sequence[str], theirs: Sequence[str]) -> tuple[dict, dict]:
    """Keys by which a date among the names of either list meets a gene among those of the other."""
    keys = []
    for names, side in ((ours, True), (theirs, False)):
        dates = {name: (date, side) for name, date in find_dates(names).items()}
        for name in names:
            symbol = DATED_SYMBOL.fullmatch(name)
            if symbol:
                dates[name] = (DATED[symbol[1].upper()], int(symbol[2])), not side
        keys.append(dates)
    return tuple(keys)


def warn_of_dates(names: Sequence[str], source: object) -> None:
    """A warning that names the names that are dates, and the remedy."""
    dates = find_dates(names)
    rows = Counter(name for name in names if name in dates)
    if rows:
        several = [f"{name} stands {n:,} times" for name, n in rows.items() if n > 1]
        logger.warning(
            f"{source}: {len(rows):,} names in {sum(rows.values()):,} rows "
            f"({', '.join([*rows][:5])}) look like gene names that a spreadsheet turned into dates"
            f"{'; ' if several else ''}{', '.join(several[:5])}. 2-Sep was SEPTIN2, but 1-Mar "
            "MARCHF1 or MTARC1: take the names from the original file, or give right ones by "
            "--data.gene-names=TABLE."
        )
