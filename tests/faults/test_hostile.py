"""Hostile files are refused in one sentence: no signal, no traceback, little memory and time.

`python -m tests.faults.test_hostile` prints the table.
"""

import re
import tempfile
from pathlib import Path

import pytest

from tests.faults import hostile_arrays, hostile_hdf5, hostile_text  # noqa: F401
from tests.faults.hostile import BUILDERS
from tests.faults.watched import Worker


@pytest.fixture(scope="module")
def worker():
    with Worker() as worker:
        yield worker


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_hostile_files_are_refused(name, worker, tmp_path):
    build, says = BUILDERS[name]
    outcome = worker.run(command=build(tmp_path))
    assert outcome.end == "refused" and not outcome.faults(), outcome
    assert re.search(says, outcome.text), outcome.text


def print_table() -> None:
    """One line a file: how it ended, seconds, MiB at the peak, and the sentence."""
    bad = 0
    with Worker() as worker:
        for name, (build, says) in BUILDERS.items():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    words = build(Path(folder))
                except Exception as problem:
                    print(f"{name:<40} builder failed: {problem!r}")
                    continue
                outcome = worker.run(command=words)
            text = outcome.text.replace(folder, "...")
            if outcome.end == "refused" and not re.search(says, text):
                text = f"[says not {says}] {text}"
            is_bad = bool(outcome.end != "refused" or outcome.faults() or "[says" in text)
            bad += is_bad
            mark = "!" if is_bad else " "
            cost = f"{outcome.seconds:6.2f} s {outcome.peak:5} MiB"
            print(f"{mark} {name:<38} {outcome.end:<9} {cost}  {text}", flush=True)
    print(f"{len(BUILDERS)} files, {bad} not refused as they should be")


if __name__ == "__main__":
    print_table()
