"""Candidate targets of TFs: genes whose best peaks carry the TF's motif.

Links are cut for each gene in several ways, by a quantile of their importance and by their number,
positive and negative ones apart; every cut gives each TF a set of genes.
"""

import dataclasses
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse

from grnjax.config import Items, Positive, Settings, Share
from grnjax.methods.enhancer.region_gene import Links


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModuleConfig(Settings):
    """How links are cut for each gene."""

    quantiles: Annotated[tuple[Share, ...], Items(different=True)] = (0.85, 0.9, 0.95)
    """Links at or above each quantile of the importance of the gene's links."""
    tops: Annotated[tuple[Positive, ...], Items(different=True)] = (5, 10, 15)
    """So many links of the highest importance of each gene."""


@dataclasses.dataclass(frozen=True, eq=False)
class Module:
    """The links that one cut keeps, and the genes that each TF may target through them."""

    name: str
    sign: int  # of the links
    kept: Bool[np.ndarray, " link"]
    targets: sparse.csr_matrix  # [tf, gene], above 0 where the TF may target the gene


def cut_links(links: Links, config: ModuleConfig) -> Iterator[tuple[str, int, np.ndarray]]:
    """Name, sign and mask of the links that each cut keeps; a cut that repeats another is left out.

    Ties of importance are kept by a quantile, and broken by the order of peaks in a top.
    """
    for sign in (1, -1):
        mine = np.flatnonzero(np.sign(links.r) == sign)
        seen: list[np.ndarray] = []
        for name, kept in cut_one_sign(links.gene[mine], links.importance[mine], config):
            mask = np.zeros(len(links), bool)
            mask[mine[kept]] = True
            if kept.any() and not any((mask == other).all() for other in seen):
                seen.append(mask)
                yield name, sign, mask


def cut_one_sign(
    gene: Int[np.ndarray, " link"], importance: np.ndarray, config: ModuleConfig
) -> Iterator[tuple[str, Bool[np.ndarray, " link"]]]:
    """Each cut of links that are sorted by gene."""
    order = np.lexsort((np.arange(len(gene)), -importance, gene))
    _, first, sizes = np.unique(gene[order], return_index=True, return_counts=True)
    place = np.arange(len(gene)) - np.repeat(first, sizes)  # from 0, the most important
    size = np.repeat(sizes, sizes)
    ranked = importance[order]
    for quantile in config.quantiles:
        # As numpy's linear quantile: a link is kept if it is at least the interpolated value.
        exact = (1 - quantile) * (size - 1)
        low = np.floor(exact + 1e-9).astype(int)
        start = np.repeat(first, sizes)
        upper, lower = ranked[start + low], ranked[start + np.minimum(low + 1, size - 1)]
        threshold = upper + (lower - upper) * np.clip(exact - low, 0, 1)
        yield f"quantile {quantile:g}", unsort(order, ranked >= threshold - 1e-12)
    for top in config.tops:
        yield f"top {top}", unsort(order, place < top)


def unsort(order: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A mask in the order of the links, of one in the order `order`."""
    result = np.zeros(len(order), bool)
    result[order[mask]] = True
    return result


def make_modules(
    links: Links,
    hits: sparse.csr_matrix,
    config: ModuleConfig,
    *,
    genes: int,
    of_genes: bool,
) -> list[Module]:
    """The module of each cut.

    Args:
        hits: motifs of TFs in peaks [tf, peak]; or, `of_genes`, in whatever regulates genes
            [tf, gene], so that all peaks of a gene carry the motif if one does. Then one module a
            sign does, of the links that any of the cuts keeps.
        genes: how many there are.
    """
    modules, peaks = [], hits.shape[1]
    cuts = list(cut_links(links, config))
    if of_genes:
        merged = {sign: [mask for _, s, mask in cuts if s == sign] for sign in (1, -1)}
        cuts = [("any", s, np.any(masks, axis=0)) for s, masks in merged.items() if masks]
    for name, sign, kept in cuts:
        if of_genes:
            has_link = np.bincount(links.gene[kept], minlength=genes) > 0
            targets = hits @ sparse.diags(has_link.astype(np.float32))
        else:
            chosen = links.take(kept)
            targets = hits @ chosen.matrix(np.ones(len(chosen), np.float32), peaks, genes)
        targets = sparse.csr_matrix(targets)
        targets.eliminate_zeros()
        targets.sort_indices()
        modules.append(Module(name, sign, kept, targets))
    return modules
