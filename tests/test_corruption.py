"""Damaged files are refused by name, and the last whole state is used."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import CheckpointError
from grnjax.storage.checkpoints import CheckpointStore


def make_state(step):
    return {"weights": jnp.full((40, 30), step, jnp.float32), "step": jnp.int32(step)}


@pytest.fixture
def saved(tmp_path):
    """A store with steps 100 and 120."""
    store = CheckpointStore(tmp_path / "fit-0")
    for step in (100, 120):
        store.save(step, make_state(step), {"epoch": step // 10})
    return store


def list_files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def expect_step_100(store, path, caplog):
    """The newest step is refused with the name of the damaged file; the one before is whole."""
    caplog.clear()
    restored = CheckpointStore(store.folder).latest(make_state(0))
    assert restored.step == 100 and restored.meta == {"epoch": 10}
    np.testing.assert_array_equal(restored.state["weights"], make_state(100)["weights"])
    [record] = caplog.records
    assert record.name == "grnjax" and record.levelname == "WARNING"
    assert str(path) in record.message and "using step 100 instead" in record.message


@pytest.mark.slow
def test_one_flipped_bit_in_any_file_is_noticed(saved, caplog):
    paths = list_files(saved.folder / "120")
    assert len(paths) > 5
    for path in paths:
        whole = path.read_bytes()
        for position in {0, len(whole) // 2, len(whole) - 1} if whole else ():
            damaged = bytearray(whole)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            expect_step_100(saved, path, caplog)
        path.write_bytes(whole)
    assert CheckpointStore(saved.folder).latest(make_state(0)).step == 120


def test_cut_missing_and_added_files_are_noticed(saved, caplog):
    for path in list_files(saved.folder / "120"):
        whole = path.read_bytes()
        path.write_bytes(whole + b"\0")
        expect_step_100(saved, path, caplog)
        path.unlink()
        expect_step_100(saved, path, caplog)
        path.write_bytes(whole)
    extra = saved.folder / "120" / "state" / "notes.txt"
    extra.write_text("mine")
    expect_step_100(saved, extra, caplog)


@pytest.mark.slow
def test_no_bit_of_the_manifest_goes_unnoticed(saved):
    shutil.rmtree(saved.folder / "100")
    path = saved.folder / "120" / "manifest.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="120/manifest.json"):
            saved.latest(make_state(0))


def test_a_renamed_step_is_noticed(saved, caplog):
    (saved.folder / "120").rename(saved.folder / "130")
    expect_step_100(saved, saved.folder / "130", caplog)
    (saved.folder / "100").rename(saved.folder / "110")
    with pytest.raises(CheckpointError, match="130: its manifest is of step 120"):
        saved.latest(make_state(0))


def test_without_a_whole_step_nothing_is_restored(saved):
    for step in (100, 120):
        for path in list_files(saved.folder / str(step) / "state")[:1]:
            path.write_bytes(b"")
    first = list_files(saved.folder / "120" / "state")[0]
    with pytest.raises(CheckpointError, match="no other step .* is whole") as error:
        saved.latest(make_state(0))
    assert str(first) in str(error.value)


def test_a_refused_step_makes_room_for_the_next(saved):
    (saved.folder / "120" / "manifest.json").write_text("{}")
    assert saved.latest(make_state(0)).step == 100
    saved.save(110, make_state(110), {})
    assert saved.steps() == [100, 110]
    assert CheckpointStore(saved.folder).latest(make_state(0)).step == 110


SAVE_FOREVER = """
import itertools, sys
import jax.numpy as jnp
from grnjax.storage.checkpoints import CheckpointStore

store = CheckpointStore(sys.argv[1])
state = {"weights": jnp.zeros((40, 30)), "step": jnp.int32(0)}
restored = store.latest(state)
for step in itertools.count(restored.step + 1 if restored else 0):
    state = {"weights": jnp.full((40, 30), step, jnp.float32), "step": jnp.int32(step)}
    store.save(step, state, {"step": step})
    print(step, flush=True)
"""


@pytest.mark.slow
def test_kills_at_random_moments_leave_a_whole_state(tmp_path):
    moments = random.Random(0)
    folder = tmp_path / "store"
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOREVER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline()
        time.sleep(moments.uniform(0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
        last = max(map(int, printed.split()), default=0)
        restored = CheckpointStore(folder).latest(make_state(0))
        assert restored.step >= last
        assert restored.meta == {"step": restored.step}
        assert int(restored.state["step"]) == restored.step
        np.testing.assert_array_equal(restored.state["weights"], restored.step)
