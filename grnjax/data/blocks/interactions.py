"""Which proteins interact, from a STRING-like list of links without direction."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.data.blocks.evidence import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.data.blocks.gene_tables import report_coverage
from grnjax.data.edges import read_edges
from grnjax.data.genes import place_edges
from grnjax.errors import EdgeFormatError
from grnjax.progress import logger

FEWEST_GENES = 2  # a partner of one gene alone makes no two genes alike


def read_interactions(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "interactions"
) -> Evidence:
    """Links of TFs with genes, neighbourhoods of genes, and how alike TFs are by either.

    A link has no direction and counts as 1, or by its weight where the file has weights. A gene's
    row holds its links with every partner in the file, in the run or not, that at least two
    genes of the run share. Rows are dense, 4 bytes a gene and partner: 14 MB for 900 genes and
    221 MB for the 8,806 genes of BEELINE's human STRING network.

    Args:
        path: an edge list as `read_edges` takes it.
        names: the genes of the run.
        tfs: the gene indices of its TFs.
        name: what the blocks are called.
    """
    edges = read_edges(path)
    report = {"kind": "interactions", "case_rule": "exact", **edges.attrs["report"]}
    edges = keep_listed(edges, report)
    links = list_links(edges, place_edges(edges, names, report), path)
    covered = np.isin(np.arange(len(names)), links["gene"])
    in_file = sorted(set(edges["tf"]) | set(edges["target"]))
    report |= report_coverage(covered, in_file, names, path)

    genes, partners, weights = (links[key].to_numpy() for key in ("gene", "partner", "weight"))
    rows = fill_rows(genes, partners, weights, len(names))
    pairs = fill_pairs(links[["gene", "partner_gene"]].to_numpy(), weights, tfs, len(names))
    report |= {
        "tfs_found": int(covered[tfs].sum()),
        "links_among_genes": int((links["partner_gene"] >= 0).sum()) // 2,
        "partners": rows.shape[1],
        "partners_of_one_gene": len(np.unique(partners)) - rows.shape[1],
    }
    logger.info(
        f"{path}: links of {report['found']:,} of {len(names):,} genes and of "
        f"{report['tfs_found']:,} of {len(tfs):,} TFs, {rows.shape[1]:,} partners shared"
    )
    block = GeneBlock(name, rows, covered, kernels=("cosine",))
    return Evidence(
        name,
        report,
        genes=(block,) if rows.shape[1] else (),
        pairs=(PairBlock(f"{name}: edge", pairs),),
        similarities=(
            TfSimilarity(f"{name}: edge", pairs[:, tfs]),
            TfSimilarity(f"{name}: neighbourhood", compare_rows(rows[tfs])),
        ),
    )


def keep_listed(edges: pd.DataFrame, report: dict) -> pd.DataFrame:
    """The edges without those that have label 0 or weight 0, which the report counts."""
    is_listed = np.ones(len(edges), dtype=bool)
    for column in {"label", "weight"} & set(edges):
        is_listed &= edges[column].to_numpy() != 0
    report["label_or_weight_0"] = int((~is_listed).sum())
    return edges[is_listed]


def list_links(
    edges: pd.DataFrame, pairs: Int[np.ndarray, "edge 2"], path: str | Path
) -> pd.DataFrame:
    """Each link once from either end that is a gene of the run, by its largest weight.

    Columns: `gene`, `partner_gene` (-1 outside the run), `partner` by name, `weight`.
    """
    weights = edges["weight"].to_numpy() if "weight" in edges else np.ones(len(edges))
    is_wrong = weights < 0
    if is_wrong.any():
        raise EdgeFormatError(
            f"{path}: {is_wrong.sum():,} of {len(weights):,} interactions have a weight below 0, "
            f"the lowest is {weights.min():g}. Give weights that say how sure a link is."
        )
    links = pd.DataFrame({
        "gene": np.concatenate([pairs[:, 0], pairs[:, 1]]),
        "partner_gene": np.concatenate([pairs[:, 1], pairs[:, 0]]),
        "partner": np.concatenate([edges["target"], edges["tf"]]),
        "weight": np.tile(weights, 2),
    })
    links = links[links["gene"] >= 0].sort_values("weight")
    return links.drop_duplicates(["gene", "partner"], keep="last")


def fill_rows(
    genes: Int[np.ndarray, " edge"], partners: np.ndarray, weights: np.ndarray, count: int
) -> Float[np.ndarray, "gene partner"]:
    """A row a gene over the partners, sorted by name, that at least two genes share."""
    _, column, genes_of = np.unique(partners, return_inverse=True, return_counts=True)
    is_shared = genes_of >= FEWEST_GENES
    place = np.cumsum(is_shared) - 1
    rows = np.zeros((count, is_shared.sum()), np.float32)
    is_kept = is_shared[column]
    rows[genes[is_kept], place[column[is_kept]]] = weights[is_kept]
    return rows


def fill_pairs(
    pairs: Int[np.ndarray, "edge 2"], weights: np.ndarray, tfs: np.ndarray, count: int
) -> Float[np.ndarray, "tf gene"]:
    """The weights of the gene pairs that start at a TF of the run and end at one of its genes."""
    row = np.full(count, -1)
    row[tfs] = np.arange(len(tfs))
    is_kept = (pairs >= 0).all(axis=1) & (row[pairs[:, 0]] >= 0)
    values = np.zeros((len(tfs), count), np.float32)
    values[row[pairs[is_kept, 0]], pairs[is_kept, 1]] = weights[is_kept]
    return values


def compare_rows(rows: Float[np.ndarray, "tf partner"]) -> Float[np.ndarray, "tf tf"]:
    """Cosine of every two rows, 0 for a row of zeros and on the diagonal."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths > 0, lengths, 1)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 0)
    return cosine
