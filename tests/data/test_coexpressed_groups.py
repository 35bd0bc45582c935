"""Operons stay whole, chains are cut, and a split never has one on two sides."""

import numpy as np
import pytest

from grnjax.data.coexpressed_groups import LEAST, MOST, group_genes
from grnjax.errors import ConfigError, SplitError
from grnjax.evaluation.splits import SHARES, check_split, draw_split
from grnjax.tasks.split_fits import SplitConfig, draw_splits
from grnjax.types import Dataset, GeneTable, LabelledPairs

GENES, OPERON = 120, 4


def make_genes(values, measured=None):
    count = values.shape[1]
    names = np.array([f"G{i:03d}" for i in range(count)])
    measured = np.ones(count, bool) if measured is None else measured
    return GeneTable(names, np.arange(count) < 6, values.astype(np.float32), measured)


@pytest.fixture(scope="module")
def genes():
    """Thirty operons of four genes; those of the last are not measured."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, GENES // OPERON)).repeat(OPERON, axis=1)
    values = values + 0.2 * rng.normal(size=values.shape)
    values[:, -OPERON:] = 0
    return make_genes(values, values.any(axis=0))


@pytest.fixture(scope="module")
def edges():
    rng = np.random.default_rng(1)
    return np.array([(tf, gene) for tf in range(6) for gene in rng.permutation(GENES)[:40]])


def test_planted_operons_are_the_groups(genes):
    group = group_genes(genes)
    operon = np.arange(GENES) // OPERON
    measured = operon < operon.max()
    assert len(set(zip(group[measured], operon[measured]))) == operon.max()
    assert len(np.unique(group[measured])) == operon.max()
    assert len(np.unique(group[~measured])) == OPERON, "a gene not measured is one of its own"


def test_all_genes_of_a_group_go_together_where_a_chain_does_not():
    """Neighbours on a chain correlate, its ends do not: linkage by any pair would join them all."""
    rng = np.random.default_rng(2)
    steps = rng.normal(size=(400, 140))
    chain = np.stack([steps[:, i : i + 20].sum(axis=1) for i in range(120)], axis=1)
    genes = make_genes(chain)
    group, r = group_genes(genes), np.corrcoef(genes.expression.T)
    neighbours = np.diagonal(r, 1)
    assert (neighbours > LEAST).all()
    together = group[:, None] == group
    assert 4 < len(np.unique(group)) < 60 and r[together].min() >= LEAST - 1e-5


def test_no_group_is_huge_though_all_genes_go_together():
    one = np.random.default_rng(3).normal(size=(50, 1))
    values = one + 0.05 * np.random.default_rng(4).normal(size=(50, 100))
    assert np.bincount(group_genes(make_genes(values))).max() <= MOST * 100


@pytest.mark.parametrize("draw", range(5))
def test_groups_stay_on_one_side_and_shares_are_near(genes, edges, draw):
    group = group_genes(genes)
    split = draw_split("group-disjoint", edges, GENES, draw, groups=group)
    sides = [set(group[part.pairs[:, 1]]) for part in (split.train, split.validation, split.test)]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    validation, test = SHARES["group-disjoint"]
    found = [len(np.unique(part.pairs[:, 1])) / GENES for part in (split.validation, split.test)]
    np.testing.assert_allclose(found, [validation, test], atol=0.04)
    assert check_split(split)["kind"] == "group-disjoint"


def test_a_target_disjoint_split_breaks_the_same_groups(genes, edges):
    group, split = group_genes(genes), draw_split("target-disjoint", edges, GENES, 0)
    assert set(group[split.train.pairs[:, 1]]) & set(group[split.test.pairs[:, 1]])


def test_train_offers_it_by_name(genes, edges):
    known = LabelledPairs(edges, np.ones(len(edges), np.float32))
    dataset = Dataset(genes, known, {})
    config = SplitConfig(kind="group-disjoint", draws=(0, 1))
    group = group_genes(genes)
    for split in draw_splits(dataset, config):
        assert not set(group[split.train.pairs[:, 1]]) & set(group[split.test.pairs[:, 1]])


def test_without_expression_or_groups_it_is_refused(edges):
    silent = make_genes(np.zeros((0, GENES)), np.zeros(GENES, bool))
    with pytest.raises(ConfigError, match="0 genes vary .*target-disjoint"):
        group_genes(silent)
    with pytest.raises(ConfigError, match="needs the group of each, and got 0"):
        draw_split("group-disjoint", edges, GENES, 0)
    with pytest.raises(SplitError, match="1 groups .* target-disjoint"):
        draw_split("group-disjoint", edges, GENES, 0, groups=np.zeros(GENES, int))
