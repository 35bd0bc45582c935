"""What attention needs along edges: features, scores of keys by queries, sums of values, reversal.

In graphs of `build_graph` no vector an edge is ever held: at 20,000 genes, 2 million edges and a
width of 128 these would take 1 GiB each, and a backward pass keeps several.
"""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Float, Int

from grnjax.graphs.aggregate import AT_ONCE, multiply_ends, sum_rows
from grnjax.graphs.build import Groups, Neighbourhoods
from grnjax.types import shapes


def edge_directions(
    graph: jraph.GraphsTuple, regulations: Int[np.ndarray, "edge 2"]
) -> Float[np.ndarray, "edge 2"]:
    """Whether the sender regulates the receiver, and the other way round, for each edge; float32.

    They tell the directions of a symmetric graph apart. A self loop that was added has neither.
    """
    nodes = int(graph.n_node.sum())
    keys = regulations[:, 0].astype(np.int64) * nodes + regulations[:, 1]
    there = graph.senders.astype(np.int64) * nodes + graph.receivers
    back = graph.receivers.astype(np.int64) * nodes + graph.senders
    return np.stack([np.isin(there, keys), np.isin(back, keys)], axis=1).astype(np.float32)


@shapes
def edge_scores(
    queries: Float[Array, "node head dim"],
    keys: Float[Array, "node head dim"],
    graph: jraph.GraphsTuple,
) -> Float[Array, "edge head"]:
    """For each edge and head the inner product of the receiver's query with the sender's key."""
    graph = jax.tree.map(jnp.asarray, graph)
    queries, keys = queries.astype(jnp.float32), keys.astype(jnp.float32)
    if graph.globals is None:
        return jnp.sum(queries[graph.receivers] * keys[graph.senders], axis=-1)
    return scores_in_chunks(queries, keys, graph)


@shapes
def attend(
    values: Float[Array, "node head dim"],
    attention: Float[Array, "edge head"],
    graph: jraph.GraphsTuple,
) -> Float[Array, "node head dim"]:
    """What each head of each gene receives: the sum of its senders' values by attention."""
    graph = jax.tree.map(jnp.asarray, graph)
    values, attention = values.astype(jnp.float32), attention.astype(jnp.float32)
    if graph.globals is None:
        messages = values[graph.senders] * attention[..., None]
        return jax.ops.segment_sum(messages, graph.receivers, len(values), indices_are_sorted=True)
    return sums_in_chunks(values, attention, graph)


# The same for graphs of `build_graph`, no more of whose edges are looked up at once than fit in a
# cache. Each is linear in what the other one takes or gives, so each is the other's gradient.


@jax.custom_vjp
def scores_in_chunks(queries, keys, graph):
    """The scores."""
    return multiply_ends(keys, queries, graph, AT_ONCE)


@jax.custom_vjp
def sums_in_chunks(values, attention, graph):
    """The sums."""
    return sum_rows(values, graph.senders, attention, graph.globals.incoming, AT_ONCE)


def scores_forward(queries, keys, graph):
    """The scores, and what their gradients need."""
    return scores_in_chunks(queries, keys, graph), (queries, keys, graph)


def scores_backward(kept, slope):
    """The gradients by queries and keys."""
    queries, keys, graph = kept
    by_query = sum_rows(keys, graph.senders, slope, graph.globals.incoming, AT_ONCE)
    by_key = sum_rows(queries, graph.receivers, slope, graph.globals.outgoing, AT_ONCE)
    return by_query, by_key, None


def sums_forward(values, attention, graph):
    """The sums, and what their gradients need."""
    return sums_in_chunks(values, attention, graph), (values, attention, graph)


def sums_backward(kept, slope):
    """The gradients by values and attention."""
    values, attention, graph = kept
    by_value = sum_rows(slope, graph.receivers, attention, graph.globals.outgoing, AT_ONCE)
    return by_value, scores_in_chunks(slope, values, graph), None


scores_in_chunks.defvjp(scores_forward, scores_backward)
sums_in_chunks.defvjp(sums_forward, sums_backward)


@shapes
def sum_features(
    attention: Float[Array, "edge head"],
    edge_features: Float[Array, "edge feature"],
    graph: jraph.GraphsTuple,
    nodes: int,
) -> Float[Array, "feature node head"]:
    """What each head of each gene receives of its edges' features: their sum by attention."""
    sums = [
        jax.ops.segment_sum(
            attention * feature[:, None], graph.receivers, nodes, indices_are_sorted=True
        )
        for feature in edge_features.T
    ]
    return jnp.stack(sums)


@shapes
def reverse_edges(
    graph: jraph.GraphsTuple, edge_features: Float[Array, "edge feature"]
) -> tuple[jraph.GraphsTuple, Float[Array, "edge feature"]]:
    """The graph with its edges turned round and sorted by receiver again, and their features."""
    graph = jax.tree.map(jnp.asarray, graph)
    order = jnp.argsort(graph.senders, stable=True)  # the padding node is the last one
    groups = graph.globals
    if groups is not None:
        count = len(order)
        place = jnp.full(count + 1, count).at[order].set(jnp.arange(count))

        def move(side: Groups) -> Groups:
            return Groups(place[side.edges], side.nodes)

        groups = Neighbourhoods(incoming=move(groups.outgoing), outgoing=move(groups.incoming))
    turned = graph._replace(
        senders=graph.receivers[order],
        receivers=graph.senders[order],
        edges=graph.edges[order],
        globals=groups,
    )
    return turned, edge_features[order]
