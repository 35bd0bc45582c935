"""Files damaged at random are read or refused: no signal, no traceback, little memory and time.

`python -m tests.faults.fuzz` does the same with as many inputs as there is time for.
"""

import os
import signal

import numpy as np
import pytest

from tests.faults import watched
from tests.faults.fuzz import damage, fuzz
from tests.faults.readers import READERS
from tests.faults.watched import Worker

INPUTS = 12  # a reader
QUICK = ("expression.csv", "edges.h5ad", "run.json", "weights torch")
NAMES = [pytest.param(x, marks=[pytest.mark.slow] if x not in QUICK else []) for x in READERS]


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_are_read_or_refused(name, worker):
    good, *outcomes = fuzz(name, INPUTS, 1, worker)
    assert good.end == "read" and not good.faults(), good
    assert [outcome for outcome in outcomes if outcome.faults()] == []
    assert len(outcomes) == INPUTS


def test_damage_is_seeded_and_damages():
    content = bytes(range(256)) * 4
    one, same, other = (damage(content, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == same != other and content not in (one, other)


@pytest.mark.slow
def test_a_process_that_dies_is_reported_and_replaced(tmp_path, monkeypatch):
    path = tmp_path / "tfs.txt"
    path.write_text("GENE0\n")
    with Worker() as worker:
        assert worker.run(reader="TF list", path=str(path)).end == "read"
        worker.process.kill()
        worker.process.wait()
        assert worker.run(reader="TF list", path=str(path)).end == "read"
        path.write_text("")
        assert worker.run(reader="TF list", path=str(path)).end == "refused"


@pytest.mark.slow
def test_time_is_that_of_computing_and_what_waits_is_ended_by_the_clock(tmp_path, monkeypatch):
    path = tmp_path / "tfs.txt"
    path.write_text("GENE0\n")
    with Worker() as worker:
        assert worker.run(reader="TF list", path=str(path)).seconds < 1
        monkeypatch.setattr(watched, "STUCK_AFTER", 1)
        os.kill(worker.process.pid, signal.SIGSTOP)
        stuck = worker.run(reader="TF list", path=str(path))
        assert stuck.end == "killed" and stuck.seconds >= 1
