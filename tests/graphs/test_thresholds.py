"""Thresholds of activity: against a direct mixture fit, and what must not matter."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from grnjax.graphs.thresholds import call_active, cross, find_thresholds

CELLS = 1500


def draw(rng, weights, means, deviations, cells=CELLS):
    which = rng.choice(len(weights), cells, p=weights)
    return rng.normal(np.array(means)[which], np.array(deviations)[which])


@pytest.fixture(scope="module")
def activity():
    """Two bimodal regulons, one normal, one skewed, one without spread, one of rare cells."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            draw(rng, [0.7, 0.3], [0.05, 0.2], [0.015, 0.03]),
            draw(rng, [0.15, 0.85], [0.01, 0.09], [0.01, 0.02]),
            rng.normal(0.1, 0.02, CELLS),
            rng.gamma(2.0, 0.02, CELLS),
            np.full(CELLS, 0.03),
            draw(rng, [0.98, 0.02], [0.05, 0.3], [0.01, 0.01]),
        ],
        axis=1,
    )


@pytest.fixture(scope="module")
def found(activity):
    return find_thresholds(activity)


def test_bimodal_regulons_are_told_from_the_others(found):
    assert found.is_bimodal.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize("regulon", [0, 1])
def test_components_and_threshold_are_those_of_a_direct_fit(regulon, activity, found):
    column = activity[:, [regulon]]
    scaled = (column - column.mean()) / column.std()
    direct = GaussianMixture(2, tol=1e-10, max_iter=2000, n_init=5, reg_covar=0, random_state=0)
    direct.fit(scaled)
    order = np.argsort(direct.means_.ravel())
    mean = direct.means_.ravel()[order] * column.std() + column.mean()
    deviation = np.sqrt(direct.covariances_.ravel()[order]) * column.std()
    weight = direct.weights_[order]
    np.testing.assert_allclose(found.weights[regulon], weight, rtol=2e-4)
    np.testing.assert_allclose(found.means[regulon], mean, rtol=2e-4)
    np.testing.assert_allclose(found.deviations[regulon], deviation, rtol=2e-4)
    [expected] = cross(weight[None], mean[None], deviation[None])
    assert found.values[regulon] == pytest.approx(expected, rel=2e-4)
    densities = weight * norm.pdf(found.values[regulon], mean, deviation)
    assert densities[0] == pytest.approx(densities[1], rel=2e-2)
    single = GaussianMixture(1, reg_covar=0).fit(column)
    two = direct.bic(scaled) + 2 * CELLS * np.log(column.std())
    np.testing.assert_allclose(found.bic[regulon], [single.bic(column), two], rtol=1e-4)


@pytest.mark.parametrize("regulon", [2, 3, 5])
def test_others_have_the_mean_plus_two_standard_deviations(regulon, activity, found):
    column = activity[:, regulon]
    assert found.values[regulon] == pytest.approx(column.mean() + 2 * column.std(), rel=1e-6)


def test_a_regulon_without_spread_is_on_nowhere(activity, found):
    active = call_active(activity, found.values)
    assert not active[:, 4].any()
    assert active[:, 0].mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.slow
def test_the_order_of_cells_and_other_regulons_change_no_bit(activity, found):
    rng = np.random.default_rng(1)
    again = find_thresholds(activity[rng.permutation(CELLS)][:, [5, 1, 0]])
    np.testing.assert_array_equal(again.values, found.values[[5, 1, 0]])
    np.testing.assert_array_equal(again.means, found.means[[5, 1, 0]])


def test_scale_and_place_move_the_threshold_along(activity, found):
    moved = find_thresholds(activity * 40 + 3)
    np.testing.assert_array_equal(moved.is_bimodal, found.is_bimodal)
    np.testing.assert_allclose(moved.values[:4], found.values[:4] * 40 + 3, rtol=1e-4)


@pytest.mark.slow
def test_exact_zeros_are_not_told_from_other_cells_that_are_off():
    rng, is_on = np.random.default_rng(2), np.arange(CELLS) < 0.3 * CELLS
    off = np.where(rng.random(CELLS) < 0.7, 0, np.abs(rng.normal(0, 0.015, CELLS)))
    found = find_thresholds(np.where(is_on, rng.normal(0.2, 0.05, CELLS), off)[:, None])
    assert found.is_bimodal.all() and 0.03 < found.values[0] < 0.12
    few = find_thresholds(np.array([[0.0], [0.1], [0.1]]))
    assert np.isfinite(few.values).all()


def test_without_a_crossing_between_the_means_it_is_the_midpoint():
    [found] = cross(np.array([[0.999, 0.001]]), np.array([[0.0, 1.0]]), np.array([[2.0, 2.0]]))
    assert found == pytest.approx(0.5)
    [equal] = cross(np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]]), np.array([[0.1, 0.1]]))
    assert equal == pytest.approx(0.5)
