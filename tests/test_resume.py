"""A run that was killed goes on with the same command and ends as if nothing had happened.

Each kill is a SIGKILL of a process of its own, at random moments spread over the whole run: while
it starts, between any two evaluations, while it saves, and while it writes the results.
GRNJAX_KILLS sets their number.
"""

import dataclasses
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import orbax.checkpoint as ocp
import pytest

from grnjax.storage.files import LOCK, read_json_lines

KILLS = int(os.environ.get("GRNJAX_KILLS", 4))
DEADLINE = 240  # seconds for any one process
SIZE = {"genes": 60, "tfs": 8, "master-regulators": 3, "cells": 80, "tfs-per-programme": 3}
SHARED = [f"--embedded.simulator.{name}={value}" for name, value in SIZE.items()]
SHARED += ["--repeats=2", "--folds=2"]
FITS = [f"repeat{repeat}-fold{fold}" for fold in range(2) for repeat in range(2)]


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of `grnjax infer`, the settings of a short run by it, and what its fits leave."""

    name: str
    settings: tuple[str, ...]
    epochs: tuple[int, ...]  # of the lines of a fit
    newest: str  # checkpoint of a fit that has ended
    array: str  # word in the names of the arrays that were learned
    pause: float  # seconds that a line and its checkpoint take at most

    @property
    def flags(self):
        return [*SHARED, f"--method={self.name}", *self.settings]

    @property
    def lines(self):
        return len(FITS) * len(self.epochs)


SCREGNET = Method(
    "scRegNet",
    ("--method.training.epochs=50", "--method.training.checkpoint-seconds=0"),
    epochs=(10, 20, 30, 40, 50),
    newest="50",
    array="parameters",
    pause=0.4,
)
KERNEL_FACTOR = Method(
    "kernel-factor",
    ("--method.training.steps=60", "--method.kernels.episodes=4"),
    epochs=(30, 60),
    newest="1",
    array="members",
    pause=0.1,
)
COMMAND = [sys.executable, "-c", "import sys; from grnjax.cli import main; sys.exit(main())"]
RESULTS = ("edges.tsv", "rankedEdges.csv")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("compile_quickly")]


@pytest.fixture(scope="module", params=[SCREGNET, KERNEL_FACTOR], ids=lambda m: m.name)
def method(request):
    return request.param


def start(method, folder, log):
    """A process of its own that runs `grnjax infer` in the folder."""
    command = [*COMMAND, "infer", *method.flags, "--out", folder]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def run_to_the_end(method, folder, log):
    with open(log, "ab") as file:
        assert start(method, folder, file).wait(DEADLINE) == 0, log.read_text()
    return log.read_text()


def kill_after(method, folder, log, lines, delay):
    """Starts the run and kills it `delay` seconds after metrics.jsonl has so many lines.

    True if that was in time, False if the run had ended.
    """
    metrics = folder / "metrics.jsonl"
    with open(log, "ab") as file:
        process = start(method, folder, file)
        end = time.monotonic() + DEADLINE
        while process.poll() is None and time.monotonic() < end:
            if not lines or metrics.exists() and metrics.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.002)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        return process.wait(DEADLINE) == -signal.SIGKILL


def draw_moments(method, rng):
    """Lines and delays of the kills: while it starts, after the last fit, between."""
    lines = sorted(rng.randint(1, method.lines - 1) for _ in range(KILLS - 2))
    between = [(count, rng.uniform(0, method.pause)) for count in lines]
    return [(0, rng.uniform(0, 3)), *between, (method.lines, rng.uniform(0, 1))]


def read_states(folder):
    """Every array of the newest checkpoint of every fit, by fit and name."""
    states = {}
    for fit in sorted((folder / "checkpoints").iterdir()):
        newest = max(fit.iterdir(), key=lambda path: int(path.name))
        with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as reader:
            arrays = reader.restore(newest / "state")
        states[fit.name, newest.name] = {name: np.asarray(x) for name, x in arrays.items()}
    return states


def expect_same_run(folder, reference):
    """The results, the log and the final states of two run folders are equal, bit for bit."""
    for name in RESULTS:
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), name
    lines, expected = (read_json_lines(run / "metrics.jsonl") for run in (folder, reference))
    assert set(Counter((line["fit"], line["epoch"]) for line in lines).values()) == {1}
    assert lines == expected
    states, expected = read_states(folder), read_states(reference)
    assert states.keys() == expected.keys()
    for fit, arrays in expected.items():
        assert states[fit].keys() == arrays.keys()
        for name, array in arrays.items():
            assert states[fit][name].dtype == array.dtype
            np.testing.assert_array_equal(states[fit][name], array, err_msg=f"{fit} {name}")


def take_stock(folder):
    """Bytes and time of change of every file but the lock."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="module")
