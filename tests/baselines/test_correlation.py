"""Correlations of TFs and targets, of values and of ranks."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from grnjax.baselines.correlation import CorrelationConfig, absolute_pearson, score_targets
from grnjax.types import GeneTable

PEARSON = CorrelationConfig(coefficient="pearson")
SPEARMAN = CorrelationConfig(coefficient="spearman")


@pytest.fixture
def genes():
    """12 genes, 4 of them TFs, in 50 cells with ties; gene 7 constant, gene 9 not measured."""
    rng = np.random.default_rng(3)
    expression = np.log1p(rng.poisson(2, size=(50, 12)) * rng.lognormal(size=12)).astype(np.float32)
    expression[:, 4] -= 0.8 * expression[:, 1]
    expression[:, 7] = 1.5
    expression[:, 9] = 0
    names = np.array([f"G{i:02d}" for i in range(12)])
    measured = np.arange(12) != 9
    return GeneTable(names, np.isin(np.arange(12), [1, 3, 7, 9]), expression, measured)


@pytest.mark.parametrize("config, peer", [(PEARSON, pearsonr), (SPEARMAN, spearmanr)])
def test_each_entry_is_what_scipy_says(genes, config, peer):
    targets = np.array([0, 2, 4, 11, 3])
    block = score_targets(genes, targets, config, seed=0)
    for row, tf in enumerate([1, 3]):
        for column, target in enumerate(targets):
            r = 0 if tf == target else peer(genes.expression[:, tf], genes.expression[:, target])[0]
            assert block[row, column] == pytest.approx(abs(r), abs=2e-6)
    assert (block[0, 2] == block.max()) and block[0, 2] > 0.3  # repression counts as activation


@pytest.mark.parametrize("config", [PEARSON, SPEARMAN])
def test_genes_that_tell_nothing_and_self_pairs_score_zero(genes, config):
    block = score_targets(genes, np.arange(12), config, seed=0)
    assert not block[[2, 3]].any() and not block[:, [7, 9]].any()
    assert block[0, 1] == block[1, 3] == 0
    assert (block[0, [0, 2, 3, 4]] > 0).all()


def test_only_the_order_of_expression_matters_to_spearman(genes):
    bent = dataclasses.replace(genes, expression=np.exp(3 * genes.expression))
    everything = np.arange(12)
    same = score_targets(bent, everything, SPEARMAN, seed=0)
    np.testing.assert_array_equal(same, score_targets(genes, everything, SPEARMAN, seed=0))
    moved = score_targets(bent, everything, PEARSON, seed=0)
    assert np.abs(moved - score_targets(genes, everything, PEARSON, seed=0)).max() > 0.05


def test_the_trivial_row_is_the_same_correlation(genes):
    ours = score_targets(genes, np.array([0, 2, 4, 5]), PEARSON, seed=0)
    row = absolute_pearson(genes, genes.tfs)[:, [0, 2, 4, 5]]
    np.testing.assert_allclose(ours, row, atol=1e-6)


@pytest.mark.parametrize("config", [PEARSON, SPEARMAN])
def test_how_targets_are_cut_into_blocks_does_not_matter(genes, config):
    whole = score_targets(genes, np.arange(12), config, seed=0)
    parts = [score_targets(genes, part, config, seed=1) for part in np.split(np.arange(12), 4)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_without_cells_there_is_nothing_to_score():
    none = GeneTable(
        np.array(["A", "B"]), np.ones(2, bool), np.zeros((0, 2), np.float32), np.zeros(2, bool)
    )
    for config in (PEARSON, SPEARMAN):
        assert not score_targets(none, np.array([0, 1]), config, seed=0).any()
