import dataclasses
import warnings

import numpy as np
import pytest

from grnjax.data import expression_features as module
from grnjax.data.expression_features import (
    RIDGE,
    coexpression_block,
    correlation,
    expression_statistics,
    joint_regression,
    principal_components,
    standardise,
)
from grnjax.types import GeneTable

CELLS, GENES = 300, 12
TFS = np.array([0, 3, 4, 7])
CONSTANT, UNMEASURED = 9, 10


@pytest.fixture(scope="module")
def table():
    """Correlated genes, one constant and one not measured; gene 5 follows TF 0, TF 3 does too."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(CELLS, GENES)) + 0.5 * rng.normal(size=(CELLS, 1))
    values[:, 3] = values[:, 0] + 0.6 * rng.normal(size=CELLS)
    values[:, 5] = values[:, 0] + 0.3 * rng.normal(size=CELLS)
    values[:, 6] -= values[:, 7]
    values += 4
    values[:, CONSTANT] = 0.1
    values[:, UNMEASURED] = 0
    return make_table(values)


def make_table(values):
    count = values.shape[1]
    names = np.array([f"G{i:02d}" for i in range(count)])
    measured = values.any(axis=0)
    return GeneTable(names, np.isin(np.arange(count), TFS), values.astype(np.float32), measured)


def permute_cells(table, seed=1):
    order = np.random.default_rng(seed).permutation(len(table.expression))
    return dataclasses.replace(table, expression=table.expression[order])


def test_standardised_genes_have_mean_zero_and_deviation_one_unless_they_are_constant(table):
    z = standardise(table.expression)
    alive = np.setdiff1d(np.arange(GENES), [CONSTANT, UNMEASURED])
    np.testing.assert_allclose(z[:, alive].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z[:, alive].std(axis=0), 1, atol=1e-5)
    assert not z[:, [CONSTANT, UNMEASURED]].any()
    far = np.full((7, 1), 123456.789, np.float32)
    assert not standardise(far).any(), "rounding makes no profile of a constant"


def test_correlation_equals_numpy_s(table):
    r = correlation(table, TFS)
    alive = np.setdiff1d(np.arange(GENES), [CONSTANT, UNMEASURED])
    expected = np.corrcoef(table.expression.astype(np.float64).T[alive])
    rows = np.searchsorted(alive, TFS)
    np.testing.assert_allclose(r[:, alive], expected[rows], atol=1e-5)
    assert not r[:, [CONSTANT, UNMEASURED]].any()


def test_joint_regression_equals_ridge_on_all_other_tfs(table):
    coefficients = joint_regression(table, TFS)
    z = standardise(table.expression).astype(np.float64)
    for gene in range(GENES):
        others = TFS != gene
        x = z[:, TFS[others]]
        gram = x.T @ x / CELLS + RIDGE * np.eye(others.sum())
        expected = np.linalg.solve(gram, x.T @ z[:, gene] / CELLS)
        np.testing.assert_allclose(coefficients[others, gene], expected, atol=1e-5)
    assert not coefficients[np.arange(len(TFS)), TFS].any(), "no TF predicts itself"
    assert not coefficients[:, [CONSTANT, UNMEASURED]].any()


def test_joint_regression_tells_the_tf_that_acts_from_one_that_goes_along(table):
    actor, companion, target = 0, 1, 5  # rows of TFs 0 and 3
    r, direct = correlation(table, TFS), joint_regression(table, TFS)
    assert r[companion, target] > 0.7
    assert direct[actor, target] > 3 * abs(direct[companion, target])
    repressor, repressed = 3, 6
    assert direct[repressor, repressed] < -0.3


def test_pair_features_are_standardised_and_zero_where_a_gene_is_not_measured(table):
    block = coexpression_block(table, TFS)
    assert block.shape == (len(TFS), GENES, 4) and block.dtype == np.float32
    assert not block[:, UNMEASURED].any()
    measured = block[:, table.measured]
    np.testing.assert_allclose(measured.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(measured.std(axis=(0, 1)), 1, atol=1e-5)
    r, direct = (f(table, TFS)[:, table.measured] for f in (correlation, joint_regression))
    for column, feature in zip(measured.T, (r, np.abs(r), direct, np.abs(direct))):
        assert np.corrcoef(column.T.ravel(), feature.ravel())[0, 1] == pytest.approx(1, abs=1e-5)
    deaf = dataclasses.replace(table, measured=table.measured & (np.arange(GENES) != TFS[1]))
    block = coexpression_block(deaf, TFS)
    assert not block[1].any() and not block[:, TFS[1]].any() and block[0].any()


def test_one_outlying_pair_cannot_swamp_a_feature():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 400)) + 5
    values[:, 1] = values[:, 0]
    block = coexpression_block(make_table(values), np.array([0, 2]))
    assert np.abs(block).max() == 8


def test_components_keep_the_similarity_of_profiles_by_falling_weight(table):
    full = principal_components(table, GENES)
    z = standardise(table.expression).astype(np.float64)
    gram = z.T @ z
    scale = np.trace(gram) / np.sum(full.astype(np.float64) ** 2)
    np.testing.assert_allclose(scale * full @ full.T, gram, atol=1e-3 * np.abs(gram).max())
    np.testing.assert_allclose(full.T @ full, np.diag(np.sum(full**2, axis=0)), atol=1e-4)
    assert (np.diff(np.sum(full**2, axis=0)) <= 1e-6).all()
    leading = principal_components(table, 3)
    assert leading.shape == (GENES, 3)
    assert np.mean(leading[table.measured] ** 2) == pytest.approx(1, abs=1e-5)
    assert np.linalg.matrix_rank(np.concatenate([leading, full[:, :3]], axis=1), tol=1e-3) == 3
    assert not leading[~table.measured].any()


def test_of_a_large_table_the_leading_components_are_the_same(monkeypatch):
    """Ten planted ones above noise, by a decomposition that never makes the others."""
    rng = np.random.default_rng(0)
    planted = rng.normal(size=(400, 10)) * np.linspace(3, 1, 10) @ rng.normal(size=(10, 150))
    values = planted + rng.normal(size=(400, 150))
    values[:, 20] = 0
    table = make_table(values)
    exact = principal_components(table, 10)
    monkeypatch.setattr(module, "MOST_EXACT", 1_000)
    monkeypatch.setattr(module, "AT_ONCE", 5_000)  # some genes at a time
    found = principal_components(table, 10)
    np.testing.assert_allclose(found, exact, atol=1e-3)
    np.testing.assert_array_equal(found, principal_components(table, 10))
    assert not found[20].any()


def test_blocks_of_genes_give_what_all_at_once_do(table, monkeypatch):
    whole = standardise(table.expression), expression_statistics(table)
    features = coexpression_block(table, TFS)
    monkeypatch.setattr(module, "AT_ONCE", 7)  # fewer values than a gene has cells
    parts = standardise(table.expression), expression_statistics(table)
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(coexpression_block(table, TFS), features, atol=2e-5)


def test_statistics_keep_what_standardising_loses():
    rng = np.random.default_rng(0)
    values = rng.poisson(rng.gamma(1, 1, size=30), size=(200, 30)).astype(float)
    values[:, 4] = 0
    table = make_table(values)
    statistics = expression_statistics(table)
    assert statistics.shape == (30, 5) and not statistics[4].any()
    measured = statistics[table.measured]
    np.testing.assert_allclose(measured.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(measured.std(axis=0), 1, atol=1e-5)
    mean, detection = values.mean(axis=0), (values > 0).mean(axis=0)
    raw = [mean, values.std(axis=0), detection, np.log1p(mean), np.sqrt(detection)]
    for column, statistic in zip(measured.T, raw, strict=True):
        assert np.corrcoef(column, statistic[table.measured])[0, 1] == pytest.approx(1, abs=1e-5)


def test_the_order_of_the_cells_changes_nothing_beyond_rounding(table):
    other = permute_cells(table)
    for block in (correlation, joint_regression, coexpression_block):
        np.testing.assert_allclose(block(table, TFS), block(other, TFS), atol=1e-4)
    one, same = (principal_components(t, 4) for t in (table, other))
    signs = np.sign(np.sum(one * same, axis=0))  # of a component is arbitrary
    np.testing.assert_allclose(one, same * signs, atol=1e-3)


def test_without_cells_every_block_is_zero_and_nothing_warns():
    table = make_table(np.zeros((0, GENES)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not coexpression_block(table, TFS).any()
        assert not correlation(table, TFS).any()
        assert not joint_regression(table, TFS).any()
