"""How soon `grnjax infer` trains: its first start, and a second one that finds programs compiled.

Run:     python -m experiments.bench.start
Cost:    2 min on two cores
Case:    infer/first_fit, seconds from the start of the process until the first of its fits on the
         embedded data set is in metrics.jsonl, by when every program of training has run; `ours`
         the second start, `peer` the first one, with an empty compilation cache; the best of three
         rounds each
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.bench.line import BenchFile

ROUNDS = 3
RUN = "import sys; from grnjax.cli import main; sys.exit(main())"


def main() -> None:
    """Measures both starts."""
    first, second = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            first.append(start(Path(folder), "first"))
            second.append(start(Path(folder), "second"))
    BenchFile("start").add("infer/first_fit", "s", min(second), min(first), None)


def start(folder: Path, name: str) -> float:
    """Seconds until a fresh process has trained its first fit."""
    command = [sys.executable, "-c", RUN, "infer", "--out", str(folder / name)]
    env = os.environ | {"GRNJAX_COMPILATION_CACHE": str(folder / "compiled")}
    log = folder / name / "metrics.jsonl"
    begun = time.monotonic()
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        while not (log.exists() and log.stat().st_size):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended before its first fit")
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        process.kill()
    return seconds


if __name__ == "__main__":
    main()
