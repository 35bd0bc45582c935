import numpy as np
import pytest

from grnjax.data import gene_profiles
from grnjax.data.expression_features import standardise
from grnjax.data.gene_profiles import build_profiles, deal_cells
from grnjax.errors import ExpressionFormatError
from grnjax.types import GeneTable

CELLS, GENES = 300, 6
NAMES = np.array([f"G{place}" for place in range(GENES)])


@pytest.fixture
def expression():
    """Gamma values; gene 4 is the same everywhere."""
    values = np.random.default_rng(0).gamma(2.0, size=(CELLS, GENES)).astype(np.float32)
    values[:, 4] = 3
    return values


def make_table(values, measured=None):
    measured = np.ones(len(NAMES), bool) if measured is None else measured
    return GeneTable(NAMES, np.zeros(len(NAMES), bool), values, measured)


def test_with_few_cells_a_profile_is_the_standardised_expression(expression):
    profiles = build_profiles(make_table(expression), seed=0)
    np.testing.assert_allclose(profiles.values, standardise(expression).T, atol=1e-6)
    np.testing.assert_array_equal(profiles.covered, np.arange(GENES) != 4)


def test_a_gene_without_measurement_or_without_variation_is_not_covered(expression):
    measured = np.arange(GENES) != 1
    profiles = build_profiles(make_table(expression, measured), seed=0)
    np.testing.assert_array_equal(np.flatnonzero(~profiles.covered), [1, 4])
    assert not profiles.values[~profiles.covered].any()


def test_a_pool_is_the_sum_of_the_standardised_values_of_its_cells(expression):
    profiles = build_profiles(make_table(expression), most_pools=40, seed=3)
    pools = deal_cells(CELLS, 40, seed=3)
    z = standardise(expression)
    for pool in range(40):
        cells = pools == pool
        expected = z[cells].sum(axis=0) / np.sqrt(cells.sum())
        np.testing.assert_allclose(profiles.values[:, pool], expected, atol=1e-4)


def test_every_cell_is_dealt_into_one_of_pools_of_equal_size():
    pools = deal_cells(CELLS, 40, seed=0)
    sizes = np.bincount(pools)
    assert len(pools) == CELLS and len(sizes) == 40
    assert sizes.max() - sizes.min() <= 1
    assert not np.array_equal(deal_cells(CELLS, 40, seed=1), pools)
    np.testing.assert_array_equal(deal_cells(CELLS, CELLS, seed=1), np.arange(CELLS))


def test_products_of_pooled_profiles_estimate_those_over_cells():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(20_000, 1))
    values = (shared * [1, 1, 1, -1, 0, 0] + rng.normal(size=(20_000, GENES))).astype(np.float32)
    profiles = build_profiles(make_table(values), most_pools=2_000, seed=0).values
    error = profiles @ profiles.T / profiles.shape[1] - np.corrcoef(values.T)
    assert np.abs(error).max() < 4 * np.sqrt(2 / 2_000)


def test_how_cells_are_cut_into_blocks_does_not_matter(expression, monkeypatch):
    whole = build_profiles(make_table(expression), most_pools=40, seed=0)
    monkeypatch.setattr(gene_profiles, "CELLS_A_BLOCK", 130)
    pieces = build_profiles(make_table(expression), most_pools=40, seed=0)
    np.testing.assert_allclose(pieces.values, whole.values, atol=1e-5)
    np.testing.assert_array_equal(pieces.covered, whole.covered)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_are_refused(expression, value, monkeypatch):
    expression[130, 2] = value
    monkeypatch.setattr(gene_profiles, "CELLS_A_BLOCK", 100)
    with pytest.raises(ExpressionFormatError, match="1 values among the cells from 100 on"):
        build_profiles(make_table(expression), most_pools=40, seed=0)
