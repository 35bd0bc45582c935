"""Commands and readers run in a process of their own: signals, tracebacks, time and memory.

Python's imports cost a second or two, so one process takes many jobs, and another one its place
when it dies. Time is that of computing, here and in processes that a job starts; a busy machine is
no fault of a reader's.
"""

import contextlib
import ctypes
import dataclasses
import gc
import io
import json
import os
import resource
import select
import subprocess
import sys
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_SECONDS, MOST_MIB = 10, 1024
KILLED_AFTER = 60  # seconds of computing
STUCK_AFTER = 600  # by the clock, for what waits and computes nothing
ADDRESSES = 12 << 30  # bytes; keeps the machine alive, far above what is allowed


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    end: str  # "read", "refused", "traceback", "signal N" or "killed"
    text: str  # the sentence, or the traceback
    seconds: float
    peak: int  # MiB of resident memory, what Python and its libraries take included

    def faults(self) -> list[str]:
        """What must never happen to any input of 3 MB."""
        found = [] if self.end in ("read", "refused") else [self.end]
        found += ["time"] if self.seconds > MOST_SECONDS else []
        found += ["memory"] if self.peak > MOST_MIB else []
        lines = self.text.strip().splitlines()
        found += ["no sentence"] if self.end == "refused" and len(lines[-1:]) != 1 else []
        return found + (
            ["long sentence"] if self.end == "refused" and len(lines[-1]) > 2000 else []
        )


class Worker:
    """Runs one job after another in a process, which it starts again if it died."""

    def __init__(self):
        self.process = None

    def run(self, **job) -> Outcome:
        """The outcome of a job: `command=[...]`, or `reader=NAME` with its `path`."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        begun, computed = time.monotonic(), read_seconds(self.process.pid)
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        while not select.select([self.process.stdout], [], [], 1)[0]:
            seconds, clock = read_seconds(self.process.pid) - computed, time.monotonic() - begun
            if seconds > KILLED_AFTER or clock > STUCK_AFTER:
                self.process.kill()
                self.process.wait()
                return Outcome("killed", "", max(seconds, clock * (clock > STUCK_AFTER)), 0)
        answer = self.process.stdout.readline()
        if not answer:
            status = self.process.wait()
            return Outcome(f"signal {-status}", "", time.monotonic() - begun, 0)
        outcome = Outcome(**json.loads(answer))
        if outcome.peak > MOST_MIB * 3 // 4:  # what is fragmented would count for the next
            self.close()
        return outcome

    def start(self) -> None:
        """Starts the process; its first job would otherwise bear the imports."""
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.watched"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment,
            text=True,
        )

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def serve() -> None:
    """Takes jobs from standard input and answers on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(dataclasses.asdict(do(json.loads(line)))) + "\n")
        answers.flush()


def do(job: dict) -> Outcome:
    """Does a job in this process."""
    run = run_command if "command" in job else run_reader
    prepare = job.get("reader")
    if prepare:
        from tests.faults.readers import READERS  # outside of the time

        READERS[prepare].prepare()
    elif "command" in job:
        from grnjax.cli import load_command

        load_command(job["command"][0])
    gc.collect()
    with contextlib.suppress(OSError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    begun = read_seconds()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        end, text = run(job)
    return Outcome(end, text, read_seconds() - begun, read_peak())


def run_command(job: dict) -> tuple[str, str]:
    """How a command ended, and what it said last."""
    from grnjax.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(job["command"])
        except BaseException:
            return "traceback", traceback.format_exc()
    return ("read" if status == 0 else "refused"), "\n".join(err.getvalue().splitlines()[-1:])


def run_reader(job: dict) -> tuple[str, str]:
    """How a reader ended, and its sentence."""
    from grnjax.errors import GrnjaxError
    from tests.faults.readers import READERS

    try:
        READERS[job["reader"]].read(Path(job["path"]))
    except GrnjaxError as error:
        return "refused", str(error)
    except BaseException:
        return "traceback", traceback.format_exc()
    return "read", ""


def read_seconds(process: int | str = "self") -> float:
    """Seconds that a process has computed, with those of its children that have ended."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")


def read_peak() -> int:
    """The highest resident memory of this process since it was reset, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    serve()
