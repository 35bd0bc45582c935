import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.aggregate import aggregate, gcn_weights
from grnjax.graphs.build import build_graph

NODES = 9
ISOLATED = 4  # no edge, so without self loops its degree is 0
MESSAGES = 20_000


@pytest.fixture(scope="module")
def network():
    """Directed weighted edges with one cycle of two genes and one self loop."""
    rng = np.random.default_rng(0)
    adjacency = np.triu(rng.random((NODES, NODES)) < 0.5, k=1)
    adjacency[3, 2] = adjacency[2, 3] = adjacency[1, 1] = True
    adjacency[ISOLATED] = adjacency[:, ISOLATED] = False
    edges = np.argwhere(adjacency)
    return edges, rng.uniform(0.5, 2, len(edges))


@pytest.fixture(scope="module")
def features():
    values = np.random.default_rng(1).normal(size=(NODES + 1, 5)).astype(np.float32)
    values[NODES] = 0
    return jnp.asarray(values)


def build(network, **options):
    edges, weights = network
    settings = {"symmetric": False, "self_loops": True, "weights": weights} | options
    return on_device(build_graph(edges, NODES, **settings))


def on_device(graph):
    return jax.tree.map(jnp.asarray, graph)


def convolve(graph, nodes):
    return aggregate(nodes, graph, gcn_weights(graph, len(nodes)))


def convolve_dense(network, nodes, self_loops):
    """D^-1/2 (A + I) D^-1/2 by the book, with A[tf, target] and in-degrees."""
    edges, weights = network
    dense = np.zeros((NODES, NODES))
    dense[tuple(edges.T)] = weights
    if self_loops:
        dense += np.diag(np.where(np.diag(dense) == 0, 1.0, 0.0))
    degree = dense.sum(axis=0)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros(NODES), where=degree > 0)
    return (scale[:, None] * dense * scale).T @ nodes[:NODES]


@pytest.mark.parametrize("self_loops", [True, False])
def test_the_convolution_equals_its_dense_formula(network, features, self_loops):
    result = convolve(build(network, self_loops=self_loops), features)
    expected = convolve_dense(network, features, self_loops)
    np.testing.assert_allclose(result[:NODES], expected, atol=1e-6)
    assert not result[NODES].any(), "nothing reaches the padding node"
    assert self_loops or not result[ISOLATED].any()


def test_the_in_degree_serves_both_ends_of_an_edge():
    fan = build_graph(np.array([[0, 1], [0, 2], [1, 2]]), 3, symmetric=False, self_loops=True)
    real = int(fan.n_edge[0])
    weights = gcn_weights(fan, 4)[:real]
    ends = list(zip(fan.senders[:real].tolist(), fan.receivers[:real].tolist()))
    by_ends = dict(zip(ends, weights.tolist()))
    assert by_ends[0, 1] == pytest.approx(1 / np.sqrt(1 * 2))  # by out-degree it were 1 / sqrt(6)
    assert by_ends[0, 2] == pytest.approx(1 / np.sqrt(1 * 3))
    assert by_ends[2, 2] == pytest.approx(1 / 3)


def test_padding_edges_change_no_output_and_no_gradient(network, features):
    def loss(nodes, graph):
        return jnp.sum(jnp.sin(convolve(graph, nodes))[:NODES])

    tight, roomy = build(network), build(network, padded_edges=100)
    assert len(tight.edges) < len(roomy.edges)
    for value, other in zip(
        jax.value_and_grad(loss)(features, tight), jax.value_and_grad(loss)(features, roomy)
    ):
        np.testing.assert_allclose(value, other, atol=1e-6)
    gradient = jax.grad(loss)(features, roomy)
    assert not gradient[NODES].any() and gradient[:NODES].any(axis=1).all()


def test_an_edge_of_weight_zero_is_no_edge(network, features):
    edges, weights = network
    kept = (np.arange(len(edges)) % 3 > 0) | (edges[:, 0] == edges[:, 1])
    zeroed = build((edges, np.where(kept, weights, 0)))
    without = build((edges[kept], weights[kept]))
    np.testing.assert_allclose(convolve(zeroed, features), convolve(without, features), atol=1e-6)


def test_gradients_by_edge_weights_are_finite_where_a_gene_has_lost_all_its_edges(
    network, features
):
    graph = build(network, self_loops=False)
    lost = graph.edges * (graph.receivers != 8)

    def loss(edges):
        return jnp.sum(convolve(graph._replace(edges=edges), features) ** 2)

    assert np.isfinite(jax.grad(loss)(lost)).all()


def test_direction_matters_unless_the_graph_is_symmetric(network, features):
    edges, weights = network
    backwards = edges[:, ::-1], weights
    there, back = (convolve(build(n), features) for n in (network, backwards))
    assert np.abs(there - back).max() > 0.1
    one_way = edges[:, 0] < edges[:, 1]
    there, back = (
        convolve(build((e[one_way], w[one_way]), symmetric=True), features)
        for e, w in (network, backwards)
    )
    np.testing.assert_allclose(there, back, atol=1e-6)


def test_messages_in_bfloat16_add_up_in_float32():
    """Sums of ones in bfloat16 stop at 256, where one more is below the resolution."""
    leaves = np.arange(MESSAGES)
    to_hub = np.stack([leaves + 1, np.zeros_like(leaves)], axis=1)
    graph = on_device(build_graph(to_hub, MESSAGES + 1, symmetric=False, self_loops=False))
    ones = jnp.ones((MESSAGES + 2, 1), jnp.bfloat16)
    total = aggregate(ones, graph, graph.edges)
    assert total.dtype == jnp.bfloat16
    assert float(total[0, 0]) == pytest.approx(MESSAGES, rel=1e-2)


def test_the_gradient_of_a_hub_in_bfloat16_adds_up_in_float32():
    leaves = np.arange(MESSAGES)
    from_hub = np.stack([np.zeros_like(leaves), leaves + 1], axis=1)
    graph = on_device(build_graph(from_hub, MESSAGES + 1, symmetric=False, self_loops=False))
    ones = jnp.ones((MESSAGES + 2, 1), jnp.bfloat16)

    def loss(nodes):
        return jnp.sum(aggregate(nodes, graph, graph.edges).astype(jnp.float32))

    assert float(jax.grad(loss)(ones)[0, 0]) == pytest.approx(MESSAGES, rel=1e-2)
