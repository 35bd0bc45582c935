"""Networks from expression alone: ours and the fastest of others, quality beside time.

Run:     pip install 'grnjax[bench]' rustscenic regdiffusion
         python -m experiments.bench.rivals
Cost:    not measured whole; scikit-learn in arboreto's setting takes most of it
Expect:  a row a set, method and seed: seconds from the expression table to all scores, peak
         memory, early precision ratio, AP and within-TF AUROC against the known network

Every method gets the same table, TFs and threads, in a process of its own; what compiles does so
before the clock starts. A package that is not installed has no line, and that is said. The network
of flashscenic is RegDiffusion's. Of the simulated set, where scikit-learn takes an hour, it has a
random part of the targets; its time is multiplied and its quality not told.
"""

import dataclasses
import functools
import importlib.util
import time
from collections.abc import Callable

import numpy as np

from experiments.bench.line import peak_mib, run_alone
from experiments.bench.unsupervised import SIMULATOR, run_peer
from experiments.shared.studies import begin, run_program
from grnjax.config import Seeds, Settings
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.data.simulator import EmbeddedConfig
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.methods.expression_only import GRNBoost2Method, MatrixScorer, PearsonMethod
from grnjax.methods.method import MethodConfig, Problem
from grnjax.methods.regdiffusion import RegDiffusionMethod
from grnjax.progress import logger
from grnjax.tasks.expression_ranking import fit_without_labels, score_every_pair
from grnjax.tasks.loading import load_embedded, load_folder
from grnjax.tasks.reconstruction import reconstruct
from grnjax.types import Dataset, GeneTable, LabelledPairs

STUDY = "bench_rivals"
SETS = {"mDC": "Specific/mDC/TFs+500", "hESC": "Specific/hESC/TFs+500"}
OURS: dict[str, MethodConfig] = {
    "pearson": PearsonMethod(),
    "grnboost2": GRNBoost2Method(),
    "grnboost2, new cells": GRNBoost2Method(improvement="new-cells"),  # the others' rule to stop
    "regdiffusion": RegDiffusionMethod(),
}
MOST_TARGETS = 200  # that scikit-learn fits of the simulated set
FIGURES = ("early_precision_ratio", "average_precision", "within_tf_auroc", "auroc")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """What is measured."""

    sets: tuple[str, ...] = (*SETS, "simulated")
    seeds: Seeds = (0, 1, 2)


def load(name: str) -> Dataset:
    """A set whose TFs are those of its network; the simulated one of 2,000 genes."""
    if name == "simulated":
        found = load_embedded(EmbeddedConfig(simulator=SIMULATOR, known_share=1.0))
        return found.dataset
    (found,) = find_sets(None, SETS[name])
    dataset, _ = load_folder(found.labels, DataConfig(split="draw"))
    is_tf = np.zeros(len(dataset.genes.names), bool)
    is_tf[dataset.known.positives[:, 0]] = True
    return dataclasses.replace(dataset, genes=dataclasses.replace(dataset.genes, is_tf=is_tf))


def run_ours(name: str, genes: GeneTable, seed: int) -> tuple[float, np.ndarray, float]:
    """Seconds of the second run, the scores [tf, gene] and the peak memory."""
    none = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))
    dataset = Dataset(genes, none, {})
    for attempt in (seed + 1, seed):
        problem = Problem(
            dataset=dataset, parts=[], tfs=genes.tfs, trainable=genes.tfs, seed=attempt
        )
        start = time.perf_counter()
        fit = fit_without_labels(OURS[name], problem)
        scores = score_every_pair(genes, fit)
        seconds = time.perf_counter() - start
    return seconds, scores, peak_mib()


