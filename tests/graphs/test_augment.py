"""As many links are added as edges were dropped, and they join genes detected in the cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.augment import most_added, perturb_edges

GENES, EDGES, CELLS, SHARE = 40, 300, 8, 0.2


@pytest.fixture(scope="module")
def cells():
    """Which edges and genes each cell has; the last has one gene."""
    rng = np.random.default_rng(0)
    is_active = rng.random((CELLS, EDGES)) < rng.random((CELLS, 1))
    is_detected = rng.random((CELLS, GENES)) < 0.3
    is_detected[-1] = np.arange(GENES) == 3
    return jnp.asarray(is_active), jnp.asarray(is_detected), jnp.arange(GENES) < 6


@pytest.fixture(scope="module")
def perturb():
    return jax.jit(perturb_edges, static_argnums=(3, 4))


def draw(perturb, cells, seed, room=None):
    room = most_added(EDGES, SHARE) if room is None else room
    return perturb(*cells, SHARE, room, jax.random.key(seed))


@pytest.mark.slow
def test_the_number_of_edges_is_conserved_exactly(cells, perturb):
    for seed in range(20):
        is_kept, added = draw(perturb, cells, seed)
        assert not (is_kept & ~cells[0]).any()
        total = is_kept.sum(axis=1) + added.is_there.sum(axis=1)
        np.testing.assert_array_equal(total, cells[0].sum(axis=1))


@pytest.mark.slow
def test_it_is_conserved_where_there_is_no_room(cells, perturb):
    is_kept, added = draw(perturb, cells, 0, room=5)
    total = is_kept.sum(axis=1) + added.is_there.sum(axis=1)
    np.testing.assert_array_equal(total, cells[0].sum(axis=1))
    assert added.is_there.sum(axis=1).max() == 5


@pytest.mark.slow
def test_links_join_two_genes_that_are_detected_in_the_cell(cells, perturb):
    for seed in range(20):
        _, added = draw(perturb, cells, seed)
        for cell in range(CELLS):
            is_there = np.asarray(added.is_there[cell])
            tf, target = (np.asarray(x[cell])[is_there] for x in added[:2])
            assert np.asarray(cells[1][cell])[tf].all()
            assert np.asarray(cells[1][cell])[target].all()
            assert (tf != target).all()


@pytest.mark.slow
def test_links_start_at_tfs_in_half_of_the_draws_and_spread_evenly(cells, perturb):
    is_detected = np.asarray(cells[1][0])
    tfs, targets = [], []
    for seed in range(300):
        _, added = draw(perturb, cells, seed)
        is_there = np.asarray(added.is_there[0])
        tfs += np.asarray(added.tf[0])[is_there].tolist()
        targets += np.asarray(added.target[0])[is_there].tolist()
    among = np.asarray(cells[2]) & is_detected
    of_tfs = among.sum() / is_detected.sum()
    assert abs(among[tfs].mean() - (0.5 + 0.5 * of_tfs)) < 0.03
    counts = np.bincount(targets, minlength=GENES)[is_detected & ~np.asarray(cells[2])]
    assert counts.min() > 0.75 * counts.mean() and counts.max() < 1.25 * counts.mean()


@pytest.mark.slow
def test_a_fifth_of_the_edges_is_dropped(cells, perturb):
    dropped = []
    for seed in range(300):
        is_kept, _ = draw(perturb, cells, seed)
        dropped.append(np.asarray((cells[0] & ~is_kept)[:-1].sum(axis=1)))
    edges = np.asarray(cells[0][:-1].sum(axis=1))
    dropped = np.array(dropped)
    np.testing.assert_allclose(dropped.mean(axis=0) / edges, SHARE, atol=0.015)
    np.testing.assert_allclose(dropped.var(axis=0), edges * SHARE * (1 - SHARE), rtol=0.4)


@pytest.mark.slow
def test_a_cell_with_one_gene_keeps_its_edges(cells, perturb):
    is_kept, added = draw(perturb, cells, 0)
    assert is_kept[-1].sum() == cells[0][-1].sum() > 0
    assert not added.is_there[-1].any()
