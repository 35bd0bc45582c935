"""A new task is a function over any method, and a command; no file of grnjax knows of it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grnjax.cli import run_command
from grnjax.data.expression import DataConfig
from grnjax.methods.expression_only import PearsonMethod
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.training.pair_objective import TrainingConfig

METHODS = {
    "pearson": PearsonMethod(),
    "scRegNet": ScRegNetMethod(
        model=ScRegNetConfig(mlp_widths=(8,)), training=TrainingConfig(epochs=10)
    ),
    "kernel-factor": KernelFactorMethod(
        training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_it_knows_no_method(recipe, dataset, name):
    config = recipe.AgreementConfig(method=METHODS[name])
    agreement = recipe.measure_agreement(dataset, config, data=DataConfig())
    assert (agreement == pytest.approx(1)) if name == "pearson" else (0 < agreement < 0.999)


@pytest.mark.slow
def test_a_file_of_its_own_is_its_command(recipe, shown, genelink_folder, tmp_path):
    words = [*shown("python -m my_task").split()[1:], genelink_folder(), "--out", tmp_path / "run"]
    command = [sys.executable, *map(str, words), "--method=pearson"]
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(Path(recipe.__file__).parent), str(root)])

    def call(*more):
        return subprocess.run(
            [*command, *more],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            check=False,
        )

    done = call()
    assert done.returncode == 0 and done.stdout == "agreement: 1.000\n", done.stderr
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["agreement"] == pytest.approx(1) and record["config"]["draws"] == [0, 1]
    assert record["inputs"] and record["versions"]
    assert "already finished" in call().stderr
    wrong = call("--draws", "0")
    assert wrong.returncode == 2 and wrong.stderr.startswith("python -m my_task: --draws cannot")


def test_a_mistake_is_one_sentence(recipe, tmp_path):
    args = [str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    with contextlib.redirect_stderr(io.StringIO()) as err:
        assert run_command("python -m my_task", recipe.run, args) == 2
    lines = err.getvalue().splitlines()
    assert lines[-1].startswith("python -m my_task: ") and "no such folder" in lines[-1]
    assert not (tmp_path / "run").exists()
