"""Activity by group: of the cells of the run's file, whichever way it lies on disk."""

from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.report import group_activity
from grnjax.report.group_activity import AbsentError, measure_groups
from grnjax.tasks.record import digest_inputs

GENES = [f"G{i:02d}" for i in range(40)]


@pytest.fixture
def contents(tmp_path):
    """A run on cells of two types; the targets of A are expressed in type x alone."""
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat(["x", "y"], 60))
    counts = rng.poisson(0.5, (120, 40)).astype(np.float32)
    counts[np.ix_(kind == "x", range(10, 16))] += 6
    path = tmp_path / "cells.h5ad"
    obs = pd.DataFrame({"cell_type": kind}, [f"c{i}" for i in range(120)])
    var = pd.DataFrame(index=GENES)
    anndata.AnnData(sparse.csr_matrix(counts), obs, var).write_h5ad(path)
    pairs = [("G00", GENES[i]) for i in range(10, 16)] + [("G01", GENES[i]) for i in range(20, 26)]
    edges = pd.DataFrame(pairs, columns=["tf", "target"])
    edges = edges.assign(importance=0.9, probability=0.9, status="new")
    record = {"config": {"expression": str(path)}}
    record["inputs"] = digest_inputs({"expression": path})
    return SimpleNamespace(record=record, edges=edges, learned=True), path


def test_a_regulon_is_active_where_its_targets_are_expressed(contents, monkeypatch):
    own, path = contents
    found = measure_groups(own, {"": own})
    assert found.by == "cell_type" and found.cells == {"x": 60, "y": 60} and found.of == 120
    assert found.activity.index[0] == "G00"
    assert found.activity.loc["G00", "x"] > 5 * found.activity.loc["G00", "y"]
    monkeypatch.setattr(group_activity, "CELLS_AT_ONCE", 7)
    again = measure_groups(own, {"": own})
    pd.testing.assert_frame_equal(again.activity, found.activity)
    monkeypatch.setattr(group_activity, "MOST_CELLS", 50)
    assert sum(measure_groups(own, {"": own}).cells.values()) == 50


def test_without_groups_no_value_is_read(contents, monkeypatch):
    own, path = contents
    table = anndata.read_h5ad(path)
    table.obs = pd.DataFrame(index=table.obs_names)
    table.write_h5ad(path)
    own.record["inputs"] = digest_inputs({"expression": path})
    monkeypatch.setattr(group_activity, "read_cells", None)
    with pytest.raises(AbsentError, match="no column of .obs"):
        measure_groups(own, {"": own})
