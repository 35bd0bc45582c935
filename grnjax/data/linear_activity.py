"""Activity by a univariate linear model (ULM) of decoupler, where that is installed.

In each cell the expression of all genes is regressed on the weights of a regulon's targets, 0 for
other genes; the t-value of the slope is the activity (Badia-i-Mompel et al. 2022). Unlike AUCell it
reads values and not ranks, and signs: a cell whose repressed targets are low is active.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse

from grnjax.data.canonical import COUNTS_PER_CELL
from grnjax.data.regulon_set import Regulons
from grnjax.errors import ConfigError
from grnjax.progress import logger

VALUES_AT_ONCE = 2**25
"""Of expression, that are held dense."""


def score_linear(
    values: Float[np.ndarray, "cell gene"] | sparse.spmatrix,
    genes: np.ndarray,
    members: sparse.csr_array,
    regulons: Regulons,
    source: str,
) -> Float[np.ndarray, "cell regulon"]:
    """The t-values [cell, regulon], float32.

    Counts are scaled to 10,000 a cell and taken logs of, as a linear model needs.

    Args:
        members: weights [gene, regulon] of the same regulons, at least 0.

    Raises:
        ConfigError: decoupler is not installed.
    """
    import anndata

    try:
        import decoupler
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--method=ulm is computed by decoupler, which is not installed: pip install decoupler."
        ) from error
    values = sparse.csr_array(values).astype(np.float32)
    values.eliminate_zeros()
    if not (values.data % 1).any():
        logger.info(f"{source}: raw counts: scaled to 10,000 a cell and log-transformed for ULM")
        totals = np.asarray(values.sum(axis=1)).ravel()
        scale = sparse.diags_array(COUNTS_PER_CELL / np.maximum(totals, 1))
        values = sparse.csr_array(scale @ values)
        values.data = np.log1p(values.data)
    signs = find_signs(genes, members, regulons)
    gene, regulon = members.nonzero()
    weight = np.asarray(members[gene, regulon]).ravel() * signs
    names = regulons.names
    network = pd.DataFrame({"source": names[regulon], "target": genes[gene], "weight": weight})
    network = network[network["weight"] != 0]
    cells = [f"cell{number}" for number in range(values.shape[0])]
    is_expressed = np.diff(values.tocsc().indptr) > 0
    at_once = max(1, VALUES_AT_ONCE // len(genes))
    about = pd.DataFrame(index=cells), pd.DataFrame(index=genes)
    table = anndata.AnnData(sparse.csr_matrix(values), *about)
    own = decoupler.mt.ulm(table, network, tmin=1, bsize=at_once)  # without empty cells
    found = (table if own is None else own).obsm["score_ulm"]
    lost = int((~is_expressed).sum())
    if lost:
        logger.info(f"{source}: {lost:,} genes are 0 in every cell and count for no ULM")
    return found.reindex(index=cells, columns=names).fillna(0).to_numpy(np.float32)


def find_signs(genes: np.ndarray, members: sparse.csr_array, regulons: Regulons) -> np.ndarray:
    """-1 or 1 for each entry of `members`, in the order of `nonzero`; unknown signs are 1."""
    repressed = regulons.named_edges[regulons.edges["sign"].to_numpy() < 0]
    is_repressed = sparse.csr_array(members.shape)
    if len(repressed):
        own = Regulons.of(repressed.assign(weight=1.0))
        found, _ = own.place_targets(genes)
        column = np.searchsorted(regulons.names, own.names)
        found = found.tocoo()
        at = found.coords[0], column[found.coords[1]]
        is_repressed = sparse.csr_array((np.ones(found.nnz), at), shape=members.shape)
    gene, regulon = members.nonzero()
    return np.where(np.asarray(is_repressed[gene, regulon]).ravel() > 0, -1.0, 1.0)
