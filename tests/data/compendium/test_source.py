"""A source in memory and as a file: whole, the same whatever the order, or refused."""

import dataclasses

import numpy as np
import pytest

from grnjax.data.compendium.source import make_source, read_source, write_source
from grnjax.errors import EdgeFormatError
from tests.data.compendium.small import CHIP, make_about, make_edges


def make(**more):
    return make_source(make_edges(CHIP), make_about("chip", **more))


def test_a_file_gives_back_what_was_written(tmp_path):
    source = make(licence="CC BY 4.0", species="mouse")
    write_source(source, tmp_path / "chip.npz")
    found = read_source(tmp_path / "chip.npz")
    assert found.about == source.about and found.digest == source.digest
    for field in ("genes", "tfs", "cells", "bits"):
        np.testing.assert_array_equal(getattr(found, field), getattr(source, field))
    assert [path.name for path in tmp_path.iterdir()] == ["chip.npz"]
    first = (tmp_path / "chip.npz").read_bytes()
    write_source(found, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == first


def test_rows_in_another_order_are_the_same_source_and_other_targets_are_not():
    edges = make_edges(CHIP)
    shuffled = make_source(edges.sample(frac=1, random_state=0), make_about("chip"))
    assert shuffled.digest == make().digest
    assert make_source(edges[1:], make_about("chip")).digest != make().digest
    assert make(licence="MIT").digest != make().digest


def test_targets_labelled_0_are_looked_at_and_not_listed():
    edges = make_edges(CHIP).assign(label=1)
    edges.loc[0, "label"] = 0
    source = make_source(edges, make_about("chip"))
    assert "G0" in source.genes
    row = source.lists.rows_of("A")[source.lists.cells[source.lists.rows_of("A")] == "H1"]
    assert source.lists.counts[row] == 3


@pytest.mark.parametrize("part", ["bits", "about", "tfs"])
def test_damage_is_noticed(tmp_path, part):
    source, path = make(), tmp_path / "chip.npz"
    write_source(source, path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays[part] = arrays[part].copy()
    arrays[part].flat[3] ^= 1
    np.savez(path, **arrays)
    with pytest.raises(EdgeFormatError, match="not as they were written|no file of lists"):
        read_source(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, genes=np.arange(3))
    with pytest.raises(EdgeFormatError, match="about is needed"):
        read_source(path)
    path.write_text("tf,target")
    with pytest.raises(EdgeFormatError, match="not a readable"):
        read_source(path)
    np.savez(path, **{name: np.array([object()]) for name in ("about", "genes")})
    with pytest.raises(EdgeFormatError, match="objects"):
        read_source(path)
    source = dataclasses.replace(make(), bits=make().bits[:, :0])
    write_source(source, path)
    with pytest.raises(EdgeFormatError, match="shape of its lists"):
        read_source(path)


def test_a_universe_holds_what_is_listed():
    with pytest.raises(EdgeFormatError, match="4 genes .G3, .*not among the 4"):
        make_source(make_edges(CHIP), make_about("x"), universe=["G0", "G1", "G2", "G7"])
    with pytest.raises(EdgeFormatError, match="0 targets"):
        make_source(make_edges(CHIP).assign(label=0), make_about("x"))
