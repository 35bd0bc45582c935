"""Which proteins interact, from a STRING-like list of links without direction."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from grnjax.data.edges import read_edges
from grnjax.errors import EdgeFormatError
from grnjax.evidence.edge_rows import fill_pairs, fill_rows, place_listed
from grnjax.evidence.types import Evidence, GeneBlock, PairBlock, TfSimilarity
from grnjax.progress import logger


def read_interactions(
    path: str | Path, names: np.ndarray, tfs: np.ndarray, *, name: str = "interactions"
) -> Evidence:
    """Links of TFs with genes, neighbourhoods of genes, and how alike TFs are by either.

    A link has no direction and counts as 1, or by its weight where the file has weights. A gene's
    row holds its links with every partner in the file, in the run or not, that several
    genes of the run share. Rows are dense, 4 bytes a gene and partner: 14 MB for 900 genes and
    221 MB for the 8,806 genes of BEELINE's human STRING network.

    Args:
        path: an edge list as `read_edges` takes it.
    """
    edges, coverage = place_listed(read_edges(path), names, tfs, path, ["tf", "target"])
    links = list_links(edges, path)
    genes, partners, weights = (links[key].to_numpy() for key in ("gene", "partner", "weight"))
    rows = fill_rows(genes, partners, weights, len(names))
    pairs = fill_pairs(links[["gene", "partner_gene"]].to_numpy(), weights, tfs, len(names))
    report = coverage.report | {
        "links_among_genes": int((links["partner_gene"] >= 0).sum()) // 2,
        "partners": rows.shape[1],
        "partners_of_one_gene": len(np.unique(partners)) - rows.shape[1],
    }
    logger.info(
        f"{path}: links of {report['found']:,} of {len(names):,} genes and of "
        f"{report['tfs_found']:,} of {len(tfs):,} TFs, {rows.shape[1]:,} partners shared"
    )
    block = GeneBlock(name, rows, coverage.covered, kernels=("cosine",))
    return Evidence(
        name,
        "interactions",
        report,
        genes=(block,) if rows.shape[1] else (),
        pairs=(PairBlock(f"{name}: edge", pairs),),
        similarities=(
            TfSimilarity(f"{name}: edge", pairs[:, tfs]),
            TfSimilarity(f"{name}: neighbourhood", compare_rows(rows[tfs])),
        ),
    )


def list_links(edges: pd.DataFrame, path: str | Path) -> pd.DataFrame:
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
    links = pd.DataFrame(
        {
            "gene": np.concatenate([edges["tf_gene"], edges["target_gene"]]),
            "partner_gene": np.concatenate([edges["target_gene"], edges["tf_gene"]]),
            "partner": np.concatenate([edges["target"], edges["tf"]]),
            "weight": np.tile(weights, 2),
        }
    )
    links = links[links["gene"] >= 0].sort_values("weight")
    return links.drop_duplicates(["gene", "partner"], keep="last")


def compare_rows(rows: Float[np.ndarray, "tf partner"]) -> Float[np.ndarray, "tf tf"]:
    """Cosine of every two rows, 0 for a row of zeros and on the diagonal."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(lengths > 0, lengths, 1)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, 0)
    return cosine
