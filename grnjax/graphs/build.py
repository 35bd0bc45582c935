"""Edge list -> padded `jraph.GraphsTuple`; gene table -> the batch a model sees."""

from typing import NamedTuple

import jraph
import numpy as np
from jaxtyping import Array, Float, Int

from grnjax.types import GeneBatch, GeneTable, LabelledPairs


class Regulators(NamedTuple):
    """The few genes of which every edge but a self loop has one; the `globals` of a graph.

    Both lists end in padding nodes, so that graphs of a run share their shapes.
    """

    sending: Int[Array, " tf"]
    receiving: Int[Array, " tf2"]  # the same genes where edges also lead back, else empty


def padded_size(count: int) -> int:
    """The next size of 8, 12, 16, 24, 32, ...: a third of it is padding at most, shapes are few."""
    size = 8
    while size < count:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


def build_graph(
    edges: Int[np.ndarray, "edge 2"],
    nodes: int,
    *,
    symmetric: bool,
    self_loops: bool,
    weights: Float[np.ndarray, " edge"] | None = None,
    padded_edges: int | None = None,
    padded_regulators: int | None = None,
) -> jraph.GraphsTuple:
    """A graph of `nodes` genes and one padding node; `edges` of the result are weights [edge].

    Senders are TFs, receivers are targets; `symmetric` adds every missing reverse edge with the
    weight of its twin. `self_loops` adds one of weight 1 to each gene that has none (an existing
    loop keeps its weight, as in PyTorch Geometric). Real edges come sorted by receiver, then
    padding edges of weight 0 from and to the padding node, so the whole list is sorted.

    With `padded_regulators` the graph also lists the distinct TFs of `edges`, padded to that
    number, so that `aggregate` may sum through blocks of genes by TFs.

    Raises:
        ValueError: an index outside 0..nodes-1 (XLA would drop or clamp it in silence), or more
            edges or TFs than `padded_edges` or `padded_regulators`.
    """
    edges = np.asarray(edges).reshape(-1, 2)
    if edges.size and not (0 <= edges.min() and edges.max() < nodes):
        raise ValueError(
            f"edge indices must lie in 0..{nodes - 1}, found {edges.min()}..{edges.max()}"
        )
    weights = np.ones(len(edges)) if weights is None else np.asarray(weights)
    regulators = None
    if padded_regulators is not None:
        regulators = list_regulators(edges, nodes, symmetric=symmetric, size=padded_regulators)
    if symmetric:
        edges = np.concatenate([edges, edges[:, ::-1]])
        weights = np.concatenate([weights, weights])
    if self_loops:
        lonely = np.setdiff1d(np.arange(nodes), edges[edges[:, 0] == edges[:, 1], 0])
        edges = np.concatenate([edges, np.stack([lonely, lonely], axis=1)])
        weights = np.concatenate([weights, np.ones(len(lonely))])
    key = edges[:, 1].astype(np.int64) * nodes + edges[:, 0]
    _, first = np.unique(key, return_index=True)  # sorted by receiver, then sender; no duplicates
    size = padded_size(len(first)) if padded_edges is None else padded_edges
    if size < len(first):
        raise ValueError(f"{len(first)} edges do not fit into {size} padded ones")

    senders = np.full(size, nodes, np.int32)
    receivers = np.full(size, nodes, np.int32)
    padded_weights = np.zeros(size, np.float32)
    senders[: len(first)] = edges[first, 0]
    receivers[: len(first)] = edges[first, 1]
    padded_weights[: len(first)] = weights[first]
    return jraph.GraphsTuple(
        nodes=None,
        edges=padded_weights,
        senders=senders,
        receivers=receivers,
        globals=regulators,
        n_node=np.array([nodes, 1], np.int32),
        n_edge=np.array([len(first), size - len(first)], np.int32),
    )


def list_regulators(
    edges: Int[np.ndarray, "edge 2"], nodes: int, *, symmetric: bool, size: int
) -> Regulators:
    """The distinct senders of `edges`, padded to `size` with the padding node `nodes`."""
    found = np.unique(edges[:, 0])
    if size < len(found):
        raise ValueError(f"{len(found)} regulators do not fit into {size} padded ones")
    sending = pad_rows(found.astype(np.int32), size, fill=nodes)
    return Regulators(sending, sending if symmetric else sending[:0])


def build_gene_batch(
    genes: GeneTable,
    features: Float[np.ndarray, "gene dim"],
    embedding: Float[np.ndarray, "gene dim2"] | None,
    train: LabelledPairs,
    graph: jraph.GraphsTuple,
) -> GeneBatch:
    """The gene side of a model's input, with one padding node after the genes."""
    count = len(genes.names)
    embedding = np.zeros((count, 0), np.float32) if embedding is None else embedding
    seen = np.zeros((count + 1, 2), np.float32)
    seen[train.pairs[:, 0], 0] = 1
    seen[train.pairs[:, 1], 1] = 1
    return GeneBatch(
        nodes=pad_rows(features.astype(np.float32), count + 1),
        measured=pad_rows(genes.measured.astype(np.float32), count + 1),
        embedding=pad_rows(embedding.astype(np.float32), count + 1),
        seen=seen,
        graph=graph,
    )


def pad_rows(array: np.ndarray, rows: int, fill: float = 0) -> np.ndarray:
    """`array` with rows of `fill` appended until it has `rows` rows."""
    width = [(0, rows - len(array))] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, width, constant_values=fill)
