"""Intervals over donors: they hold what is true of other donors, where those over cells do not."""

import numpy as np
import pytest
from scipy.stats import t as student

from grnjax.evaluation.donor_comparison import compare_over_donors
from grnjax.evaluation.donor_intervals import (
    add_up,
    bound_figures,
    draw_weights,
    resample_correlations,
    resample_means,
)
from grnjax.evaluation.group_differences import bootstrap_cells
from grnjax.types import GeneTable

DONORS, EACH = 5, 40
DONOR = np.repeat(np.arange(DONORS), EACH)


def test_the_interval_of_a_mean_is_that_of_students_t_over_donors():
    rng = np.random.default_rng(0)
    x = rng.normal(size=DONORS).repeat(EACH)[:, None] + rng.normal(size=(len(DONOR), 1))
    drawn = resample_means(add_up(x, DONOR, DONORS), draw_weights(DONORS, 20_000, rng))
    found = bound_figures(x.mean(axis=0), drawn, DONORS)
    means = x.reshape(DONORS, EACH).mean(axis=1)
    reach = student.ppf(0.975, DONORS - 1) * means.std(ddof=1) / np.sqrt(DONORS)
    assert found.high[0] - found.value[0] == pytest.approx(reach, rel=0.03)


def test_with_equal_weights_a_correlation_is_numpys_and_one_that_does_not_vary_has_none():
    x = np.random.default_rng(0).normal(size=(len(DONOR), 3)) * [1, 9, 0] + [0, 500, 4]
    pairs = np.array([0, 0]), np.array([1, 2])
    found = resample_correlations(x, DONOR, *pairs, np.ones((1, DONORS)))
    assert found[0, 0] == pytest.approx(np.corrcoef(x[:, 0], x[:, 1])[0, 1])
    assert np.isnan(found[0, 1])


def compare(x, kind, donor, seed=0):
    """Means of two groups of cells, and their contrast over donors."""
    groups = ["a", "b"]
    genes = np.array([f"G{k}" for k in range(x.shape[1])])
    masks = np.ones(len(genes), bool)
    tables = [GeneTable(genes, masks, x[kind == name], masks) for name in groups]
    rng, none = np.random.default_rng(seed), np.zeros(0, int)
    own = [bootstrap_cells(y.expression, none, none, resamples=100, rng=rng)[0] for y in tables]
    cells = type(own[0])(*(np.stack(part) for part in zip(*own, strict=True)))
    weights = draw_weights(donor.max() + 1, 300, rng)
    donors = [donor[kind == name] for name in groups]
    figures = {"expression": cells}
    return cells, *compare_over_donors(figures, tables, donors, weights, (none, none))["expression"]


def draw(effect=0.0, nested=False, seed=0, genes=400):
    """Cells of six donors, each with its own level of a gene, in two groups of cells.

    Nested, a donor's cells are all of one group; else half of them are of each.
    """
    rng, donor = np.random.default_rng(seed), np.repeat(np.arange(6), 60)
    first = donor % 2 == 0 if nested else np.arange(len(donor)) % 2 == 0
    kind = np.where(first, "a", "b")
    x = rng.normal(size=(6, genes))[donor] + rng.normal(size=(len(donor), genes))
    return (x + effect * first[:, None]).astype(np.float32), kind, donor


def test_what_differs_between_donors_alone_is_no_difference_between_groups():
    x, kind, donor = draw(nested=True)
    cells, own, other = compare(x, kind, donor)
    over_cells = np.abs(cells.value[0] - cells.value[1])
    assert np.mean(over_cells > 0.26) > 0.5  # two deviations over cells: most genes seem to differ
    differs = (other.low > 0) | (other.high < 0)
    assert differs.mean() < 0.08 and not (other.q < 0.05).any()
    assert (own.low <= cells.low).all() and (own.high >= cells.high).all()


def test_what_differs_within_every_donor_is_found_whatever_the_donors_level():
    _, _, other = compare(*draw(effect=0.8))
    assert (other.low[0] > 0).mean() > 0.9 and (other.q[0] < 0.05).mean() > 0.9
    assert np.mean((other.low[0] < 0.8) & (other.high[0] > 0.8)) > 0.93


def test_a_group_of_one_donor_keeps_its_figures_and_is_not_compared():
    x, kind, donor = draw()
    donor = np.where(kind == "a", 0, donor)
    cells, own, other = compare(x, kind, donor)
    np.testing.assert_array_equal(own.low[0], cells.low[0])
    assert np.isnan(other.difference).all() and np.isnan(other.q).all()
