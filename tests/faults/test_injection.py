"""A run that is killed, or meets a full disk, at calls that write ends whole when it is resumed.

`python -m tests.faults.injection` goes through all calls of all commands.
"""

import os
import re
import shutil
import subprocess
import sys
import types

import pytest

from grnjax.storage.orbax_errors import forget_late_writers

needs_compiler = pytest.mark.skipif(
    not (sys.platform == "linux" and shutil.which("cc")), reason="needs Linux and a C compiler"
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    "name, kind, every",
    [
        ("infer pearson", "kill", 23),
        ("train closed form", "full", 13),  # with checkpoints, whose threads must stay quiet
        ("data compendium add", "full", 2),
        ("activity", "kill", 11),
    ],
)
def test_a_run_ends_equal_after_faults_at_some_of_its_calls(name, kind, every):
    command = [sys.executable, "-m", "tests.faults.injection", name, "--kind", kind]
    environment = {name: x for name, x in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [*command, "--every", str(every)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [(calls, tried, equal)] = re.findall(r"(\d+) calls, (\d+) tried, (\d+) equal", done.stdout)
    assert int(calls) > every and int(tried) == int(equal) >= 2


def test_a_write_that_ends_too_late_prints_nothing_and_other_errors_do(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: seen.append(found.exc_value))
    forget_late_writers.__wrapped__()
    late, other = RuntimeError("Event loop is closed"), RuntimeError("something else")
    for error in (late, other):
        sys.unraisablehook(types.SimpleNamespace(exc_value=error))
    assert seen == [other]
