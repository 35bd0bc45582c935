"""What a run left is verified before it counts as finished, and belongs to its run and its fit.

`python -m tests.faults.damage` does every damage to every file of every command.
"""

import os
import shutil

import pytest

from grnjax.storage import checkpoints
from tests.faults import damage
from tests.faults.commands import COMMANDS, run, write_inputs
from tests.faults.earlier import forget_digests
from tests.faults.results import read_results


@pytest.mark.slow
@pytest.mark.parametrize("command, every", [("infer pearson", 5), ("evaluate", 1)])
def test_damages_of_every_kind_are_noticed(command, every, tmp_path):
    tried, unnoticed = damage.try_all(command, tmp_path, every)
    assert tried >= 8 and unnoticed == []


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def fit(inputs, out, *words):
    return run([*COMMANDS["train closed form"].words(inputs), *words, "--out", out])


@pytest.fixture(scope="module")
def seeds(inputs, tmp_path_factory):
    """A run with two seeds, and one with another seed."""
    folder = tmp_path_factory.mktemp("seeds")
    assert fit(inputs, folder / "both", "--seeds", "0", "1")[0] == 0
    assert fit(inputs, folder / "other", "--seeds", "2", "1")[0] == 0
    return folder


@pytest.fixture
def both(seeds, tmp_path):
    return shutil.copytree(seeds / "both", tmp_path / "both")


def again(inputs, out):
    return fit(inputs, out, "--seeds", "0", "1")


def name_fits(out):
    return sorted(path.name for path in (out / "checkpoints").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("finished", [True, False])
def test_checkpoints_of_another_run_are_refused(finished, both, seeds, inputs):
    """Those of the same seed in another run as well."""
    [name] = [fit for fit in name_fits(both) if fit in name_fits(seeds / "other")]
    shutil.rmtree(both / "checkpoints" / name)
    shutil.copytree(seeds / "other/checkpoints" / name, both / "checkpoints" / name)
    if not finished:
        (both / "run.json").unlink()
    status, err = again(inputs, both)
    complaint = err.splitlines()[-1]
    assert status == 2 and "is a checkpoint of another run" in complaint
    assert f"move {both / 'checkpoints' / name} away to train this fit anew" in complaint
    shutil.rmtree(both / "checkpoints" / name)
    assert again(inputs, both)[0] == 0 and read_results(both) == read_results(seeds / "both")


@pytest.mark.slow
def test_checkpoints_of_another_fit_are_refused_and_none_is_lost(both, inputs):
    one, other = name_fits(both)
    folder = both / "checkpoints"
    (folder / one).rename(folder / "aside")
    (folder / other).rename(folder / one)
    (folder / "aside").rename(folder / other)
    status, err = again(inputs, both)
    assert status == 2
    assert f"is a checkpoint of another fit ({other}, not {one})" in err.splitlines()[-1]
    assert name_fits(both) == [one, other]


@pytest.mark.slow
def test_a_run_that_resumes_under_another_spelling_of_its_paths_is_the_same(
    both, seeds, inputs, tmp_path, monkeypatch
):
    moved = shutil.copytree(inputs, tmp_path / "elsewhere")
    monkeypatch.chdir(moved)
    (both / "run.json").unlink()
    words = COMMANDS["train closed form"].words(inputs)
    words[1] = "../elsewhere/set"
    status, err = run([*words, "--seeds", "0", "1", "--out", both])
    assert status == 0 and ": read back" in err, err
    here, there = (read_results(x)["run.json"] for x in (both, seeds / "both"))
    assert here["metrics"] == there["metrics"]
    network = moved / "set/refNetwork.csv"
    network.write_text("".join(network.read_text().splitlines(keepends=True)[:-1]))
    status, err = run([*words, "--seeds", "0", "1", "--out", both])
    assert status == 2 and "inputs.folder/refNetwork.csv was" in err


@pytest.mark.slow
@pytest.mark.parametrize("finished", [True, False])
def test_a_run_of_an_earlier_version_goes_on_and_says_so_once(finished, both, seeds, inputs):
    """It has no digests: neither in the record, nor in its result, nor in its manifests."""
    checkpoints._warn_of_unowned.cache_clear()
    forget_digests(both)
    if not finished:
        (both / "run.json").unlink()
    status, err = again(inputs, both)
    assert status == 0, err
    assert err.count("an earlier version") == 1
    assert ("has already finished" in err) == finished
    found, expected = (read_results(x) for x in (both, seeds / "both"))
    assert found["run.json"]["metrics"] == expected["run.json"]["metrics"]


@pytest.mark.slow
def test_a_damaged_log_and_gone_checkpoints_of_a_finished_run(both, inputs):
    shutil.rmtree(both / "checkpoints")
    status, err = again(inputs, both)
    assert status == 0 and "its results are whole, but its checkpoints are gone; noth" in err
    assert "has already finished" in err and not (both / "checkpoints").exists()
    damage.cut(both / "metrics.jsonl")
    status, err = again(inputs, both)
    assert status == 2 and "metrics.jsonl: it has" in err and "only training writes it" in err


@pytest.mark.slow
def test_a_lock_that_is_a_link_is_not_followed(both, inputs, tmp_path):
    precious = tmp_path / "thesis.tex"
    precious.write_text("chapter 1")
    (both / ".lock").unlink()
    (both / ".lock").symlink_to(precious)
    (both / "run.json").unlink()
    status, err = again(inputs, both)
    assert status == 2 and ".lock is a link" in err
    assert precious.read_text() == "chapter 1"


@pytest.mark.slow
def test_pipes_and_folders_in_the_place_of_files_are_named_and_nothing_hangs(both, seeds, inputs):
    for name in ("run.json", "metrics.jsonl"):
        (both / name).unlink()
        os.mkfifo(both / name)
        status, err = again(inputs, both)
        assert name in err and (status == 2) == (name != "run.json"), err
        (both / name).unlink()
        shutil.copyfile(seeds / "both" / name, both / name)
    manifest = next((both / "checkpoints").rglob("manifest.json"))
    manifest.unlink()
    os.mkfifo(manifest)
    status, err = again(inputs, both)
    assert status == 2 and f"{manifest}: a link or a pipe" in err.splitlines()[-1]


@pytest.mark.slow
def test_a_link_of_the_user_in_a_run_folder_is_left_alone(both, seeds, inputs, tmp_path):
    (both / "run.json").unlink()
    (both / "data").symlink_to(tmp_path / "nowhere")
    assert again(inputs, both)[0] == 0
    status, err = again(inputs, both)
    assert status == 0 and "has already finished; nothing" in err
