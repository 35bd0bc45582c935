import anndata
import numpy as np
import pytest
from scipy import sparse

from grnjax.data.canonical import normalise_counts
from grnjax.data.expression_features import standardise
from grnjax.data.gene_profiles import (
    CellStream,
    build_profiles,
    deal_cells,
    pool_stream,
    stream_cells,
)
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


def cut(values, *ends):
    return CellStream(NAMES, len(values), np.split(values, ends))


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


def test_how_cells_are_cut_into_blocks_does_not_matter_nor_whether_they_are_sparse(expression):
    whole = pool_stream(cut(expression), most_pools=40, seed=0)
    parts = np.split(expression, [1, 120])
    stream = CellStream(NAMES, CELLS, [sparse.csr_array(part) for part in parts])
    pieces = pool_stream(stream, most_pools=40, seed=0)
    np.testing.assert_allclose(pieces.values, whole.values, atol=1e-5)
    np.testing.assert_array_equal(pieces.covered, whole.covered)


@pytest.mark.parametrize("cells", [CELLS - 1, CELLS + 1])
def test_another_number_of_cells_than_announced_is_refused(expression, cells):
    stream = CellStream(NAMES, cells, [expression])
    with pytest.raises(ExpressionFormatError, match=f"300 cells came where {cells} were"):
        pool_stream(stream, most_pools=40, seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values_are_refused(expression, value):
    expression[130, 2] = value
    with pytest.raises(ExpressionFormatError, match="1 values among the cells from 100 on"):
        pool_stream(cut(expression, 100, 200), most_pools=40, seed=0)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_matrix])
def test_a_file_is_streamed_as_the_matrix_it_holds(tmp_path, layout):
    counts = np.random.default_rng(0).poisson(1.0, size=(2_500, GENES)).astype(np.float32)
    data = anndata.AnnData(layout(counts))
    data.var_names = NAMES
    data.write_h5ad(tmp_path / "cells.h5ad")

    stream = stream_cells(tmp_path / "cells.h5ad", counts=False)
    assert (stream.cells, stream.genes.tolist()) == (2_500, NAMES.tolist())
    np.testing.assert_array_equal(np.concatenate(list(stream.blocks)), counts)
    logged = np.concatenate(list(stream_cells(tmp_path / "cells.h5ad", counts=True).blocks))
    normalise_counts(counts)
    np.testing.assert_array_equal(logged, counts)


def test_files_that_cannot_be_streamed_are_refused(tmp_path):
    path = tmp_path / "cells.h5ad"
    with pytest.raises(ExpressionFormatError, match="not a readable .h5ad"):
        stream_cells(path, counts=False)
    data = anndata.AnnData(sparse.csc_matrix(np.eye(GENES, dtype=np.float32)))
    data.write_h5ad(path)
    with pytest.raises(ExpressionFormatError, match="tocsr"):
        stream_cells(path, counts=False)
    data.X = np.eye(GENES, dtype=np.float32)
    data.var_names = ["A", "A", *NAMES[2:]]
    data.write_h5ad(path)
    with pytest.raises(ExpressionFormatError, match="1 gene names stand repeatedly"):
        stream_cells(path, counts=False)
