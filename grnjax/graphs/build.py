"""Edge list -> padded `jraph.GraphsTuple`; gene table -> the batch a model sees."""

from typing import NamedTuple

import jraph
import numpy as np
from jaxtyping import Float, Int

from grnjax.types import AnyArray, GeneBatch, GeneTable, LabelledPairs

LEAST_MEMBERS, MOST_MEMBERS = 4, 16
"""Edges in a group: about as many as a gene has, within these. In small graphs more cost time, and
in large ones all are alike within a third (experiments/bench/aggregation.py)."""


class Groups(NamedTuple):
    """The real edges of a graph, sorted by one of their ends and cut into rows of one gene each."""

    edges: Int[AnyArray, "group member"]  # places in the edge list, past its end where none is
    nodes: Int[AnyArray, " group"]  # the gene of each row, ascending, then padding nodes


class Neighbourhoods(NamedTuple):
    """The edges by the gene that receives and by the one that sends; the `globals` of a graph.

    They belong to its senders and receivers: of a graph that has them only `edges`, the weights,
    may be replaced.
    """

    incoming: Groups
    outgoing: Groups


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
) -> jraph.GraphsTuple:
    """A graph of `nodes` genes and one padding node; `edges` of the result are weights [edge].

    Senders are TFs, receivers are targets; `symmetric` adds every missing reverse edge with the
    weight of its twin. `self_loops` adds one of weight 1 to each gene that has none (an existing
    loop keeps its weight, as in PyTorch Geometric). Real edges come sorted by receiver, then
    padding edges of weight 0 from and to the padding node, so the whole list is sorted.

    Its `globals` group the edges as `aggregate` sums them; the shapes of these follow from the
    number of nodes and of padded edges alone.

    Raises:
        ValueError: an index outside 0..nodes-1 (XLA would drop or clamp it in silence), or more
            edges than `padded_edges`.
    """
    edges = np.asarray(edges).reshape(-1, 2)
    if edges.size and not (0 <= edges.min() and edges.max() < nodes):
        raise ValueError(
            f"edge indices must lie in 0..{nodes - 1}, found {edges.min()}..{edges.max()}"
        )
    weights = np.ones(len(edges)) if weights is None else np.asarray(weights)
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
    members = choose_members(size, nodes)
    incoming, outgoing = (
        group_edges(ends[: len(first)], nodes, padded_edges=size, members=members)
        for ends in (receivers, senders)
    )
    return jraph.GraphsTuple(
        nodes=None,
        edges=padded_weights,
        senders=senders,
        receivers=receivers,
        globals=Neighbourhoods(incoming, outgoing),
        n_node=np.array([nodes, 1], np.int32),
        n_edge=np.array([len(first), size - len(first)], np.int32),
    )


def group_edges(
    ends: Int[np.ndarray, " edge"], nodes: int, *, padded_edges: int, members: int
) -> Groups:
    """The edges whose genes at one end are `ends`, in rows; a gene has as many as it fills.

    However the edges lie, there is room: a gene leaves one row unfilled at most.
    """
    groups = min(padded_edges, padded_edges // members + nodes)
    count = np.bincount(ends, minlength=nodes)
    rows = -(-count // members)
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    place = np.arange(len(ends)) - (np.cumsum(count) - count)[ends]  # among the gene's own edges
    row = (np.cumsum(rows) - rows)[ends] + place // members
    edges = np.full((groups, members), padded_edges, np.int32)
    edges[row, place % members] = order
    genes = np.repeat(np.arange(nodes, dtype=np.int32), rows)
    return Groups(edges, pad_rows(genes, groups, fill=nodes))


def choose_members(padded_edges: int, nodes: int) -> int:
    """The power of two below the number of edges a gene, within the bounds."""
    members = LEAST_MEMBERS
    while members < MOST_MEMBERS and 2 * members * nodes <= padded_edges:
        members *= 2
    return members


def build_gene_batch(
    genes: GeneTable,
    features: Float[np.ndarray, "gene dim"],
    embedding: Float[np.ndarray, "gene dim2"] | None,
    train: LabelledPairs,
    tfs: Int[np.ndarray, " tf"],
    graph: jraph.GraphsTuple,
) -> GeneBatch:
    """The gene side of a model's input, with one padding node after the genes.

    Args:
        tfs: gene indices, ascending, of every TF whose pairs will be trained on or scored.
    """
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
        tfs=np.asarray(tfs, np.int32),
        graph=graph,
    )


def pad_rows(array: np.ndarray, rows: int, fill: float = 0) -> np.ndarray:
    """`array` with rows of `fill` appended until it has `rows` rows."""
    width = [(0, rows - len(array))] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, width, constant_values=fill)
