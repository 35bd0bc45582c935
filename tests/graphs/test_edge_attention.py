import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs import edge_attention
from grnjax.graphs.aggregate import aggregate
from grnjax.graphs.build import build_graph
from grnjax.graphs.edge_attention import (
    attend,
    edge_directions,
    edge_scores,
    reverse_edges,
    sum_features,
)

NODES, HEADS, DIM = 9, 2, 4
EDGES = np.array([[0, 3], [1, 3], [1, 4], [2, 3], [3, 5], [5, 3], [5, 6], [0, 6], [2, 2], [2, 5]])


def build(edges=EDGES, **options):
    settings = {"symmetric": False, "self_loops": True} | options
    return build_graph(edges, NODES, **settings)


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=(NODES + 1, HEADS, DIM)), jnp.float32) for _ in "qk"]


@jax.jit
def differentiate(queries, keys, graph):
    """Scores, sums by them, and the gradients of both, over real edges."""

    def loss(queries, keys):
        live = (graph.edges > 0)[:, None]
        scores = edge_scores(queries, keys, graph) * live
        heard = attend(keys, jnp.sin(scores), graph)
        return jnp.sum(jnp.cos(heard)), (scores, heard)

    (_, results), slopes = jax.value_and_grad(loss, (0, 1), has_aux=True)(queries, keys)
    return *results, *slopes


@pytest.mark.slow
def test_scores_are_products_of_receivers_queries_with_senders_keys(vectors):
    queries, keys = vectors
    graph = build()
    scores = edge_scores(queries, keys, graph)
    for edge, (sender, receiver) in enumerate(zip(graph.senders, graph.receivers)):
        for head in range(HEADS):
            wanted = queries[receiver, head] @ keys[sender, head]
            assert float(scores[edge, head]) == pytest.approx(float(wanted), abs=1e-5)


def test_what_is_heard_is_the_sum_of_values_by_attention(vectors):
    values, graph = vectors[0], build()
    rng = np.random.default_rng(3)
    attention = rng.random((len(graph.edges), HEADS)) * (graph.edges > 0)[:, None]
    wanted = np.zeros(values.shape)
    for edge, (sender, receiver) in enumerate(zip(graph.senders, graph.receivers)):
        wanted[receiver] += attention[edge][:, None] * values[sender]
    found = attend(values, jnp.asarray(attention, jnp.float32), graph)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [4, 1000])
@pytest.mark.parametrize("symmetric", [True, False])
def test_chunks_give_the_results_and_gradients_of_the_whole(
    vectors, symmetric, at_once, monkeypatch
):
    graph = build(symmetric=symmetric)
    whole = differentiate(*vectors, graph._replace(globals=None))
    monkeypatch.setattr(edge_attention, "AT_ONCE", at_once)
    differentiate.clear_cache()  # it was compiled for another
    for one, other in zip(differentiate(*vectors, graph), whole):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert np.abs(other).max() > 0.1


@pytest.mark.slow
def test_a_reversed_graph_is_the_one_built_from_reversed_edges():
    weights = np.random.default_rng(1).uniform(0.5, 2, len(EDGES))
    features = jnp.arange(24.0)[:, None]
    given = build(weights=weights, padded_edges=24)
    wanted = build(EDGES[:, ::-1], weights=weights, padded_edges=24)
    found, moved = jax.jit(reverse_edges)(given, features)
    for name in ("senders", "receivers", "edges"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    ends = zip(given.senders.tolist(), given.receivers.tolist())
    before = dict(zip(ends, features[:, 0].tolist()))
    for sender, receiver, feature in zip(found.senders, found.receivers, moved[:, 0]):
        if receiver < NODES:
            assert feature == before[int(receiver), int(sender)]


@pytest.mark.slow
def test_sums_over_a_reversed_graph_agree_by_group_and_by_edge(vectors):
    nodes = vectors[0][:, 0]
    none = jnp.zeros((24, 0))
    by_group, _ = reverse_edges(build(padded_edges=24), none)
    by_edge, _ = reverse_edges(build(padded_edges=24)._replace(globals=None), none)
    one, other = (aggregate(nodes, graph, graph.edges) for graph in (by_group, by_edge))
    np.testing.assert_allclose(one, other, atol=1e-6)
    given = build(padded_edges=24)
    forward = aggregate(nodes, given, jnp.asarray(given.edges))
    assert np.abs(forward - one)[:NODES].max() > 0.5


def test_features_are_summed_by_attention_for_each_receiver():
    graph = build()
    rng = np.random.default_rng(2)
    attention = rng.random((len(graph.edges), HEADS)) * (graph.edges > 0)[:, None]
    features = rng.normal(size=(len(graph.edges), 2))
    wanted = np.zeros((2, NODES + 1, HEADS))
    for edge, receiver in enumerate(graph.receivers):
        wanted[:, receiver] += features[edge][:, None] * attention[edge]
    found = sum_features(*map(jnp.float32, (attention, features)), graph, NODES + 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_directions_tell_which_end_of_a_symmetric_edge_regulates():
    graph = build(symmetric=True)
    found = edge_directions(graph, EDGES)
    known = set(map(tuple, EDGES.tolist()))
    for sender, receiver, directions in zip(graph.senders, graph.receivers, found):
        assert directions.tolist() == [(sender, receiver) in known, (receiver, sender) in known]
    both = (graph.senders == 3) & (graph.receivers == 5)
    added = (graph.senders == 0) & (graph.receivers == 0)
    assert found[both].tolist() == [[1, 1]] and found[added].tolist() == [[0, 0]]
    assert not found[graph.edges == 0].any()
