import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grnjax.graphs.build import build_gene_batch, build_graph, choose_members, padded_size
from grnjax.types import GeneTable, LabelledPairs

NODES = 6
GENE = st.integers(0, NODES - 1)
EDGES = st.lists(st.tuples(GENE, GENE, st.integers(1, 9)), max_size=20)


def split_columns(rows):
    rows = np.array(rows).reshape(-1, 3)
    return rows[:, :2], rows[:, 2].astype(float)


def list_weights(graph):
    """The weight of each real edge by (sender, receiver); an edge may stand there once only."""
    real = int(graph.n_edge[0])
    ends = list(zip(graph.senders[:real].tolist(), graph.receivers[:real].tolist()))
    assert len(set(ends)) == real
    return dict(zip(ends, graph.edges[:real].tolist()))


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(EDGES, st.booleans(), st.booleans())
def test_a_graph_holds_the_edges_that_its_rules_say(rows, symmetric, self_loops):
    edges, weights = split_columns(rows)
    expected = {}
    for tf, target, weight in rows:
        expected.setdefault((tf, target), weight)  # of duplicates the first counts
    if symmetric:
        for (tf, target), weight in list(expected.items()):
            expected.setdefault((target, tf), weight)  # an edge that is there keeps its weight
    if self_loops:
        for gene in range(NODES):
            expected.setdefault((gene, gene), 1)  # so does a loop, as in PyTorch Geometric
    graph = build_graph(edges, NODES, symmetric=symmetric, self_loops=self_loops, weights=weights)
    assert list_weights(graph) == expected


@settings(max_examples=50, deadline=None)
@given(EDGES, st.randoms(use_true_random=False))
def test_edges_come_sorted_by_receiver_whatever_their_order_with_padding_last(rows, random):
    rows = list({row[:2]: row for row in rows}.values())
    shuffled = random.sample(rows, len(rows))
    one, other = (
        build_graph(edges, NODES, symmetric=False, self_loops=True, weights=weights)
        for edges, weights in map(split_columns, (rows, shuffled))
    )
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)
    real = int(one.n_edge[0])
    assert (np.diff(one.receivers) >= 0).all()
    assert (one.senders[real:] == NODES).all() and (one.receivers[real:] == NODES).all()
    assert not one.edges[real:].any()
    assert one.n_edge.sum() == len(one.edges) and one.n_node.tolist() == [NODES, 1]


@pytest.mark.parametrize("edge", [(-1, 0), (0, -1), (NODES, 0), (2, NODES)])
def test_an_index_that_xla_would_drop_or_clamp_is_refused(edge):
    with pytest.raises(ValueError, match=r"must lie in 0\.\.5, found"):
        build_graph(np.array([[1, 2], edge]), NODES, symmetric=False, self_loops=True)


def test_more_edges_than_there_is_room_for_are_refused():
    edges = np.array([[0, 1], [1, 2], [2, 3]])
    with pytest.raises(ValueError, match="6 edges do not fit into 5"):
        build_graph(edges, NODES, symmetric=True, self_loops=False, padded_edges=5)
    graph = build_graph(edges, NODES, symmetric=True, self_loops=False, padded_edges=6)
    assert graph.n_edge.tolist() == [6, 0]


@given(EDGES, st.booleans(), st.integers(0, 60))
def test_every_real_edge_stands_in_one_row_of_each_of_its_genes(rows, symmetric, room):
    edges, _ = split_columns(rows)
    settings = {"symmetric": symmetric, "self_loops": False}
    real = int(build_graph(edges, NODES, **settings).n_edge[0])
    graph = build_graph(edges, NODES, padded_edges=real + room, **settings)
    for groups, ends in zip(graph.globals, (graph.receivers, graph.senders)):
        row, place = np.nonzero(groups.edges < len(graph.edges))
        found = groups.edges[row, place]
        assert sorted(found.tolist()) == list(range(real))
        np.testing.assert_array_equal(groups.nodes[row], ends[found])
        assert (np.diff(groups.nodes) >= 0).all()


@pytest.mark.slow
@given(EDGES, EDGES)
def test_the_shapes_of_the_groups_follow_from_the_sizes(one, other):
    shapes = [
        [array.shape for pair in build(rows).globals for array in pair] for rows in (one, other)
    ]
    assert shapes[0] == shapes[1]


def build(rows):
    edges, _ = split_columns(rows)
    return build_graph(edges, NODES, symmetric=True, self_loops=True, padded_edges=64)


@given(st.integers(1, 3000), st.integers(1, 300))
def test_a_group_holds_about_the_edges_of_a_gene(edges, nodes):
    members = choose_members(edges, nodes)
    assert members in (4, 8, 16)
    assert members == 4 or members <= edges / nodes
    assert members == 16 or edges / nodes < 2 * members


def test_a_graph_may_have_no_edges():
    none = np.zeros((0, 2), int)
    assert build_graph(none, NODES, symmetric=True, self_loops=False).n_edge[0] == 0
    loops = build_graph(none, NODES, symmetric=True, self_loops=True)
    assert list_weights(loops) == {(gene, gene): 1 for gene in range(NODES)}


@given(st.integers(0, 3_000_000))
def test_padded_sizes_are_few_and_little_of_them_is_padding(count):
    size = padded_size(count)
    assert size >= max(count, 8)
    assert size == 8 or size - count < size / 3
    odd = size // (size & -size)
    assert odd in (1, 3), "sizes are powers of two and three times such"


def test_padded_sizes_start_with_the_documented_series():
    sizes = sorted({padded_size(count) for count in range(100)})
    assert sizes == [8, 12, 16, 24, 32, 48, 64, 96, 128]


def test_the_gene_batch_pads_one_gene_that_nothing_is_known_of():
    names = np.array(["A", "B", "C"])
    measured = np.array([True, True, False])
    table = GeneTable(names, measured, np.ones((2, 3), np.float32), measured)
    train = LabelledPairs(np.array([[0, 1], [0, 2], [1, 0]]), np.array([1.0, 0.0, 0.0]))
    graph = build_graph(train.positives, 3, symmetric=True, self_loops=True)
    features = np.arange(6.0).reshape(3, 2) + 1
    batch = build_gene_batch(table, features, None, train, table.tfs, graph)
    assert batch.nodes.tolist() == [*features.tolist(), [0, 0]]
    assert batch.measured.tolist() == [1, 1, 0, 0]
    assert batch.embedding.shape == (4, 0)
    as_tf, as_target = batch.seen.T.tolist()
    assert as_tf == [1, 1, 0, 0], "a TF counts as seen through pairs labelled 0 too"
    assert as_target == [1, 1, 1, 0]
    assert batch.tfs.tolist() == [0, 1]
    with_table = build_gene_batch(table, features, np.full((3, 5), 2.0), train, table.tfs, graph)
    assert with_table.embedding.tolist() == [[2.0] * 5] * 3 + [[0.0] * 5]
