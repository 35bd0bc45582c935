"""SIGINT and SIGTERM at random moments of a run, imports included, and the resume after each.

python -m tests.faults.signals [--count 100] [--seed 0] [COMMAND ...]
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.commands import COMMANDS, run, write_inputs
from tests.faults.results import find_halves, find_leftovers, read_results

# Says that Python has started and found grnjax: what comes before is not grnjax's to answer. A
# shell lets commands in the background ignore SIGINT, which would then stay so.
CODE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from grnjax.cli import main
os.write(1, b'.')
sys.exit(main())
"""
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def start(words: list) -> subprocess.Popen:
    """The command in a process of its own, which has started."""
    command = [sys.executable, "-c", CODE, *map(str, words)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout.read(1) == b"."
    return process


def find_fault(words: list, number: signal.Signals, delay: float) -> str | None:
    """What was wrong with the answer; "" where the command had ended before."""
    process = start(words)
    time.sleep(delay)
    sent = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    took, lines = time.monotonic() - sent, err.decode(errors="replace").splitlines()
    if process.returncode == 0:
        return ""
    said = f"grnjax {words[0]}: stopped by {number.name}; the same command goes on from here."
    if process.returncode != STATUS[number] or lines[-1:] != [said] or "Traceback" in str(lines):
        return f"after {delay:.3f} s status {process.returncode}: {lines[-3:]}"
    return f"took {took:.1f} s" if took > 5 else None


def try_signals(command: str, folder: Path, count: int, seed: int = 0) -> tuple[int, list[str]]:
    """How many signals met a run, and what was wrong with the answers and the resumed runs."""
    rng, inputs, out = random.Random(seed), folder / "inputs", folder / "run"
    chosen = COMMANDS[command]
    write_inputs(inputs, chosen.needs)
    words = chosen.on(inputs, out)
    os.environ.update(chosen.environment(out))

    def clear() -> None:
        shutil.rmtree(out, ignore_errors=True)
        if chosen.target:
            out.mkdir()

    seconds = 0.0
    for _ in range(2):  # the first one compiles what it imports
        clear()
        begun = time.monotonic()
        process = start(words)
        process.communicate()
        seconds = time.monotonic() - begun
        assert process.returncode == 0
    expected, met, wrong = read_results(out), 0, []
    for _ in range(count):
        clear()
        number = rng.choice([*STATUS])
        fault = find_fault(words, number, rng.uniform(0, seconds))
        met += fault != ""
        wrong += [fault] if fault else []
        wrong += find_halves(out, expected)
        status, err = run(words)
        is_there = status == 0 or (chosen.target is None and "already" in err)
        if not is_there or read_results(out) != expected:
            wrong.append(f"resumed with status {status}: {err[-300:]}")
        wrong += find_leftovers(out)
    return met, wrong


def main(args: list[str]) -> int:
    """Prints a table of how many signals met a run of each command, and what was wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=["infer pearson"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen, total = parser.parse_args(args), [0, 0, 0]
    print(f"{'command':<24}{'signals':>8}{'met':>6}{'wrong':>7}")
    for place, command in enumerate(chosen.commands):
        with tempfile.TemporaryDirectory() as folder:
            met, wrong = try_signals(command, Path(folder), chosen.count, chosen.seed + place)
        counts = chosen.count, met, len(wrong)
        print(f"{command:<24}{counts[0]:>8}{counts[1]:>6}{counts[2]:>7}", flush=True)
        print(*(f"  {line}" for line in wrong), sep="\n", end="\n" if wrong else "", flush=True)
        total = [a + b for a, b in zip(total, counts, strict=True)]
    print(f"{'all':<24}{total[0]:>8}{total[1]:>6}{total[2]:>7}")
    return int(total[2] > 0)


if __name__ == "__main__":
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    sys.exit(main(sys.argv[1:]))
