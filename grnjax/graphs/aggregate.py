"""Sums over the neighbours of each gene, and the weights they are taken with.

The weights of a graph are its `edges`. An edge of weight 0 is no edge: padding and edges hidden
while training have it. Whatever is summed or averaged here is so in float32.
"""

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float, Int

from grnjax.graphs.build import Groups
from grnjax.types import shapes

AT_ONCE = 8192
"""Groups summed, or edges whose slopes are found, in one go: what they leave behind stays in the
cache, which at genome scale makes sums twice and slopes eight times as fast as all in one go in a
fraction of the memory; below 100,000 edges it changes little (experiments/bench/aggregation.py)."""


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

    Graphs of `build_graph` are summed by group, at genome scale in a sixth of the time and a
    fraction of the memory of messages along edges, at a few thousand edges in about the same time;
    both ways give the same within rounding.
    """
    summed = sum_by_edge if graph.globals is None else sum_by_group
    graph = jax.tree.map(jnp.asarray, graph)
    # the cast comes first: the backward pass, which sums over the edges of a hub TF, needs it too
    total = summed(nodes.astype(jnp.float32), graph, weights.astype(jnp.float32))
    return total.astype(nodes.dtype)


@shapes
def aggregate_maximum(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple
) -> Float[Array, "node dim"]:
    """Largest value among each node's senders, in every dimension; 0 without any."""
    messages = jnp.where(graph.edges[:, None] > 0, nodes[graph.senders], -jnp.inf)
    top = jax.ops.segment_max(messages, graph.receivers, len(nodes), indices_are_sorted=True)
    return jnp.where(jnp.isfinite(top), top, 0.0)


@shapes
def sum_by_edge(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders: one message an edge."""
    messages = nodes[graph.senders] * weights[:, None]
    return jax.ops.segment_sum(messages, graph.receivers, len(nodes), indices_are_sorted=True)


@jax.custom_vjp
@shapes
def sum_by_group(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders: one message a group of edges.

    The gradient by nodes is such a sum too, against the direction of the edges.
    """
    return sum_rows(nodes, graph.senders, weights, graph.globals.incoming, AT_ONCE)


@shapes
def sum_rows(
    nodes: Float[Array, "node *head dim"],
    ends: Int[Array, " edge"],
    weights: Float[Array, "edge *head"],  # noqa: F821, as it could be a product
    groups: Groups,
    at_once: int,
) -> Float[Array, "node *head dim"]:
    """Weighted sum, for the gene of each group, of the nodes at the other `ends` of its edges."""
    at_once = min(at_once, len(groups.nodes))
    spare = -len(groups.nodes) % at_once
    edges = jnp.pad(groups.edges, [(0, spare), (0, 0)], constant_values=len(ends))
    genes = jnp.pad(groups.nodes, (0, spare), constant_values=len(nodes) - 1)

    def add_rows(total, chunk):
        edges, genes = chunk
        others = jnp.take(ends, edges, mode="fill", fill_value=0)
        by = jnp.take(weights, edges, axis=0, mode="fill", fill_value=0)
        # without the barrier both look-ups are done again for every dimension of a node
        others, by = jax.lax.optimization_barrier((others, by))
        # written out, the members become one loop over groups, and no message is ever stored
        rows = sum(w[..., None] * nodes[other] for w, other in zip(by.swapaxes(0, 1), others.T))
        return total.at[genes].add(rows, indices_are_sorted=True), None

    chunks = edges.reshape(-1, at_once, edges.shape[1]), genes.reshape(-1, at_once)
    return jax.lax.scan(add_rows, jnp.zeros_like(nodes), chunks)[0]


def sum_forward(nodes, graph, weights):
    """The sum, and what its gradients need."""
    return sum_by_group(nodes, graph, weights), (nodes, graph, weights)


def sum_backward(kept, slope):
    """The gradients by nodes and by weights; one that nobody asks for is not computed."""
    nodes, graph, weights = kept
    outgoing = graph.globals.outgoing
    by_node = sum_rows(slope, graph.receivers, weights, outgoing, AT_ONCE)
    return by_node, None, multiply_ends(nodes, slope, graph, AT_ONCE)


@shapes
def multiply_ends(
    of_senders: Float[Array, "node *head dim"],
    of_receivers: Float[Array, "node *head dim"],
    graph: jraph.GraphsTuple,
    at_once: int,
) -> Float[Array, "edge *head"]:  # noqa: F821, as it could be a product
    """For each edge the inner product of a vector of its sender with one of its receiver."""

    def multiply(ends):
        sender, receiver = ends
        return jnp.sum(of_senders[sender] * of_receivers[receiver], axis=-1)

    return jax.lax.map(multiply, (graph.senders, graph.receivers), batch_size=at_once)


sum_by_group.defvjp(sum_forward, sum_backward)
