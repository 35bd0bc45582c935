"""How soon `grnjax infer` trains: its first start, and a second one that finds programs compiled.

Run:     python -m experiments.bench.start
Cost:    2 min on two cores
Case:    infer/first_step, seconds from the start of the process to the end of its first training
         step on the embedded data set; `ours` the second start, `peer` the first one, which has an
         empty compilation cache; the better of three rounds each
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.bench.line import BenchFile

ROUNDS = 3
SAYS = "first training step"


def main() -> None:
    """Measures both starts."""
    first, second = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            first.append(start(Path(folder), "first"))
            second.append(start(Path(folder), "second"))
    BenchFile("start").add("infer/first_step", "s", min(second), min(first), None)


def start(folder: Path, name: str) -> float:
    """Seconds until a fresh process has trained its first step."""
    command = [sys.executable, "-m", "grnjax", "infer", "--out", str(folder / name)]
    env = os.environ | {"GRNJAX_COMPILATION_CACHE": str(folder / "compiled")}
    begun = time.monotonic()
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if SAYS in line:
                seconds = time.monotonic() - begun
                process.send_signal(signal.SIGINT)
                process.stderr.read()
                return seconds
    raise RuntimeError(f"{' '.join(command)} ended before its first training step")


if __name__ == "__main__":
    main()
