"""Regulons inside AnnData: what comes back from a file, and what damage is told."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.data.h5ad_output import write_beside, write_h5ad
from grnjax.data.regulon_set import Regulons
from grnjax.data.regulon_store import (
    StoredActivity,
    cell_network,
    read_activity,
    store_activity,
    type_network,
)
from grnjax.errors import ConfigError, EdgeFormatError

CELLS = [f"cell{i}" for i in range(6)]
EDGES = pd.DataFrame(
    {
        "regulon": ["B(+)", "A(+)", "A(+)", "A(-)", "SET"],
        "tf": ["B", "A", "A", "A", "SET"],
        "target": ["C", "C", "A", "D", "E"],
        "weight": [0.5, 2.0, 1.0, 3.0, 1.0],
        "sign": [1, 1, 1, -1, 0],
        "region": ["chr1:1-2;chr1:5-9", "", "chr2:1-2", "", ""],
    }
)


def make_stored(types=("T1", "T2")):
    regulons, rng = Regulons.of(EDGES), np.random.default_rng(0)
    activity = rng.random((6, 4)).astype(np.float32)
    shares = rng.random((len(types), 4)).astype(np.float32)
    return StoredActivity(
        regulons,
        activity,
        activity > 0.5,
        np.full(4, 0.5),
        np.array([True, False, True, False]),
        np.array(types, dtype=str),
        shares,
        shares >= 0.3,
        np.array(["A", "B", "C", "D", "E", "F"]),
        {"seed": 3, "aucell": {"cut": "round"}},
    )


@pytest.fixture
def cells():
    values = np.random.default_rng(1).poisson(1.0, (6, 4)).astype(np.float32)
    return anndata.AnnData(
        values,
        obs=pd.DataFrame({"kind": list("xxyyzz")}, index=CELLS),
        var=pd.DataFrame(index=list("ABCD")),
        obsm={"X_pca": np.ones((6, 2))},
        uns={"grn": {"method": "pearson"}, "other": "stays"},
    )


def assert_same(found, stored):
    assert found.regulons.names.tolist() == stored.regulons.names.tolist()
    pd.testing.assert_frame_equal(found.regulons.edges, stored.regulons.edges)
    for name in ("activity", "active", "thresholds", "is_bimodal", "type_active", "type_share"):
        one, other = getattr(found, name), getattr(stored, name)
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_array_equal(one, other)
    assert found.type_names.tolist() == stored.type_names.tolist()
    assert found.universe.tolist() == stored.universe.tolist()
    assert found.settings == stored.settings


@pytest.mark.parametrize("types", [("T1", "T2"), ()])
def test_what_is_stored_comes_back_from_one_file(types, cells, tmp_path):
    stored = make_stored(types)
    store_activity(cells, stored)
    write_h5ad(cells, tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert_same(read_activity(read), stored)
    assert read.uns["grn"]["method"] == "pearson" and read.uns["other"] == "stays"
    assert read.obsm["ereg_active"].dtype == bool and read.obsm["ereg_auc"].dtype == np.float32


def test_the_network_of_a_cell_are_the_edges_of_what_is_on_in_it(cells):
    stored = make_stored()
    store_activity(cells, stored)
    table = stored.regulons.edges
    for place, name in enumerate(CELLS):
        found = cell_network(cells, name)
        on = set(stored.regulons.names[stored.active[place]])
        assert set(found["regulon"]) == on
        assert len(found) == sum(stored.regulons.names[r] in on for r in table["regulon"])
        pd.testing.assert_frame_equal(found, cell_network(cells, place))
    found = type_network(cells, "T2")
    assert set(found["regulon"]) == set(stored.regulons.names[stored.type_active[1]])
    assert list(found) == ["tf", "target", "regulon", "weight", "sign", "region"]


def test_genes_and_cells_may_be_taken_out_and_reordered(cells):
    store_activity(cells, make_stored())
    part = cells[["cell4", "cell1"], ["D", "B"]].copy()
    pd.testing.assert_frame_equal(cell_network(part, "cell1"), cell_network(cells, "cell1"))
    pd.testing.assert_frame_equal(cell_network(part, 0), cell_network(cells, "cell4"))


def test_unknown_cells_and_types_are_named(cells):
    with pytest.raises(EdgeFormatError, match="no activity of regulons"):
        cell_network(cells, 0)
    store_activity(cells, make_stored())
    with pytest.raises(ConfigError, match="0 cells are called 'nobody'; the names are cell0"):
        cell_network(cells, "nobody")
    with pytest.raises(ConfigError, match="no cell 6 among 6"):
        cell_network(cells, 6)
    with pytest.raises(ConfigError, match="no cell type 'T9'; there are T1, T2"):
        type_network(cells, "T9")
    store_activity(cells, make_stored(()))
    with pytest.raises(ConfigError, match="there are none: give --groups"):
        type_network(cells, "T1")


def damage_places(kept):
    kept["edges"]["gene"][0] = 99


def damage_names(kept):
    kept["names"][0] = "Z"


def damage_settings(kept):
    kept["settings"] = "{"


def damage_types(kept):
    kept["type_active"] = kept["type_active"][:, :2]


def damage_thresholds(kept):
    kept["thresholds"][1] = np.nan


def damage_edges(kept):
    del kept["edges"]["ereg"]


def damage_depth(kept):
    kept["settings"] = "[" * 100_000


@pytest.mark.parametrize(
    "damage",
    [
        damage_places,
        damage_names,
        damage_settings,
        damage_types,
        damage_thresholds,
        damage_edges,
        damage_depth,
    ],
)
def test_damaged_entries_are_refused_in_one_sentence(damage, cells):
    store_activity(cells, make_stored())
    damage(cells.uns["grn"])
    with pytest.raises(EdgeFormatError, match="the stored regulons are damaged") as error:
        read_activity(cells, "x.h5ad")
    assert "\n" not in str(error.value)


def test_a_copy_of_a_file_keeps_all_that_it_held(cells, tmp_path):
    cells.layers["counts"] = cells.X.copy()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    store_activity(read, make_stored())
    parts = {"obsm": ["ereg_auc", "ereg_active"], "uns": ["grn"]}
    write_beside(read, tmp_path / "cells.h5ad", tmp_path / "out.h5ad", parts)
    found = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert_same(read_activity(found), make_stored())
    np.testing.assert_array_equal(found.layers["counts"], cells.X)
    np.testing.assert_array_equal(found.obsm["X_pca"], cells.obsm["X_pca"])
    assert found.uns["other"] == "stays" and found.obs["kind"].tolist() == list("xxyyzz")
    store_activity(read, make_stored(()))
    read.obs["more"] = 1.5
    write_beside(read, tmp_path / "out.h5ad", tmp_path / "again.h5ad", {**parts, "obs": []})
    again = anndata.read_h5ad(tmp_path / "again.h5ad")
    assert_same(read_activity(again), make_stored(()))
    assert again.obs["more"].tolist() == [1.5] * 6


def write_multimodal(rna, path):
    """A file as MuData writes it: modalities, and obs and var of both."""
    import h5py
    from anndata.io import write_elem

    atac = anndata.AnnData(
        np.eye(rna.n_obs, 3, dtype=np.float32),
        obs=pd.DataFrame(index=rna.obs_names),
        var=pd.DataFrame(index=["chr1:1-2", "chr1:5-9", "chr2:1-2"]),
    )
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "MuData"
        file.attrs["encoding-version"] = "0.1.0"
        write_elem(file.require_group("mod"), "rna", rna)
        write_elem(file.require_group("mod"), "atac", atac)
        names = [*rna.var_names, *atac.var_names]
        write_elem(file, "obs", pd.DataFrame(index=rna.obs_names))
        write_elem(file, "var", pd.DataFrame(index=names))


@pytest.mark.slow
def test_in_multimodal_files_the_rna_gets_it_and_the_rest_stays(cells, tmp_path):
    write_multimodal(cells, tmp_path / "cells.h5mu")
    store_activity(cells, make_stored())
    parts = {"obsm": ["ereg_auc", "ereg_active"], "uns": ["grn"]}
    write_beside(cells, tmp_path / "cells.h5mu", tmp_path / "out.h5mu", parts)
    import h5py
    from anndata.io import read_elem

    with h5py.File(tmp_path / "out.h5mu") as file:
        rna, atac = read_elem(file["mod/rna"]), read_elem(file["mod/atac"])
        assert file.attrs["encoding-type"] == "MuData"
    assert_same(read_activity(rna), make_stored())
    assert atac.shape == (6, 3) and rna.shape == (6, 4)
    write_beside(cells, tmp_path / "cells.h5mu", tmp_path / "rna.h5ad", parts)
    assert_same(read_activity(anndata.read_h5ad(tmp_path / "rna.h5ad")), make_stored())
    with pytest.raises(ConfigError, match="only what was read from an .h5mu"):
        write_beside(cells, tmp_path / "rna.h5ad", tmp_path / "x.h5mu", parts)
