"""Differences over donors: a donor is one sample, whatever its number of cells."""

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel

from grnjax.errors import ConfigError
from grnjax.evaluation.regulon_donors import compare_donors
from grnjax.evaluation.regulon_groups import compare_activity

NAMES = np.array(["own", "noise"])


@pytest.fixture
def cells():
    """Six donors of 40 cells; "own" is .2 higher in the 20 cells of type B, "noise" by donor."""
    rng = np.random.default_rng(0)
    donors, types = np.repeat(list("uvwxyz"), 40), np.tile(np.repeat(["B", "T"], 20), 6)
    own = 0.2 * (types == "B") + rng.normal(0, 0.05, 240)
    noise = np.repeat([0.9, 0.2, 0.8, 0.1, -0.3, 0.5], 40) + rng.normal(0, 0.05, 240)
    return np.stack([own, noise], axis=1), types, donors


def test_types_within_donors_are_paired(cells):
    activity, types, donors = cells
    table = compare_donors(activity, types, donors, NAMES).set_index(["group", "regulon"])
    means = [
        [activity[(donors == d) & (types == t), 0].mean() for d in np.unique(donors)] for t in "BT"
    ]
    found, expected = table.loc[("B", "own")], ttest_rel(*means)
    assert found["donor_p"] == pytest.approx(expected.pvalue) and found["donors"] == 6
    assert found["donor_low"] < 0.2 < found["donor_high"] and found["donor_q"] < 0.01
    assert table.loc[("T", "own"), "donor_difference"] == -found["donor_difference"]


def test_conditions_are_compared_between_donors_and_cells_alone_mislead(cells):
    activity, _, donors = cells
    conditions = np.where(np.isin(donors, ["u", "v", "w"]), "ill", "well")
    over_cells = compare_activity(activity, conditions, NAMES).set_index(["group", "regulon"])
    table = compare_donors(activity, conditions, donors, NAMES).set_index(["group", "regulon"])
    assert over_cells.loc[("ill", "noise"), "q"] < 1e-6, "by cells, what differs by donor differs"
    assert table.loc[("ill", "noise"), "donor_q"] > 0.05
    means = [activity[donors == d, 1].mean() for d in "uvwxyz"]
    expected = ttest_ind(means[:3], means[3:], equal_var=False).pvalue
    assert table.loc[("ill", "noise"), "donor_p"] == pytest.approx(expected)


def test_too_few_donors_give_no_figure_and_one_is_refused(cells):
    activity, types, donors = cells
    one_sided = np.where((donors != "u") & (types == "B"), "T", types)
    table = compare_donors(activity, one_sided, donors, NAMES)
    assert table[["donor_p", "donor_q"]].isna().all(axis=None)
    with pytest.raises(ConfigError, match="at least two"):
        compare_donors(activity, types, np.full(240, "u"), NAMES)
    unnamed = np.where(
        np.arange(240) % 40 == 0, "", donors
    )  # a cell without a donor does not count
    assert compare_donors(activity, types, unnamed, NAMES)["donors"].eq(6).all()
