"""Random walks over inferred networks, many walkers at once (the sentences of GT-GRN's language).

The networks lie side by side in one graph: node k * genes + i is gene i in network k, so walkers of
all networks move in one program and none changes its network. A walk follows an edge with a
probability in proportion to its weight, which node2vec (Grover and Leskovec 2016, section 3.2.2)
multiplies by 1/p where it leads back to the node before, by 1 where it leads to a neighbour of that
node, and by 1/q elsewhere.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float, Int
from scipy import sparse

from grnjax.config import AtLeastTwo, Range, Settings
from grnjax.types import AnyArray

ENDED = -1
"""Stands in a walk after its end."""
NOWHERE = -1
"""Stands for the edge that led to the start of a walk."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class WalkConfig(Settings):
    """What kind of walks; published GT-GRN does not say, and these defaults are BERTwalk's."""

    length: AtLeastTwo = 10
    """Genes in a walk."""
    p: Annotated[float, Range(0, math.inf, ends="()")] = 1.0
    """Above 1, a step back is rarer than by its weight."""
    q: Annotated[float, Range(0, math.inf, ends="()")] = 1.0
    """Above 1, a step away from the neighbours of the node before is rarer."""


class InferredNetwork(NamedTuple):
    """Edges between genes, each with a weight above 0."""

    edges: Int[np.ndarray, "edge 2"]  # gene indices, TF first
    weights: Float[np.ndarray, " edge"]


class WalkGraph(NamedTuple):
    """Networks side by side, undirected: the neighbours of each node, one node after the other."""

    first: Int[AnyArray, " node_and_end"]  # place of a node's first neighbour; at last, of the end
    neighbour: Int[AnyArray, " place"]  # ascending within a node
    upto: Float[AnyArray, " place"]  # summed weights of a node's neighbours, up to this one
    reverse: Int[AnyArray, " place"]  # place of the same edge among the neighbours of the neighbour
    rounds: (
        Int[AnyArray, ""] | np.integer
    )  # halvings until a search among the neighbours of any node has ended
    starts: Int[AnyArray, " start"]  # the nodes that have a neighbour


class Walkers(NamedTuple):
    """How far many walks have come."""

    walks: Int[Array, "step walk"]  # side by side, as is fastest to write
    node: Int[Array, " walk"]  # where the walker is
    place: Int[Array, " walk"]  # of the edge by which it came
    taken: Int[Array, " walk"]  # steps so far
    round: Int[Array, ""]  # of proposals, to draw others in each


