"""A network file as weights over the genes of some cells, and the same degrees rewired."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.data.names import match_names
from grnjax.errors import GeneMismatchError
from grnjax.evaluation.rewiring import trade_targets

LEAST_CELLS = 30  # cells that signs of edges can be read from


def place_network(
    edges: pd.DataFrame, genes: np.ndarray, top: int
) -> tuple[Float[np.ndarray, "tf gene"], Int[np.ndarray, " tf"]]:
    """Signed weights [tf, gene] of the strongest edges among the genes, and the TFs' columns.

    A weight's own sign counts unless there is a column of signs; an edge without either is +1.
    Edges labelled 0 and edges of a gene on itself are none.

    Raises:
        GeneMismatchError: no edge joins two of the genes.
    """
    if "label" in edges:
        edges = edges[edges["label"] == 1]
    tf, target = (find_genes(edges[end], genes) for end in ("tf", "target"))
    weight = edges["weight"].to_numpy(float) if "weight" in edges else np.ones(len(edges))
    if "sign" in edges:
        weight = np.abs(weight) * edges["sign"].to_numpy(float)
    there = (tf >= 0) & (target >= 0) & (tf != target) & (weight != 0)
    if not there.any():
        raise GeneMismatchError(
            f"none of the {len(edges):,} edges of the network joins two of the {len(genes):,} "
            "genes of the cells; give names of the same kind."
        )
    tf, target, weight = tf[there], target[there], weight[there]
    strongest = np.lexsort((target, tf, -np.abs(weight)))[:top]
    tfs, row = np.unique(tf[strongest], return_inverse=True)
    table = np.zeros((len(tfs), len(genes)), np.float32)
    table[row, target[strongest]] = weight[strongest]
    return table, tfs.astype(np.int32)


def find_genes(names: pd.Series, genes: np.ndarray) -> Int[np.ndarray, " edge"]:
    """The place of each name among the genes, -1 for none."""
    known = pd.unique(names)
    place = match_names(known.tolist(), genes.tolist()).positions
    return place[pd.Index(known).get_indexer(names)]


def choose_signs(
    table: Float[np.ndarray, "tf gene"],
    tfs: Int[np.ndarray, " tf"],
    network: pd.DataFrame,
    cells: Float[np.ndarray, "cell gene"],
) -> tuple[Float[np.ndarray, "tf gene"] | None, str]:
    """The signs of all pairs, and where these come from; None where the network has its own.

    Else they are those of the correlation over cells, and of too few of these all +1. As such signs
    know of every pair, a rewired network has them, too (`sign_weights`).
    """
    if "sign" in network or (table < 0).any():
        return None, "signs of the network"
    if len(cells) < LEAST_CELLS:
        return np.ones_like(table), "unsigned"
    centred = cells - cells.mean(axis=0)
    return np.sign(centred[:, tfs].T @ centred), "signs of correlation"


def sign_weights(
    table: Float[np.ndarray, "tf gene"], signs: Float[np.ndarray, "tf gene"] | None
) -> Float[np.ndarray, "tf gene"]:
    """The weights with the signs of their pairs, or as they are."""
    return table if signs is None else np.abs(table) * signs


def rewire_weights(
    table: Float[np.ndarray, "tf gene"], tfs: Int[np.ndarray, " tf"], *, seed: int, sweeps: int = 20
) -> Float[np.ndarray, "tf gene"]:
    """A network of the same degrees: TFs trade targets, and keep their weights in random order.

    Args:
        tfs: the columns of the TFs, none of which becomes its own target.
    """
    rng, label = np.random.default_rng([seed, 17]), (table != 0).astype(np.int8)
    label[np.arange(len(tfs)), tfs] = -1
    is_edge = trade_targets(label, rng, sweeps) > 0
    found = np.zeros_like(table)
    for row, own in enumerate(table):
        found[row, is_edge[row]] = rng.permutation(own[own != 0])
    return found
