"""Human or mouse, by how gene symbols are written, and by symbols that one of them alone has."""

import functools
from collections.abc import Iterable
from typing import Literal

from grnjax.data.compendium.folder import read_shipped_orthologues
from grnjax.data.names import identifier_kind

Species = Literal["auto", "human", "mouse"]


def tell_species(names: Iterable[str]) -> str | None:
    """The species most of whose symbols are written as these are: GATA1, or Gata1.

    Benchmarks write symbols of mouse in upper case, too: of such names those count that are the
    symbol of a gene in one species and of none in the other, as TP53 and TRP53 are. None where the
    names are no symbols, or most of them are written otherwise.
    """
    names = list(map(str, names))
    if identifier_kind(names) != "symbol":
        return None
    upper = sum(name == name.upper() != name.lower() for name in names)
    title = sum(name[:1].isupper() and name[1:] == name[1:].lower() for name in names)
    if 2 * max(upper, title) <= len(names):
        return None
    if upper < title:
        return "mouse"
    human, mouse = (len(own.intersection(names)) for own in list_own_symbols())
    return "mouse" if mouse > human else "human"


@functools.cache
def list_own_symbols() -> tuple[frozenset[str], frozenset[str]]:
    """Symbols of human alone and of mouse alone, in upper case, of genes with one orthologue."""
    pairs = read_shipped_orthologues().items()
    human, mouse = ({pair[side].upper() for pair in pairs} for side in (0, 1))
    return frozenset(human - mouse), frozenset(mouse - human)
