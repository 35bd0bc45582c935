"""How soon `grnjax infer` trains: its first start, and a second one that finds programs compiled.

Run:     python -m experiments.bench.start
Cost:    2 min on two cores
Case:    infer/first_step, seconds from the start of the process until the first members of the
         embedded data set's kernel factor model begin to train: everything is read, the kernels
         are weighed and the training program is there and running; `ours` the second start, `peer`
         the first one, with an empty compilation cache; the best of three rounds each
Info:    infer/first_fit, until the log of that fit is in metrics.jsonl
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.bench.line import BenchFile

ROUNDS = 3
WATCHED = """
import sys, time
from grnjax.cli import load_command, main
load_command("infer")
from grnjax.methods.kernel_factor import fit

train = fit.train_members

def train_and_tell(*args):
    members = train(*args)  # comes back when they begin to compute
    print(time.monotonic(), flush=True)
    return members

fit.train_members = train_and_tell
sys.exit(main())
"""


def main() -> None:
    """Measures both starts."""
    first, second = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            first.append(start(Path(folder), "first"))
            second.append(start(Path(folder), "second"))
    first, second = (list(map(min, zip(*rounds, strict=True))) for rounds in (first, second))
    file = BenchFile("start")
    file.add("infer/first_step", "s", second[0], first[0], None)
    file.add("infer/first_fit", "s", second[1], first[1], None, info=True)


def start(folder: Path, name: str) -> tuple[float, float]:
    """Seconds until a fresh process begins its first training, and until it has that fit."""
    command = [sys.executable, "-c", WATCHED, "infer", "--out", str(folder / name)]
    env = os.environ | {"GRNJAX_COMPILATION_CACHE": str(folder / "compiled")}
    log = folder / name / "metrics.jsonl"
    begun = time.monotonic()
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        trains = process.stdout.readline()
        while not (log.exists() and log.stat().st_size):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended before its first fit")
            time.sleep(0.01)
        fitted = time.monotonic()
        process.kill()
    return float(trains) - begun, fitted - begun


if __name__ == "__main__":
    main()
