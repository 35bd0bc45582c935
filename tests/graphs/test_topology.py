"""Counts on a small network against counting by hand, and what renaming and direction do."""

import itertools

import numpy as np
import pytest

from grnjax.graphs.topology import FEATURES, adamic_adar, topology_block

GENES = 9
TFS = np.array([0, 1, 2, 3])
EDGES = np.array([[0, 1], [0, 4], [0, 5], [1, 4], [1, 6], [2, 5], [2, 0], [3, 7], [2, 6]])


def neighbours(edges):
    near = {gene: set() for gene in range(GENES)}
    for tf, target in edges:
        near[tf].add(target)
        near[target].add(tf)
    return near


def feature(block, name):
    return block[..., FEATURES.index(name)]


@pytest.fixture(scope="module")
def block():
    return topology_block(EDGES, TFS, GENES)


def test_degrees_and_reverse_edges_are_those_of_the_network(block):
    assert block.shape == (len(TFS), GENES, len(FEATURES)) and block.dtype == np.float32
    out, into = np.bincount(EDGES[:, 0], minlength=GENES), np.bincount(EDGES[:, 1], minlength=GENES)
    np.testing.assert_allclose(np.expm1(feature(block, "TF's targets"))[:, 4], out[TFS], rtol=1e-6)
    np.testing.assert_allclose(
        np.expm1(feature(block, "TF's regulators"))[:, 5], into[TFS], rtol=1e-6
    )
    np.testing.assert_allclose(np.expm1(feature(block, "target's targets"))[1], out, rtol=1e-6)
    np.testing.assert_allclose(np.expm1(feature(block, "target's regulators"))[1], into, rtol=1e-6)
    known = set(map(tuple, EDGES.tolist()))
    reverse = feature(block, "reverse edge")
    for row, gene in itertools.product(range(len(TFS)), range(GENES)):
        assert reverse[row, gene] == ((gene, TFS[row]) in known)


def test_common_neighbours_and_adamic_adar_are_counted_once_each(block):
    near = neighbours(EDGES.tolist())
    scores = adamic_adar(EDGES, TFS, GENES)
    for row, gene in itertools.product(range(len(TFS)), range(GENES)):
        tf = int(TFS[row])
        if tf == gene:
            continue
        shared = near[tf] & near[gene]
        count = np.expm1(feature(block, "common neighbours")[row, gene])
        assert count == pytest.approx(len(shared), abs=1e-5)
        expected = sum(1 / np.log(len(near[k])) for k in shared)
        assert scores[row, gene] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(feature(block, "Adamic-Adar index"), scores)


def test_walks_of_three_edges_are_those_on_the_undirected_network(block):
    matrix = np.zeros((GENES, GENES))
    for tf, target in EDGES:
        matrix[tf, target] = matrix[target, tf] = 1
    walks = np.linalg.matrix_power(matrix, 3)[TFS]
    np.testing.assert_allclose(
        np.expm1(feature(block, "walks of three edges")), walks, rtol=1e-5, atol=1e-5
    )


def test_a_tf_hears_from_the_tfs_that_share_its_targets_and_not_from_itself(block):
    share = feature(block, "share of similar TFs that have the target")
    assert share[3].max() == 0  # its only target is no other TF's
    assert share[1, 5] > 0 and share[1, 7] == 0
    alone = topology_block(EDGES[:3], TFS, GENES)
    assert not feature(alone, "share of similar TFs that have the target").any()


def test_relabelling_genes_permutes_the_features(block):
    order = np.random.default_rng(0).permutation(GENES)
    renamed = topology_block(order[EDGES], order[TFS], GENES)
    np.testing.assert_allclose(renamed[:, order], block, rtol=1e-6)


def test_reversing_the_network_changes_degrees_and_reverse_edges_only(block):
    turned = topology_block(EDGES[:, ::-1], TFS, GENES)
    same = [np.allclose(turned[..., k], block[..., k]) for k in range(len(FEATURES))]
    undirected = ("common neighbours", "Adamic-Adar index", "walks of three edges")
    assert {FEATURES[k] for k in np.flatnonzero(same)} == set(undirected)


def test_a_pair_with_a_gene_without_edges_has_zeros(block):
    assert not block[:, 8].any() and block[:, :8].any(axis=-1).all()
    assert not topology_block(EDGES[EDGES[:, 0] != 3], TFS, GENES)[3].any()
