"""Atlases on disk: time and memory of what reads cells in chunks.

Run:     python -m experiments.bench.streaming
         python -m experiments.bench.streaming --cases moments --sizes 5000x10000 5000x1000000
Cost:    the counts are drawn once (a minute for a billion zeros and more, 1.2 GB for a fifth of a
         billion values) and kept in --data; then minutes a case
Prints:  one JSON line a case: seconds by the clock and of CPU, peak memory of the process, values
         above 0, and of moments how far they are from sums in long double; then the slope over
         cells

Counts of GENESxCELLS are drawn from programmes of genes, about a tenth of them above 0, and
written by rows. Genes have the names of human lists, so that other cells say something of them.
Pearson and the label-free scorer run as `grnjax infer FILE`, with the human TFs among the genes;
each case has a process of its own.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from experiments.bench.growth import name_genes
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.config import Settings
from grnjax.data.tf_lists import read_own_list
from grnjax.errors import ConfigError
from grnjax.progress import logger

CELLS_AT_ONCE = 1_000
PROGRAMMES = 12
WATCHED = Path(__file__).with_name("watched_infer.py")
EXPRESSION, EXACT = "cells.h5ad", "exact.npz"
METHODS = {"pearson": ["--method=pearson"], "label-free": []}
Case = Literal["pearson", "label-free", "moments"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamingConfig(Settings):
    """What is measured."""

    cases: tuple[Case, ...] = ("pearson", "label-free")
    sizes: tuple[str, ...] = ("20000x100000",)
    """GENESxCELLS of each file."""
    data: Path = Path("streaming-data")
    """Folder that keeps the files."""


def main() -> None:
    """Measures each case that has no row yet."""
    config, results = begin(StreamingConfig, "bench_streaming")
    for size in config.sizes:
        genes, cells = parse_size(size)
        folder = config.data / size
        if not (folder / EXACT).exists():
            write_counts(folder, genes, cells)
        for case in config.cases:
            where = {"set": size, "split": "all cells", "method": case, "draw": 0}
            if results.has(**where):
                continue
            row = measure(case, folder)
            row = {"seed": 0, "genes": genes, "cells": cells, **row}
            print(json.dumps({**where, **row}, sort_keys=True), flush=True)
            results.add([row], **where)
    print_slopes(results)


def parse_size(size: str) -> tuple[int, int]:
    """Genes and cells."""
    words = size.split("x")
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        raise ConfigError(f"--sizes {size}: give GENESxCELLS, such as 20000x100000.")
    genes, cells = map(int, words)
    return genes, cells


def write_counts(folder: Path, genes: int, cells: int) -> None:
    """The counts, some cells at a time, and the exact moments of their logs."""
    import h5py
    from anndata.io import write_elem
    from scipy import sparse

    rng = np.random.default_rng([genes, cells])
    names = name_genes(genes, min(max(genes // 4, 1), len(read_own_list("human"))))
    base = rng.gamma(0.25, 0.5, genes)  # most genes are low
    loadings = rng.normal(0, 0.6, (PROGRAMMES, genes)) * (rng.random((PROGRAMMES, genes)) < 0.2)
    sums = np.zeros((2, genes), np.longdouble)
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / EXPRESSION, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_elem(file, "obs", pd.DataFrame(index=[f"cell{i}" for i in range(cells)]))
        write_elem(file, "var", pd.DataFrame(index=names))
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = (cells, genes)
        kinds, pointers = {"data": np.float32, "indices": np.int32}, [np.zeros(1, np.int64)]
        arrays = {
            name: group.create_dataset(name, (0,), kind, maxshape=(None,), chunks=(2**18,))
            for name, kind in kinds.items()
        }
        for first in range(0, cells, CELLS_AT_ONCE):
            own = min(CELLS_AT_ONCE, cells - first)
            activity = rng.normal(0, 1, (own, PROGRAMMES))
            depth = rng.gamma(4, 0.25, (own, 1))
            counts = rng.poisson(depth * base * np.exp(activity @ loadings))
            block = sparse.csr_matrix(counts, dtype=np.float32)
            logs = np.log1p(counts * (10_000 / np.maximum(counts.sum(axis=1, keepdims=True), 1)))
            logs = logs.astype(np.float32).astype(np.float64)
            sums += [logs.sum(axis=0), np.square(logs).sum(axis=0)]
            done = len(arrays["data"])
            for name, array in arrays.items():
                array.resize((done + block.nnz,))
                array[done:] = getattr(block, name)
            pointers.append(block.indptr[1:].astype(np.int64) + done)
            if first % (10 * CELLS_AT_ONCE) == 0:
                logger.info(f"{folder.name}: {first + own:,} cells drawn")
        group["indptr"] = np.concatenate(pointers)
        stored = len(arrays["data"])
    mean = sums[0] / cells
    deviation = np.sqrt(np.maximum(sums[1] / cells - mean**2, 0))
    order = np.argsort(names)
    np.savez(
        folder / EXACT,
        stored=stored,
        genes=names[order],
        mean=mean[order].astype(np.float64),
        deviation=deviation[order].astype(np.float64),
    )


def measure(case: Case, folder: Path) -> dict:
    """The figures of one case in a process of its own."""
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        if case == "moments":
            command = [sys.executable, "-m", "experiments.bench.streamed_moments"]
            command += [str(report), str(folder / EXPRESSION), str(folder / EXACT)]
        else:
            command = [sys.executable, str(WATCHED), str(report), "infer"]
            command += [str(folder / EXPRESSION), "--out", f"{work}/run", *METHODS[case]]
        subprocess.run(command, check=True, stdout=sys.stderr)
        found = json.loads(report.read_text())
    stored = int(np.load(folder / EXACT)["stored"])
    return found | {"stored": stored, "ns_a_value": round(1e9 * found["cpu_s"] / stored, 1)}


def print_slopes(results: ResultsFile) -> None:
    """How CPU time and memory of a case grow with the cells, 1 being linear and 0 flat."""
    for case in get_args(Case):
        rows = [row for row in results.rows if row["method"] == case]
        rows = sorted(rows, key=lambda row: (row["genes"], row["cells"]))
        for one, other in zip(rows, rows[1:], strict=False):
            if one["genes"] == other["genes"]:
                cells = np.log(other["cells"] / one["cells"])
                grown = {x: np.log(other[x] / one[x]) / cells for x in ("cpu_s", "peak_mib")}
                shown = ", ".join(f"{name} {slope:.2f}" for name, slope in grown.items())
                print(f"{case}, {one['set']} -> {other['set']}: slope over cells: {shown}")


if __name__ == "__main__":
    run_program(main)
