"""eRegulons: the triplets of TF, peak and gene that the leading edges leave, and their table."""

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import sparse

from grnjax.methods.enhancer.leading_edge import GeneSet, LeadingEdgeConfig, find_leading_edges
from grnjax.methods.enhancer.modules import Module
from grnjax.methods.enhancer.motifs import Motifs
from grnjax.methods.enhancer.region_gene import Links
from grnjax.methods.enhancer.tf_gene import TfGene
from grnjax.methods.enhancer.triplets import rank_triplets
from grnjax.progress import logger

SignPair = Literal["+/+", "-/+", "+/-", "-/-"]
"""The sign of TF and gene, then that of peak and gene."""
COLUMNS = [
    "TF",
    "Region",
    "Gene",
    "importance_R2G",
    "rho_R2G",
    "importance_x_rho",
    "importance_x_abs_rho",
    "importance_TF2G",
    "regulation",
    "rho_TF2G",
    "is_extended",
    "eRegulon_name",
    "Gene_signature_name",
    "Region_signature_name",
    "triplet_rank",
    "triplet_score",
    "evidence",
]
"""As in SCENIC+'s tables, then the chance Q of a triplet's ranks and what it rests on."""


@dataclasses.dataclass(frozen=True, eq=False)
class Relations:
    """What goes with what: peaks with genes, TFs with genes, TFs with peaks or genes."""

    links: Links | None  # None without ATAC
    tf_gene: TfGene
    motifs: Motifs


@dataclasses.dataclass(frozen=True, eq=False)
class Triplets:
    """Triplets as places: of the TF among TFs, of gene and peak; peak and link -1 without ATAC."""

    tf: Int[np.ndarray, " row"]
    gene: Int[np.ndarray, " row"]
    link: Int[np.ndarray, " row"]
    signs: np.ndarray  # [row] str, a SignPair; without ATAC the sign of TF and gene alone


def find_triplets(
    modules: list[Module],
    known: Relations,
    universe: Int[np.ndarray, " gene"],
    keep: tuple[SignPair, ...],
    config: LeadingEdgeConfig,
    *,
    seed: int,
) -> tuple[Triplets, dict]:
    """The triplets in leading edges of enriched modules, merged over cuts, and counts.

    Args:
        universe: the genes that are ranked, ascending; targets outside are left out.
        keep: which pairs of signs are asked for.
    """
    links, tf_gene = known.links, known.tf_gene
    place = np.full(tf_gene.r.shape[1], -1)
    place[universe] = np.arange(len(universe))
    rankings: list[np.ndarray] = []
    sets: list[GeneSet] = []
    of_set: list[tuple[int, str, Module, np.ndarray]] = []
    for sign in sorted({pair[0] for pair in keep}):
        wanted = {1 if pair[2] == "+" else -1 for pair in keep if pair[0] == sign}
        for tf in range(len(tf_gene.r)):
            weights, order = rank_genes(tf_gene, tf, 1 if sign == "+" else -1, universe)
            rank_of, before = np.argsort(order), len(sets)
            if not weights[0] > 0:
                continue
            for module in modules:
                targets = place[row_of(module.targets, tf)]
                targets = targets[targets >= 0]
                if module.sign in wanted and len(targets) >= config.fewest_targets:
                    sets.append(GeneSet(len(rankings), np.sort(rank_of[targets])))
                    of_set.append((tf, sign, module, order))
            if len(sets) > before:
                rankings.append(weights)
    stacked = np.stack(rankings) if rankings else np.zeros((0, len(universe)))
    found = find_leading_edges(stacked, sets, config, seed=seed)
    passed = np.flatnonzero(found.passes(config))
    parts: dict[tuple[int, str], list] = {}
    for number in passed.tolist():
        tf, sign, module, order = of_set[number]
        edge = universe[order[sets[number].members[: found.edge[number]]]]
        of_link = "+" if module.sign > 0 else "-"
        name = sign if links is None else f"{sign}/{of_link}"
        rows = list_links(tf, edge, module, known)
        parts.setdefault((tf, name), []).append(rows)
    triplets = merge(parts, config.fewest_targets)
    report = {
        "modules": len(modules),
        "sets_of_targets": len(sets),
        "enriched_sets": len(passed),
        "genes_ranked": len(universe),
        "regulons_before_their_size": len(parts),
        "regulons": len({*zip(triplets.tf.tolist(), triplets.signs.tolist(), strict=True)}),
        "triplets": len(triplets.tf),
    }
    logger.info(
        f"{report['regulons']:,} eRegulons of {len(np.unique(triplets.tf)):,} TFs, "
        f"{report['triplets']:,} triplets: {len(passed):,} of {len(sets):,} sets of targets are "
        f"enriched at p < {config.most_p} and q < {config.most_q}"
    )
    return triplets, report


