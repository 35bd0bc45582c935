"""Why a matrix and a vocabulary have few genes in common, as far as their names tell."""

import re
from collections.abc import Mapping, Sequence

from grnjax.data.expression import KIND_WORDS
from grnjax.data.names import ENSEMBL, count_known, identifier_kind, list_names

SPECIES = {"": "human", "MUS": "mouse", "RNO": "rat", "DAR": "zebrafish", "SSC": "pig"}
SPECIES |= {"MMU": "macaque", "PTR": "chimpanzee", "GAL": "chicken", "BTA": "cow"}
MOUSE_SYMBOL = re.compile(r"[A-Z][a-z0-9.-]*[a-z][a-z0-9.-]*")  # Sox2, and no C1orf1
BARCODE = re.compile(r".*[ACGT]{12,}.*")
STABLE_ID = re.compile(r"ENS([A-Z]*?)G\d{6,}(\.\d+)?")


def find_species(names: Sequence[str]) -> str | None:
    """The species of most of the names, where they are Ensembl ids or in the case of mouse."""
    prefixes = [found[1] for found in map(STABLE_ID.fullmatch, names) if found]
    if 2 * len(prefixes) > len(names):
        prefix = max(set(prefixes), key=prefixes.count)
        return SPECIES.get(prefix, f"ENS{prefix}")
    return "mouse" if look_like_mouse(names) else None


def look_like_mouse(names: Sequence[str]) -> bool:
    """Whether most names are spelled as symbols of mouse, a capital and then small letters."""
    spelled = sum(MOUSE_SYMBOL.fullmatch(name) is not None for name in names)
    return 2 * spelled > len(names) > 0


def describe_cause(
    genes: Sequence[str],
    known: Sequence[str],
    cells: Sequence[str] | None,
    orthologues: Mapping[str, str] | None,
) -> str:
    """One sentence: the likely cause that few of the genes are known, and the next step.

    Args:
        genes: names of the columns.
        known: names of the vocabulary.
        cells: names of the rows.
        orthologues: those that were given.
    """
    rows = list(map(str, cells or ()))
    if rows and count_known(rows, known) > 10 * count_known(genes, known):
        return (
            f"The names of the rows ({list_names(rows)}) are genes of it: the matrix is "
            "transposed; give cells as rows."
        )
    if 2 * sum(BARCODE.fullmatch(name) is not None for name in genes) > len(genes):
        return "The names of the columns are barcodes of cells: the matrix is transposed."
    if orthologues is not None and 10 * count_known(genes, list(orthologues)) < len(genes):
        return (
            f"Few of the genes are in the table of orthologues ({list_names(orthologues)}): it is "
            "for another species or the other direction, or the cells need none."
        )
    ours, theirs = find_species(genes), find_species(known) or "human"
    kinds = identifier_kind(genes), identifier_kind(known)
    if kinds[0] == "ensembl" == kinds[1] and ours != theirs:
        return (
            f"The cells have Ensembl ids of {ours} and the vocabulary those of {theirs}: give a "
            "table of orthologues."
        )
    if kinds[0] != kinds[1]:
        steps = {
            "ensembl": "choose a column of .var with Ensembl ids, or give the dictionary from "
            "symbols to ids that comes with the model",
            "symbol": "choose a column of .var with symbols, or give a table from ids to symbols",
            "entrez": "give a table of names",
        }
        return (
            f"The cells have {KIND_WORDS[kinds[0]]} and the vocabulary {KIND_WORDS[kinds[1]]}: "
            f"{steps[kinds[1]]}."
        )
    if ours == "mouse" != theirs:
        return (
            "The cells have symbols of mouse and the vocabulary those of human: give a table of "
            "orthologues."
        )
    return (
        "Both have the same kind of name, so the vocabulary is probably of another model or "
        "species: check which one belongs to the weights."
    )


def tidy(name: str) -> str:
    """An Ensembl id in upper case and without its version; any other name as it is."""
    upper = name.upper()
    return upper.partition(".")[0] if ENSEMBL.fullmatch(upper) else name


def has_version(name: str) -> bool:
    """Whether a name is an Ensembl id with a version."""
    found = ENSEMBL.fullmatch(name.upper())
    return found is not None and found[1] is not None
