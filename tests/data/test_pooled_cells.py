"""Meta-cells are means of like cells, and say of how many."""

import dataclasses

import numpy as np
import pytest

from grnjax.data.pooled_cells import pool_cells
from grnjax.errors import ConfigError
from grnjax.types import CellBatches, GeneTable

TYPES, CELLS, GENES = 3, 60, 40


@pytest.fixture
def genes():
    """Types far apart; the type of a cell stands in its last gene."""
    rng = np.random.default_rng(0)
    of_cell = np.repeat(np.arange(TYPES), CELLS)
    level = rng.normal(size=(TYPES, GENES)) * 5
    expression = level[of_cell] + rng.normal(size=(TYPES * CELLS, GENES))
    expression[:, -1] = of_cell
    names = np.array([f"G{i:02d}" for i in range(GENES)])
    everywhere = np.ones(GENES, bool)
    return GeneTable(names, everywhere, expression.astype(np.float32), everywhere)


def test_a_meta_cell_is_of_one_type_and_all_are_means(genes):
    pooled = pool_cells(genes, 18, seed=0)
    sizes = pooled.cells["cells"].to_numpy()
    assert pooled.expression.shape == (18, GENES) and sizes.sum() == TYPES * CELLS
    assert set(pooled.expression[:, -1]) == {0, 1, 2}
    whole = sizes @ pooled.expression / sizes.sum()
    np.testing.assert_allclose(whole, genes.expression.mean(axis=0), atol=1e-5)
    spread = [x.expression[:, 0].std() for x in (pooled, genes)]
    assert spread[0] == pytest.approx(spread[1], rel=0.3)  # between types, which stays


def test_the_seed_alone_decides(genes):
    one, same, other = (pool_cells(genes, 30, seed=seed).expression for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("count", [9, TYPES * CELLS, 10**6])
def test_too_few_or_as_many_as_cells_are_refused(genes, count):
    with pytest.raises(ConfigError, match="180 cells make 10 to 179 meta-cells"):
        pool_cells(genes, count, seed=0)


def test_batches_are_not_joined(genes):
    of_cell = np.arange(TYPES * CELLS) % 2
    told = dataclasses.replace(genes, batches=CellBatches(of_cell, genes.expression))
    with pytest.raises(ConfigError, match="leave out one of it and --batch"):
        pool_cells(told, 18, seed=0)
