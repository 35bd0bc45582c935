"""How time and memory of `grnjax infer` with known edges grow, and where they go.

Run:     python -m experiments.bench.growth --sizes 500x50x1000 2000x300x1000 5000x300x10000
Cost:    minutes to an hour, by the sizes; a size that was measured under this label is left out
Prints:  one JSON line a size: seconds by the clock and of CPU, peak memory of the process, seconds
         of each stage by either; then the slope of each growth, 1 being linear in the pairs

Cells are simulated (`grnjax.data.simulator`), some at a time, and written as a sparse .h5ad of
counts; TFs regulate about a twentieth of the pairs, four of five true edges are known. Genes have
names of human ones, so that lists of other cells are read as they would be. The command runs in a
process of its own, with its defaults but for --repeats and --folds, where given. A stage
is what its functions take without the stages that they call; `other` is the rest, imports included.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Settings
from grnjax.data import simulator
from grnjax.data.compendium.folder import load_compendium
from grnjax.data.simulator import SimulatorConfig
from grnjax.data.tf_lists import read_own_list
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.tasks.cross_fitting import CrossFitConfig

CELLS_AT_ONCE = 1_000
KNOWN_SHARE = 0.8
WATCHED = Path(__file__).with_name("watched_infer.py")
EXPRESSION, NETWORK = "cells.h5ad", "known.tsv"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrowthConfig(Settings):
    """What is measured."""

    sizes: tuple[str, ...] = ("500x50x1000", "2000x300x1000", "5000x300x10000")
    """GENESxTFSxCELLS of each run."""
    label: str = "now"
    """Under which rows are kept, such as the commit that they are to be compared with."""
    data: Path | None = None
    """Folder that keeps the simulated files; by default they are made and removed."""
    repeats: Positive | None = None
    folds: Positive | None = None
    kinetics_steps: Positive = 20
    """Steps of the simulation from the state without noise."""


def main() -> None:
    """Measures each size that has no row yet."""
    config, results = begin(GrowthConfig, "bench_growth")
    for size in config.sizes:
        genes, tfs, cells = parse_size(size)
        where = {"set": size, "split": config.label, "method": "kernel-factor", "draw": 0}
        if results.has(**where):
            continue
        with tempfile.TemporaryDirectory() as folder:
            data = (config.data or Path(folder)) / size
            if not (data / NETWORK).exists():
                write_inputs(data, genes, tfs, cells, config.kinetics_steps)
            row = measure(data, Path(folder) / "run", config)
        row = {"seed": 0, "tfs": tfs, "genes": genes, "cells": cells, **row}
        results.add([row], **where)
        print(json.dumps({**where, **row}, sort_keys=True), flush=True)
    print_slopes(results, config.label)


def name_genes(genes: int, tfs: int) -> np.ndarray:
    """TFs and then other genes, by names of human ones, so that lists of other cells join in."""
    own = sorted(read_own_list("human"))
    others = sorted(set(load_compendium(with_own=False).list_universe("human")) - set(own))
    found = [*own[:tfs], *(f"TF{i:06d}" for i in range(tfs - len(own)))]
    found += others[: genes - tfs]
    return np.array([*found, *(f"G{i:06d}" for i in range(genes - len(found)))])


def parse_size(size: str) -> tuple[int, int, int]:
    """Genes, TFs and cells."""
    words = size.split("x")
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        raise ConfigError(f"--sizes {size}: give GENESxTFSxCELLS, such as 2000x300x1000.")
    genes, tfs, cells = map(int, words)
    return genes, tfs, cells


def write_inputs(folder: Path, genes: int, tfs: int, cells: int, steps: int) -> None:
    """Counts of simulated cells, and the known edges."""
    import anndata
    from scipy import sparse

    config = SimulatorConfig(
        genes=genes,
        tfs=tfs,
        cells=cells,
        master_regulators=max(tfs // 4, 2),
        programmes=max(tfs // 5, 2),
        in_degree_exponent=0.0,  # any number up to the largest is as likely
        max_in_degree=max(tfs // 10, 2),
        outlier_share=0.0,  # would be drawn anew for each part of the cells
        steps=steps,
    )
    rng = np.random.default_rng([genes, tfs, cells])
    adjacency, sign = simulator.draw_network(config, rng)
    strength = sign * rng.uniform(*config.strength, size=adjacency.shape) * adjacency
    basal = simulator.draw_basal_rates(config, rng)
    steady, half = simulator.mean_field(config, strength, basal)
    cell_types, parts = np.sort(rng.integers(config.cell_types, size=cells)), []
    for first in range(0, cells, CELLS_AT_ONCE):
        of = cell_types[first : first + CELLS_AT_ONCE]
        mrna = simulator.run_kinetics(config, rng, strength, basal[of], steady[of], half)
        counts = simulator.sequence(config, rng, mrna)
        parts.append(sparse.csr_matrix(counts.astype(np.float32)))
        logger.info(f"{folder.name}: {min(first + CELLS_AT_ONCE, cells):,} cells simulated")
    names = name_genes(genes, tfs)
    tf, target = np.nonzero(adjacency)
    known = np.sort(rng.permutation(len(tf))[: round(KNOWN_SHARE * len(tf))])
    folder.mkdir(parents=True, exist_ok=True)
    table = anndata.AnnData(
        sparse.vstack(parts, format="csr"),
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(cells)]),
        var=pd.DataFrame(index=names),
    )
    table.write_h5ad(folder / EXPRESSION)
    edges = pd.DataFrame({"tf": names[tf[known]], "target": names[target[known]]})
    edges.to_csv(folder / NETWORK, sep="\t", index=False)


def measure(data: Path, out: Path, config: GrowthConfig) -> dict:
    """The figures of one run of the command in a process of its own."""
    report = out.with_suffix(".json")
    command = [sys.executable, str(WATCHED), str(report), "infer", str(data / EXPRESSION)]
    command += ["--network", str(data / NETWORK), "--out", str(out)]
    for name in ("repeats", "folds"):
        if getattr(config, name) is not None:
            command += [f"--{name}", str(getattr(config, name))]
    subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ)
    found = json.loads(report.read_text())
    results = json.loads((out / "run.json").read_text())
    rows = [x for x in results["metrics"]["rows"] if x["method"] == "kernel-factor"]
    for name in ("auroc", "average_precision", "within_tf_auroc", "swap_micro"):
        found[name] = round(float(np.mean([row[name] for row in rows])), 4)
    files = [path for path in out.iterdir() if path.is_file()]
    found["output_mb"] = round(sum(path.stat().st_size for path in files) / 1e6, 1)
    default = CrossFitConfig()
    found["repeats"] = config.repeats or default.repeats
    found["folds"] = config.folds or default.folds
    return found


def print_slopes(results: ResultsFile, label: str) -> None:
    """How time and memory grow with the pairs, from each size to the next."""
    rows = [row for row in results.rows if row["split"] == label]
    rows = sorted(rows, key=lambda row: row["tfs"] * row["genes"])
    for one, other in zip(rows, rows[1:], strict=False):
        pairs = np.log(other["tfs"] * other["genes"] / (one["tfs"] * one["genes"]))
        if pairs > 0:
            grown = {x: np.log(other[x] / one[x]) / pairs for x in ("clock_s", "cpu_s", "peak_mib")}
            shown = ", ".join(f"{name} {slope:.2f}" for name, slope in grown.items())
            print(f"{one['set']} -> {other['set']}: slope over pairs: {shown}")


if __name__ == "__main__":
    run_program(main)
