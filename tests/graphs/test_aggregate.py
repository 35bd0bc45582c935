import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.aggregate import (
    aggregate,
    aggregate_maximum,
    attention_weights,
    gcn_weights,
    mean_weights,
    multiply_ends,
    remove_self_loops,
    sum_by_edge,
    sum_by_group,
)
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


def build_hub(grouped, *, outwards):
    """A gene with many neighbours, and edges towards these or from them."""
    targets = np.arange(MESSAGES) + 1
    edges = np.stack([np.zeros_like(targets), targets], axis=1)
    graph = on_device(build_graph(edges, MESSAGES + 1, symmetric=True, self_loops=False))
    wanted = graph.senders if outwards else graph.receivers
    graph = graph._replace(edges=graph.edges * (wanted == 0))
    return graph if grouped else graph._replace(globals=None)


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_edge_of_weight_zero_is_no_edge(network, features):
    edges, weights = network
    kept = (np.arange(len(edges)) % 3 > 0) | (edges[:, 0] == edges[:, 1])
    zeroed = build((edges, np.where(kept, weights, 0)))
    without = build((edges[kept], weights[kept]))
    np.testing.assert_allclose(convolve(zeroed, features), convolve(without, features), atol=1e-6)


@pytest.mark.slow
def test_gradients_by_edge_weights_are_finite_where_a_gene_has_lost_all_its_edges(
    network, features
):
    graph = build(network, self_loops=False)
    lost = graph.edges * (graph.receivers != 8)

    def loss(edges):
        return jnp.sum(convolve(graph._replace(edges=edges), features) ** 2)

    assert np.isfinite(jax.grad(loss)(lost)).all()


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("grouped", [False, True])
def test_messages_in_bfloat16_add_up_in_float32(grouped):
    """Sums of ones in bfloat16 stop at 256, where one more is below the resolution."""
    graph = build_hub(grouped, outwards=False)
    ones = jnp.ones((MESSAGES + 2, 1), jnp.bfloat16)
    total = aggregate(ones, graph, graph.edges)
    assert total.dtype == jnp.bfloat16
    assert float(total[0, 0]) == pytest.approx(MESSAGES, rel=1e-2)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_gradient_of_a_hub_in_bfloat16_adds_up_in_float32(grouped):
    graph = build_hub(grouped, outwards=True)
    ones = jnp.ones((MESSAGES + 2, 1), jnp.bfloat16)

    def loss(nodes):
        return jnp.sum(aggregate(nodes, graph, graph.edges).astype(jnp.float32))

    assert float(jax.grad(loss)(ones)[0, 0]) == pytest.approx(MESSAGES, rel=1e-2)


# Both forms of the sum


@pytest.fixture(scope="module", params=["symmetric", "directed"])
def hubs(request):
    """Two hubs with more edges than a group holds, a loop, dead and padding edges."""
    genes = 90
    edges = np.array([[hub, gene] for hub in (3, 40) for gene in range(genes) if gene % 7])
    weights = np.random.default_rng(5).uniform(0.5, 2, len(edges))
    weights[::9] = 0
    symmetric = request.param == "symmetric"
    settings = {"symmetric": symmetric, "self_loops": True, "padded_edges": 500}
    return on_device(build_graph(edges, genes, weights=weights, **settings))


@pytest.mark.slow
def test_groups_and_edges_give_the_same_sums_and_gradients(hubs):
    def differentiate(summed):
        def loss(nodes, weights):
            total = summed(nodes, hubs, weights)
            return jnp.sum(jnp.sin(total)), total

        return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    assert np.bincount(hubs.senders).max() > 2 * hubs.globals.outgoing.edges.shape[1]
    rng = np.random.default_rng(6)
    nodes = jnp.asarray(rng.normal(size=(91, 5)), jnp.float32)
    # as in attention, the two directions of an edge do not weigh the same
    weights = hubs.edges * jnp.asarray(rng.uniform(0.5, 2, 500), jnp.float32)
    by_edge, by_group = (
        differentiate(summed)(nodes, weights) for summed in (sum_by_edge, sum_by_group)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), by_edge, by_group)
    (_, total), (_, by_weight) = by_edge
    assert np.abs(total[:90]).max(axis=1).min() > 1e-3, "loops reach every gene"
    assert np.count_nonzero(by_weight) >= int(hubs.n_edge[0])


@pytest.mark.slow
def test_the_slopes_of_weights_are_the_same_however_many_are_found_at_once(hubs):
    nodes, slope = jax.random.normal(jax.random.key(0), (2, 91, 5))
    wanted = np.einsum("ed,ed->e", nodes[hubs.senders], slope[hubs.receivers])
    for at_once in (64, 500, 8192):
        found = multiply_ends(nodes, slope, hubs, at_once)
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
def test_the_sum_by_group_can_be_mapped_over_weights_and_nodes(hubs):
    """As heads and seeds are, side by side."""
    nodes, weights = jax.random.normal(jax.random.key(1), (3, 91, 5)), hubs.edges
    weights = weights * jax.random.uniform(jax.random.key(2), (3, 500))

    def slopes(nodes, weights):
        return jax.grad(lambda x, w: jnp.sum(jnp.sin(aggregate(x, hubs, w))), (0, 1))(
            nodes, weights
        )

    together = jax.vmap(slopes)(nodes, weights)
    for place in range(3):
        alone = slopes(nodes[place], weights[place])
        for one, other in zip(alone, together):
            np.testing.assert_allclose(one, other[place], atol=1e-5)


