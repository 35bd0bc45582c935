"""Fits of a run folder end as if nothing had happened, however often the run was cut off."""

import dataclasses
import functools
import json
import re

import jax
import numpy as np
import pytest

from grnjax.errors import CheckpointError
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.recorder import FitRecorder, RecordedFit, derive_seed


class Killed(Exception):
    """Stands for the end of the process."""


def kill_after(trainer, chunks):
    """The trainer, killed when it asks for one more chunk than that."""
    left = iter(range(chunks))

    def chunk(*args):
        if next(left, None) is None:
            raise Killed
        return trainer.chunk(*args)

    return dataclasses.replace(trainer, chunk=chunk)


def run(folder, trainer, problem):
    """Two fits of one run; their results by name."""
    with FitRecorder(folder, 2, trainer.schedule.epochs, "fitting") as recorder:
        return {
            f"fit{seed}": recorder.fit(trainer, problem.build(split), name=f"fit{seed}", seed=seed)
            for seed, split in enumerate(problem.splits)
        }


def assert_same_results(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].best_epoch == other[name].best_epoch
        for left, right in zip(
            *(jax.tree.leaves(results[name].variables) for results in (one, other)), strict=True
        ):
            assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def test_every_number_of_a_derived_seed_matters():
    seeds = {derive_seed(a, b, c) for a in range(4) for b in range(4) for c in range(4)}
    assert len(seeds) == 64
    assert derive_seed(1) not in (derive_seed(1, 1), derive_seed(2))
    assert derive_seed(3, 1, 4) == derive_seed(3, 1, 4)
    assert 0 <= derive_seed(2**40, 5) < 2**32