def run_rustscenic(genes: GeneTable, seed: int) -> tuple[float, np.ndarray, float]:
    """The same of rustscenic's GRNBoost2."""
    import pandas as pd
    import rustscenic

    frame = pd.DataFrame(genes.expression, columns=genes.names)
    start = time.perf_counter()
    found = rustscenic.grn.infer(frame, genes.names[genes.tfs], seed=seed, verbose=False)
    seconds = time.perf_counter() - start
    place = {name: at for at, name in enumerate(genes.names)}
    row = {name: at for at, name in enumerate(genes.names[genes.tfs])}
    scores = np.zeros((len(genes.tfs), len(genes.names)), np.float32)
    scores[found["TF"].map(row), found["target"].map(place)] = found["importance"]
    return seconds, scores, peak_mib()


def run_regdiffusion(genes: GeneTable, seed: int) -> tuple[float, np.ndarray, float]:
    """The same of RegDiffusion's own package, whose matrix has all genes as regulators."""
    import regdiffusion
    import torch

    torch.manual_seed(seed)
    varies = genes.expression.std(axis=0) > 0
    start = time.perf_counter()
    trainer = regdiffusion.RegDiffusionTrainer(genes.expression[:, varies], device="cpu")
    trainer.train()
    found = np.abs(np.asarray(trainer.get_adj()))
    seconds = time.perf_counter() - start
    every = np.zeros((len(genes.names), len(genes.names)), np.float32)
    every[np.ix_(varies, varies)] = found
    return seconds, every[genes.tfs], peak_mib()


def run_scikit_learn(genes: GeneTable, seed: int) -> tuple[float, np.ndarray | None, float]:
    """The same of scikit-learn in arboreto's setting; no scores where it has a part alone."""
    targets = np.arange(len(genes.names))
    is_part = len(targets) * len(genes.tfs) > 100_000
    if is_part:
        targets = np.random.default_rng(seed).permutation(targets)[:MOST_TARGETS]
    seconds, scores = run_peer(genes, targets, "new-cells", seed)
    return seconds * len(genes.names) / len(targets), None if is_part else scores, peak_mib()


METHODS: dict[str, Callable[[GeneTable, int], tuple]] = {
    **{f"grnjax {x}": functools.partial(run_ours, x) for x in OURS},
    "rustscenic grn": run_rustscenic,
    "RegDiffusion's package": run_regdiffusion,
    "scikit-learn in arboreto's setting": run_scikit_learn,
}
NEEDS = {"rustscenic grn": "rustscenic", "RegDiffusion's package": "regdiffusion"}


def run_method(name: str, genes: GeneTable, seed: int) -> tuple:
    """What a method makes of the genes; called in a process of its own."""
    return METHODS[name](genes, seed)


def judge(dataset: Dataset, scores: np.ndarray) -> dict:
    """Figures over all pairs of a TF and another gene."""
    tfs = dataset.genes.tfs
    every, of_pairs = reconstruct(dataset, tfs, MatrixScorer(scores, tfs))
    found = evaluate_pairs(every.pairs, every.labels, of_pairs)
    return {name: found.get(name) for name in FIGURES}


def main() -> None:
    """Measures what has no row yet."""
    config, results = begin(Config, STUDY)
    absent = {x for x, package in NEEDS.items() if importlib.util.find_spec(package) is None}
    for name in sorted(absent):
        logger.warning("%s is left out: pip install %s", name, NEEDS[name])
    for name in config.sets:
        dataset = load(name)
        for method in METHODS:
            for seed in config.seeds:
                where = {"set": name, "split": "all pairs", "method": method, "draw": 0}
                if method in absent or results.has(**where, seed=seed):
                    continue
                seconds, scores, peak = run_alone(run_method, method, dataset.genes, seed)
                row = {"seed": seed, "seconds": seconds, "peak_mib": round(peak)}
                row |= dict.fromkeys(FIGURES) if scores is None else judge(dataset, scores)
                results.add([row], **where)
                logger.info("%s, %s, seed %d: %.1f s", name, method, seed, seconds)


if __name__ == "__main__":
    run_program(main)
