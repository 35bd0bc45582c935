"""BEELINE's choice of genes, "TFs+N", and the part of a network that it leaves.

Pratapa et al. 2020 (doi 10.1038/s41592-019-0690-6), Methods: all significantly varying TFs, and
the N most variable of the other significantly varying genes.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.names import list_names
from grnjax.data.tables import is_number, read_rows
from grnjax.errors import ExpressionFormatError, GeneMismatchError

SIGNIFICANCE = 0.01  # over all genes together: each is held to this over their number
MEASURES = ("VGAMpValue", "Variance")


def read_ordering(path: str | Path) -> pd.DataFrame:
    """The rows of BEELINE's GeneOrdering.csv: columns gene, VGAMpValue and Variance."""
    rows = read_rows(path, ExpressionFormatError)
    headings = [field.strip().lower() for field in next(rows)]
    absent = [name for name in MEASURES if name.lower() not in headings[1:]]
    if absent:
        raise ExpressionFormatError(
            f"{path}: a gene ordering has the columns gene, {', '.join(MEASURES)}; this one has "
            f"{list_names(headings)}."
        )
    places = [headings.index(name.lower()) for name in MEASURES]
    genes, measures = [], []
    for fields in rows:
        texts = [fields[place] for place in places if place < len(fields)]
        if len(fields) != len(headings) or not all(map(is_number, texts)):
            raise ExpressionFormatError(
                f"{path}: row {len(genes) + 1} ({','.join(fields)}) has no p-value and variance."
            )
        genes.append(fields[0].strip())
        measures.append([float(text) for text in texts])
    if not genes:
        raise ExpressionFormatError(f"{path}: a header and no genes.")
    frame = pd.DataFrame(measures, columns=list(MEASURES))
    frame.insert(0, "gene", genes)
    return frame


def select_genes(ordering: pd.DataFrame, tfs: Iterable[str], n: int) -> list[str]:
    """The names of the set TFs+n, sorted.

    A gene varies significantly if its p-value is below 0.01 over the number of genes of the
    ordering. Genes are spelt as in the ordering, or all in upper case where more TFs are found
    so: in mESC the expression says Sox2 and every list and network SOX2.

    Args:
        ordering: columns gene, VGAMpValue, Variance, for the genes that were measured.
        tfs: all TFs of the species.
        n: how many other genes.
    """
    tfs = set(tfs)
    genes = np.array(spell_genes(ordering["gene"], tfs), dtype=object)
    significant = ordering["VGAMpValue"].to_numpy() < SIGNIFICANCE / len(ordering)
    is_tf = np.isin(genes, list(tfs))
    others = np.flatnonzero(significant & ~is_tf)
    variance = ordering["Variance"].to_numpy()[others]
    chosen = others[np.lexsort((genes[others].astype(str), -variance))][:n]
    return sorted({*genes[significant & is_tf], *genes[chosen]})


def spell_genes(genes: Iterable[str], tfs: set[str]) -> list[str]:
    """The genes as they are spelt, or all in upper case if more of the TFs are found so."""
    genes = list(genes)
    upper = [gene.upper() for gene in genes]
    spelling = upper if len(tfs.intersection(upper)) > len(tfs.intersection(genes)) else genes
    if tfs.isdisjoint(spelling):
        raise GeneMismatchError(
            f"none of the {len(tfs):,} TFs ({list_names(sorted(tfs))}) is among the "
            f"{len(genes):,} genes ({list_names(genes)}). Give both the same kind of names."
        )
    if len(set(spelling)) < len(spelling):
        seen = set()
        twice = [gene for gene in spelling if gene in seen or seen.add(gene)]
        raise GeneMismatchError(
            f"{len(twice):,} of {len(genes):,} genes are named twice ({list_names(twice)}). "
            "Keep one row a gene."
        )
    return spelling


def filter_network(edges: pd.DataFrame, genes: Iterable[str]) -> pd.DataFrame:
    """The edges between genes of the set, as BEELINE keeps them: names must agree exactly.

    Args:
        edges: as `read_edges` returns them, so without self loops and duplicates.
        genes: the set.
    """
    genes = set(genes)
    is_inside = edges["tf"].isin(genes) & edges["target"].isin(genes)
    return edges[is_inside].reset_index(drop=True)
