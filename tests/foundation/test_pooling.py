"""Means of genes over the cells that have them: brute force, streamed, and genes never seen."""

import numpy as np
import pytest

from grnjax.foundation.pooling import GeneMeans, average_tokens, sum_genes

CELLS, GENES, DIM = 11, 9, 4


@pytest.fixture(scope="module")
def cells():
    """Vectors of all genes, and where they are present; gene 3 nowhere, gene 5 everywhere."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(CELLS, GENES, DIM)).astype(np.float32)
    is_present = rng.random((CELLS, GENES)) < 0.5
    is_present[:, 3], is_present[:, 5] = False, True
    vectors[~is_present] = np.nan  # what is absent must not be read
    return vectors, is_present


def sum_all(vectors, is_present):
    """Of cells that have all genes in their order."""
    places = np.broadcast_to(np.arange(vectors.shape[1]), is_present.shape)
    return sum_genes(vectors, places, is_present, genes=vectors.shape[1])


def find_means(vectors, is_present):
    """Gene by gene."""
    rows = [vectors[is_present[:, gene], gene].astype(np.float64) for gene in range(GENES)]
    return np.stack([row.mean(axis=0) if len(row) else np.zeros(DIM) for row in rows])


@pytest.mark.parametrize("size", [1, 4, CELLS])
def test_batches_of_any_size_give_the_mean(cells, size):
    vectors, is_present = cells
    means = GeneMeans(GENES, DIM)
    for i in range(0, CELLS, size):
        means.add(*sum_all(vectors[i : i + size], is_present[i : i + size]))
    np.testing.assert_allclose(means.means(), find_means(vectors, is_present), atol=1e-6)
    np.testing.assert_array_equal(means.counts, is_present.sum(axis=0))
    assert means.counts[3] == 0 and not means.means()[3].any()
    assert means.means().dtype == np.float32


def test_cells_with_their_own_tokens_give_the_same(cells):
    """Tokens in any order; what stands in padding is not read."""
    vectors, is_present = cells
    rng = np.random.default_rng(1)
    genes = np.argsort(rng.random((CELLS, GENES)), axis=1)
    turned = np.take_along_axis(vectors, genes[..., None], axis=1)
    is_real = np.take_along_axis(is_present, genes, axis=1)
    genes = np.where(is_real, genes, 2**30)
    total, count = sum_genes(turned, genes, is_real, genes=GENES)
    wanted = np.where(is_present[..., None], vectors, 0).sum(axis=0)
    np.testing.assert_allclose(total, wanted, atol=1e-5)
    np.testing.assert_array_equal(count, is_present.sum(axis=0))


def test_a_cell_is_the_mean_of_its_tokens(cells):
    vectors, is_present = cells
    is_present = is_present.copy()
    is_present[2] = False
    actual = np.asarray(average_tokens(np.nan_to_num(vectors, nan=9.0), is_present))
    for cell in range(CELLS):
        own = vectors[cell][is_present[cell]]
        wanted = own.mean(axis=0) if len(own) else np.zeros(DIM)
        np.testing.assert_allclose(actual[cell], wanted, atol=1e-6)


def test_many_cells_do_not_drift():
    """Cells that float32 sums would lose a part of."""
    vectors = np.full((1, 1, 1), 0.1, np.float32)
    means = GeneMeans(1, 1)
    means.add(np.full((1, 1), 0.1 * 10**9), np.array([10**9]))
    for _ in range(100):
        means.add(*sum_all(vectors, np.ones((1, 1), bool)))
    assert means.counts[0] == 10**9 + 100
    assert abs(means.totals[0, 0] - 0.1 * (10**9 + 100)) < 1e-3
