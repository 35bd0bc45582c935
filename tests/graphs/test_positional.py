import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs import positional
from grnjax.graphs.positional import (
    PositionConfig,
    degree_encoding,
    encode_positions,
    flip_signs,
    laplacian_eigenvectors,
    return_probabilities,
    settle_signs,
)

GENES, COUNT = 40, 6
ALONE = np.arange(35, GENES)  # genes without an edge


@pytest.fixture(scope="module")
def network():
    """Two unlike parts of 25 and 10 genes, edges that go both ways, and a self loop."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 25, (60, 2))
    second = 25 + rng.integers(0, 10, (20, 2))
    ring = [[i, (i + 1) % 25] for i in range(25)] + [[25 + i, 25 + (i + 1) % 10] for i in range(10)]
    return np.concatenate([first, second, ring, [[0, 1], [1, 0], [3, 3]]])


def dense_laplacian(edges, genes=GENES):
    """I - D^-1/2 A D^-1/2, written out."""
    matrix = np.zeros((genes, genes))
    for i, j in edges:
        if i != j:
            matrix[i, j] = matrix[j, i] = 1
    degree = matrix.sum(axis=0)
    scale = np.divide(1, np.sqrt(degree), where=degree > 0, out=np.zeros(genes))
    return np.eye(genes) - scale[:, None] * matrix * scale


def star(leaves, first=0):
    return np.array([[first, first + leaf] for leaf in range(1, leaves + 1)])


def assert_same_up_to_sign(one, other, atol=1e-6):
    signs = np.sign(np.sum(one * other, axis=0))
    np.testing.assert_allclose(one, other * signs, atol=atol)


def test_vectors_satisfy_the_equation_of_the_laplacian_and_come_in_order(network):
    values, vectors = laplacian_eigenvectors(network, GENES, COUNT)
    laplacian = dense_laplacian(network)
    np.testing.assert_allclose(laplacian @ vectors, vectors * values, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(COUNT), atol=1e-12)
    assert (np.diff(values) > 0).all() and values[0] > 1e-3
    assert not vectors[ALONE].any()
    everything = np.linalg.eigvalsh(laplacian)
    np.testing.assert_allclose(values, everything[2 : 2 + COUNT], atol=1e-12)  # two parts


def test_the_sparse_solver_finds_what_the_dense_one_finds(network, monkeypatch):
    rng = np.random.default_rng(1)
    large = np.concatenate([network, rng.integers(0, 300, (900, 2))])
    values, vectors = laplacian_eigenvectors(large, 300, COUNT)
    monkeypatch.setattr(positional, "DENSE", 0)
    sparse_values, sparse_vectors = laplacian_eigenvectors(large, 300, COUNT)
    np.testing.assert_allclose(sparse_values, values, atol=1e-10)
    assert_same_up_to_sign(sparse_vectors, vectors)
    again = laplacian_eigenvectors(large, 300, COUNT)[1]
    np.testing.assert_array_equal(again, sparse_vectors)


@pytest.mark.slow
def test_relabelling_genes_permutes_rows_and_leaves_columns(network):
    new = np.random.default_rng(2).permutation(GENES)
    for place, width in ((0, 4), (1, 5)):
        config = PositionConfig(eigenvectors=4, walks=3)
        one = encode_positions(network, GENES, config)[place]
        other = encode_positions(new[network], GENES, config)[place][new]
        assert one.shape == (GENES, width)
        if place == 0:
            one, other = (np.asarray(settle_signs(jnp.asarray(x))) for x in (one, other))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_order_repetition_and_direction_of_edges_do_not_matter_to_eigenvectors(network):
    _, one = laplacian_eigenvectors(network, GENES, COUNT)
    shuffled = np.random.default_rng(3).permutation(np.concatenate([network, network[:9, ::-1]]))
    _, other = laplacian_eigenvectors(shuffled, GENES, COUNT)
    assert_same_up_to_sign(one, other)
    without = network[network[:, 0] != network[:, 1]]
    np.testing.assert_array_equal(laplacian_eigenvectors(without, GENES, COUNT)[1], one)


def test_an_eigenvalue_with_several_eigenvectors_is_left_out():
    """A TF with many leaves has eigenvalues 0, 1, ..., 1, 2; any rotation of the middle will do."""
    values, vectors = laplacian_eigenvectors(star(30), 31, 4)
    assert values[0] == pytest.approx(2) and np.isnan(values[1:]).all()
    assert np.abs(vectors[0, 0]) == pytest.approx(np.sqrt(0.5)) and not vectors[:, 1:].any()


def test_so_does_the_sparse_solver_which_sees_but_one_of_them(monkeypatch):
    """Four TFs with many targets have three eigenvalues between 0 and the many ones of 1."""
    monkeypatch.setattr(positional, "DENSE", 0)
    rng = np.random.default_rng(5)
    edges = np.stack([rng.integers(0, 4, 300), rng.integers(4, 150, 300)], axis=1)
    values, vectors = laplacian_eigenvectors(edges, 150, 8)
    assert np.isfinite(values).tolist() == [True] * 3 + [False] * 5
    assert values[2] < 0.999 and not vectors[:, 3:].any()


def test_two_parts_that_are_alike_have_no_eigenvector_of_their_own(network):
    twins = np.concatenate([star(3), star(3, first=4), star(5, first=8)])
    values, vectors = laplacian_eigenvectors(twins, 14, 3)
    assert np.isnan(values).all() and not vectors.any()
    lopsided = np.concatenate([network[network.max(axis=1) < 25], star(3, first=25)])
    _, vectors = laplacian_eigenvectors(lopsided, GENES, COUNT)
    assert vectors[:25].any(axis=0).all() and not vectors[25:].any()


def test_few_genes_and_no_edges_give_columns_of_zeros():
    values, vectors = laplacian_eigenvectors(np.zeros((0, 2), int), 5, 3)
    assert np.isnan(values).all() and vectors.shape == (5, 3) and not vectors.any()
    found = encode_positions(np.zeros((0, 2), int), 5, PositionConfig(eigenvectors=3))
    assert not found.eigenvectors.any() and not found.structure.any()
    values, _ = laplacian_eigenvectors(np.array([[0, 1]]), 2, 5)
    assert values[0] == pytest.approx(2) and np.isnan(values[1:]).all()


@pytest.mark.slow
def test_settled_signs_do_not_depend_on_those_that_came_in(network):
    vectors = jnp.asarray(encode_positions(network, GENES, PositionConfig()).eigenvectors)
    settled = settle_signs(vectors)
    for seed in range(5):
        flipped = flip_signs(vectors, jax.random.key(seed))
        np.testing.assert_array_equal(settle_signs(flipped), settled)
    np.testing.assert_array_equal(np.abs(settled), np.abs(vectors))


@pytest.mark.slow
def test_a_vector_whose_sides_are_alike_is_settled_by_the_first_of_its_farthest_genes():
    vector = jnp.array([[0.1], [-0.7], [0.7], [-0.1]])
    for sign in (1, -1):
        np.testing.assert_array_equal(settle_signs(sign * vector), -vector)


def test_signs_are_drawn_for_whole_columns_by_the_key(network):
    vectors = jnp.asarray(encode_positions(network, GENES, PositionConfig()).eigenvectors)
    draws = [flip_signs(vectors, jax.random.key(seed)) for seed in range(40)]
    np.testing.assert_array_equal(draws[0], flip_signs(vectors, jax.random.key(0)))
    signs = np.stack([np.sign(np.sum(draw * vectors, axis=0)) for draw in draws])
    for draw, sign in zip(draws, signs):
        np.testing.assert_array_equal(draw, vectors * sign)
    assert np.abs(signs.mean(axis=0)).max() < 0.6, "each column is turned about half the time"
    assert len(np.unique(signs, axis=0)) > 30


def test_returns_are_those_of_powers_of_the_walk_matrix(network, monkeypatch):
    adjacency = (dense_laplacian(network) - np.eye(GENES)) != 0
    np.fill_diagonal(adjacency, False)
    walk = adjacency / np.maximum(adjacency.sum(axis=1, keepdims=True), 1)
    wanted = np.stack([np.diag(np.linalg.matrix_power(walk, k)) for k in range(2, 9)], axis=1)
    found = return_probabilities(network, GENES, 7)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    monkeypatch.setattr(positional, "BLOCK", 3)
    np.testing.assert_allclose(return_probabilities(network, GENES, 7), found, atol=1e-6)
    assert return_probabilities(network, GENES, 0).shape == (GENES, 0)


def test_degrees_have_a_direction_and_count_no_edge_twice():
    edges = np.array([[0, 1], [0, 2], [0, 2], [3, 2], [4, 4]])
    out, into = np.expm1(degree_encoding(edges, 6)).T
    np.testing.assert_allclose(out, [2, 0, 0, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(into, [0, 1, 2, 0, 0, 0], atol=1e-6)


def test_positions_have_one_scale_in_networks_of_any_size(network):
    large = np.random.default_rng(4).integers(0, 800, (4000, 2))
    for edges, genes in ((network, GENES), (large, 800)):
        found = encode_positions(edges, genes, PositionConfig(eigenvectors=4, walks=2))
        placed = found.structure.any(axis=1)
        assert found.eigenvectors.dtype == found.structure.dtype == np.float32
        np.testing.assert_allclose((found.eigenvectors[placed] ** 2).mean(axis=0), 1, rtol=1e-4)
        np.testing.assert_allclose(found.structure[placed].std(axis=0), 1, rtol=1e-4)
        np.testing.assert_allclose(found.structure[placed].mean(axis=0), 0, atol=1e-4)


def test_settings_without_meaning_are_refused():
    with pytest.raises(ValueError, match="eigenvectors must be at least 0, got -1"):
        PositionConfig(eigenvectors=-1)
