import dataclasses
import json

import jax
import numpy as np
import pytest

from grnjax.training.study import Study, derive_seed


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
    with Study(folder, 2, trainer.config.epochs, "fitting") as study:
        return {
            f"fit{seed}": study.fit(trainer, problem.build(split), name=f"fit{seed}", seed=seed)
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


def test_lines_beyond_the_last_checkpoint_are_written_once(
    whole, tiny_trainer, problem, tmp_path
):
    """A killed fit without a checkpoint starts again, and the lines of its first attempt go."""
    folder, expected = whole
    config = dataclasses.replace(tiny_trainer.config, checkpoint_seconds=1e9)
    rarely = dataclasses.replace(tiny_trainer, config=config)
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
