"""Networks made elsewhere for walks to be on: read, rid of held-out pairs, checked for leaks.

A network that was inferred from expression may hold a held-out edge by merit, but nothing in a
table tells that from a copy of the known network. So no table with one is taken. Its validation and
test pairs can be taken out of it, the negative ones too: what is left then says nothing of labels.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.edges import read_edges, take_edges
from grnjax.data.names import list_names, match_names
from grnjax.errors import GeneMismatchError, SplitError
from grnjax.graphs.walks import InferredNetwork
from grnjax.progress import logger
from grnjax.types import GeneTable, Split


def load_networks(
    paths: Sequence[str | Path],
    genes: GeneTable,
    splits: Sequence[Split],
    *,
    without_held_out: bool = False,
) -> dict[str, InferredNetwork]:
    """Networks of edge tables made elsewhere, by path, none with a held-out edge of any split.

    Args:
        without_held_out: take the validation and test pairs of all splits out of them first.

    Raises:
        SplitError: one holds a held-out edge.
    """
    networks = {}
    for path in map(os.fspath, paths):
        network = read_network(path, genes)
        edges = len(network.edges)
        for split in splits if without_held_out else ():
            network = drop_held_out(network, split, genes)
        if not len(network.edges):
            raise GeneMismatchError(
                f"{path}: each of its {edges:,} edges between genes of this run is a held-out "
                "pair; leave this network out."
            )
        if edges > len(network.edges):
            logger.info(f"{path}: {len(network.edges):,} of {edges:,} edges are no held-out pairs")
        networks[path] = network
    check_networks(networks, splits, genes)
    return networks


def read_network(network: str | Path | pd.DataFrame, genes: GeneTable) -> InferredNetwork:
    """The edges of a table, joined by gene name; its weights or importances, or 1 each.

    Edges of other genes, labelled 0 or without a weight above 0 are dropped.

    Args:
        network: path, or a data frame with columns tf and target (perhaps importance).

    Raises:
        GeneMismatchError: no edge is left.
    """
    if isinstance(network, pd.DataFrame):
        edges, source = take_edges(network, "network"), "network"
    else:
        edges, source = read_edges(network), os.fspath(network)
    named = edges["tf"].tolist() + edges["target"].tolist()
    ends = match_names(named, genes.names.tolist()).positions.reshape(2, -1).T
    weights = edges.get("weight", pd.Series(1, edges.index)).to_numpy(np.float32)
    weights = weights * edges.get("label", pd.Series(1, edges.index)).to_numpy()
    known = (ends >= 0).all(axis=1)
    kept = known & (weights > 0)
    if not known.any():
        raise GeneMismatchError(
            f"{source}: none of its {len(edges):,} edges is between two of the "
            f"{len(genes.names):,} genes of this run; its targets are called "
            f"{list_names(edges['target'].unique())} and the genes {list_names(genes.names)}; give "
            "a network under the names of the expression."
        )
    if not kept.any():
        raise GeneMismatchError(
            f"{source}: none of its {known.sum():,} edges between genes of this run has a weight "
            "above 0; give a network with weights or importances above 0."
        )
    if dropped := int(np.sum(~kept)):
        logger.warning(
            f"{source}: {dropped:,} of {len(edges):,} edges are of other genes or have no weight "
            "above 0, and are dropped"
        )
    return InferredNetwork(ends[kept].astype(np.int32), weights[kept].astype(np.float32))


def keep_heaviest(network: InferredNetwork, count: int) -> InferredNetwork:
    """The edges of a network by rank, as `keep_top_edges` keeps those of a score matrix.

    Edges that weigh as much as the last one are all kept, so a table without weights stays whole.
    """
    weights = network.weights
    least = np.sort(weights)[-min(count, len(weights))]
    kept = weights >= least
    ranks = pd.Series(weights[kept]).rank(pct=True)
    return InferredNetwork(network.edges[kept], ranks.to_numpy(np.float32))


def check_networks(
    networks: Mapping[str, InferredNetwork], splits: Sequence[Split], genes: GeneTable
) -> None:
    """Refuses networks that hold a positive validation or test pair of a split, either way round.

    Raises:
        SplitError: naming the pairs.
    """
    for name, network in networks.items():
        for split in splits:
            held_out = np.concatenate([split.validation.positives, split.test.positives])
            found = held_out[np.isin(_key(held_out, genes), _key(network.edges, genes))]
            if len(found):
                pairs = [f"{genes.names[tf]}-{genes.names[target]}" for tf, target in found]
                raise SplitError(
                    f"network {name} holds {len(found):,} of the {len(held_out):,} held-out edges "
                    f"of draw {split.draw} ({list_names(pairs)}); take every held-out pair out of "
                    "it, whatever its label (--drop-held-out), or infer a network from the "
                    "expression."
                )


def drop_held_out(network: InferredNetwork, split: Split, genes: GeneTable) -> InferredNetwork:
    """The network without any validation or test pair of the split, whatever its label."""
    held_out = np.concatenate([split.validation.pairs, split.test.pairs])
    kept = ~np.isin(_key(network.edges, genes), _key(held_out, genes))
    return InferredNetwork(network.edges[kept], network.weights[kept])


def _key(pairs: np.ndarray, genes: GeneTable) -> np.ndarray:
    """One number for each pair; the order of its ends counts not, as walks go both ways."""
    ends = np.sort(pairs.astype(np.int64), axis=1)
    return ends[:, 0] * len(genes.names) + ends[:, 1]
