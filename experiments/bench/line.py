"""The lines of a benchmark: our time, the peer's, and their ratio, from one run.

Every bench prints one JSON line a case and keeps the rows of its last run in
`experiments/results/bench_<bench>.jsonl`, from which the tables of speed are made.
"""

import json
import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from experiments.shared.record import describe_provenance, record_run, write_rows

PEERS = ("torch", "torch_geometric", "transformers", "scikit-learn", "lightmotif", "decoupler")


class Run(NamedTuple):
    """What one side did in one run of training."""

    seconds: list[float]  # of each part that was timed
    curve: list[tuple[float, float]]  # seconds so far, evaluation included, and validation AP
    peak_mib: float  # of its process

    def until(self, target: float) -> float:
        """Seconds until a validation AP was reached; infinite if it never was."""
        return next((seconds for seconds, score in self.curve if score >= target), float("inf"))


class BenchFile:
    """The lines of one run of a bench; a line is printed, and kept, as soon as it is measured."""

    def __init__(self, bench: str):
        self.bench = bench
        self.rows: list[dict] = []
        self.provenance = describe_provenance()
        found = {one.metadata["Name"]: one.version for one in metadata.distributions()}
        peers = {peer: found[peer] for peer in PEERS if peer in found}
        self.provenance["versions"] |= peers

    def add(
        self,
        case: str,
        unit: str,
        ours: float,
        peer: float | None,
        peak_mib: float | None,
        **more: object,
    ) -> None:
        """Prints and keeps a case.

        Args:
            unit: of `ours` and `peer`; less is better, and a ratio above 1 means ours is faster.
            peer: None where there is nothing to compare with.
            peak_mib: peak memory of our side.
            more: further figures; `info=True` marks a row that is context and no claim.
        """
        line = {
            "bench": self.bench,
            "case": case,
            "unit": unit,
            "ours": round_figure(ours),
            "peer": None if peer is None else round_figure(peer),
            "ratio": None if peer is None else round_figure(peer / ours),
            "peak_mib": None if peak_mib is None else round(peak_mib),
            "load": round(os.getloadavg()[0], 2),
            **more,
            "run": record_run(self.provenance),
        }
        print(json.dumps(line, sort_keys=True), flush=True)
        self.rows.append(line)
        write_rows(f"bench_{self.bench}", self.rows)


class Side:
    """A process that keeps what one side needs and answers what is asked of it.

    Args:
        serve: what runs there, given the far end of a pipe and `args`. It sends facts when it is
            ready, and then an answer a question, until the question is "end".
    """

    def __init__(self, serve: Callable, *args: object):
        spawn = multiprocessing.get_context("spawn")
        self.connection, far_end = spawn.Pipe()
        self.process = spawn.Process(target=serve, args=(far_end, *args), daemon=True)
        self.process.start()
        self.facts = self.connection.recv()

    def ask(self, question: str):
        """Its answer; asked one side at a time, so that no other one works."""
        self.connection.send(question)
        return self.connection.recv()

    def end(self) -> None:
        """Ends the process."""
        self.connection.send("end")
        self.process.join()


def run_alone(function: Callable, *args: object) -> Any:
    """What the function returns, called in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *args).result()


def peak_mib() -> float:
    """Peak memory of this process so far; not of the one that it was started from, as on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def round_figure(value: float) -> float:
    """The value to four significant digits."""
    return float(f"{value:.4g}")
