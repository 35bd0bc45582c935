"""AUCell: activity of 300 regulons in 10,000 cells, ours against decoupler's.

Run:     python -m experiments.bench.activity        (needs the extra `bench`)
Cost:    3 min of one core, 2 GB memory, most of it decoupler's
Prints:  one JSON line a case; docs/speed.md explains them

Cells are CSR, 20,000 genes of which each has 10 % above 0, no two alike in a cell, so that both
sides must give the same figures (decoupler's normalisation and cut), and do to 1e-6. Sides take
turns, each in a process of its own, compiled before. Each has one thread on one core, and what
counts are the seconds of CPU: on a shared machine, threads that wait for each other at every cell
would be counted by the clock. Medians of the rounds; `wall_s` and `peer_wall_s` are by the clock,
`peak_mib` is what a side takes beyond the matrix, `peer_peak_mib` the peer's. The info row `jax` is
our other way, `top_k` and a product on the CPU, which is why the host sorts there; its peer is the
host. The info row `thresholds` are the mixtures of all regulons.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from experiments.bench.line import BenchFile, run_alone

CELLS, GENES, REGULONS, SHARE = 10_000, 20_000, 300, 0.1
SIZES = 20, 300
ROUNDS, THREADS = 3, 1
JAX_CELLS = 1_024
TOLERANCE = 1e-6


def main() -> None:
    """Measures both sides in turns."""
    os.environ |= {"NUMBA_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}
    file = BenchFile("activity")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        write_inputs(path)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(run_alone(run_ours, path))
            theirs.append(run_alone(run_peer, path))
        apart = np.abs(np.load(path / "ours.npy") - np.load(path / "peer.npy")).max()
        if apart > TOLERANCE:
            raise RuntimeError(f"ours and the peer are {apart:.2g} apart")
        ours, theirs = (np.median(side, axis=0) for side in (ours, theirs))
        facts = {"cells": CELLS, "genes": GENES, "regulons": REGULONS, "rounds": ROUNDS}
        facts |= {"threads": THREADS, "apart": float(f"{apart:.2g}")}
        facts |= {"wall_s": round(ours[1], 2), "peer_wall_s": round(theirs[1], 2)}
        facts |= {"peer_peak_mib": round(theirs[2])}
        file.add("aucell", "s", ours[0], theirs[0], ours[2], **facts)
        on_jax, on_host = run_alone(run_jax, path)
        file.add("jax/1,024 cells", "s", on_jax, on_host, None, info=True)
        file.add("thresholds", "s", run_alone(run_thresholds, path), None, None, info=True)


def write_inputs(folder: Path) -> None:
    """Cells and regulons as files."""
    rng = np.random.default_rng(0)
    width = int(GENES * SHARE)
    columns = np.stack([rng.permutation(GENES)[:width].copy() for _ in range(CELLS)])
    columns.sort(axis=1)
    values = rng.permuted(np.tile(np.arange(1, width + 1, dtype=np.float32), (CELLS, 1)), axis=1)
    starts = np.arange(CELLS + 1) * width
    matrix = sparse.csr_matrix(
        (np.log1p(values).ravel(), columns.ravel(), starts), shape=(CELLS, GENES)
    )
    sparse.save_npz(folder / "cells.npz", matrix, compressed=False)
    sizes = rng.integers(*SIZES, REGULONS)
    targets = np.concatenate([rng.permutation(GENES)[:size] for size in sizes])
    np.savez(folder / "regulons.npz", regulon=np.repeat(np.arange(REGULONS), sizes), target=targets)


def load(folder: Path):
    """Cells, names of genes and regulons, and the pairs of both."""
    cells = sparse.load_npz(folder / "cells.npz")
    pairs = np.load(folder / "regulons.npz")
    genes = np.array([f"G{i:05d}" for i in range(GENES)])
    names = np.array([f"R{i:03d}" for i in range(REGULONS)])
    return cells, genes, names, pairs["regulon"], pairs["target"]


class Usage:
    """What a block takes: CPU seconds, seconds, and megabytes beyond what the process held."""

    def __enter__(self) -> "Usage":
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.before = self.read("VmRSS")
        self.begun = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        ended = time.process_time(), time.perf_counter()
        seconds = (end - start for start, end in zip(self.begun, ended, strict=True))
        self.taken = (*seconds, self.read("VmHWM") - self.before)

    def read(self, key: str) -> float:
        """A figure of the process's status."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def use_one_core() -> None:
    """Keeps this process on one core; what counts the cores then has as many threads."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def run_ours(folder: Path) -> tuple[float, float, float]:
    """CPU seconds, seconds, and megabytes beyond the matrix."""
    from grnjax.graphs.activity import AUCellConfig, score_regulons

    use_one_core()
    cells, genes, _, regulon, target = load(folder)
    members = sparse.csr_array((np.ones(len(target)), (target, regulon)), shape=(GENES, REGULONS))
    config = AUCellConfig(normalisation="decoupler", cut="ceil")
    score_regulons(cells[:100], genes, members, config, seed=0)
    with Usage() as usage:
        found = score_regulons(cells, genes, members, config, seed=0)
    np.save(folder / "ours.npy", found)
    return usage.taken


def run_peer(folder: Path) -> tuple[float, float, float]:
    """The same of decoupler."""
    import anndata
    import decoupler
    import pandas as pd

    use_one_core()
    cells, genes, names, regulon, target = load(folder)
    data = anndata.AnnData(cells, var=pd.DataFrame(index=genes))
    net = pd.DataFrame({"source": names[regulon], "target": genes[target], "weight": 1.0})
    decoupler.mt.aucell(data[:100].copy(), net, tmin=1)
    with Usage() as usage:
        decoupler.mt.aucell(data, net, tmin=1)
    np.save(folder / "peer.npy", data.obsm["score_aucell"][names].to_numpy())
    return usage.taken


def run_jax(folder: Path) -> tuple[float, float]:
    """CPU seconds of jax, compiled, and of the host for some of the cells."""
    from grnjax.graphs.activity import score_regulons

    use_one_core()
    cells, genes, _, regulon, target = load(folder)
    members = sparse.csr_array((np.ones(len(target)), (target, regulon)), shape=(GENES, REGULONS))
    seconds = []
    for on_device in (True, False):
        score_regulons(cells[:JAX_CELLS], genes, members, seed=0, on_device=on_device)
        with Usage() as usage:
            score_regulons(cells[:JAX_CELLS], genes, members, seed=0, on_device=on_device)
        seconds.append(usage.taken[0])
    return seconds[0], seconds[1]


def run_thresholds(_: Path) -> float:
    """CPU seconds of the thresholds of all regulons, compiled."""
    from grnjax.graphs.thresholds import find_thresholds

    use_one_core()
    rng = np.random.default_rng(0)
    activity = np.abs(rng.normal(0.05, 0.02, (CELLS, REGULONS)))
    activity += (rng.random((CELLS, REGULONS)) < 0.2) * rng.random(REGULONS) * 0.2
    find_thresholds(activity)
    with Usage() as usage:
        find_thresholds(activity)
    return usage.taken[0]


if __name__ == "__main__":
    main()