def keep_top_edges(
    scores: Float[np.ndarray, "tf gene"], tfs: Int[np.ndarray, " tf"], count: int | None = None
) -> InferredNetwork:
    """The best pairs of a score matrix, ten times as many as genes by default.

    A weight is the rank of the score among those kept over their number: 1 for the best, and the
    same for equal scores, so that methods of any scale count alike. Pairs without a positive score
    are never kept; of equal scores at the cut, those of earlier TFs and genes are.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"{np.sum(~np.isfinite(scores))} scores are not finite")
    count = 10 * scores.shape[1] if count is None else count
    flat = scores.ravel()
    best = np.argsort(-flat, kind="stable")[:count]
    best = best[flat[best] > 0]
    row, target = np.unravel_index(best, scores.shape)
    weights = pd.Series(flat[best]).rank(pct=True).to_numpy()
    edges = np.stack([np.asarray(tfs)[row], target], axis=1)
    return InferredNetwork(edges.astype(np.int32), weights.astype(np.float32))


def build_walk_graph(networks: Sequence[InferredNetwork], genes: int) -> WalkGraph:
    """The networks as one undirected graph; of an edge given both ways the greater weight counts.

    Raises:
        ValueError: an index outside 0..genes-1, a weight that is not above 0, or no edge at all.
    """
    matrix = sparse.block_diag([link_both_ways(network, genes) for network in networks], "csr")
    if not matrix.nnz:
        raise ValueError(f"{len(networks)} networks have no edge between two genes to walk along")
    matrix.sort_indices()
    count = np.diff(matrix.indptr)
    total = np.cumsum(matrix.data)
    before = (total - matrix.data)[np.minimum(matrix.indptr[:-1], matrix.nnz - 1)]
    upto = total - np.repeat(before, count)
    places = sparse.csr_array((np.arange(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)
    reverse = places.T.tocsr()
    reverse.sort_indices()
    return WalkGraph(
        first=matrix.indptr.astype(np.int32),
        neighbour=matrix.indices.astype(np.int32),
        upto=upto.astype(np.float32),
        reverse=reverse.data.astype(np.int32),
        rounds=np.int32(int(count.max()).bit_length()),
        starts=np.flatnonzero(count).astype(np.int32),
    )


def link_both_ways(network: InferredNetwork, genes: int) -> sparse.csr_array:
    """The weights as a symmetric matrix; edges of a gene to itself are left out."""
    edges, weights = network
    if edges.size and not (0 <= edges.min() and edges.max() < genes):
        raise ValueError(
            f"edge indices must lie in 0..{genes - 1}, found {edges.min()}..{edges.max()}"
        )
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("the weights of a network must be finite and above 0")
    proper = edges[:, 0] != edges[:, 1]
    (tf, target), weights = edges[proper].T, weights[proper].astype(np.float64)
    matrix = sparse.csr_array((weights, (tf, target)), shape=(genes, genes))
    return matrix.maximum(matrix.T)


def draw_walks(
    graph: WalkGraph, starts: Int[Array, " walk"], config: WalkConfig, key: jax.Array
) -> Int[Array, "walk step"]:
    """The nodes of a walk from each start, by the probabilities above, up to float32's rounding.

    A walk from a node without neighbours ends after its start, one from `ENDED` before it. Walkers
    do not wait for each other: one that was refused a step draws again while the others continue.
    """
    steps = jnp.arange(config.length)[:, None]
    count = graph.first[starts + 1] - graph.first[starts]
    goes = (starts >= 0) & (count > 0)
    walkers = Walkers(
        walks=jnp.where(steps == 0, starts, ENDED),
        node=jnp.where(goes, starts, graph.starts[0]),
        place=jnp.full(len(starts), NOWHERE),
        taken=jnp.where(goes, 0, config.length - 1),
        round=jnp.zeros((), jnp.int32),
    )

    def are_under_way(walkers):
        return jnp.any(walkers.taken < config.length - 1)

    def move(walkers):
        draws = jax.random.uniform(jax.random.fold_in(key, walkers.round), (2, len(starts)))
        place, fits = propose_steps(graph, walkers.node, walkers.place, draws, config)
        goes = fits & (walkers.taken < config.length - 1)
        node = jnp.where(goes, graph.neighbour[place], walkers.node)
        taken = walkers.taken + goes
        return Walkers(
            walks=jnp.where(goes & (steps == taken), node, walkers.walks),
            node=node,
            place=jnp.where(goes, place, walkers.place),
            taken=taken,
            round=walkers.round + 1,
        )

    return jax.lax.while_loop(are_under_way, move, walkers).walks.T


def propose_steps(
    graph: WalkGraph,
    node: Int[Array, " walk"],
    came_by: Int[Array, " walk"],
    draws: Float[Array, "2 walk"],
    config: WalkConfig,
) -> tuple[Int[Array, " walk"], Bool[Array, " walk"]]:
    """The place of an edge that each walker might take next, and whether it does.

    The step back is drawn with its exact share. Any other is drawn by weight and taken with its
    factor over the greatest one, so nothing is summed over the neighbours of a hub, and at least
    min(q, 1/q) of the proposals are taken whatever p and the weights are.

    Args:
        came_by: place of the edge that led to the node; `NOWHERE` at the start of a walk.
    """
    first, last = graph.first[node], graph.first[node + 1] - 1
    is_start = came_by == NOWHERE
    back = graph.reverse[came_by]
    below = jnp.where(is_start | (back == first), 0.0, graph.upto[back - 1])
    weight_back = jnp.where(is_start, 0.0, graph.upto[back] - below)
    others = graph.upto[last] - weight_back

    greatest = max(1.0, 1 / config.q)
    returning = weight_back / config.p
    drawn = draws[0] * (returning + greatest * others)
    returns = drawn < returning
    among_others = jnp.maximum(drawn - returning, 0.0) / greatest
    sought = among_others + jnp.where(among_others >= below, weight_back, 0.0)
    other = search(graph.upto, sought, first, last, graph.rounds)

    fits = is_start | (other != back)  # rounding may lead to the edge back
    if config.q != 1:
        near = are_neighbours(graph, graph.neighbour[back], graph.neighbour[other])
        factor = jnp.where(is_start, greatest, jnp.where(near, 1.0, 1 / config.q))
        fits &= draws[1] * greatest < factor
    return jnp.where(returns, back, other), returns | fits


def are_neighbours(
    graph: WalkGraph, one: Int[Array, " walk"], other: Int[Array, " walk"]
) -> Bool[Array, " walk"]:
    """Whether an edge joins the two nodes."""
    first, last = graph.first[one], graph.first[one + 1] - 1
    place = search(graph.neighbour, other - 1, first, last, graph.rounds)
    return graph.neighbour[place] == other


def search(values, bound, first, last, rounds):
    """The first place whose value is above `bound`, in a part of `values` that ascends.

    It is between `first` and `last`, which is the answer where no value before it is above.
    """

    def halve(_, ends):
        low, high = ends
        middle = (low + high) // 2
        is_above = values[middle] > bound
        low = jnp.where(is_above, low, jnp.minimum(middle + 1, high))
        return low, jnp.where(is_above, middle, high)

    return jax.lax.fori_loop(0, rounds, halve, (first, last))[1]
