"""Sets of genes, and how much two genes share of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import sparse

from grnjax.data.names import list_names, match_names
from grnjax.data.regulon_lists import allow_long_fields, is_gmt, take_gmt
from grnjax.data.tables import read_rows
from grnjax.errors import EdgeFormatError


def read_gene_sets(path: str | Path) -> dict[str, list[str]]:
    """The sets of a GMT file, gzipped or not, by name: a name, a description and genes a line."""
    with allow_long_fields():
        rows = list(read_rows(path, EdgeFormatError))
    if not is_gmt(rows, path):
        raise EdgeFormatError(
            f"{path}: not sets of genes: give a GMT file, with a name, a description and genes a "
            "line and tabs between them."
        )
    table = take_gmt(rows, path)
    return {str(name): list(genes) for name, genes in table.groupby("regulon")["target"]}


def share_sets(
    sets: Mapping[str, Sequence[str]], genes: Sequence[str], others: Sequence[str]
) -> Float[np.ndarray, "gene other"]:
    """Jaccard's index of the sets that a gene and another are in; 0 where either is in none.

    GEARS (Roohani et al. 2024) joins genes by this of GO terms.

    Raises:
        EdgeFormatError: no set holds any of the genes.
    """
    names = list(dict.fromkeys([*genes, *others]))
    members = [(row, gene) for row, held in enumerate(sets.values()) for gene in held]
    known = sorted({gene for _, gene in members})
    found = match_names(names, known).positions
    if not (found >= 0).any():
        raise EdgeFormatError(
            f"none of the {len(names):,} genes ({list_names(names)}) is in any of the "
            f"{len(sets):,} gene sets ({list_names(known)}); give sets of the same species "
            "and kind of name."
        )
    place = {gene: at for at, gene in enumerate(known)}
    at = np.array([(row, place[gene]) for row, gene in members])
    ones = np.ones(len(at), np.float32)
    is_in = sparse.csr_array((ones, (at[:, 0], at[:, 1])), shape=(len(sets), len(known)))
    is_in = is_in.tocsc()
    columns = {n: (is_in[:, [f]] if f >= 0 else None) for n, f in zip(names, found, strict=True)}
    empty = sparse.csc_array((len(sets), 1), dtype=np.float32)

    def stack(wanted: Sequence[str]) -> sparse.csc_array:
        return sparse.hstack([empty if columns[n] is None else columns[n] for n in wanted]).tocsc()

    one, other = stack(genes), stack(others)
    both = np.asarray((one.T @ other).todense())
    either = np.asarray(one.sum(axis=0))[:, None] + np.asarray(other.sum(axis=0))[None] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)
