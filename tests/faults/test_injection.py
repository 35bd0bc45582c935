"""A run that is killed, or meets a full disk, at calls that write ends whole when it is resumed.

`python -m tests.faults.injection` goes through all calls of all commands.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

needs_compiler = pytest.mark.skipif(
    not (sys.platform == "linux" and shutil.which("cc")), reason="needs Linux and a C compiler"
)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("kind, every", [("kill", 23), ("full", 19)])
def test_a_run_ends_equal_after_faults_at_some_of_its_calls(kind, every):
    command = [sys.executable, "-m", "tests.faults.injection", "infer pearson", "--kind", kind]
    environment = {name: x for name, x in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run(
        [*command, "--every", str(every)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [(calls, tried, equal)] = re.findall(r"(\d+) calls, (\d+) tried, (\d+) equal", done.stdout)
    assert int(calls) > 30 and int(tried) == int(equal) >= 2
