"""Gene names: what kind of identifier they are, and how one list is found in another."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}(\.\d+)?")
SHOWN = 5


def identifier_kind(names: Iterable[str]) -> str:
    """What most of the names are: "ensembl", "entrez" or "symbol"."""
    names = list(names)
    if 2 * sum(ENSEMBL.fullmatch(name) is not None for name in names) > len(names):
        return "ensembl"
    if 2 * sum(name.isdecimal() for name in names) > len(names):
        return "entrez"
    return "symbol"


@dataclasses.dataclass(frozen=True, eq=False)
class NameMatch:
    """Where the names of one list stand in another."""

    positions: np.ndarray  # [query] int, -1 for a name that is absent
    rule: str  # "exact", or "upper-case" if some names were found only that way
    ambiguous: list[str]  # absent because in upper case they would meet another name


def match_names(queries: Sequence[str], names: Sequence[str]) -> NameMatch:
    """Finds each query among `names`: as it is spelled, else in upper case.

    Human and mouse files differ in case only (SOX2, Sox2), and so do a few human names
    (C19orf48). Upper case joins two names only where it cannot confuse either with a third.
    """
    place = {name: position for position, name in enumerate(names)}
    upper_place = {name.upper(): position for name, position in place.items()}
    spellings = Counter(name.upper() for name in place)
    query_spellings = Counter(query.upper() for query in set(queries))

    positions = np.array([place.get(query, -1) for query in queries], dtype=np.int64)
    ambiguous = []
    rule = "exact"
    for i in np.flatnonzero(positions < 0):
        key = queries[i].upper()
        if key not in upper_place:
            continue
        if spellings[key] == 1 and query_spellings[key] == 1:
            positions[i] = upper_place[key]
            rule = "upper-case"
        else:
            ambiguous.append(str(queries[i]))
    return NameMatch(positions, rule, ambiguous)


def count_names(names: Iterable[str]) -> dict:
    """How many names there are and the first few of them, for a report."""
    names = [str(name) for name in names]
    return {"count": len(names), "first": names[:SHOWN]}


def list_names(names: Iterable[str]) -> str:
    """The first few names as text, for a message."""
    names = [str(name) or "(unnamed)" for name in names]
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
