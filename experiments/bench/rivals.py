"""Networks from expression alone: ours and the fastest of others, quality beside time.

Run:     pip install 'grnjax[bench]' lightgbm rustscenic regdiffusion
         python -m experiments.bench.rivals
         python -m experiments.bench.rivals --sets "simulated, 5,000 genes" --seeds 0 --methods
             "grnjax grnboost2, new cells" "rustscenic grn" "LightGBM a target"
             "scikit-learn in arboreto's setting"
Cost:    not measured whole; scikit-learn in arboreto's setting takes most of it
Expect:  a row a set, method and seed: seconds from the expression table to all scores, peak
         memory, early precision ratio, AP and within-TF AUROC against the known network

Every method gets the same table, TFs and threads, in a process of its own; what compiles does so
before the clock starts. A package that is not installed has no line, and that is said. The network
of flashscenic is RegDiffusion's. It knows no TFs: all genes may regulate, and so they may in our
row beside it. Of simulated sets, where they take an hour, scikit-learn and
LightGBM have a random part of the targets; the time is multiplied and the quality not told.
LightGBM knows no error outside the bag, and grows as many trees as others do on average.
"""

import dataclasses
import functools
import importlib
import importlib.util
import os
import time
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

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
    "regdiffusion, all genes regulate": RegDiffusionMethod(),
}
SIMULATED = {
    "simulated": SIMULATOR,
    "simulated, 5,000 genes": dataclasses.replace(
        SIMULATOR, genes=5_000, tfs=500, cells=5_000, master_regulators=150, programmes=100
    ),
}
MOST_TARGETS = 200  # that is fitted of a simulated set, one model a target
TREES = 30  # of LightGBM
FIGURES = ("early_precision_ratio", "average_precision", "within_tf_auroc", "auroc")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """What is measured."""

    sets: tuple[str, ...] = (*SETS, "simulated")
    methods: tuple[str, ...] = ()
    """All by default."""
    seeds: Seeds = (0, 1, 2)


def load(name: str) -> Dataset:
    """A set whose TFs are those of its network."""
    if name in SIMULATED:
        found = load_embedded(EmbeddedConfig(simulator=SIMULATED[name], known_share=1.0))
        return found.dataset
    (found,) = find_sets(None, SETS[name])
    dataset, _ = load_folder(found.labels, DataConfig(split="draw"))
    is_tf = np.zeros(len(dataset.genes.names), bool)
    is_tf[dataset.known.positives[:, 0]] = True
    return dataclasses.replace(dataset, genes=dataclasses.replace(dataset.genes, is_tf=is_tf))


def run_ours(name: str, genes: GeneTable, seed: int) -> tuple[float, np.ndarray, float]:
    """Seconds of the second run, the scores [tf, gene] and the peak memory."""
    tfs = genes.tfs
    if name.endswith("all genes regulate"):
        genes = dataclasses.replace(genes, is_tf=np.ones(len(genes.names), bool))
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
    return seconds, scores if len(scores) == len(tfs) else scores[tfs], peak_mib()


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


def choose_targets(genes: GeneTable, seed: int) -> tuple[np.ndarray, bool]:
    """Those that models of one target are fitted for, and whether they are a part."""
    targets = np.arange(len(genes.names))
    is_part = len(targets) * len(genes.tfs) > 100_000
    if is_part:
        targets = np.random.default_rng(seed).permutation(targets)[:MOST_TARGETS]
    return targets, is_part


def run_scikit_learn(genes: GeneTable, seed: int) -> tuple[float, np.ndarray | None, float]:
    """The same of scikit-learn in arboreto's setting; no scores where it has a part alone."""
    targets, is_part = choose_targets(genes, seed)
    seconds, scores = run_peer(genes, targets, "new-cells", seed)
    return seconds * len(genes.names) / len(targets), None if is_part else scores, peak_mib()


def run_lightgbm(genes: GeneTable, seed: int) -> tuple[float, np.ndarray | None, float]:
    """The same of LightGBM, a model a target, one process a core."""
    targets, is_part = choose_targets(genes, seed)
    rivals = importlib.import_module("experiments.bench.rivals")  # as joblib finds its functions

    fit, given = delayed(rivals.fit_lightgbm), (genes.expression, genes.tfs)
    with Parallel(n_jobs=os.cpu_count()) as pool:
        pool(fit(*given, 0, seed) for _ in range(os.cpu_count()))
        start = time.perf_counter()
        columns = pool(fit(*given, target, seed) for target in targets)
        seconds = time.perf_counter() - start
    scores = None if is_part else np.stack(columns, axis=1)
    return seconds * len(genes.names) / len(targets), scores, peak_mib()


def fit_lightgbm(expression: np.ndarray, tfs: np.ndarray, target: int, seed: int) -> np.ndarray:
    """Scores of all TFs for one target by trees of arboreto's depth, rate, bag and share of TFs."""
    import lightgbm

    is_other = tfs != target
    setting = {"learning_rate": 0.01, "max_depth": 3, "num_leaves": 8, "feature_fraction": 1.0}
    setting |= {"feature_fraction_bynode": 0.1, "bagging_fraction": 0.9, "bagging_freq": 1}
    setting |= {"min_data_in_leaf": 1, "max_bin": 63, "num_threads": 1, "verbose": -1}
    data = lightgbm.Dataset(expression[:, tfs[is_other]], expression[:, target])
    model = lightgbm.train({**setting, "seed": seed}, data, TREES)
    scores = np.zeros(len(tfs), np.float32)
    scores[is_other] = model.feature_importance("gain")
    return scores / max(scores.sum(), 1e-12)


METHODS: dict[str, Callable[[GeneTable, int], tuple]] = {
    **{f"grnjax {x}": functools.partial(run_ours, x) for x in OURS},
    "rustscenic grn": run_rustscenic,
    "RegDiffusion's package": run_regdiffusion,
    "LightGBM a target": run_lightgbm,
    "scikit-learn in arboreto's setting": run_scikit_learn,
}
NEEDS = {
    "rustscenic grn": "rustscenic",
    "RegDiffusion's package": "regdiffusion",
    "LightGBM a target": "lightgbm",
}


def run_method(name: str, genes: GeneTable, seed: int) -> tuple:
    """What a method makes of the genes; called in a process of its own."""
    try:
        return METHODS[name](genes, seed)
    finally:
        get_reusable_executor().shutdown()  # or the process waits for joblib's, and these for it


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
        for method in config.methods or METHODS:
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
