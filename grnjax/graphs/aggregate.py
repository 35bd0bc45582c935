"""Sums over the neighbours of each gene, and the weights they are taken with."""

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Float

from grnjax.types import shapes


@shapes
def gcn_weights(graph: jraph.GraphsTuple, nodes: int) -> Float[Array, " edge"]:
    """w_ij / sqrt(d_i d_j), with d the sum of a node's incoming weights, self loop included.

    Kipf and Welling 2017, equation 2, in PyTorch Geometric's convention: the in-degree serves
    both ends (jraph's own GraphConvolution uses the sender's out-degree, which differs on
    directed graphs). A node without incoming edges, padding included, gets weight 0.
    """
    degree = jax.ops.segment_sum(
        jnp.asarray(graph.edges), graph.receivers, nodes, indices_are_sorted=True
    )
    scale = jnp.where(degree > 0, jax.lax.rsqrt(jnp.where(degree > 0, degree, 1.0)), 0.0)
    return scale[graph.senders] * graph.edges * scale[graph.receivers]


@shapes
def aggregate(
    nodes: Float[Array, "node dim"], graph: jraph.GraphsTuple, weights: Float[Array, " edge"]
) -> Float[Array, "node dim"]:
    """Weighted sum of each node's senders, accumulated in float32 whatever the compute type.

    The cast comes before the gather, so that the backward pass, which sums over the edges of a
    hub TF, accumulates in float32 too.
    """
    messages = nodes.astype(jnp.float32)[graph.senders] * weights[:, None]
    total = jax.ops.segment_sum(messages, graph.receivers, len(nodes), indices_are_sorted=True)
    return total.astype(nodes.dtype)
