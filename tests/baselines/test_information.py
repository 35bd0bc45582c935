"""Mutual information against slow sums over states, and against published figures."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from grnjax.baselines import information
from grnjax.baselines.discretise import StateConfig, find_states
from grnjax.baselines.information import MutualInformationConfig, score_targets
from grnjax.types import GeneTable

ESTIMATORS = ("maximum-likelihood", "shrinkage")


@pytest.fixture
def genes():
    """Nine genes, the first three TFs, that hang together; gene 5 constant, gene 6 not measured."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(90, 2))
    expression = np.maximum(cause @ rng.normal(size=(2, 9)) + rng.normal(size=(90, 9)), 0)
    expression[:, 5] = 1
    names = np.array([f"G{i}" for i in range(9)])
    return GeneTable(names, np.arange(9) < 3, expression.astype(np.float32), np.arange(9) != 6)


def states_of(genes, gene, config):
    return find_states(genes, np.array([gene]), config).is_in.argmax(axis=1)


def table_of(a, b, estimator):
    """Joint probabilities of two genes, by loops."""
    table = np.zeros((a.max() + 1, b.max() + 1))
    for x, y in zip(a, b, strict=True):
        table[x, y] += 1 / len(a)
    if estimator == "shrinkage":
        aim = 1 / table.size
        share = (1 - np.sum(table**2)) / ((len(a) - 1) * np.sum((aim - table) ** 2))
        share = min(max(share, 0), 1)
        table = share * aim + (1 - share) * table
    return table


def slow_information(table):
    total = 0
    for x, y in np.argwhere(table > 0):
        total += table[x, y] * np.log2(table[x, y] / (table[x].sum() * table[:, y].sum()))
    return total


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("states", ["bayesian-blocks", "equal-width"])
def test_every_pair_is_the_sum_over_its_table(genes, estimator, states):
    config = MutualInformationConfig(states=states, bins=3, estimator=estimator)
    block = score_targets(genes, np.arange(9), config, seed=0)
    for tf in range(3):
        for target in set(range(9)) - {tf, 5, 6}:
            a, b = states_of(genes, tf, config), states_of(genes, target, config)
            expected = slow_information(table_of(a, b, estimator))
            assert block[tf, target] == pytest.approx(expected, abs=1e-6)
            if estimator == "maximum-likelihood":
                assert expected == pytest.approx(mutual_info_score(a, b) / np.log(2))
    assert not block[:, [5, 6]].any() and not block[[0, 1, 2], [0, 1, 2]].any()
    assert block.max() > 0.1


def test_shrinking_takes_information_away_and_more_of_it_where_cells_are_few(genes):
    lost = []
    for cells in (30, 90):
        part = GeneTable(genes.names, genes.is_tf, genes.expression[:cells], genes.measured)
        of = [
            score_targets(
                part,
                np.arange(9),
                MutualInformationConfig(states="equal-width", bins=3, estimator=estimator),
                seed=0,
            )
            for estimator in ESTIMATORS
        ]
        lost.append(1 - of[1].sum() / of[0].sum())
    assert lost[0] > lost[1] > 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_blocks_of_targets_do_not_matter(genes, estimator, monkeypatch):
    config = MutualInformationConfig(estimator=estimator)
    whole = score_targets(genes, np.arange(9), config, seed=0)
    monkeypatch.setattr(information, "MOST_ENTRIES", 20)  # few states at a time
    parts = [score_targets(genes, part, config, seed=7) for part in np.split(np.arange(9), 3)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_relabelled_genes_move_their_scores(genes):
    order = np.random.default_rng(1).permutation(9)
    moved = GeneTable(
        genes.names, genes.is_tf[order], genes.expression[:, order], genes.measured[order]
    )
    config = MutualInformationConfig()
    block = np.zeros((9, 9))
    block[genes.tfs] = score_targets(genes, np.arange(9), config, seed=0)
    again = score_targets(moved, np.arange(9), config, seed=0)
    np.testing.assert_allclose(again, block[np.ix_(order, order)][moved.tfs], atol=1e-7)


def test_published_values(parity_folder):
    """Mutual information of 10 genes of GeneNetWeaver, from the program of PIDC's authors."""
    folder = parity_folder("pidc_parity")
    expression, published = (
        pd.read_csv(folder / f"{name}.csv") for name in ("expression", "published")
    )
    names = np.array(sorted(expression))
    genes = GeneTable(names, np.ones(10, bool), expression[names].to_numpy(), np.ones(10, bool))
    block = score_targets(genes, np.arange(10), MutualInformationConfig(), seed=0)
    rows, columns = (np.searchsorted(names, published[gene]) for gene in ("gene1", "gene2"))
    np.testing.assert_allclose(block[rows, columns], published["mutual_information"], atol=1e-7)
    np.testing.assert_allclose(block[columns, rows], published["mutual_information"], atol=1e-7)


def test_tfs_that_tell_nothing_give_zeros():
    expression = np.ones((20, 3), np.float32)
    expression[:10, 2] = 0
    genes = GeneTable(
        np.array(list("ABC")), np.array([True, True, False]), expression, np.ones(3, bool)
    )
    config = MutualInformationConfig(states="equal-width")
    assert not score_targets(genes, np.arange(3), config, seed=0).any()


def test_settings_of_states_are_those_of_the_method():
    assert isinstance(MutualInformationConfig(), StateConfig)
    with pytest.raises(ValueError, match="bins"):
        MutualInformationConfig(bins=0)
