"""From genes and labelled pairs to the padded arrays of a fit."""

import dataclasses
from typing import Literal

import jraph
import numpy as np
from jaxtyping import Float, Int

from grnjax.data.candidates import list_other_pairs
from grnjax.graphs.build import build_gene_batch, build_graph, pad_rows, padded_size
from grnjax.graphs.topology import topology_block
from grnjax.training.pair_objective import FitData
from grnjax.types import GeneBatch, GeneTable, LabelledPairs, PairBatch

TOPOLOGY_FOLDS = 3
"""Parts of the pairs whose topology comes from the train edges of the others. A gene's degree over
the other folds still reveals a little of its pairs in this one, the more the smaller a fold is."""


@dataclasses.dataclass(frozen=True, eq=False)
class ModelInputs:
    """What every fit of a run shares: features of genes and of pairs, and the padded sizes."""

    genes: GeneTable
    nodes: Float[np.ndarray, "gene dim"]  # input of the graph encoder
    embedding: Float[np.ndarray, "gene dim2"] | None
    coexpression: Float[np.ndarray, "tf gene feature"] | None
    tfs: Int[np.ndarray, " tf"]  # gene index of each row of the blocks
    padded_pairs: int
    padded_edges: int
    messages: Literal["symmetric", "directed", "none"] = "symmetric"
    topology: Float[np.ndarray, "tf gene feature"] | None = None  # of one fit's train edges

    def build_genes(self, train: LabelledPairs, graph: jraph.GraphsTuple) -> GeneBatch:
        """The gene side of a fit with these train pairs."""
        return build_gene_batch(self.genes, self.nodes, self.embedding, train, self.tfs, graph)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The padded sizes that hold every fit of a run."""

    pairs: int
    edges: int


def shared_sizes(
    trains: list[LabelledPairs], genes: int, batch_size: int, *, least_pairs: int = 0
) -> Sizes:
    """Sizes for the largest of the train sets, so that one compilation serves them all."""
    pairs = max(least_pairs, *map(len, trains))
    pairs = -(-pairs // batch_size) * batch_size if batch_size else pairs
    edges = max(2 * len(train.positives) for train in trains) + genes
    return Sizes(pairs, padded_size(edges))


def add_topology(inputs: ModelInputs, train: LabelledPairs) -> ModelInputs:
    """The inputs of one fit whose model sees what its train edges say of a pair."""
    block = topology_block(train.positives, inputs.tfs, len(inputs.genes.names))
    return dataclasses.replace(inputs, topology=block)


def build_fit_data(
    inputs: ModelInputs,
    train: LabelledPairs,
    validation: LabelledPairs,
    *,
    folds: int,
    seed: int,
    negative_weight: float = 1.0,
    unlabelled_weight: float = 0.0,
    validation_size: int | None = None,
) -> FitData:
    """Arrays of one fit: the graph holds train positives only.

    Args:
        folds: parts of the train pairs for edge-disjoint message passing; 0 for none.
        negative_weight: weight of a pair labelled 0 against one labelled 1; below 1 where 0
            means unlabelled.
        unlabelled_weight: above 0, every pair outside the train pairs joins them, labelled 0 and
            with this weight.
    """
    genes = len(inputs.genes.names)
    graph, edges = train_graph(inputs, train), train.positives
    weights = np.where(train.labels > 0, 1.0, negative_weight).astype(np.float32)
    if unlabelled_weight:
        others = list_other_pairs(train.pairs, inputs.tfs, genes)
        weights = np.pad(weights, (0, len(others)), constant_values=unlabelled_weight)
        train = LabelledPairs(
            np.concatenate([train.pairs, others]), np.pad(train.labels, (0, len(others)))
        )
    topology = left_out_topology(inputs, edges, train.pairs, seed)
    fold = pair_folds(train.pairs, genes, folds, seed)
    batch = build_pair_batch(inputs, train, inputs.padded_pairs, weights=weights, fold=fold)
    return FitData(
        genes=inputs.build_genes(train, graph),
        train=batch._replace(topology=pad_rows(topology, inputs.padded_pairs)),
        validation=build_pair_batch(inputs, validation, validation_size or len(validation)),
        edge_fold=edge_folds(graph, train, fold, genes),
    )


def left_out_topology(
    inputs: ModelInputs,
    edges: Int[np.ndarray, "edge 2"],
    pairs: Int[np.ndarray, "pair 2"],
    seed: int,
) -> Float[np.ndarray, "pair feature"]:
    """Topology of each pair by the edges of the other folds: no pair sees its own edge."""
    rows = look_up(inputs, inputs.topology, pairs).copy()
    if inputs.topology is None:
        return rows
    genes = len(inputs.genes.names)
    fold = pair_folds(np.concatenate([pairs, edges]), genes, TOPOLOGY_FOLDS, seed)
    fold, edge_fold = np.split(fold, [len(pairs)])
    for left_out in range(TOPOLOGY_FOLDS):
        here = fold == left_out
        block = topology_block(edges[edge_fold != left_out], inputs.tfs, genes)
        rows[here] = block[np.searchsorted(inputs.tfs, pairs[here, 0]), pairs[here, 1]]
    return rows


def train_graph(inputs: ModelInputs, train: LabelledPairs) -> jraph.GraphsTuple:
    """The message-passing graph: train positives as the inputs say, with self loops."""
    edges = train.positives[:0] if inputs.messages == "none" else train.positives
    return build_graph(
        edges,
        len(inputs.genes.names),
        symmetric=inputs.messages == "symmetric",
        self_loops=True,
        padded_edges=inputs.padded_edges,
    )


def build_pair_batch(
    inputs: ModelInputs,
    pairs: LabelledPairs,
    size: int,
    *,
    weights: np.ndarray | None = None,
    fold: np.ndarray | None = None,
) -> PairBatch:
    """The pairs, padded to `size` with pairs of the padding node that weigh nothing."""
    genes = len(inputs.genes.names)
    others = np.setdiff1d(pairs.pairs[:, 0], inputs.tfs)
    if len(others):
        raise ValueError(f"{len(others)} TFs of pairs are not among the inputs' TFs: {others[:5]}")
    weights = np.ones(len(pairs), np.float32) if weights is None else weights
    fold = np.zeros(len(pairs), np.int32) if fold is None else fold
    return PairBatch(
        pairs=pad_rows(pairs.pairs.astype(np.int32), size, fill=genes),
        features=pad_rows(look_up(inputs, inputs.coexpression, pairs.pairs), size),
        topology=pad_rows(look_up(inputs, inputs.topology, pairs.pairs), size),
        labels=pad_rows(pairs.labels.astype(np.float32), size),
        weights=pad_rows(weights, size),
        fold=pad_rows(fold, size, fill=-1),
    )


def look_up(
    inputs: ModelInputs,
    block: Float[np.ndarray, "tf gene feature"] | None,
    pairs: Int[np.ndarray, "pair 2"],
) -> Float[np.ndarray, "pair feature"]:
    """The rows of a block for the pairs; width 0 where the model does not use it."""
    if block is None:
        return np.zeros((len(pairs), 0), np.float32)
    return block[np.searchsorted(inputs.tfs, pairs[:, 0]), pairs[:, 1]]


def pair_folds(
    pairs: Int[np.ndarray, "pair 2"], genes: int, folds: int, seed: int
) -> Int[np.ndarray, " pair"]:
    """A random fold for each unordered pair, so that an edge and its reverse share one."""
    if not folds:
        return np.zeros(len(pairs), np.int32)
    low, high = pairs.min(axis=1).astype(np.int64), pairs.max(axis=1)
    unordered, place = np.unique(low * genes + high, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(folds, size=len(unordered), dtype=np.int32)
    return drawn[place]


def edge_folds(
    graph: jraph.GraphsTuple, train: LabelledPairs, fold: np.ndarray, genes: int
) -> Int[np.ndarray, " edge"]:
    """The fold of the pair behind each edge, whichever way it points; -1 for loops and padding."""
    positive = train.labels > 0
    pairs = np.sort(train.pairs[positive].astype(np.int64), axis=1)
    keys, first = np.unique(pairs[:, 0] * genes + pairs[:, 1], return_index=True)
    low = np.minimum(graph.senders, graph.receivers).astype(np.int64)
    high = np.maximum(graph.senders, graph.receivers)
    place = np.searchsorted(keys, low * genes + high)
    real = (graph.edges > 0) & (low != high)
    result = np.full(len(graph.edges), -1, np.int32)
    result[real] = fold[positive][first][place[real]]
    return result
