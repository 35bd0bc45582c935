"""Networks made elsewhere for walks to be on: read, rid of held-out pairs, checked for leaks.

A network that was inferred from expression may hold a held-out edge by merit, but nothing in a
table distinguishes that from a copy of the known network. So no table with one is taken. Held out
is every pair of a known TF that is no train pair: the unused ones of a disjoint split too, which
are of TFs and targets that are meant to be unseen. These pairs can be taken out of a table, the
negative ones too: what is left then holds no label.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.data.edges import read_edges, take_edges
from grnjax.data.names import list_names, match_names
from grnjax.errors import ConfigError, GeneMismatchError, SplitError
from grnjax.graphs.walks import InferredNetwork
from grnjax.progress import logger
from grnjax.types import Dataset, GeneTable, Split


def load_networks(
    paths: Sequence[str | Path],
    dataset: Dataset,
    splits: Sequence[Split],
    *,
    without_held_out: bool = False,
) -> dict[str, InferredNetwork]:
    """Networks of edge tables made elsewhere, by path, none with a held-out edge of any split.

    Args:
        without_held_out: take the held-out pairs of all splits out of them first.

    Raises:
        ConfigError: one is named twice.
        SplitError: one holds a held-out edge.
    """
    networks = {}
    for path in (str(path) for path in paths):
        if path in networks:
            raise ConfigError(f"{path} is named twice among the networks; name it once.")
        network = read_network(path, dataset.genes)
        edges = len(network.edges)
        for split in splits if without_held_out else ():
            network = drop_held_out(network, split, dataset)
        if not len(network.edges):
            raise GeneMismatchError(
                f"{path}: each of its {edges:,} edges between genes of this run is a held-out "
                "pair; leave this network out."
            )
        if edges > len(network.edges):
            logger.info(f"{path}: {len(network.edges):,} of {edges:,} edges are no held-out pairs")
        networks[path] = network
    check_networks(networks, splits, dataset)
    return networks


def read_network(network: str | Path | pd.DataFrame, genes: GeneTable) -> InferredNetwork:
    """The edges of a table, joined by gene name; how large its weights or importances are, or 1.

    Edges of other genes, labelled 0 or of weight 0 are dropped; signs are, too.

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
    match = match_names(named, genes.names.tolist())
    match.report(source)
    ends = match.positions.reshape(2, -1).T
    weights = np.abs(edges.get("weight", pd.Series(1, edges.index)).to_numpy(np.float32))
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
            f"{source}: none of its {known.sum():,} edges between genes of this run has a weight; "
            "give a network with weights or importances other than 0."
        )
    if not kept.all():
        logger.warning(
            f"{source}: of {len(edges):,} edges, {np.sum(~known):,} of other genes and "
            f"{np.sum(known & ~kept):,} without weight are dropped"
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
    networks: Mapping[str, InferredNetwork], splits: Sequence[Split], dataset: Dataset
) -> None:
    """Refuses networks that hold a known edge which is no train edge of a split, either way round.

    Raises:
        SplitError: naming the pairs.
    """
    genes, known = dataset.genes, dataset.known.positives
    for name, network in networks.items():
        edges = network.edges
        listed = np.concatenate([_key(edges, genes), _key(edges[:, ::-1], genes)])
        for split in splits:
            hidden = ~np.isin(_key(known, genes), _key(split.train.positives, genes))
            found = known[hidden & np.isin(_key(known, genes), listed)]
            if len(found):
                pairs = [f"{genes.names[tf]}-{genes.names[target]}" for tf, target in found]
                raise SplitError(
                    f"network {name} holds {len(found):,} of the {hidden.sum():,} held-out edges "
                    f"of draw {split.draw} ({list_names(pairs)}); take every held-out pair out of "
                    "it, whatever its label (--drop-held-out), or infer a network from the "
                    "expression."
                )


def drop_held_out(network: InferredNetwork, split: Split, dataset: Dataset) -> InferredNetwork:
    """The network without any pair of a known TF, either way round, that is no train pair."""
    genes, known_tfs = dataset.genes, np.unique(dataset.known.pairs[:, 0])
    kept = np.ones(len(network.edges), bool)
    for pairs in (network.edges, network.edges[:, ::-1]):
        is_train = np.isin(_key(pairs, genes), _key(split.train.pairs, genes))
        kept &= is_train | ~np.isin(pairs[:, 0], known_tfs)
    return InferredNetwork(network.edges[kept], network.weights[kept])


def _key(pairs: np.ndarray, genes: GeneTable) -> np.ndarray:
    """One number for each pair."""
    return pairs[:, 0].astype(np.int64) * len(genes.names) + pairs[:, 1]
