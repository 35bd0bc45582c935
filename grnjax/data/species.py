"""Human or mouse, by how gene symbols are written."""

from collections.abc import Iterable
from typing import Literal

from grnjax.data.names import identifier_kind

Species = Literal["auto", "human", "mouse"]


def tell_species(names: Iterable[str]) -> str | None:
    """The species most of whose symbols are written as these are: GATA1, or Gata1.

    None where the names are no symbols, or most of them are written otherwise.
    """
    names = list(map(str, names))
    if identifier_kind(names) != "symbol":
        return None
    upper = sum(name == name.upper() != name.lower() for name in names)
    title = sum(name[:1].isupper() and name[1:] == name[1:].lower() for name in names)
    if 2 * max(upper, title) <= len(names):
        return None
    return "human" if upper >= title else "mouse"