def uninterrupted(method, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    run_to_the_end(method, folder / "run", folder / "log")
    return folder / "run"


@pytest.fixture(scope="module")
def cut_off(method, uninterrupted, tmp_path_factory):
    """A run that was killed in its second fit, or soon after.

    By then the second fit by scRegNet has two checkpoints or more, the first by the kernel-factor
    model its only one.
    """
    del uninterrupted  # has compiled everything, so that the kill comes in time
    folder = tmp_path_factory.mktemp("cut-off")
    lines = len(method.epochs) * 5 // 3
    assert kill_after(method, folder / "run", folder / "log", lines, 0)
    return folder / "run"


def test_an_uninterrupted_run_logs_every_evaluation_once(method, uninterrupted):
    lines = read_json_lines(uninterrupted / "metrics.jsonl")
    expected = [(fit, epoch) for fit in FITS for epoch in method.epochs]
    assert [(line["fit"], line["epoch"]) for line in lines] == expected
    states = read_states(uninterrupted)
    assert list(states) == [(fit, method.newest) for fit in sorted(FITS)]
    first, second, *_ = states.values()
    differing = [name for name in first if not np.array_equal(first[name], second[name])]
    assert sum(method.array in name for name in differing) > 5  # the comparison sees the weights


def test_kills_at_random_moments_change_nothing(method, uninterrupted, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log"
    for lines, delay in draw_moments(method, random.Random(20)):
        killed = kill_after(method, folder, log, lines, delay)
        assert killed or lines == method.lines, log.read_text()
        for name in RESULTS:  # whole or absent at any moment
            if (folder / name).exists():
                assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes()
    text = run_to_the_end(method, folder, log)
    assert "resuming an unfinished run" in text
    assert ": read back" in text
    expect_same_run(folder, uninterrupted)


@pytest.mark.parametrize("method", [SCREGNET], indirect=True, ids=["scRegNet"])
@pytest.mark.parametrize("which", ["manifest.json", "the largest file"])
def test_a_flipped_byte_is_named_and_the_step_before_is_used(
    which, method, cut_off, uninterrupted, cli, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    fit = folder / "checkpoints" / "repeat1-fold0"
    *_, before, newest = sorted(int(path.name) for path in fit.iterdir() if path.name.isdecimal())
    files = [path for path in (fit / str(newest)).rglob("*") if path.is_file()]
    path = max(files, key=lambda p: (p.name == which, p.stat().st_size))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    outcome = cli("infer", *method.flags, "--out", folder)
    assert outcome.status == 0, outcome.err
    assert re.search(f"{re.escape(str(path))}: .*; using step {before} instead", outcome.err)
    assert f"repeat1-fold0: read back after epoch {before}" in outcome.err
    expect_same_run(folder, uninterrupted)


def test_a_flipped_byte_in_the_only_checkpoint_is_an_error_that_names_it(
    method, cut_off, cli, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    fit = folder / "checkpoints" / "repeat0-fold0"
    newest = str(max(int(path.name) for path in fit.iterdir() if path.name.isdecimal()))
    for step in fit.iterdir():
        if step.name != newest:
            shutil.rmtree(step)
    files = [path for path in (fit / newest).rglob("*") if path.is_file()]
    path = max(files, key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    outcome = cli("infer", *method.flags, "--out", folder)
    assert outcome.status == 2
    complaint = outcome.err.splitlines()[-1]
    assert str(path) in complaint and "delete that folder to start again" in complaint


def test_the_same_command_on_a_finished_run_changes_nothing(method, uninterrupted, cli):
    before = take_stock(uninterrupted)
    outcome = cli("infer", *method.flags, "--out", uninterrupted)
    assert outcome.status == 0
    assert f"{uninterrupted}: this run has already finished; nothing to do." in outcome.err
    assert take_stock(uninterrupted) == before


@pytest.mark.parametrize("run", ["uninterrupted", "cut_off"])
def test_another_seed_on_the_same_folder_is_refused(run, method, cli, request):
    folder = request.getfixturevalue(run)
    before = take_stock(folder)
    outcome = cli("infer", *method.flags, "--seed", 1, "--out", folder)
    assert outcome.status == 2
    complaint = outcome.err.splitlines()[-1]
    assert "config.seed was 0 and is now 1" in complaint and "choose another --out" in complaint
    assert take_stock(folder) == before
