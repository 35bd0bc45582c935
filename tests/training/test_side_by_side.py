"""Fits side by side give what they give one by one, and each is kept and resumed on its own."""

import dataclasses
import functools
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError, NonFiniteError
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.storage.files import read_json_lines
from grnjax.training import side_by_side
from grnjax.training.cluster import DeviceConfig
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from grnjax.training.recorder import FitRecorder, Job
from grnjax.training.sharding import make_mesh
from tests.devices import simulate_devices

FITS = 5
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
SCRIPT = Path(__file__).with_name("fits_on_devices.py")


class Killed(Exception):
    """Stands for the end of the process."""


def refuse(*args):
    """Takes the place of a chunk where nothing may be trained."""
    raise AssertionError("it was trained")


def change(trainer, *, chunk=None, **settings):
    """The trainer with another chunk, or with other settings of the host's loop."""
    schedule = trainer.schedule._replace(**settings)
    return dataclasses.replace(trainer, chunk=chunk or trainer.chunk, schedule=schedule)


@pytest.fixture(scope="module")
def alone(make_tiny_trainer):
    """Fits one after the other; three evaluations without a better one end a fit."""
    return make_tiny_trainer(patience=3, epochs=60)


@pytest.fixture(scope="module")
def together(alone):
    return change(alone, side_by_side=True)


@pytest.fixture(scope="module")
def jobs(problem):
    """Fits with different splits and seeds."""
    splits = [problem.splits[number % 2] for number in range(FITS)]
    return [
        Job(f"fit{seed}", seed, functools.partial(problem.build, split, seed=seed))
        for seed, split in enumerate(splits)
    ]


def run(folder, trainer, jobs):
    """The results of all fits of a run."""
    folder.mkdir(exist_ok=True)
    with FitRecorder(folder, len(jobs), trainer.schedule.epochs, "fitting") as recorder:
        return [result for result, _ in recorder.fit_all(trainer, jobs)]


@pytest.fixture(scope="module")
def one_by_one(alone, jobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return folder, run(folder, alone, jobs)


@pytest.fixture(scope="module")
def whole(together, jobs, tmp_path_factory):
    """An uninterrupted run side by side: its folder and its results."""
    folder = tmp_path_factory.mktemp("together")
    return folder, run(folder, together, jobs)


def read_log(folder):
    """The lines of each fit, in their order."""
    lines = defaultdict(list)
    for line in read_json_lines(folder / "metrics.jsonl"):
        lines[line.pop("fit")].append(line)
    return lines


def assert_close(one, other):
    """The results agree within rounding, and the lines of the log do."""
    for left, right in zip(one[1], other[1], strict=True):
        assert (left.best_epoch, left.epochs) == (right.best_epoch, right.epochs)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, **CLOSE), left.variables, right.variables
        )
    logs = read_log(one[0]), read_log(other[0])
    assert logs[0].keys() == logs[1].keys()
    for name, lines in logs[0].items():
        for left, right in zip(lines, logs[1][name], strict=True):
            assert left.keys() == right.keys() and left["epoch"] == right["epoch"]
            np.testing.assert_allclose([*left.values()], [right[key] for key in left], **CLOSE)


def assert_same(one, other):
    """The results are equal, bit for bit, and so is the log of every fit."""
    for left, right in zip(one[1], other[1], strict=True):
        assert (left.best_epoch, left.best_score) == (right.best_epoch, right.best_score)
        jax.tree.map(np.testing.assert_array_equal, left.variables, right.variables)
    assert read_log(one[0]) == read_log(other[0])


@pytest.mark.slow
def test_results_and_logs_are_those_of_one_by_one(one_by_one, whole):
    """Splits, seeds and the epochs in which fits stop all differ."""
    assert_close(whole, one_by_one)
    assert len({result.epochs for result in whole[1]}) >= 3
    bests = [np.asarray(result.variables["params"]["message"]["kernel"]) for result in whole[1]]
    assert min(np.abs(bests[0] - other).max() for other in bests[1:]) > 0.01


