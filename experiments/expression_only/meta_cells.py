"""GRNBoost2 on simulated cells: all of them, meta-cells of them, and as many cells at random.

Run:     python -m experiments.expression_only.meta_cells
Cost:    five minutes on one core
Expect:  README.md, "meta-cells"; the table is made from the rows
"""

import dataclasses
import time

import numpy as np

from experiments.expression_only.batches import BatchStudy, draw_cells, judge
from experiments.shared.studies import begin, run_program
from grnjax.config import Count, Positive, Settings
from grnjax.data.batches import take_cells
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import SimulatorConfig, simulate_levels
from grnjax.methods.expression_only import GRNBoost2Method, score_genes
from grnjax.methods.method import make_method
from grnjax.progress import logger
from grnjax.tasks.inputs import load_genes_and_edges

STUDY = "expression_only_meta_cells"


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetaCellStudy(Settings):
    """Networks, and how many rows the trees read."""

    draws: tuple[Count, ...] = (0, 1, 2, 3, 4)
    """Seeds, each of another network."""
    counts: tuple[Positive, ...] = (600, 200)
    """Of meta-cells, and of cells at random."""
    simulator: SimulatorConfig = SimulatorConfig(
        genes=400, tfs=40, master_regulators=8, cells=4000, cell_types=5
    )


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(MetaCellStudy, STUDY)
    for draw in study.draws:
        rng = np.random.default_rng(draw)
        levels = simulate_levels(study.simulator, rng)
        cells = draw_cells(levels, BatchStudy(simulator=study.simulator, batches=1), 0.0, draw)
        tfs = levels.genes[: study.simulator.tfs].tolist()
        genes = load_genes_and_edges(make_method("pearson"), cells, None, tfs, DataConfig())[
            0
        ].genes
        ways = {f"all {len(genes.expression):,} cells": (genes, None)}
        for count in study.counts:
            chosen = np.zeros(len(genes.expression), bool)
            chosen[rng.choice(len(chosen), count, replace=False)] = True
            ways[f"{count:,} meta-cells"] = genes, count
            ways[f"{count:,} cells"] = take_cells(genes, chosen), None
        for way, (table, count) in ways.items():
            place = {"set": "simulated", "split": way, "draw": draw, "method": "grnboost2"}
            if results.has(**place):
                continue
            begun = time.process_time()
            scores = score_genes(table, GRNBoost2Method(meta_cells=count), seed=draw)
            row = {"seed": 0, "cpu_s": round(time.process_time() - begun, 1)}
            results.add([row | judge(genes, scores, levels.edges)], **place)
            logger.info("%s: %s", place, row)


if __name__ == "__main__":
    run_program(main)