def test_a_study_without_a_folder_writes_nothing(tiny_trainer, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = run(None, tiny_trainer, problem)
    assert list(results) == ["fit0", "fit1"] and not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def whole(tiny_trainer, problem, tmp_path_factory):
    """An uninterrupted run: its folder and its results."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder, tiny_trainer, problem)


def test_a_run_folder_tells_every_evaluation_of_every_fit(whole):
    folder, results = whole
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    epochs = [5, 10, 15, 20, 25]
    assert [(line["fit"], line["epoch"]) for line in lines] == [
        (name, epoch) for name in results for epoch in epochs
    ]
    assert {"loss", "auroc", "average_precision", "best_epoch"} < lines[0].keys()
    assert (folder / "checkpoints" / "fit0" / "25" / "manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("chunks", [2, 8])
def test_a_killed_run_ends_with_the_same_results_and_the_same_lines(
    whole, tiny_trainer, problem, tmp_path, chunks
):
    """With a checkpoint after each of them, five chunks and one without training make a fit."""
    folder, expected = whole
    with pytest.raises(Killed):
        run(tmp_path, kill_after(tiny_trainer, chunks), problem)
    assert_same_results(run(tmp_path, tiny_trainer, problem), expected)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()


def test_lines_beyond_the_last_checkpoint_are_written_once(whole, tiny_trainer, problem, tmp_path):
    """A killed fit without a checkpoint starts again, and the lines of its first attempt go."""
    folder, expected = whole
    schedule = tiny_trainer.schedule._replace(checkpoint_seconds=1e9)
    rarely = dataclasses.replace(tiny_trainer, schedule=schedule)
    with pytest.raises(Killed):
        run(tmp_path, kill_after(rarely, 9), problem)
    cut_off = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert any('"fit1"' in line for line in cut_off)
    assert_same_results(run(tmp_path, rarely, problem), expected)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()


def test_a_finished_run_is_read_back_without_training(whole, tiny_trainer, problem):
    folder, expected = whole
    before = (folder / "metrics.jsonl").read_bytes()
    assert_same_results(run(folder, kill_after(tiny_trainer, 0), problem), expected)
    assert (folder / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "metrics, shown",
    [
        ({"auroc": 0.9, "average_precision": 0.25}, "fit0 AP 0.250"),
        ({"loss": 4.0, "held_out_loss": 5.5}, "fit0 held-out loss 5.500"),
        ({"loss": 0.7, "held_out": 0.36}, "fit0 variance explained 0.360"),
    ],
)
def test_a_fit_of_any_kind_is_logged_with_what_it_is_selected_on(metrics, shown, tmp_path):
    with FitRecorder(tmp_path, 1, 10, "fitting") as recorder:
        log = RecordedFit(recorder, "fit0")
        log.start(0)
        said = []
        recorder.bar.set_postfix_str = said.append
        log.write({"epoch": 5, **metrics})
    assert said == [shown]
    [line] = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"fit": "fit0", "epoch": 5, **metrics}


FORM = {"weights": np.zeros(3, np.float32), "step": np.zeros((), np.int32)}


def make_arrays(number):
    """The arrays of a short fit."""
    return {"weights": np.full(3, number / 7, np.float32), "step": np.array(number, np.int32)}


def describe_arrays(arrays):
    """Two lines of it, whose figure exists as float32 only."""
    score = float(arrays["weights"][0])
    return [{"epoch": epoch, "validation": score + epoch} for epoch in (30, 60)]


def recall_all(folder, *, names=("a", "b"), die_in=None):
    """Short fits of one run: their arrays by name, and the names of those made now."""
    made, results = [], {}

    def make(name):
        if name == die_in:
            raise Killed
        made.append(name)
        return make_arrays(ord(name))

    with FitRecorder(folder, len(names), 1, "fitting") as recorder:
        for name in names:
            make_this = functools.partial(make, name)
            results[name] = recorder.recall(name, lambda: FORM, make_this, describe_arrays)
    return results, made


def assert_same_arrays(one, other):
    assert one.keys() == other.keys()
    for name, arrays in one.items():
        for key, values in arrays.items():
            assert np.asarray(values).dtype == other[name][key].dtype
            np.testing.assert_array_equal(values, other[name][key])


def test_a_short_fit_is_made_once_and_then_read_back_bit_for_bit(tmp_path):
    first, made = recall_all(tmp_path)
    assert made == ["a", "b"]
    log = (tmp_path / "metrics.jsonl").read_bytes()
    lines = [json.loads(line) for line in log.splitlines()]
    assert [(x["fit"], x["epoch"]) for x in lines] == [("a", 30), ("a", 60), ("b", 30), ("b", 60)]
    again, made = recall_all(tmp_path)
    assert made == []
    assert_same_arrays(again, first)
    assert (tmp_path / "metrics.jsonl").read_bytes() == log


def test_short_fits_without_a_folder_write_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results, made = recall_all(None)
    assert made == ["a", "b"] and not list(tmp_path.iterdir())
    assert_same_arrays(results, {name: make_arrays(ord(name)) for name in ("a", "b")})


def test_only_short_fits_that_had_not_ended_are_made_again(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, _ = recall_all(tmp_path / "whole")
    with pytest.raises(Killed):
        recall_all(tmp_path / "killed", die_in="b")
    resumed, made = recall_all(tmp_path / "killed")
    assert made == ["b"]
    assert_same_arrays(resumed, whole)
    logs = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("killed", "whole")]
    assert logs[0] == logs[1]


def test_lines_of_a_short_fit_without_its_checkpoint_are_written_once(tmp_path, monkeypatch):
    """It was killed between its lines and its checkpoint."""

    def die(*args):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(CheckpointStore, "save", die)
        recall_all(tmp_path)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    _, made = recall_all(tmp_path)
    assert made == ["a", "b"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert len({(line["fit"], line["epoch"]) for line in lines}) == len(lines) == 4


def test_a_flipped_byte_in_the_checkpoint_of_a_short_fit_is_named(tmp_path):
    recall_all(tmp_path)
    files = [path for path in (tmp_path / "checkpoints" / "b").rglob("*") if path.is_file()]
    path = max(files, key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        recall_all(tmp_path)


def test_a_short_fit_of_another_form_is_not_read_back(tmp_path):
    recall_all(tmp_path)
    other = {"weights": np.zeros(4, np.float32), "step": FORM["step"]}
    with (
        FitRecorder(tmp_path, 1, 1, "fitting") as recorder,
        pytest.raises(CheckpointError, match="weights"),
    ):
        recorder.recall("a", lambda: other, lambda: None, describe_arrays)
