"""Gene perturbation: three simulated networks (singles and doubles) and DREAM4's knock-outs.

Run:     python -m experiments.cells.perturbation
Cost:    about 10 min a simulated network on two busy cores, 2 GB memory; DREAM4 one minute
Expect:  perturbation.md; its tables are made from the rows

Each simulated network has 200 genes and 40 TFs; a gene set in the place of GO is a gene with its
regulators, half of them dropped and as many others added. The inferred networks are of the control
cells alone; the kernel factor model is told half of the true edges.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

import grnjax
from experiments.cells.measured import measure
from experiments.shared.record import ResultsFile
from experiments.shared.studies import begin, run_program
from grnjax.config import Positive, Seeds, Settings
from grnjax.data.edges import write_table
from grnjax.data.perturbation_simulator import simulate_perturbations
from grnjax.data.perturbed_bulk import read_dream4
from grnjax.data.perturbed_cells import PerturbedCells
from grnjax.progress import logger
from grnjax.tasks.cells.perturbation import Perturbation
from grnjax.tasks.perturbation_evaluation import (
    PerturbationJudgeConfig,
    evaluate_by_perturbations,
)
from grnjax.training.perturbation import PerturbationTrainingConfig

STUDY, JUDGED = "cells_perturbation", "cells_networks"
INFERRED = {"Pearson": "pearson", "GRNBoost2": "grnboost2", "kernel factor": "kernel-factor"}
DOUBLES = ("double, 0 seen", "double, 1 seen", "double, 2 seen")
REFERENCES = {"all": "mean shift"} | dict.fromkeys(DOUBLES, "sum of singles")
KNOWN_SHARE = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """The study."""

    networks: Seeds = (0, 1, 2)
    """Seeds of the simulator."""
    dream4: Seeds = (1, 2, 3)
    """DREAM4's networks."""
    seeds: Seeds = (0, 1, 2)
    """Seeds of splits and fits on DREAM4; on a simulated network the first."""
    models: tuple[Literal["GEARS"], ...] = ("GEARS",)
    """GEARS, or nothing but the rows beside it."""
    inferred: tuple[str, ...] = tuple(INFERRED)
    """Networks that are inferred from control cells."""
    epochs: Positive = 20
    """Of GEARS at most."""
    rewirings: Positive = 199
    """Of a network that is judged."""


def main() -> None:
    """Measures what has not been measured yet."""
    config, results = begin(Config, STUDY)
    judged = ResultsFile(JUDGED)
    training = PerturbationTrainingConfig(epochs=config.epochs)
    judge = PerturbationJudgeConfig(rewirings=config.rewirings)
    common = {"references": REFERENCES, "figure": "pcc_delta"}
    for number in config.dream4:
        name = f"DREAM4 {number}"
        cells, truth = read_dream4(number)
        judge_networks(judged, name, cells, list_networks(cells, truth, ()), judge)
        smaller = dataclasses.replace(training, batch_size=8)
        task = Perturbation(
            seeds=config.seeds, splits=("single",), training=smaller, models=config.models
        )
        measure(results, task, f"dream4-{number}", name=name, **common)
        logger.info("%s: done", name)
    for seed in config.networks:
        name = f"simulated {seed}"
        task = Perturbation(seeds=config.seeds[:1], training=training, models=config.models)
        simulated = simulate_perturbations(task.simulated, seed=seed)
        cells, truth = simulated.cells, simulated.edges
        networks = list_networks(cells, truth, config.inferred)
        judge_networks(judged, name, cells, networks, judge)
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for title in config.inferred:
                write_table(networks[title], Path(folder) / f"{title}.tsv")
                files.append(f"{title}={Path(folder) / title}.tsv")
            task = dataclasses.replace(task, networks=tuple(files))
            measure(results, task, f"simulated:{seed}", name=name, **common)
        logger.info("%s: done", name)


def list_networks(
    cells: PerturbedCells, truth: pd.DataFrame, inferred: tuple[str, ...]
) -> dict[str, pd.DataFrame]:
    """The true network, one that knows degrees alone and, of simulated cells, inferred ones.

    All but the true one are unsigned, and as many edges are taken of each.
    """
    targets, regulators = truth["tf"].value_counts(), truth["target"].value_counts()
    degrees = pd.DataFrame(
        [(a, b, n * m) for a, n in targets.items() for b, m in regulators.items() if a != b],
        columns=["tf", "target", "weight"],
    ).sort_values("weight", ascending=False, kind="stable")
    found = {"true network": truth, "degrees alone": degrees}
    frame = pd.DataFrame(cells.expression[cells.controls], columns=cells.genes)
    tfs = sorted(truth["tf"].unique())
    part = np.random.default_rng(0).permutation(len(truth))[: round(KNOWN_SHARE * len(truth))]
    known = truth.iloc[np.sort(part)][["tf", "target"]]
    for title in inferred:
        method = INFERRED[title]
        told = known if method == "kernel-factor" else None
        ranked = grnjax.infer(frame, told, method=method, tfs=tfs).edges  # best first
        found[title] = ranked[["tf", "target"]].assign(weight=1 / np.arange(1.0, len(ranked) + 1))
    return {name: edges.head(len(truth)) for name, edges in found.items()}


def judge_networks(
    results: ResultsFile,
    name: str,
    cells: PerturbedCells,
    networks: dict[str, pd.DataFrame],
    config: PerturbationJudgeConfig,
) -> None:
    """Appends how each network predicts single perturbations, beside rewired ones."""
    for title, edges in networks.items():
        where = {"set": name, "split": "judged", "method": title, "draw": 0, "seed": 0}
        if not results.has(**where):
            found = evaluate_by_perturbations(edges, cells, config).summarise()
            found.pop("source")
            results.add([{**where, **found}])


if __name__ == "__main__":
    run_program(main)
