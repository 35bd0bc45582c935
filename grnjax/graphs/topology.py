"""What known edges say about a pair: degrees, the reverse edge, shared neighbours, walks.

Link prediction features (Liben-Nowell and Kleinberg 2007) of every TF with every gene. A pair whose
own edge is among the known ones reads its own label off them, so a model learns from features that
were made without the edges of the pair's fold (`training/batches.py`).
"""

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

FEATURES = (
    "TF's targets",
    "TF's regulators",
    "target's targets",
    "target's regulators",
    "reverse edge",
    "common neighbours",
    "Adamic-Adar index",
    "walks of three edges",
    "share of similar TFs that have the target",
)


def topology_block(
    edges: Int[np.ndarray, "edge 2"], tfs: Int[np.ndarray, " tf"], genes: int
) -> Float[np.ndarray, "tf gene feature"]:
    """The `FEATURES` of every pair, counts as log(1 + count); all 0 if either gene has no edge.

    Neighbours and walks ignore directions.
    """
    directed = adjacency(edges, genes)
    undirected = directed.maximum(directed.T).tocsr()
    near = undirected[tfs] @ undirected
    targets, regulators = np.log1p(directed.sum(axis=1)), np.log1p(directed.sum(axis=0))
    shape = (len(tfs), genes)
    columns = [
        np.broadcast_to(targets[tfs, None], shape),
        np.broadcast_to(regulators[tfs, None], shape),
        np.broadcast_to(targets, shape),
        np.broadcast_to(regulators, shape),
        directed.T.tocsr()[tfs].toarray(),
        np.log1p(near.toarray()),
        adamic_adar(edges, tfs, genes),
        np.log1p((near @ undirected).toarray()),
        similar_tfs_share(directed[tfs]),
    ]
    has_edge = undirected.sum(axis=1) > 0
    both = has_edge[tfs, None] & has_edge
    return np.stack(columns, axis=-1, dtype=np.float32) * both[..., None]


def adamic_adar(
    edges: Int[np.ndarray, "edge 2"], tfs: Int[np.ndarray, " tf"], genes: int
) -> Float[np.ndarray, "tf gene"]:
    """Sum over common neighbours of 1 / log(degree), directions ignored (Adamic and Adar 2003)."""
    directed = adjacency(edges, genes)
    undirected = directed.maximum(directed.T).tocsr()
    degree = undirected.sum(axis=1)  # a common neighbour has at least two
    rarity = sparse.diags_array(1 / np.log(np.maximum(degree, 2)), dtype=np.float32)
    return (undirected[tfs] @ rarity @ undirected).toarray()


def adjacency(edges: Int[np.ndarray, "edge 2"], genes: int) -> sparse.csr_array:
    """The network as a sparse matrix [tf, target] over all genes."""
    ones = np.ones(len(edges), np.float32)
    return sparse.csr_array((ones, (edges[:, 0], edges[:, 1])), shape=(genes, genes))


def similar_tfs_share(targets: sparse.csr_array) -> Float[np.ndarray, "tf gene"]:
    """Share of the other TFs that have the target, each counted by its cosine to the TF."""
    length = np.sqrt(np.maximum(targets.sum(axis=1), 1))
    cosine = (targets @ targets.T).toarray() / length[:, None] / length
    np.fill_diagonal(cosine, 0)
    return cosine @ targets.toarray() / np.maximum(cosine.sum(axis=1, keepdims=True), 1e-9)
