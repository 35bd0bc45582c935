"""Kills after, and a full disk at, every system call that writes to a run folder; then the resume.

    python -m tests.faults.injection [COMMAND ...] [--every N] [--kind kill|full]

Needs a C compiler on Linux: `shim.c` counts the calls of all that is in a process, so those of
HDF5 and of TensorStore's threads, too. Each run is a child forked from one process that has
imported everything and computed nothing.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.commands import COMMANDS, Command, write_inputs
from tests.faults.results import find_halves, find_leftovers, read_results

SHIM = Path(__file__).with_name("shim.c")
KILLED = 137
KINDS = {"kill": 0, "full": 1}
MODULES = "infer train transfer evaluate activity pretrain embed convert data data_compendium "
MODULES += "compare task report regulons plot"


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    err: str
    calls: int


def build(folder: Path) -> Path:
    """The shim as a library."""
    library = folder / "shim.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def run_child(command: Command, out: Path, nth: int = 0, kind: str = "kill") -> Ended:
    """Runs a command in a forked child; 0 for `nth` lets it be, and counts the calls."""
    log, counted = out.parent / "err", out.parent / "count"
    counted.unlink(missing_ok=True)
    if command.target:
        out.mkdir(exist_ok=True)
    words = command.on(out.parent / "inputs", out)
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            with open(log, "wb") as file:
                os.dup2(file.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            from grnjax.cli import main

            os.environ.update(command.environment(out))
            shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
            shim.arm(str(out).encode(), ctypes.c_long(nth), KINDS[kind])
            try:
                status = main([*map(str, words)])
            except BaseException:
                import traceback

                traceback.print_exc()
            counted.write_text(str(shim.count()))
        os._exit(status)
    _, code = os.waitpid(child, 0)
    calls = int(counted.read_text()) if counted.exists() else 0
    return Ended(os.waitstatus_to_exitcode(code), log.read_text(errors="replace"), calls)


def read_apart(out: Path) -> dict:
    """What a run has left."""
    return find_apart(lambda: read_results(out) if out.exists() else {})


def find_apart(find: Callable[[], Any]) -> Any:
    """What a child finds, so that this process stays one that has computed nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), os.fdopen(writing, "wb") as file:
            pickle.dump(find(), file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = file.read()
    os.waitpid(child, 0)
    return pickle.loads(found)


def find_faults(command: Command, out: Path, nth: int, kind: str, expected: dict) -> list[str]:
    """What was wrong when the run met its fault, or when it was resumed."""
    from grnjax.storage.outputs import find_damage

    shutil.rmtree(out, ignore_errors=True)
    met, wrong = run_child(command, out, nth, kind), []
    last = met.err.rstrip().rpartition("\n")[2]
    if kind == "kill" and met.status != KILLED:
        wrong.append(f"status {met.status}: {last}")
    if kind == "full" and (met.status != 2 or "Traceback" in met.err or "No space" not in last):
        wrong.append(f"status {met.status}: {met.err[-600:]}")
    wrong += find_apart(lambda: find_halves(out, expected))
    again = run_child(command, out)
    found = read_apart(out)
    if again.status != 0 and not is_there(command, again, found, expected):
        wrong.append(f"resumed with status {again.status}: {again.err[-600:]}")
    elif found != expected:
        differing = [name for name in expected if found.get(name) != expected[name]]
        wrong.append(f"resumed, but {differing} differ")
    elif (out / "run.json").exists() and find_damage(out) != {}:
        wrong.append(f"resumed, but damaged: {find_damage(out)}")
    return wrong + find_leftovers(out)


def is_there(command: Command, again: Ended, found: dict, expected: dict) -> bool:
    """Whether a command without a run folder says that what it makes is there, whole."""
    return command.target is None and "already" in again.err and found == expected


def try_points(command: str, folder: Path, kind: str, every: int = 1, most: int = 10**6):
    """How many calls that write a run makes, how many faults were tried, and what was wrong."""
    inputs, out = folder / "inputs", folder / "run"
    chosen = COMMANDS[command]
    write_inputs(inputs, chosen.needs)
    whole = run_child(chosen, out)
    assert whole.status == 0, whole.err
    expected = read_apart(out)
    assert expected, "nothing was written"
    shutil.rmtree(out)
    again = run_child(chosen, out)  # what it compiled is kept, so that this counts what others do
    assert read_apart(out) == expected, "two runs differ"
    points = [*range(1, again.calls + 1, every)][:most]
    wrong = {nth: find_faults(chosen, out, nth, kind, expected) for nth in points}
    return again.calls, len(points), {nth: faults for nth, faults in wrong.items() if faults}


def preload(args: list[str]) -> None:
    """Starts this program anew with the shim, unless it is there."""
    if "LD_PRELOAD" not in os.environ:
        library = build(Path(tempfile.mkdtemp(prefix="grnjax-shim-")))
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        os.environ.setdefault("GRNJAX_COMPILATION_CACHE", str(library.parent))
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        command = [sys.executable, "-m", "tests.faults.injection", *args]
        os.execve(sys.executable, command, environment)


def main(args: list[str]) -> int:
    """Prints for each command and kind the calls, the faults tried, and what came after."""
    parser = argparse.ArgumentParser()
    parser.add_argument("commands", nargs="*", default=[*COMMANDS])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--most", type=int, default=10**6)
    parser.add_argument("--kind", choices=KINDS)
    chosen = parser.parse_args(args)
    preload(args)
    for module in (*(f"grnjax.cli.{name}" for name in MODULES.split()), "orbax.checkpoint"):
        __import__(module)
    failed = 0
    for command in chosen.commands:
        for kind in [chosen.kind] if chosen.kind else KINDS:
            with tempfile.TemporaryDirectory() as folder:
                calls, tried, wrong = try_points(
                    command, Path(folder), kind, chosen.every, chosen.most
                )
            equal = tried - len(wrong)
            print(f"{command}, {kind}: {calls} calls, {tried} tried, {equal} equal after resume")
            for nth, faults in wrong.items():
                print(f"  call {nth}: {'; '.join(faults)}", flush=True)
            failed += len(wrong)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
