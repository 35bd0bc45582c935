"""A ranked network as AnnData keeps the direction of regulation."""

import anndata
import numpy as np
import pandas as pd
import pytest

from grnjax.errors import ConfigError
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.types import GeneTable

GENES = GeneTable(
    names=np.array(["A", "B", "C"]),
    is_tf=np.array([True, False, True]),
    expression=np.zeros((2, 3), np.float32),
    measured=np.array([True, True, False]),
)
EDGES = pd.DataFrame(
    {
        "tf": ["C", "A", "A", "C"],
        "target": ["A", "B", "C", "B"],
        "importance": [0.9, 0.7, 0.4, 0.1],
        "probability": [0.5, 0.3, 0.2, 0.01],
    }
)
NETWORK = RankedNetwork(method="own", genes=GENES, edges=EDGES, rows=[])


def test_rows_of_the_matrix_are_tfs_and_columns_targets():
    table = NETWORK.to_anndata()
    assert list(table.var_names) == ["A", "B", "C"] and table.n_obs == 0
    expected = [[0, 0.7, 0.4], [0, 0, 0], [0.9, 0.1, 0]]
    np.testing.assert_allclose(table.varp["grn"].toarray(), expected, rtol=1e-6)
    expected = [[0, 0.3, 0.2], [0, 0, 0], [0.5, 0.01, 0]]
    np.testing.assert_allclose(table.varp["grn_probability"].toarray(), expected, rtol=1e-6)
    assert table.var["is_tf"].tolist() == [True, False, True]
    assert table.var["measured"].tolist() == [True, True, False]
    assert table.uns["grn"] == {"method": "own"}


def test_the_users_cells_get_the_network_and_stay_as_they_were():
    """By name, whatever the order of their genes."""
    cells = anndata.AnnData(np.ones((4, 4), np.float32))
    cells.var_names = ["C", "X", "B", "A"]
    table = NETWORK.to_anndata(cells, about={"seed": 3, "rows": [1, 2]})
    assert table.shape == (4, 4) and "grn" not in cells.varp and "is_tf" not in cells.var
    found = pd.DataFrame(table.varp["grn"].toarray(), table.var_names, table.var_names)
    for tf, target, importance in EDGES[["tf", "target", "importance"]].itertuples(index=False):
        assert found.loc[tf, target] == np.float32(importance)
    assert np.count_nonzero(found) == 4
    assert table.var["is_tf"].tolist() == [True, False, False, True]
    assert table.uns["grn"] == {"seed": "3", "rows": "[1, 2]"}


def test_cells_without_genes_of_the_network_are_refused():
    cells = anndata.AnnData(np.ones((2, 2), np.float32))
    cells.var_names = ["A", "B"]
    with pytest.raises(ConfigError, match=r"1 of 3 genes of the network are not in \.var_names .C"):
        NETWORK.to_anndata(cells)
