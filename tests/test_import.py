"""`import grnjax` and `grnjax --help` are light: what is heavy is imported when it is used."""

import json
import subprocess
import sys

import pytest

import grnjax

HEAVY = ("jax", "flax", "optax", "orbax", "pandas", "anndata", "scipy", "sklearn", "tyro")
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


def test_importing_every_command_initialises_no_device():
    code = "\n".join(
        [
            *(
                f"import grnjax.cli.{name}"
                for name in ("infer", "train", "transfer", "evaluate", "doctor")
            ),
            "from jax._src import xla_bridge",
            "assert not xla_bridge.backends_are_initialized()",
        ]
    )
    modules, _ = list_imported(code)
    assert "jax" in modules


@pytest.mark.parametrize("name", sorted(set(grnjax.__all__) - {"__version__"}))
def test_public_names_resolve(name):
    assert getattr(grnjax, name).__name__ == name


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version").out == f"grnjax {grnjax.__version__}\n"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'grnjax' has no attribute 'infer_netwrk'"):
        grnjax.infer_netwrk  # noqa: B018
