"""One network a group of cells, for fifty groups: time, memory and files of `grnjax infer --by`.

Run:     python -m experiments.bench.groups
Cost:    3 min for 5 groups beside other work; 50 were not run to their end
Prints:  one JSON line a case, kept in experiments/results/bench_groups.jsonl

Counts are those of `experiments.bench.streaming`; the group of a cell is drawn at random, so that
nothing differs but by chance. The TFs are the human ones among the genes.
"""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np

from experiments.bench.streaming import EXPRESSION, METHODS, WATCHED, parse_size, write_counts
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Settings

STUDY, KEY = "bench_groups", "group"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupsConfig(Settings):
    """What is measured."""

    size: str = "2000x5000"
    """GENESxCELLS."""
    groups: tuple[Positive, ...] = (5, 50)
    methods: tuple[str, ...] = tuple(METHODS)


def main() -> None:
    """Measures each case that has no row yet."""
    config, results = begin(GroupsConfig, STUDY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / EXPRESSION
        write_counts(Path(folder), *parse_size(config.size))
        for groups in config.groups:
            cells = anndata.read_h5ad(path)
            drawn = np.random.default_rng(0).integers(groups, size=cells.n_obs)
            cells.obs[KEY] = [f"type {number:02d}" for number in drawn]
            cells.write_h5ad(path)
            for method in config.methods:
                measure(results, config.size, path, groups, method)


def measure(results: ResultsFile, size: str, path: Path, groups: int, method: str) -> None:
    """Appends the row of one run of the command, unless it is there."""
    where = {"set": size, "split": f"{groups} groups", "method": method, "draw": 0}
    if results.has(**where):
        return
    with tempfile.TemporaryDirectory() as folder:
        out, report = Path(folder) / "run", Path(folder) / "report.json"
        command = [sys.executable, str(WATCHED), str(report), "infer", str(path)]
        command += [*METHODS[method], "--by", KEY, "--out", str(out)]
        subprocess.run(command, check=True, stdout=sys.stderr)
        row = json.loads(report.read_text())
        files = {x.relative_to(out): x.stat().st_size for x in out.rglob("*") if x.is_file()}
        row["output_mb"] = round(sum(files.values()) / 1e6, 1)
        row["differences_mb"] = round(files[Path("edge_differences.tsv")] / 1e6, 1)
        row["report_mb"] = round(files[Path("report.html")] / 1e6, 1)
    row = {"seed": 0, "groups": groups, **row}
    print(json.dumps({**where, **row}, sort_keys=True), flush=True)
    results.add([row], **where)


if __name__ == "__main__":
    run_program(main)
