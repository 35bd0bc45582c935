"""Specificity and differences of regulons: what they mean, and scipy's figures beside ours."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import false_discovery_control, mannwhitneyu

from grnjax.errors import ConfigError
from grnjax.evaluation.regulon_groups import compare_activity, measure_specificity

GROUPS = np.array(["B"] * 10 + ["T"] * 20 + [""] * 3)
NAMES = np.array(["all in B", "none", "even", "noise", "ties"])


@pytest.fixture(scope="module")
def activity():
    rng = np.random.default_rng(0)
    columns = [(GROUPS == "B") * 0.3, np.zeros(33), np.full(33, 0.2), rng.random(33)]
    return np.stack([*columns, rng.integers(0, 3, 33)], axis=1)


def test_a_regulon_of_one_group_is_specific_to_it(activity):
    scores = measure_specificity(activity, GROUPS, NAMES)
    assert scores.loc["B", "all in B"] == pytest.approx(1)
    assert scores.loc["T", "all in B"] == pytest.approx(0, abs=1e-6)
    assert scores["none"].isna().all()
    assert scores.loc["T", "even"] > scores.loc["B", "even"], "the larger group is nearer to even"
    own, shares = activity[:30, 3], (GROUPS[:30] == "B") / 10
    expected = 1 - jensenshannon(own / own.sum(), shares, base=2)
    assert scores.loc["B", "noise"] == pytest.approx(expected)


def test_differences_are_those_of_wilcoxons_test(activity):
    table = compare_activity(activity, GROUPS, NAMES)
    assert len(table) == 10 and table["group"].is_monotonic_increasing
    for row in table.itertuples():
        column = activity[:30, list(NAMES).index(row.regulon)]
        own, others = column[GROUPS[:30] == row.group], column[GROUPS[:30] != row.group]
        if np.ptp(column):
            expected = mannwhitneyu(own, others, method="asymptotic")
            assert row.p == pytest.approx(expected.pvalue)
            assert row.auroc == pytest.approx(expected.statistic / (len(own) * len(others)))
        else:
            assert (row.p, row.auroc) == (1, 0.5)
        assert row.difference == pytest.approx(own.mean() - others.mean())
    np.testing.assert_allclose(table["q"], false_discovery_control(table["p"]))
    best = table.iloc[0]
    assert (best["group"], best["regulon"], best["auroc"]) == ("B", "all in B", 1)


def test_the_order_of_cells_does_not_count_and_cells_without_a_group_neither(activity):
    order = np.random.default_rng(1).permutation(33)
    for measure in (measure_specificity, compare_activity):
        one = measure(activity, GROUPS, NAMES)
        two = measure(activity[order], GROUPS[order], NAMES)
        three = measure(activity[:30], GROUPS[:30], NAMES)
        numbers = one.select_dtypes("number")
        np.testing.assert_allclose(numbers, two.select_dtypes("number"))
        np.testing.assert_allclose(numbers, three.select_dtypes("number"))


def test_what_cannot_be_compared_is_refused(activity):
    with pytest.raises(ConfigError, match="compare at least two"):
        compare_activity(activity, np.full(33, "B"), NAMES)
    with pytest.raises(ConfigError, match="least here is -1"):
        measure_specificity(activity - 1, GROUPS, NAMES)
