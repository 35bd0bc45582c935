"""Frequencies of steps against exact probabilities, and what walks may never do."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from grnjax.graphs.walks import (
    ENDED,
    InferredNetwork,
    WalkConfig,
    build_walk_graph,
    draw_walks,
    keep_top_edges,
)

GENES = 9
LONELY = 7
EDGES = np.array([[0, 1], [0, 2], [1, 2], [0, 3], [3, 2], [3, 4], [4, 0], [1, 5], [6, 8]])
WEIGHTS = np.array([0.9, 0.3, 0.5, 0.1, 0.7, 1.0, 0.2, 0.4, 0.8], np.float32)
NETWORK = InferredNetwork(EDGES, WEIGHTS)
ORDERS = [(1.0, 1.0), (0.25, 1.0), (4.0, 0.5), (0.5, 2.0), (3.0, 4.0), (50.0, 0.3)]

draw = jax.jit(draw_walks, static_argnames="config")


def walk(network=NETWORK, *, walkers=4000, seed=0, starts=None, genes=GENES, **settings):
    """Walks from every node in turn, or from the given starts."""
    graph = build_walk_graph([network], genes)
    starts = np.resize(graph.starts, walkers) if starts is None else np.asarray(starts)
    return np.asarray(draw(graph, starts, WalkConfig(**settings), jax.random.key(seed)))


def weigh(network=NETWORK, genes=GENES):
    """The weights as a symmetric matrix."""
    matrix = np.zeros((genes, genes))
    for (tf, target), weight in zip(*network):
        matrix[tf, target] = matrix[target, tf] = max(weight, matrix[tf, target])
    return matrix


def exact_step(matrix, before, node, p, q):
    """Probabilities of the next node, by the definition of node2vec."""
    factor = np.where(matrix[before] > 0, 1, 1 / q)
    factor[before] = 1 / p
    chances = matrix[node] * factor
    return chances / chances.sum()


def deviation(walks, matrix, p, q):
    """The probability of frequencies as far from the exact ones, over all (before, node)."""
    counts = np.zeros((len(matrix),) * 3)
    triples = np.lib.stride_tricks.sliding_window_view(walks, 3, axis=1).reshape(-1, 3)
    np.add.at(counts, tuple(triples.T), 1)
    statistic = freedom = 0
    for before, node in np.argwhere(counts.sum(axis=2)):
        expected = exact_step(matrix, before, node, p, q) * counts[before, node].sum()
        possible = expected > 0
        assert not counts[before, node][~possible].any()
        missed = counts[before, node][possible] - expected[possible]
        statistic += np.sum(missed**2 / expected[possible])
        freedom += possible.sum() - 1
    return chi2.sf(statistic, freedom)


@pytest.mark.slow
@pytest.mark.parametrize("p, q", ORDERS)
def test_steps_come_as_often_as_the_exact_probabilities_say(p, q):
    walks = walk(walkers=16_000, length=20, p=p, q=q)
    assert deviation(walks, weigh(), p, q) > 1e-3
    for other in ((p * 1.3, q), (p, q * 1.3)):  # the test would notice
        assert deviation(walks, weigh(), *other) < 1e-6


@pytest.mark.slow
def test_first_steps_and_plain_walks_follow_the_weights_alone():
    matrix = weigh()
    chances = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
    plain = walk(walkers=16_000, length=20)
    second = walk(walkers=80_000, length=2, p=0.1, q=5.0)
    for walks in (plain, second):
        steps = np.lib.stride_tricks.sliding_window_view(walks, 2, axis=1).reshape(-1, 2)
        counts = np.zeros_like(matrix)
        np.add.at(counts, tuple(steps.T), 1)
        expected = counts.sum(axis=1, keepdims=True) * chances
        real = expected > 0
        statistic = np.sum((counts[real] - expected[real]) ** 2 / expected[real])
        assert chi2.sf(statistic, real.sum() - (matrix.sum(axis=1) > 0).sum()) > 1e-3


@pytest.mark.slow
def test_a_hub_of_thousands_is_walked_by_its_weights():
    genes = 5000
    spokes = np.stack([np.zeros(genes - 1, int), np.arange(1, genes)], axis=1)
    weights = np.where(np.arange(1, genes) <= 100, 1.0, 0.01).astype(np.float32)
    walks = walk(
        InferredNetwork(spokes, weights),
        genes=genes,
        starts=np.zeros(40_000, int),
        length=2,
        p=1.0,
        q=2.0,
    )
    light = (walks[:, 1] > 100).mean()
    assert light == pytest.approx(48.99 / 148.99, abs=0.01)
    assert len(np.unique(walks[:, 1])) > 4000


@pytest.mark.slow
def test_relabelling_genes_relabels_the_steps():
    new = np.random.default_rng(0).permutation(GENES)
    renamed = InferredNetwork(new[EDGES], WEIGHTS)
    walks = walk(renamed, walkers=16_000, length=20, p=0.5, q=2.0)
    old = np.argsort(new)
    assert deviation(old[walks], weigh(), 0.5, 2.0) > 1e-3
    assert deviation(walks, weigh(renamed), 0.5, 2.0) > 1e-3


def test_the_order_and_the_direction_of_edges_do_not_matter():
    order = np.random.default_rng(1).permutation(len(EDGES))
    turned = InferredNetwork(EDGES[order][:, ::-1], WEIGHTS[order])
    loops = InferredNetwork(np.append(EDGES, [[2, 2]], axis=0), np.append(WEIGHTS, 5.0))
    both = InferredNetwork(np.append(EDGES, [[1, 0]], axis=0), np.append(WEIGHTS, 0.3))
    for other in (turned, loops, both):
        for one, same in zip(build_walk_graph([NETWORK], GENES), build_walk_graph([other], GENES)):
            np.testing.assert_array_equal(one, same)


@pytest.mark.slow
@pytest.mark.parametrize("p, q", [(1.0, 1.0), (0.5, 2.0)])
def test_a_walk_follows_edges_and_never_leaves_its_network_or_component(p, q):
    other = InferredNetwork(np.array([[7, 3], [3, 1], [0, 8]]), np.ones(3, np.float32))
    graph = build_walk_graph([NETWORK, other], GENES)
    assert set(graph.starts) == {0, 1, 2, 3, 4, 5, 6, 8, *(GENES + np.array([0, 1, 3, 7, 8]))}
    config = WalkConfig(length=12, p=p, q=q)
    walks = np.asarray(draw(graph, np.resize(graph.starts, 4000), config, jax.random.key(0)))
    assert (walks != ENDED).all()
    known = weigh(), weigh(other)
    for network, matrix in enumerate(known):
        inside = walks[walks[:, 0] // GENES == network]
        assert (inside // GENES == network).all()
        genes = inside % GENES
        assert (matrix[genes[:, :-1], genes[:, 1:]] > 0).all()
    alone = walks[np.isin(walks[:, 0], [6, 8])]
    assert set(np.unique(alone)) == {6, 8}


@pytest.mark.slow
def test_isolated_genes_and_padding_end_at_once_and_disturb_nobody():
    starts = [0, LONELY, 3, ENDED, 6]
    walks = walk(starts=starts, length=5, p=0.5, q=2.0)
    np.testing.assert_array_equal(walks[:, 0], starts)
    assert (walks[[1, 3], 1:] == ENDED).all() and (walks[[0, 2, 4]] != ENDED).all()
    np.testing.assert_array_equal(walks[4], [6, 8, 6, 8, 6])
    assert (walk(starts=[LONELY, ENDED], length=5)[:, 1:] == ENDED).all()


@pytest.mark.slow
def test_walks_are_a_function_of_the_key():
    run = functools.partial(walk, length=15, p=0.5, q=2.0)
    np.testing.assert_array_equal(run(), run())
    assert (run() != run(seed=1)).mean() > 0.3


def test_the_best_pairs_are_kept_with_their_ranks_as_weights():
    scores = np.array([[0, 0.2, 0.9, 0.0], [0.5, 0, 0.1, 0.2]])
    tfs = np.array([0, 3])
    network = keep_top_edges(scores, tfs, 4)
    assert network.edges.tolist() == [[0, 2], [3, 0], [0, 1], [3, 3]]
    np.testing.assert_allclose(network.weights, [1, 0.75, 0.375, 0.375])
    steep = keep_top_edges(np.exp(9 * scores) * (scores > 0), tfs, 4)
    np.testing.assert_array_equal(steep.weights, network.weights)
    assert len(keep_top_edges(scores, tfs).edges) == 5  # none of score 0
    many = np.random.default_rng(0).random((30, 50))
    kept = keep_top_edges(many, np.arange(30))
    assert len(kept.edges) == 500
    lowest = many[tuple(kept.edges.T)].min()
    assert (many > lowest).sum() == 499


def test_what_cannot_be_walked_is_refused():
    with pytest.raises(ValueError, match="no edge"):
        build_walk_graph([InferredNetwork(np.array([[1, 1]]), np.ones(1, np.float32))], GENES)
    with pytest.raises(ValueError, match="0..8, found 0..9"):
        build_walk_graph([InferredNetwork(np.array([[0, 9]]), np.ones(1, np.float32))], GENES)
    with pytest.raises(ValueError, match="above 0"):
        build_walk_graph([NETWORK._replace(weights=WEIGHTS - 0.1)], GENES)
    with pytest.raises(ValueError, match="not finite"):
        keep_top_edges(np.array([[np.nan, 1.0]]), np.array([0]))
    for wrong in ({"length": 1}, {"p": 0.0}, {"q": np.inf}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            dataclasses.replace(WalkConfig(), **wrong)