@pytest.mark.slow
def test_groups_share_one_compilation_and_a_small_one_is_made_up(
    together, jobs, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(side_by_side, "FITS_A_DEVICE", 2)
    traced = []

    def chunk(*args):
        traced.append(args)
        return together.chunk(*args)

    fresh = change(together, chunk=chunk)
    results = run(tmp_path / "run", fresh, jobs)
    assert len(traced) == 1
    assert [function._cache_size() for function in fresh.stacked] == [1, 1]
    assert_close((tmp_path / "run", results), whole)
    names = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert names == {job.name for job in jobs}


@pytest.fixture
def cut_off(together, jobs, tmp_path, monkeypatch):
    """A run that was killed when it had saved epoch 15 of two fits and epoch 10 of the others."""
    save, folder = CheckpointStore.save, tmp_path / "run"

    def save_or_die(store, step, state, meta):
        if step == 15 and meta["name"] == "fit2":
            raise Killed
        save(store, step, state, meta)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(CheckpointStore, "save", save_or_die)
        run(folder, together, jobs)
    newest = {
        path.name: max(int(step.name) for step in path.iterdir())
        for path in (folder / "checkpoints").iterdir()
    }
    assert newest == {"fit0": 15, "fit1": 15, "fit2": 10, "fit3": 10, "fit4": 10}
    return folder


@pytest.mark.slow
def test_a_run_that_was_killed_ends_bit_for_bit_like_one_that_was_not(
    cut_off, together, jobs, whole
):
    assert_same((cut_off, run(cut_off, together, jobs)), whole)


@pytest.mark.slow
def test_a_run_that_was_killed_resumes_one_by_one(cut_off, alone, jobs, one_by_one):
    assert_close((cut_off, run(cut_off, alone, jobs)), one_by_one)


@pytest.mark.slow
def test_fits_that_had_ended_are_read_back_and_not_trained(whole, together, alone, jobs):
    folder, expected = whole
    for trainer in (together, alone):
        untrained = change(trainer, chunk=refuse)
        assert_same((folder, run(folder, untrained, jobs)), (folder, expected))


@pytest.mark.slow
def test_only_fits_that_had_not_ended_are_trained(whole, together, jobs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    shutil.rmtree(folder / "checkpoints" / "fit3")
    before = {path: path.stat().st_mtime_ns for path in (folder / "checkpoints").rglob("*")}
    assert_same((folder, run(folder, together, jobs)), whole)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_named_and_the_other_fits_are_kept(
    together, jobs, whole, tmp_path
):
    def build():
        data = jobs[2].build()
        nodes = data.genes.nodes.copy()
        nodes[3, 0] = np.nan
        return data._replace(genes=data.genes._replace(nodes=nodes))

    broken = [*jobs[:2], dataclasses.replace(jobs[2], build=build), *jobs[3:]]
    results, expected = [], [result.epochs for result in whole[1]]
    with FitRecorder(tmp_path, FITS, together.schedule.epochs, "fitting") as recorder:
        with pytest.raises(NonFiniteError, match="^fit2: the loss stopped being finite by epoch"):
            for result, _ in recorder.fit_all(together, broken):
                results.append(result)
    assert [result.epochs for result in results] == expected[:2]  # those before it come first
    newest = [CheckpointStore(tmp_path / "checkpoints" / job.name).steps()[-1] for job in jobs]
    assert newest == [*expected[:2], 5, *expected[3:]]


@pytest.mark.slow
def test_fits_are_one_by_one_on_cpu_and_side_by_side_elsewhere(alone, together, monkeypatch):
    choose = side_by_side.choose_group_size
    assert [choose(alone, fits) for fits in (1, 25)] == [1, 1]
    assert [choose(together, fits) for fits in (1, 2, 8, 9, 25)] == [1, 2, 8, 5, 7]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert [choose(alone, fits) for fits in (1, 25)] == [1, 7]
    assert choose(change(alone, side_by_side=False), 25) == 1
    assert choose(dataclasses.replace(alone, mesh=make_mesh()), 25) == 1
    monkeypatch.setattr(jax, "local_device_count", lambda: 4)
    assert [choose(alone, fits) for fits in (3, 25, 100)] == [4, 28, 28]


def test_where_one_device_is_all_there_is_no_mesh(monkeypatch):
    for backend in ("cpu", "gpu"):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        for choice in (None, True, False):
            assert side_by_side.choose_mesh(DeviceConfig(), choice, fits=5) is None


def test_flags_that_contradict_each_other_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match="--devices.model 2 splits .* leave one of them out"):
        side_by_side.choose_mesh(DeviceConfig(model=2), True, fits=5)
    monkeypatch.setattr(jax, "process_count", lambda: 3)
    with pytest.raises(ConfigError, match="each of the 3 would train all of them; leave it out"):
        side_by_side.choose_mesh(DeviceConfig(), True, fits=5)
    assert side_by_side.choose_mesh(DeviceConfig(), False, fits=5) is None  # one device


@pytest.mark.slow
def test_fits_that_need_more_memory_than_there_is_say_what_to_do(together, jobs, tmp_path):
    def chunk(state, data, key):
        state, metrics = together.chunk(state, data, key)
        huge = jax.random.uniform(key, (2**46,))  # 256 TiB
        return state, {**metrics, "loss": metrics["loss"] + jnp.sort(huge)[0]}

    message = "^5 fits side by side need more memory than there is .*: 1.; train them one by one"
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, change(together, chunk=chunk), jobs)


def test_fits_that_share_devices_cannot_be_side_by_side(tiny_model):
    with pytest.raises(ConfigError, match="leave out --method.training.side-by-side"):
        make_pair_trainer(tiny_model, TrainingConfig(side_by_side=True), mesh=make_mesh())


@pytest.mark.slow
def test_whole_fits_on_eight_devices_are_those_on_one(tmp_path):
    """There are eleven of them, and five copies make up for the missing ones.

    They are placed as on an accelerator by default.
    """
    command = [sys.executable, SCRIPT, "study", tmp_path / "results.npz"]
    subprocess.run(command, env=simulate_devices(8), check=True, timeout=240)
    results = dict(np.load(tmp_path / "results.npz"))
    names = {name.removeprefix("one by one/") for name in results if name.startswith("one by one")}
    assert len({name.split("/")[0] for name in names}) == 11
    for name in names:
        one, eight = (results[f"{way}/{name}"] for way in ("one by one", "side by side"))
        assert np.abs(one - eight).max() <= 1e-5 * np.abs(one).max(), name