def rank_genes(
    tf_gene: TfGene, tf: int, sign: int, universe: Int[np.ndarray, " gene"]
) -> tuple[Float[np.ndarray, " gene"], Int[np.ndarray, " gene"]]:
    """Weights in falling order and the places of the genes in it.

    A gene that goes with the TF in the other direction, or in none, has a weight of 0 and stands
    last, so that no leading edge reaches it; genes of equal weight stand by their correlation.
    """
    signed = tf_gene.sign[tf, universe] == sign
    weights = np.where(signed, tf_gene.importance[tf, universe], 0)
    order = np.lexsort((np.arange(len(universe)), -sign * tf_gene.r[tf, universe], -weights))
    return weights[order], order


def row_of(matrix: sparse.csr_matrix, row: int) -> np.ndarray:
    """The columns in which a row has something."""
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def list_links(
    tf: int, edge: Int[np.ndarray, " gene"], module: Module, known: Relations
) -> np.ndarray:
    """Gene and link of each triplet of a leading edge; the link is -1 without ATAC."""
    links, motifs = known.links, known.motifs
    if links is None:
        return np.stack([edge, np.full_like(edge, -1)], axis=1)
    kept = np.flatnonzero(module.kept & np.isin(links.gene, edge))
    if not motifs.of_genes:
        kept = kept[np.isin(links.peak[kept], row_of(motifs.hits, tf))]
    return np.stack([links.gene[kept], kept], axis=1)


def merge(parts: dict[tuple[int, str], list], fewest: int) -> Triplets:
    """The triplets of each TF and pair of signs over all cuts; too small ones are dropped."""
    rows = []
    for (tf, name), found in sorted(parts.items(), key=lambda item: item[0]):
        pairs = np.unique(np.concatenate(found), axis=0)
        if len(np.unique(pairs[:, 0])) >= fewest:
            rows += [(tf, gene, link, name) for gene, link in pairs.tolist()]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    places = [np.array(column, np.int64) for column in columns[:3]]
    return Triplets(places[0], places[1], places[2], np.array(columns[3], str))


def tabulate(
    triplets: Triplets,
    known: Relations,
    names: np.ndarray,
    tfs: np.ndarray,
    peaks: pd.DataFrame | None,
    *,
    evidence: str,
    seed: int,
) -> pd.DataFrame:
    """The table of eRegulons, best triplets first (`COLUMNS`).

    Args:
        evidence: what the table rests on, for its last column.
    """
    tf, gene, link = triplets.tf, triplets.gene, triplets.link
    links, motifs, tf_gene = known.links, known.motifs, known.tf_gene
    importance, r = tf_gene.importance[tf, gene], tf_gene.r[tf, gene]
    if links is not None and peaks is not None:
        region = peaks["peak"].to_numpy(object)[links.peak[link]]
        worth, rho = links.importance[link], links.r[link]
        place = gene if motifs.of_genes else links.peak[link]
    else:
        region, place = np.full(len(tf), "", object), gene
        worth = rho = np.full(len(tf), np.nan)
    motif = np.asarray(motifs.hits[tf, place]).ravel() if len(tf) else np.zeros(0)
    score, rank = rank_triplets(motif, importance, np.nan_to_num(worth), seed=seed)
    tf_names = names[tfs[tf]].astype(object)
    regulon = pd.Series(tf_names) + "_direct_" + pd.Series(triplets.signs.astype(object))
    table = pd.DataFrame(
        {
            "TF": tf_names,
            "Region": region,
            "Gene": names[gene].astype(object),
            "importance_R2G": worth,
            "rho_R2G": rho,
            "importance_x_rho": worth * rho,
            "importance_x_abs_rho": worth * np.abs(rho),
            "importance_TF2G": importance,
            "regulation": tf_gene.sign[tf, gene].astype(int),
            "rho_TF2G": r,
            "is_extended": False,
            "eRegulon_name": regulon,
            "triplet_rank": rank,
            "triplet_score": score,
            "evidence": evidence,
        }
    )
    for column, of, letter in (("Gene", "Gene", "g"), ("Region", "Region", "r")):
        count = table.groupby("eRegulon_name")[of].transform("nunique").astype(int).astype(str)
        table[f"{column}_signature_name"] = table["eRegulon_name"] + "_(" + count + f"{letter})"
    return table.sort_values("triplet_rank", kind="stable")[COLUMNS].reset_index(drop=True)
