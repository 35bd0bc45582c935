"""Inputs are digested by role, and the .h5ad keeps the direction of regulation."""

import hashlib

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.errors import ConfigError
from grnjax.tasks.ranked_network import RankedNetwork
from grnjax.tasks.record import describe_environment, digest_inputs, write_network
from grnjax.types import GeneTable
from tests.faults.closed_form import ClosedForm

GENES = GeneTable(
    names=np.array(["A", "B", "C"]),
    is_tf=np.array([True, False, True]),
    expression=np.zeros((2, 3), np.float32),
    measured=np.array([True, True, False]),
)


@pytest.fixture
def edges():
    return pd.DataFrame(
        {
            "tf": ["C", "A", "A", "C"],
            "target": ["A", "B", "C", "B"],
            "importance": [0.9, 0.7, 0.4, 0.1],
            "probability": [0.5, 0.3, 0.2, 0.01],
            "spread": [0.1, 0.0, 0.2, 0.0],
            "status": ["new", "known", "new", "new"],
        }
    )


def write(folder, edges, about):
    network = RankedNetwork(method="own", genes=GENES, edges=edges, rows=[])
    write_network(folder, network, about)


def test_rows_of_the_matrix_are_tfs_and_columns_targets(edges, tmp_path):
    write(tmp_path, edges, {"command": "infer", "inputs": {"tfs": "x"}})
    table = anndata.read_h5ad(tmp_path / "network.h5ad")
    assert list(table.var_names) == ["A", "B", "C"] and table.n_obs == 0
    expected = [[0, 0.7, 0.4], [0, 0, 0], [0.9, 0.1, 0]]
    np.testing.assert_allclose(table.varp["grn"].toarray(), expected, rtol=1e-6)
    expected = [[0, 0.3, 0.2], [0, 0, 0], [0.5, 0.01, 0]]
    np.testing.assert_allclose(table.varp["grn_probability"].toarray(), expected, rtol=1e-6)
    assert table.uns["grn"]["command"] == "infer"
    names = {"edges.tsv", "rankedEdges.csv", "network.h5ad"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_each_file_is_digested_by_its_role(tmp_path):
    (tmp_path / "b.csv").write_bytes(b"edges")
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"expression")
    paths = {"network": str(tmp_path / "b.csv"), "folder": folder, "tfs": None, "out": "absent"}
    assert digest_inputs(paths) == {
        "network": hashlib.sha256(b"edges").hexdigest(),
        "folder/a.csv": hashlib.sha256(b"expression").hexdigest(),
    }


def test_the_environment_names_the_device_that_computes():
    import jax

    environment = describe_environment()
    assert environment["versions"]["jax"] == jax.__version__
    assert environment["device"]["backend"] == jax.default_backend()
    assert environment["device"]["count"] == jax.device_count()


def test_edges_without_probabilities_give_a_network_without(edges, tmp_path):
    plain = edges[["tf", "target", "importance"]]
    write(tmp_path, plain, {"command": "infer"})
    table = anndata.read_h5ad(tmp_path / "network.h5ad")
    assert list(table.varp) == ["grn"]
    written = pd.read_csv(tmp_path / "edges.tsv", sep="\t")
    assert list(written) == ["TF", "target", "importance"] and len(written) == 4


@pytest.mark.slow
def test_a_folder_kept_from_python_is_that_of_one_call(small_set, tmp_path):
    expression, _, network, *_ = small_set.arguments
    method, config = ClosedForm(), grnjax.InferenceConfig(repeats=1, folds=2)

    def infer(expression=expression, network=network, **changes):
        given = {"method": method, "config": config, "seed": 5, "folder": tmp_path, **changes}
        return grnjax.infer(expression, network, **given).edges

    edges = infer()
    pd.testing.assert_frame_equal(infer(str(expression), pd.read_csv(network)), edges)
    cases = {
        "inputs.seed was 5 and is now 6": {"seed": 6},
        "config.method.ridge was 1.0 and is now 2.0": {"method": ClosedForm(ridge=2.0)},
        "inputs.dataset was": {"network": pd.read_csv(network)[:-3]},
    }
    for said, changes in cases.items():
        with pytest.raises(ConfigError, match=f"holds another run.*{said}.*another folder"):
            infer(**changes)


@pytest.mark.slow
def test_fits_of_a_command_are_read_from_python_and_their_settings_compared(
    small_set, cli, tmp_path, caplog
):
    expression, _, network, *_ = small_set.arguments
    words = ["--method=tests.faults.closed_form:ClosedForm", "--repeats=1", "--folds=2"]
    outcome = cli("infer", expression, "--network", network, *words, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    config = grnjax.InferenceConfig(repeats=1, folds=2, method=ClosedForm())
    edges = grnjax.infer(expression, network, config=config, folder=tmp_path / "run").edges
    written = pd.read_csv(tmp_path / "run/edges.tsv", sep="\t")
    np.testing.assert_array_equal(*(x["importance"].astype(np.float32) for x in (edges, written)))
    with pytest.raises(ConfigError, match="seed was 0 and is now 1"):
        grnjax.infer(expression, network, config=config, folder=tmp_path / "run", seed=1)
