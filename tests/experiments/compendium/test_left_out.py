"""Lines left out of the compendium: none of their lists is left, and the rows are what they say."""

import numpy as np
import pytest

from experiments.compendium.left_out import (
    ALL,
    LOOK_UP,
    MORE,
    RATE,
    SAME,
    WITH,
    WITHOUT,
    choose_pairs,
    find_lines,
    find_over,
    leave_out,
    list_genes,
    list_more,
    list_rows,
)
from grnjax.baselines.other_lists import rate_and_residual_same
from grnjax.data.compendium.folder import load_compendium


@pytest.fixture(scope="module")
def compendium():
    return load_compendium(with_own=False)


@pytest.fixture(scope="module")
def huvec(compendium):
    return leave_out(compendium, "HUVEC", list_genes(compendium))


def test_lines_with_networks_enough_are_found(compendium):
    lines = find_lines(compendium, list_genes(compendium))
    assert lines[:4] == ["HELA-S3", "K562", "HEPG2", "H1"] and len(lines) == 11
    assert "T47D" not in lines  # its lists are short


def test_no_list_of_the_line_is_left(huvec):
    assert "HUVEC" not in huvec.others.cells and len(huvec.tfs) == 4
    assert (huvec.labels.sum(axis=1) >= 100).all()


def test_rows_and_pairs(compendium, huvec):
    rows, pairs = list_rows(huvec), choose_pairs(huvec)
    assert (rows[RATE] == rows[RATE][0]).all()
    outside = pairs[WITHOUT].any(axis=1)
    assert outside.sum() == 1 and not rows[SAME][outside].any()
    np.testing.assert_allclose(rows[LOOK_UP][outside], 2 * np.log1p(rows[RATE][outside]))
    assert ((pairs[WITH] | pairs[WITHOUT]) == pairs[ALL]).all()
    genes = huvec.others.genes
    for row, tf in zip(pairs[ALL], huvec.tfs, strict=True):
        assert {*genes[~row]} == {tf} & {*genes}


def test_other_kinds_of_lists_change_the_rate(compendium, huvec):
    left, genes = compendium.without("HUVEC"), huvec.others.genes[::20]
    binding = rate_and_residual_same(left.over(genes, species="human", carry=False), huvec.tfs)
    more = list_more(left, genes, huvec)
    assert [*more] == [*MORE.values()]
    one, two = more.values()
    assert one.shape == binding.shape == (4, len(genes))
    assert not np.allclose(one, binding) and not np.allclose(one, two)


def test_differences_are_to_what_a_row_contains():
    assert find_over(LOOK_UP) == RATE and find_over(RATE) == RATE
    assert {*map(find_over, MORE.values())} == {LOOK_UP}
