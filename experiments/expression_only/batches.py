"""Simulated cells of four batches: what a ranking loses to them, and has again with --batch.

Run:     python -m experiments.expression_only.batches
Cost:    about 10 min of one core
Expect:  pooled, every method loses; told apart, it has nearly what it has without shifts
"""

import dataclasses
from typing import get_args

import anndata
import numpy as np
import pandas as pd

from experiments.shared.studies import begin, run_program
from grnjax.config import Count, Positive, Settings
from grnjax.data.batches import centre_batches
from grnjax.data.expression import DataConfig
from grnjax.data.simulator import SimulatedLevels, SimulatorConfig, sequence, simulate_levels
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.methods.expression_only import ExpressionOnlyName, score_genes
from grnjax.methods.method import make_method
from grnjax.progress import logger
from grnjax.tasks.inputs import load_genes_and_edges
from grnjax.types import GeneTable

STUDY = "expression_only_batches"
WAYS = ("pooled", "told apart")
CONDITIONS = ("no shifts", "shifts")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchStudy(Settings):
    """Networks, batches and methods."""

    methods: tuple[ExpressionOnlyName, ...] = tuple(
        name for name in get_args(ExpressionOnlyName) if name != "genie3"
    )
    draws: tuple[Count, ...] = (0, 1, 2, 3, 4)
    """Seeds, each of another network."""
    batches: Positive = 4
    shift: float = 0.7
    """Deviation of the log of what a batch multiplies the level of a gene by."""
    simulator: SimulatorConfig = SimulatorConfig(
        genes=200, tfs=20, master_regulators=8, cells=600, cell_types=3
    )


def draw_cells(
    levels: SimulatedLevels, study: BatchStudy, shift: float, seed: int
) -> anndata.AnnData:
    """Counts of the levels, in batches that each multiply every gene by a number of its own."""
    rng = np.random.default_rng([seed, 1])
    batch = rng.integers(study.batches, size=len(levels.mrna))
    factor = np.exp(shift * rng.normal(size=(study.batches, len(levels.genes))))
    counts = sequence(study.simulator, rng, levels.mrna * factor[batch])
    cells = pd.DataFrame(
        {"batch": batch.astype(str)}, index=[f"cell{k}" for k in range(len(batch))]
    )
    return anndata.AnnData(
        counts.astype(np.float32), obs=cells, var=pd.DataFrame(index=levels.genes)
    )


def judge(genes: GeneTable, scores: np.ndarray, edges: pd.DataFrame) -> dict:
    """Figures of all pairs of a TF and another gene."""
    true = pd.MultiIndex.from_frame(edges[["tf", "target"]])
    tf, target = (
        np.repeat(genes.tfs, len(genes.names)),
        np.tile(np.arange(len(genes.names)), len(genes.tfs)),
    )
    is_other = tf != target
    pairs = np.stack([tf, target], axis=1)[is_other]
    names = pd.MultiIndex.from_arrays(genes.names[pairs].T)
    return evaluate_pairs(pairs, names.isin(true).astype(np.float32), scores.ravel()[is_other])


def main() -> None:
    """Measures what has not been measured yet."""
    study, results = begin(BatchStudy, STUDY)
    for draw in study.draws:
        levels = simulate_levels(study.simulator, np.random.default_rng(draw))
        tfs = levels.genes[: study.simulator.tfs].tolist()
        for condition, shift in zip(CONDITIONS, (0.0, study.shift), strict=True):
            cells = draw_cells(levels, study, shift, draw)
            method = make_method("pearson")
            pooled = load_genes_and_edges(method, cells, None, tfs, DataConfig())[0].genes
            assert pooled.cells is not None
            apart = centre_batches(pooled, pooled.cells["batch"].to_numpy(str))
            for way, genes in zip(WAYS, (pooled, apart), strict=True):
                place = {"set": "simulated", "split": f"{condition}, {way}", "draw": draw}
                for name in study.methods:
                    if results.has(**place, method=name):
                        continue
                    found = judge(genes, score_genes(genes, name, seed=draw), levels.edges)
                    results.add([{"method": name, "seed": 0, **found}], **place)
                    logger.info("%s, %s: AUROC %.3f", place, name, found["auroc"])


if __name__ == "__main__":
    run_program(main)
