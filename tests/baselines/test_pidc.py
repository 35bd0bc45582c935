"""PIDC against sums over triples, textbook gates and the figures of its authors' program."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma

from grnjax.baselines import pidc
from grnjax.baselines.discretise import States, find_states
from grnjax.baselines.pidc import PIDCConfig, score_targets, unique_contributions
from grnjax.errors import ConfigError
from grnjax.types import GeneTable

THREE_STATES = PIDCConfig(states="equal-width", bins=3)


@pytest.fixture
def genes():
    rng = np.random.default_rng(5)
    cause = rng.normal(size=(70, 2))
    expression = np.maximum(cause @ rng.normal(size=(2, 8)) + rng.normal(size=(70, 8)), 0)
    expression[:, 2] = 3
    names = np.array([f"G{i}" for i in range(8)])
    return GeneTable(
        names, np.isin(np.arange(8), [0, 3, 5]), expression.astype(np.float32), np.arange(8) != 6
    )


def make_states(*columns):
    """States of genes given as whole numbers from 0, one array over cells each."""
    sizes = [column.max() + 1 for column in columns]
    is_in = [np.eye(size, dtype=np.float32)[c] for size, c in zip(sizes, columns, strict=True)]
    return States(np.arange(len(columns)), np.array(sizes), np.concatenate(is_in, axis=1))


def specific(target, source):
    """p(y) and the specific information of the source about each state y, by loops."""
    p, told = [], []
    for y in range(target.max() + 1):
        is_y = target == y
        p.append(is_y.mean())
        total = 0
        for x in range(source.max() + 1):
            joint = np.mean(is_y & (source == x))
            if joint:
                total += joint / is_y.mean() * np.log2(joint / (is_y.mean() * (source == x).mean()))
        told.append(total)
    return np.array(p), np.array(told)


def unique(target, source, third):
    """What the source tells about the target and the third gene does not, and all it tells."""
    p, told = specific(target, source)
    redundancy = p @ np.minimum(told, specific(target, third)[1])
    return p @ told - redundancy, p @ told


def slow_contributions(columns):
    u = np.zeros((len(columns), len(columns)))
    for x, y, z in itertools.permutations(range(len(columns)), 3):
        part, whole = unique(columns[y], columns[x], columns[z])
        share = part / whole if whole > 1e-12 else 0
        u[x, y] += share
        u[y, x] += share
    return u


def test_contributions_are_the_sums_over_all_triples(genes):
    states = find_states(genes, np.arange(8), THREE_STATES)
    columns = [states.take(np.array([i])).is_in.argmax(axis=1) for i in range(len(states.genes))]
    assert len(columns) == 6
    u = unique_contributions(states, "maximum-likelihood")
    np.testing.assert_allclose(u, slow_contributions(columns), atol=1e-10)


def test_of_an_exclusive_or_no_input_tells_anything_alone():
    a, b = np.repeat([0, 0, 1, 1], 10), np.repeat([0, 1, 0, 1], 10)
    assert unique(a ^ b, a, b)[0] == pytest.approx(0)
    u = unique_contributions(make_states(a, b, a ^ b), "maximum-likelihood")
    np.testing.assert_array_equal(u, np.zeros((3, 3)))


def test_all_that_a_copy_tells_is_unique_beside_an_independent_gene():
    a, b = np.repeat([0, 0, 1, 1], 10), np.repeat([0, 1, 0, 1], 10)
    u = unique_contributions(make_states(a, b, a), "maximum-likelihood")
    np.testing.assert_allclose(u[0, 2], 2)  # one third gene, both directions
    np.testing.assert_allclose([u[0, 1], u[1, 2]], 0)


def test_of_two_copies_neither_is_unique():
    a = np.repeat([0, 1], 20)
    u = unique_contributions(make_states(a, a, a), "maximum-likelihood")
    np.testing.assert_allclose(u, 0, atol=1e-12)


def test_scores_are_where_a_contribution_lies_among_those_of_both_genes(genes):
    states = find_states(genes, np.arange(8), THREE_STATES)
    u = unique_contributions(states, "maximum-likelihood")
    others = [np.delete(row, place) for place, row in enumerate(u)]
    fits = [gamma.fit(row[row > 0], floc=0) for row in others]
    for context, of in (
        ("gamma", lambda i, x: gamma.cdf(x, *fits[i])),
        ("empirical", lambda i, x: np.mean(others[i] <= x)),
    ):
        config = dataclasses.replace(THREE_STATES, context=context)
        block = score_targets(genes, np.arange(8), config, seed=0)
        for row, tf in enumerate([0, 3, 5]):
            for target in set(range(8)) - {tf, 2, 6}:
                i, j = np.searchsorted(states.genes, [tf, target])
                expected = of(i, u[i, j]) + of(j, u[i, j])
                assert block[row, target] == pytest.approx(expected, abs=2e-5)
        assert not block[:, [2, 6]].any() and not block[[0, 1, 2], [0, 3, 5]].any()


def test_published_values(parity_folder):
    """10 genes of GeneNetWeaver, and what the program of PIDC's authors makes of them.

    Expression and figures are the test data of NetworkInference.jl (MIT licence), the latter made
    by its authors with InformationMeasures.jl.
    """
    folder = parity_folder("pidc_parity")
    expression, published = (
        pd.read_csv(folder / f"{name}.csv") for name in ("expression", "published")
    )
    names = np.array(sorted(expression))
    genes = GeneTable(names, np.ones(10, bool), expression[names].to_numpy(), np.ones(10, bool))
    at = tuple(np.searchsorted(names, published[gene]) for gene in ("gene1", "gene2"))
    u = unique_contributions(find_states(genes, np.arange(10), PIDCConfig()), "maximum-likelihood")
    np.testing.assert_allclose(u[at], published["contribution"], rtol=1e-10)
    block = score_targets(genes, np.arange(10), PIDCConfig(), seed=0)
    np.testing.assert_allclose(block[at], published["pidc"], atol=1e-6)
    np.testing.assert_array_equal(block, block.T)


@pytest.mark.parametrize("estimator", ["maximum-likelihood", "shrinkage"])
def test_blocks_of_targets_do_not_matter(genes, estimator, monkeypatch):
    config = PIDCConfig(estimator=estimator)
    whole = score_targets(genes, np.arange(8), config, seed=0)
    assert (whole > 0).sum() > 10
    monkeypatch.setattr("grnjax.baselines.information.MOST_ENTRIES", 20)
    np.testing.assert_array_equal(
        score_targets(genes, np.array([7, 1]), config, seed=1), whole[:, [7, 1]]
    )


def test_relabelled_genes_move_their_scores(genes):
    order = np.random.default_rng(1).permutation(8)
    moved = GeneTable(
        genes.names, genes.is_tf[order], genes.expression[:, order], genes.measured[order]
    )
    block = np.zeros((8, 8))
    block[genes.tfs] = score_targets(genes, np.arange(8), PIDCConfig(), seed=0)
    again = score_targets(moved, np.arange(8), PIDCConfig(), seed=0)
    np.testing.assert_allclose(again, block[np.ix_(order, order)][moved.tfs], atol=1e-6)


def test_which_genes_may_regulate_does_not_change_the_context(genes):
    everything = dataclasses.replace(genes, is_tf=np.ones(8, bool))
    block = score_targets(everything, np.arange(8), PIDCConfig(), seed=0)
    some = score_targets(genes, np.arange(8), PIDCConfig(), seed=0)
    np.testing.assert_array_equal(some, block[genes.tfs])


def test_more_genes_than_the_limit_are_refused_with_what_they_would_cost(genes):
    config = PIDCConfig(most_genes=6)
    with pytest.raises(ConfigError, match=r"7 genes in 70 cells.*minutes.*GB.*stops at 6 genes"):
        score_targets(genes, np.arange(8), config, seed=0)
    with pytest.raises(ConfigError, match=r"20,000 genes.*14 minutes and 20\.\d GB"):
        pidc.refuse_many(20_000, 50, PIDCConfig())


def test_two_genes_are_too_few(genes):
    few = dataclasses.replace(genes, measured=np.arange(8) < 2)
    with pytest.raises(ConfigError, match="three at a time, and 2 of 2"):
        score_targets(few, np.arange(8), PIDCConfig(), seed=0)


def test_a_row_of_minima_is_the_sum_over_the_other_entries():
    rows = np.random.default_rng(0).integers(0, 4, size=(5, 7)).astype(float)
    expected = [
        [sum(min(x, z) for j, z in enumerate(row) if j != i) for i, x in enumerate(row)]
        for row in rows
    ]
    np.testing.assert_allclose(pidc.sum_of_minima(rows), expected)
