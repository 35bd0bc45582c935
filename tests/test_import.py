"""`import grnjax` and `grnjax --help` are light: what is heavy is imported when it is used."""

import configparser
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import grnjax

HEAVY = ("jax", "flax", "optax", "orbax", "pandas", "anndata", "scipy", "sklearn", "tyro")
ROOT = Path(__file__).parents[1]
MOST_SECONDS = 0.3  # of `import grnjax` on a machine of its own
HELP = "import sys; from grnjax.cli import main; status = main(['--help']); assert status == 0"


def list_imported(code):
    """The heavy packages that a fresh Python has imported after the code."""
    code += f"\nimport json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *printed, modules = done.stdout.splitlines()
    return json.loads(modules), "\n".join(printed)


@pytest.mark.parametrize("code", ["import grnjax", "import grnjax.cli", HELP])
def test_nothing_heavy_is_imported(code):
    modules, printed = list_imported(code)
    assert modules == []
    assert ("usage: grnjax COMMAND" in printed) == (code == HELP)


def test_the_check_would_notice_an_import():
    modules, _ = list_imported("import pandas")
    assert "pandas" in modules


@pytest.mark.slow
def test_importing_every_command_initialises_no_device():
    code = "\n".join(
        [
            *(
                f"import grnjax.cli.{name}"
                for name in (
                    "infer",
                    "train",
                    "transfer",
                    "activity",
                    "convert",
                    "embed",
                    "evaluate",
                    "doctor",
                )
            ),
            "from jax._src import xla_bridge",
            "assert not xla_bridge.backends_are_initialized()",
        ]
    )
    modules, _ = list_imported(code)
    assert "jax" in modules


def test_importing_takes_no_time(capsys):
    def measure(code):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    pairs = [(measure("pass"), measure("import grnjax")) for _ in range(5)]  # alternating
    alone, with_grnjax = map(min, zip(*pairs))
    with capsys.disabled():
        print(f"\nimport grnjax: {with_grnjax - alone:.3f} s more than {alone:.3f} s")
    assert with_grnjax - alone < 3 * MOST_SECONDS, (
        "machines are shared: three times what it may take"
    )


@pytest.mark.parametrize("name", sorted(set(grnjax.__all__) - {"__version__"}))
def test_public_names_resolve(name):
    assert getattr(grnjax, name).__name__ == name


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version").out == f"grnjax {grnjax.__version__}\n"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'grnjax' has no attribute 'infer_netwrk'"):
        grnjax.infer_netwrk  # noqa: B018


def test_dir_shows_the_public_names():
    assert dir(grnjax) == sorted(grnjax.__all__)
    doors = {"infer", "train", "transfer", "evaluate", "read", "list_methods", "RankedNetwork"}
    assert doors <= set(dir(grnjax))


def test_annotations_are_shipped():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert (ROOT / "grnjax/py.typed").exists()
    assert "py.typed" in setup["options.package_data"]["grnjax"].split(", ")


def test_methods_are_listed_as_a_table():
    table = grnjax.list_methods()
    assert list(table) == ["method", "paper", "reads", "gives"]
    assert {"kernel-factor", "scRegNet", "GT-GRN", "grnboost2"} < set(table["method"])
    assert (table != "").all(axis=None)


@pytest.mark.slow
def test_a_network_goes_to_anndata_and_back(small_set, tmp_path):
    import anndata

    expression, _, network, _, tfs = small_set.arguments
    ranked = grnjax.infer(expression, network, tfs=tfs, method="pearson")
    cells = anndata.AnnData(small_set.counts.T)
    for given in (None, cells):
        ranked.to_anndata(given).write_h5ad(tmp_path / "network.h5ad")
        read = anndata.read_h5ad(tmp_path / "network.h5ad")
        matrix, place = read.varp["grn"].tocsr(), read.var_names.get_indexer
        edges = ranked.edges
        found = matrix[place(edges["tf"]), place(edges["target"])]
        np.testing.assert_allclose(np.ravel(found), edges["importance"], rtol=1e-6)
        assert matrix.nnz == len(edges) and read.uns["grn"]["method"] == "pearson"
        assert set(read.var_names[read.var["is_tf"]]) >= set(edges["tf"])
    assert "grn" not in cells.varp, "a copy gets the network"
    assert read.n_obs == cells.n_obs and (read.X == cells.X).all()
