"""BEELINE's sets left out: strict lists lack the TFs of the set in its species, and no other."""

import dataclasses
import os

import numpy as np
import pytest

from experiments.compendium.beeline import (
    CELLS,
    BeelineStudy,
    Ground,
    describe_sets,
    load_pairs,
    make_rows,
    measure_pearson,
    place_lists,
    read_sets,
)
from experiments.compendium.set_evidence import OF_LISTS, Pairs, compare, describe
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.data_set import find_root

pytestmark = pytest.mark.skipif(
    "GRNJAX_DATA" not in os.environ, reason="GRNJAX_DATA does not name the folder of the data sets"
)


@pytest.fixture(scope="module")
def whole():
    shipped = load_compendium(with_own=False)
    return dataclasses.replace(shipped, sources=(*shipped.sources, *read_sets(find_root(None))))


@pytest.fixture(scope="module")
def dendritic():
    return load_pairs("mDC", BeelineStudy())


def test_no_spike_in_is_ranked_and_labels_are_the_known_edges(dendritic):
    pairs, dataset = dendritic
    assert pairs.labels.shape == (20, 821) and pairs.labels.sum() == 756
    assert measure_pearson(dataset).shape == pairs.labels.shape


def test_strict_drops_the_tfs_in_their_own_species(whole, dendritic):
    pairs, _ = dendritic
    lists = place_lists(whole, pairs, pairs.cell)
    strict = place_lists(whole, pairs, pairs.cell, strict=True)
    assert "MDC" not in lists.cells and len(strict) < len(lists)
    own = strict.take(~strict.carried)
    assert not {*own.tfs} & {*pairs.tfs} and {*own.cells} == {"MESC", "MHSC"}
    assert strict.carried.sum() == lists.carried.sum() > 0


@pytest.mark.slow
def test_what_is_known_without_lists_does_not_depend_on_labels(dendritic):
    pairs, _ = dendritic
    few = Pairs(pairs.cell, pairs.species, pairs.genes[:200], pairs.tfs[:3], pairs.labels[:3, :200])
    other = dataclasses.replace(few, labels=~few.labels)
    found, again = (describe(x, None, find_root(None), with_lists=False) for x in (few, other))
    np.testing.assert_array_equal(found[0], again[0])
    assert not found[0][..., :OF_LISTS].any() and found[0][..., OF_LISTS:].any()
    assert np.isfinite(found[0]).all()


@pytest.mark.slow
def test_tfs_are_like_themselves_and_their_family():
    root = find_root(None)
    for by in ("STRING", "motif"):
        found, _ = compare(["SPI1", "GATA1"], ["SPI1", "GATA1", "nothing"], "mouse", root, by)
        assert found[0, 0] > 0.99 > found[0, 1] and not found[:, 2].any()
    family, _ = compare(["GABPA"], ["SPI1", "GATA2"], "mouse", root, "family")
    assert family.tolist() == [[1, 0]]


@pytest.mark.slow
def test_nothing_of_the_cells_under_test_is_learnt_from(whole, dendritic):
    shipped, root = load_compendium(with_own=False), find_root(None)
    ground = Ground(
        root, shipped, whole, {"mDC": dendritic, "mHSC-E": load_pairs("mHSC-E", BeelineStudy())}
    )
    known = describe_sets(ground, "mDC", strict=True)
    rows = make_rows(ground, "mDC", known)
    assert {*rows.cells} == {"MHSC"} and len(rows.cells) == 29 and len(CELLS) == 5
    assert rows.pairs.shape[:2] == rows.labels.shape and np.isfinite(rows.pairs).all()
