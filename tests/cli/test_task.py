"""`grnjax task`: a run, its resume after SIGKILL, bad input, and a task of one file."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

SIZE = (
    "--task.simulated.simulator.genes=40",
    "--task.simulated.simulator.tfs=8",
    "--task.simulated.simulator.master-regulators=3",
    "--task.simulated.simulator.cells=60",
    "--task.simulated.simulator.tfs-per-programme=3",
    "--task.simulated.simulator.steps=40",
    "--task.simulated.singles=8",
    "--task.simulated.doubles=10",
    "--task.simulated.cells-a-condition=8",
    "--task.training.model.width=8",
    "--task.training.epochs=12",
    "--task.training.checkpoint-seconds=0",
    "--task.seeds=0",
)
COMMAND = ("task", "perturbation", "simulated:1", *SIZE)
OUTPUTS = ("rows.tsv", "units.tsv", "metrics.jsonl")
MINE = '''
import dataclasses
import numpy as np
import pandas as pd
from grnjax.tasks.cells.study import CellPart, CellTask, Row

@dataclasses.dataclass(frozen=True, kw_only=True)
class Halves(CellTask):
    """Guess the second half of a list of numbers from the first."""
    SHOWN = {"error": "error"}
    power: float = 1.0
    """What the guess is raised to."""

    def read(self, source):
        return np.loadtxt(source), {"numbers": 4}

    def list_parts(self, material):
        return [CellPart(f"half-{seed}", "half", seed, None) for seed in self.seeds]

    def list_rows(self, material, part):
        guess = np.full(2, material[:2].mean() ** self.power)
        return [
            Row("zero", "trivial", lambda _: np.zeros(2)),
            Row("mean", "model", lambda _: guess, keep=(2,)),
        ]

    def judge(self, material, part, predicted):
        return pd.DataFrame({"unit": ["a", "b"], "error": abs(material[2:] - predicted)})
'''


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation."""


@pytest.fixture(scope="module")
def finished(cli, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task") / "run"
    outcome = cli(*COMMAND, "--out", folder)
    assert outcome.status == 0, outcome.err
    return folder, outcome


@pytest.mark.slow
def test_a_run_prints_trivial_rows_first_and_writes_all(finished):
    folder, outcome = finished
    rows = pd.read_csv(folder / "rows.tsv", sep="\t")
    kinds = rows[rows["group"] == "all"].set_index("method")["kind"]
    assert kinds["mean shift"] == "trivial" and kinds["GEARS"] == "model"
    assert kinds["true network, rewired"] == "control"
    units = pd.read_csv(folder / "units.tsv", sep="\t")
    assert set(units["row"]) == set(kinds.index)
    assert outcome.out.index("no change") < outcome.out.index("GEARS")
    record = json.loads((folder / "run.json").read_text())
    assert record["rows"][0]["pcc_delta"] == 0


@pytest.mark.slow
def test_the_same_command_finds_it_finished_and_another_is_refused(finished, cli):
    folder, _ = finished
    assert "already finished" in cli(*COMMAND, "--out", folder).err
    other = cli(*COMMAND, "--task.network.damping=0.3", "--out", folder)
    assert other.status == 2 and "damping" in other.err


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes(finished, tmp_path):
    folder, _ = finished
    words = [sys.executable, "-c", "import sys; from grnjax.cli import main; sys.exit(main())"]
    words += [*COMMAND, "--out", str(tmp_path / "run")]
    metrics = tmp_path / "run" / "metrics.jsonl"
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while time.monotonic() < end and not (metrics.exists() and metrics.read_bytes().count(b"\n")):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "run" / "run.json").exists()
    again = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert again.returncode == 0 and "resuming" in again.stderr
    for name in OUTPUTS:
        assert (tmp_path / "run" / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_task_is_one_file_and_no_file_of_grnjax_changes(cli, tmp_path, monkeypatch):
    (tmp_path / "my_task_of_halves.py").write_text(MINE)
    (tmp_path / "numbers.txt").write_text("1\n3\n2\n6\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = ("task", "my_task_of_halves:Halves", tmp_path / "numbers.txt", "--task.seeds=0")
    outcome = cli(*words, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    rows = pd.read_csv(tmp_path / "run" / "rows.tsv", sep="\t").set_index("method")
    assert rows.loc["zero", "error"] == 4 and rows.loc["mean", "error"] == 2
    assert (tmp_path / "run" / "checkpoints" / "half-0-mean").exists()
    (tmp_path / "numbers.txt").write_text("1\n3\n2\n7\n")
    assert cli(*words, "--out", tmp_path / "run").status == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("task", "drug-cure", "x", "--out", "y"), "it takes one of drug-response"),
        (("task", "--out", "y"), "give the name of a task"),
        (("task", "perturbation", "absent.h5ad", "--out", "y"), "absent.h5ad"),
        (("task", "perturbation", "simulated:two", "--out", "y"), "'two' is no seed"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    outcome = cli(*words)
    assert outcome.status == 2 and message in outcome.err
    assert "Traceback" not in outcome.err and not (tmp_path / "y").exists()
