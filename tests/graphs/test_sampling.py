"""Neighbours come from the edges that a cell has, all of them or an even draw of many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.sampling import (
    AddedEdges,
    build_regulon_graph,
    draw_neighbours,
    sum_neighbours,
)

GENES, REGULONS, CELLS = 30, 6, 4


@pytest.fixture(scope="module")
def edges():
    """Regulons of a TF each, and which regulon each edge is of."""
    rng = np.random.default_rng(0)
    regulon = np.repeat(np.arange(REGULONS), 12)
    target = np.concatenate([rng.permutation(GENES)[:12] for _ in range(REGULONS)])
    return np.stack([regulon, target], axis=1), regulon


@pytest.fixture(scope="module")
def graph(edges):
    return build_regulon_graph(*edges, GENES)


@pytest.fixture(scope="module")
def is_kept(graph):
    active = np.random.default_rng(1).random((CELLS, REGULONS)) < 0.6
    return jnp.asarray(active)[:, graph.regulon]


def list_neighbours(graph, is_kept, gene, added=()):
    """By going through all edges of one cell."""
    kept = np.asarray(is_kept)
    pairs = [*zip(graph.tf[kept].tolist(), graph.target[kept].tolist(), strict=True), *added]
    return sorted([b for a, b in pairs if a == gene] + [a for a, b in pairs if b == gene])


def drawn(neighbours, cell, gene):
    is_drawn = np.asarray(neighbours.is_drawn[cell, gene])
    return sorted(np.asarray(neighbours.genes[cell, gene])[is_drawn].tolist())


@pytest.mark.slow
def test_a_gene_with_few_neighbours_has_all_of_them(graph, is_kept):
    found = draw_neighbours(graph, is_kept, None, 2 * GENES, jax.random.key(0))
    for cell in range(CELLS):
        for gene in range(GENES):
            expected = list_neighbours(graph, is_kept[cell], gene)
            assert drawn(found, cell, gene) == expected
            assert found.degree[cell, gene] == len(expected)


@pytest.mark.slow
def test_of_many_neighbours_each_is_drawn_once_and_equally_often(graph, is_kept):
    tf, draws = 0, 400
    cell = next(c for c in range(CELLS) if len(list_neighbours(graph, is_kept[c], tf)) > 4)
    expected = list_neighbours(graph, is_kept[cell], tf)
    counts = dict.fromkeys(expected, 0)
    draw = jax.jit(lambda key: draw_neighbours(graph, is_kept, None, 4, key))
    for seed in range(draws):
        genes = drawn(draw(jax.random.key(seed)), cell, tf)
        assert len(genes) == 4
        for gene in genes:
            counts[gene] += 1
    share = np.array(list(counts.values())) / draws * len(expected) / 4
    multiple = np.array([expected.count(gene) for gene in counts])
    np.testing.assert_allclose(share, multiple, atol=0.35)


@pytest.mark.slow
def test_added_edges_are_neighbours_of_both_ends(graph, is_kept):
    rng = np.random.default_rng(2)
    pairs = rng.integers(GENES, size=(CELLS, 9, 2))
    is_there = np.arange(9) < np.array([0, 3, 9, 5])[:, None]
    added = AddedEdges(*map(jnp.asarray, (pairs[..., 0], pairs[..., 1], is_there)))
    found = draw_neighbours(graph, is_kept, added, 3 * GENES, jax.random.key(0))
    for cell in range(CELLS):
        extra = [tuple(pair) for pair in pairs[cell][is_there[cell]].tolist()]
        for gene in range(GENES):
            expected = list_neighbours(graph, is_kept[cell], gene, extra)
            assert drawn(found, cell, gene) == expected


@pytest.mark.slow
def test_sums_are_over_drawn_neighbours(graph, is_kept):
    found = draw_neighbours(graph, is_kept, None, 3, jax.random.key(0))
    values = np.random.default_rng(3).normal(size=(CELLS, GENES, 2)).astype(np.float32)
    total = sum_neighbours(jnp.asarray(values), found)
    for cell in range(CELLS):
        for gene in range(GENES):
            expected = values[cell, drawn(found, cell, gene)].sum(axis=0)
            np.testing.assert_allclose(total[cell, gene], expected, atol=1e-6)


def test_the_order_of_edges_changes_nothing(edges, graph):
    order = np.random.default_rng(4).permutation(len(edges[0]))
    shuffled = build_regulon_graph(edges[0][order], edges[1][order], GENES)
    assert all(np.array_equal(a, b) for a, b in zip(graph, shuffled, strict=True))


def test_self_edges_are_left_out():
    graph = build_regulon_graph(np.array([[0, 0], [0, 1]]), np.array([0, 0]), 2)
    assert graph.tf.tolist() == [0] and graph.target.tolist() == [1]


@pytest.mark.slow
def test_a_graph_without_edges_has_no_neighbours():
    graph = build_regulon_graph(np.empty((0, 2), int), np.empty(0, int), 5)
    found = draw_neighbours(graph, jnp.ones((2, 0), bool), None, 3, jax.random.key(0))
    assert not found.is_drawn.any() and not found.degree.any()


def test_genes_outside_are_refused():
    with pytest.raises(ValueError, match="0 to 7 of 5"):
        build_regulon_graph(np.array([[0, 7]]), np.array([0]), 5)
