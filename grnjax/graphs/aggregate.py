"""Sums over the neighbours of each gene, and the weights they are taken with.

The weights of a graph are its `edges`. An edge of weight 0 is no edge: padding and edges hidden
while training have it. Whatever is summed or averaged here is so in float32.
"""

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from grnjax.types import shapes

BLOCK_CELLS_PER_EDGE = 64
"""Dense blocks are used up to this many cells an edge. On two cores they broke even between 57
and 114 cells at 20,000 genes, and 10 and 29 at 1,000, where it is about a millisecond
(experiments/bench/aggregation.py). Blocks of 64 cells an edge need no more memory than messages
of width 64."""


# The weights


def remove_self_loops(graph: jraph.GraphsTuple) -> jraph.GraphsTuple:
    """The graph with weight 0 on its self loops, for encoders that have a gene's own term apart."""
    return graph._replace(edges=jnp.where(graph.senders == graph.receivers, 0.0, graph.edges))


@shapes
def in_degrees(graph: jraph.GraphsTuple, nodes: int) -> Float[Array, " node"]:
    """Sum of each node's incoming weights, self loop included."""
    return jax.ops.segment_sum(
        jnp.asarray(graph.edges), graph.receivers, nodes, indices_are_sorted=True
    )


@shapes
def gcn_weights(graph: jraph.GraphsTuple, nodes: int) -> Float[Array, " edge"]:
    """w_ij / sqrt(d_i d_j), with d the sum of a node's incoming weights, self loop included.

    Kipf and Welling 2017, equation 2, in PyTorch Geometric's convention: the in-degree serves
    both ends (jraph's own GraphConvolution uses the sender's out-degree, which differs on
    directed graphs). A node without incoming edges, padding included, gets weight 0.
    """
    degree = in_degrees(graph, nodes)
    scale = jnp.where(degree > 0, jax.lax.rsqrt(jnp.where(degree > 0, degree, 1.0)), 0.0)
    return scale[graph.senders] * graph.edges * scale[graph.receivers]


@shapes
def mean_weights(graph: jraph.GraphsTuple, nodes: int) -> Float[Array, " edge"]:
    """w_ij / d_j: a sum with these weights is the mean of a node's senders, 0 without any."""
    degree = in_degrees(graph, nodes)
    return graph.edges / jnp.where(degree > 0, degree, 1.0)[graph.receivers]


@shapes
def attention_weights(
    scores: Float[Array, "edge head"], graph: jraph.GraphsTuple, nodes: int
) -> Float[Array, "edge head"]:
    """w_ij exp(s_ij) over its sum for each receiver j: a softmax in which weights count edges."""
    live = graph.edges[:, None] > 0
    scores = scores.astype(jnp.float32)
    top = jax.ops.segment_max(
        jnp.where(live, scores, -jnp.inf), graph.receivers, nodes, indices_are_sorted=True
    )
    top = jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))
    # dead edges are made safe before exp, whose overflow would turn gradients into NaN
    above = jnp.where(live, scores - top[graph.receivers], 0.0)
    parts = jnp.where(live, graph.edges[:, None] * jnp.exp(above), 0.0)
    total = jax.ops.segment_sum(parts, graph.receivers, nodes, indices_are_sorted=True)
    return parts / jnp.where(total > 0, total, 1.0)[graph.receivers]


# The sums


@shapes
def aggregate(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders, accumulated in float32 whatever the compute type.

    A graph that lists its regulators is summed through blocks of genes by regulators where the
    shapes say that this is faster; both ways give the same within rounding.
    """
    summed = sum_by_regulator if prefers_blocks(graph, len(nodes)) else sum_by_edge
    # the cast comes first: the backward pass, which sums over the edges of a hub TF, needs it too
    return summed(nodes.astype(jnp.float32), graph, weights).astype(nodes.dtype)


@shapes
def aggregate_maximum(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple
) -> Float[Array, "node dim"]:
    """Largest value among each node's senders, in every dimension; 0 without any."""
    messages = jnp.where(graph.edges[:, None] > 0, nodes[graph.senders], -jnp.inf)
    top = jax.ops.segment_max(messages, graph.receivers, len(nodes), indices_are_sorted=True)
    return jnp.where(jnp.isfinite(top), top, 0.0)


def prefers_blocks(graph: jraph.GraphsTuple, nodes: int) -> bool:
    """Whether the blocks are full enough to pay; decided from shapes alone, so while tracing."""
    if graph.globals is None:
        return False
    cells = nodes * (len(graph.globals.sending) + len(graph.globals.receiving))
    return cells <= BLOCK_CELLS_PER_EDGE * len(graph.edges)


@shapes
def sum_by_edge(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders: one message an edge."""
    messages = nodes[graph.senders] * weights[:, None]
    return jax.ops.segment_sum(messages, graph.receivers, len(nodes), indices_are_sorted=True)


@shapes
def sum_by_regulator(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders: products with dense blocks, for few regulators.

    `graph.globals` lists the regulators, of which every edge but a self loop has one. What they
    send is [gene, tf] @ [tf, dim], what others send to them [tf, gene] @ [gene, dim], and the
    self loops are a diagonal. An edge between two regulators counts with what is sent.
    """
    count, (sending, receiving) = len(nodes), graph.globals
    is_loop = graph.senders == graph.receivers
    diagonal = jnp.zeros(count).at[graph.receivers].add(jnp.where(is_loop, weights, 0.0))

    column = find_places(sending, count)[graph.senders]
    is_sent = ~is_loop & (column >= 0)
    block = jnp.zeros((count, len(sending)))
    block = block.at[graph.receivers, column].add(jnp.where(is_sent, weights, 0.0))
    total = diagonal[:, None] * nodes + multiply(block, nodes[sending])
    if not len(receiving):
        return total

    row = find_places(receiving, count)[graph.receivers]
    block = jnp.zeros((len(receiving), count))
    block = block.at[row, graph.senders].add(jnp.where(is_sent | is_loop, 0.0, weights))
    return total.at[receiving].add(multiply(block, nodes))


def find_places(listed: Int[Array, " tf"], nodes: int) -> Int[Array, " node"]:
    """Where each node stands in the list; -1 if it is not there."""
    return jnp.full(nodes, -1).at[listed].set(jnp.arange(len(listed)))


def multiply(
    block: Float[Array, "row tf"], vectors: Float[Array, "tf dim"]
) -> Float[Array, "row dim"]:
    """The matrix product in full float32, which accelerators otherwise round."""
    return jnp.matmul(block, vectors, precision="highest")