@pytest.mark.slow
def test_the_messages_of_a_pass_are_never_stored():
    """A group of 16 edges leaves one vector; by edge every message stands in memory."""
    rng = np.random.default_rng(0)
    edges = np.stack([rng.integers(20, size=30_000), rng.integers(800, size=30_000)], axis=1)
    graph = on_device(build_graph(edges, 800, symmetric=False, self_loops=False))
    messages = len(graph.edges) * 64 * 4

    def count_bytes(graph):
        def loss(nodes):
            return jnp.sum(jnp.sin(aggregate(nodes, graph, graph.edges)))

        compiled = jax.jit(jax.grad(loss)).lower(jnp.ones((801, 64))).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert count_bytes(graph) < messages / 2 < count_bytes(graph._replace(globals=None))


# Other weights


@pytest.mark.slow
def test_the_mean_is_taken_over_senders_by_weight(network, features):
    graph = build(network, self_loops=False, padded_edges=60)
    result = aggregate(features, graph, mean_weights(graph, NODES + 1))
    edges, weights = network
    for gene in range(NODES):
        senders, by = (x[edges[:, 1] == gene] for x in (edges[:, 0], weights))
        wanted = np.average(features[senders], axis=0, weights=by) if len(senders) else 0
        np.testing.assert_allclose(result[gene], np.broadcast_to(wanted, (5,)), atol=1e-6)
    assert not result[ISOLATED].any() and not result[NODES].any()


@pytest.mark.slow
def test_the_maximum_is_taken_over_senders_that_are_there(network, features):
    edges, weights = network
    kept = np.arange(len(edges)) % 3 > 0
    graph = build((edges, weights * kept), self_loops=False, padded_edges=60)
    result = aggregate_maximum(features, graph)
    for gene in range(NODES):
        senders = edges[kept & (edges[:, 1] == gene), 0]
        wanted = np.max(features[senders], axis=0) if len(senders) else np.zeros(5)
        np.testing.assert_array_equal(result[gene], wanted)
    gradient = jax.grad(lambda x: jnp.sum(jnp.sin(aggregate_maximum(x, graph))))(features)
    assert np.isfinite(gradient).all() and not gradient[NODES].any()


@pytest.mark.slow
def test_attention_is_a_softmax_over_the_senders_that_are_there(network):
    edges, weights = network
    kept = np.arange(len(edges)) % 3 > 0
    ones = np.ones(len(edges))
    hidden, absent = (
        build(n, self_loops=False, padded_edges=60)
        for n in ((edges, ones * kept), (edges[kept], ones[kept]))
    )
    drawn = jax.random.normal(jax.random.key(7), (NODES + 1, NODES + 1, 2))
    dense = np.zeros((NODES, NODES, 2))
    dense[tuple(edges[kept].T)] = jnp.exp(drawn)[tuple(edges[kept].T)]
    total = dense.sum(axis=0)
    dense = np.divide(dense, total, out=np.zeros_like(dense), where=total > 0)
    for graph in (hidden, absent):
        attention = attention_weights(drawn[graph.senders, graph.receivers], graph, NODES + 1)
        result = np.zeros((NODES + 1, NODES + 1, 2))
        np.add.at(result, (graph.senders, graph.receivers), attention)
        np.testing.assert_allclose(result[:NODES, :NODES], dense, atol=1e-6)
        assert not result[NODES].any() and not result[:, NODES].any()


@pytest.mark.slow
def test_an_edge_of_weight_three_draws_as_much_attention_as_three():
    def attend_to(weights):
        edges = np.array([[gene, 8] for gene in range(len(weights))])
        graph = build((edges, np.array(weights)), self_loops=False)
        scores = jnp.where(graph.senders == 0, 0.7, -0.2)[:, None]
        return attention_weights(scores, graph, NODES + 1)[0, 0]

    assert attend_to([1.0, 3.0]) == pytest.approx(float(attend_to([1.0, 1.0, 1.0, 1.0])))


@pytest.mark.slow
def test_attention_stays_finite_for_huge_scores_and_for_genes_that_lost_all_edges(network):
    graph = build(network, self_loops=False, padded_edges=60)
    graph = graph._replace(edges=graph.edges * (graph.receivers != 8))
    huge = jnp.where(graph.receivers == 8, 1e6, 1e4 * (-1.0) ** graph.senders)[:, None]

    def loss(scores, edges):
        return jnp.sum(attention_weights(scores, graph._replace(edges=edges), NODES + 1) ** 2)

    value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(huge, graph.edges)
    assert np.isfinite(value) and value > 0
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.slow
def test_self_loops_can_be_left_out(network, features):
    edges, weights = network
    others = edges[:, 0] != edges[:, 1]
    graph, without = build(network), build((edges[others], weights[others]), self_loops=False)
    result, wanted = (convolve(g, features) for g in (remove_self_loops(graph), without))
    np.testing.assert_allclose(result, wanted, atol=1e-6)
