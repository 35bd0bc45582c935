"""Gene names: what kind of identifier they are, and how one list is found in another."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from grnjax.data.rewritings import CASE, DATE, REWRITINGS, pair_dates, strip_names
from grnjax.errors import CONTROL, GrnjaxError
from grnjax.progress import logger

ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}(\.\d+)?")
SHOWN = 5
LONGEST_NAME = 60  # characters of a name in a message; longer ones are cut


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
    """Where the names of one list stand in another.

    `joined` and `apart` have, by what the two differ in, each query and the name that it found,
    or that it could be but need not.
    """

    positions: np.ndarray  # [query] int, -1 for a name that is absent
    joined: dict[str, dict[str, str]]
    apart: dict[str, dict[str, str]]

    @property
    def rule(self) -> str:
        """What joined the names: "exact", "upper-case" or "rewritten" spelling."""
        if set(self.joined) - {CASE}:
            return "rewritten"
        return "upper-case" if self.joined else "exact"

    @property
    def ambiguous(self) -> list[str]:
        """The queries that are absent because in upper case they would meet another name."""
        return [*self.apart.get(CASE, ())]

    def report(self, source: object) -> dict:
        """Says what rewritings joined and what they could not; returns that for a report."""
        found = {}
        for how, pairs in (("joined", self.joined), ("not joined", self.apart)):
            for what, names in pairs.items():
                if what == CASE:
                    continue
                remedy = ""
                if how == "not joined":
                    remedy = ". Rename them in the file, or expression by --data.gene-names=TABLE"
                shown = list_names(f"{query} and {name}" for query, name in names.items())
                logger.warning(
                    f"{source}: {len(names):,} names {how} that differ by {what}: {shown}{remedy}"
                )
                found.setdefault(f"names_{how.replace(' ', '_')}", {})[what] = count_names(names)
        return found


def match_names(queries: Sequence[str], names: Sequence[str]) -> NameMatch:
    """Finds each query among `names`: as it is spelled, else as exporters rewrite names.

    Human and mouse files differ in case only (SOX2, Sox2), and so do a few human names
    (C19orf48). Ensembl ids may have a version, R writes dots for hyphens, and so on
    (`REWRITINGS`). A rewriting joins two names only where it cannot confuse either with a third;
    dates are never joined, for 1-Mar was MARCHF1 or MTARC1.
    """
    place = {name: position for position, name in enumerate(names)}
    ours, theirs = list(dict.fromkeys(queries)), list(place)
    left, found, apart = [query for query in ours if query not in place], {}, {}

    def join(what, our_keys, their_keys):
        """Joins the queries that are left by their keys, where they have one."""
        holders, counts = {}, Counter(our_keys.values())
        for name, key in their_keys.items():
            holders.setdefault(key, []).append(name)
        for query in left:
            key = our_keys.get(query)
            if key and key in holders:
                is_clear = what != DATE and len(holders[key]) == 1 == counts[key]
                (found if is_clear else apart).setdefault(what, {})[query] = holders[key][0]
        decided = {*found.get(what, ()), *apart.get(what, ())}
        return [query for query in left if query not in decided]

    keys = [ours, theirs]
    for what, steps in REWRITINGS.items():
        before, keys = keys, [strip_names(one, steps) for one in keys] if left else keys
        if keys != before:
            left = join(what, dict(zip(ours, keys[0])), dict(zip(theirs, keys[1])))
    if left:
        join(DATE, *pair_dates(ours, theirs))
    spelled = {query: place[name] for pairs in found.values() for query, name in pairs.items()}
    positions = [place.get(query, spelled.get(query, -1)) for query in queries]
    return NameMatch(np.array(positions, dtype=np.int64), found, apart)


def count_known(queries: Iterable[str], names: Sequence[str]) -> int:
    """How many of the queries stand among the names, as `match_names` finds them."""
    return int((match_names(list(queries), names).positions >= 0).sum())


def count_names(names: Iterable[str]) -> dict:
    """How many names there are and the first few of them, for a report."""
    names = [str(name) for name in names]
    return {"count": len(names), "first": names[:SHOWN]}


def list_names(names: Iterable[str]) -> str:
    """The first few names as text, for a message."""
    names = [str(name) for name in names]
    return ", ".join(map(show_name, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


def show_name(name: str) -> str:
    """A name for a message: controls escaped, and cut if it is long."""
    name = CONTROL.sub(lambda mark: repr(mark[0])[1:-1], name[: LONGEST_NAME + 1])
    return (name[:LONGEST_NAME] + "..." if len(name) > LONGEST_NAME else name) or "(unnamed)"


def check_genes(names: Iterable[str], source: object, error: type[GrnjaxError]) -> None:
    """Refuses genes without a name, and names with control characters, by which files lie."""
    names = [str(name) for name in names]
    if not CONTROL.search("".join(names)) and all(map(str.strip, names)):
        return
    wrong = [name for name in names if CONTROL.search(name) or not name.strip()]
    raise error(
        f"{source}: {len(wrong):,} of {len(names):,} gene names are blank or hold control "
        f"characters ({list_names(wrong)}). Name or remove these genes."
    )
