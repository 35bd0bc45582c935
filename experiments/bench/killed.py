"""A run of many genes that is killed again and again ends with the tables of one that was not.

Run:     python -m experiments.bench.killed --size 5000x300x10000 --kills 20
Cost:    20 minutes at this size beside other work
Prints:  one JSON line: kills, the seconds after which each came, and the files that differ

Inputs are those of `experiments.bench.growth`. Each kill is a SIGKILL of the process after a random
time of up to a quarter of what the run takes. A run that ends before all kills have come is begun
anew in another folder, and compared as well.
"""

import dataclasses
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.bench.growth import EXPRESSION, NETWORK, parse_size, write_inputs
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Settings
from grnjax.data.edges import EDGES, RANKED, find_edges
from grnjax.progress import logger
from grnjax.storage.files import digest_file

STUDY = "bench_killed"
COMMAND = (sys.executable, "-c", "import sys; from grnjax.cli import main; sys.exit(main())")


@dataclasses.dataclass(frozen=True, kw_only=True)
class KilledConfig(Settings):
    """What is run and how often it is killed."""

    size: str = "5000x300x10000"
    """GENESxTFSxCELLS."""
    kills: Positive = 20
    seed: int = 0
    """Of the moments."""
    data: Path | None = None
    """Folder that keeps the simulated files; by default they are made and removed."""


def start(data: Path, out: Path) -> subprocess.Popen:
    """The command in a process of its own, which writes to a log beside the folder."""
    words = ["infer", str(data / EXPRESSION), "--network", str(data / NETWORK), "--out", str(out)]
    with open(out.with_suffix(".log"), "ab") as log:
        return subprocess.Popen([*COMMAND, *words], stdout=log, stderr=subprocess.STDOUT)


def finish(data: Path, out: Path) -> float:
    """Runs the command to its end; seconds that it took."""
    begun = time.monotonic()
    if start(data, out).wait():
        raise SystemExit(out.with_suffix(".log").read_text()[-2000:])
    return time.monotonic() - begun


def kill(data: Path, out: Path, seconds: float) -> bool:
    """Kills the command after so long; False if it had ended."""
    process = start(data, out)
    try:
        if process.wait(seconds):
            raise SystemExit(out.with_suffix(".log").read_text()[-2000:])
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() < 0


def digest(out: Path) -> dict[str, str]:
    """Of the tables and of the array of all scores."""
    paths = [find_edges(out, EDGES), find_edges(out, RANKED), out / "scores.npz"]
    return {path.name: digest_file(path) for path in paths if path.exists()}


def measure(data: Path, folder: Path, config: KilledConfig) -> dict:
    """What came of a run without kills and of those with them."""
    seconds = finish(data, folder / "whole")
    expected, rng = digest(folder / "whole"), random.Random(config.seed)
    moments, differing, number = [], set(), 0
    while len(moments) < config.kills:
        out, moment = folder / f"run{number}", rng.uniform(0, seconds / 4)
        if kill(data, out, moment):
            moments.append(round(moment, 1))
            logger.info("kill %d of %d, after %.1f s", len(moments), config.kills, moment)
        if len(moments) == config.kills or (out / "run.json").exists():
            finish(data, out)
            found = digest(out)
            differing |= {name for name in expected if found.get(name) != expected[name]}
            shutil.rmtree(out)
            number += 1
    return {
        "kills": len(moments),
        "runs": number,
        "moments_s": moments,
        "whole_s": round(seconds, 1),
        "files": sorted(expected),
        "differing": sorted(differing),
    }


def main() -> None:
    """Measures the size unless it was measured."""
    config, results = begin(KilledConfig, STUDY)
    where = {"set": config.size, "split": "SIGKILL", "method": "kernel-factor", "draw": 0}
    if results.has(**where, seed=config.seed):
        return
    with tempfile.TemporaryDirectory() as folder:
        data = (config.data or Path(folder)) / config.size
        if not (data / NETWORK).exists():
            write_inputs(data, *parse_size(config.size), 20)
        row = measure(data, Path(folder), config)
    results.add([{"seed": config.seed, **row}], **where)
    print(json.dumps({**where, **row}, sort_keys=True), flush=True)


if __name__ == "__main__":
    run_program(main)
