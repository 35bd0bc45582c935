"""GRNBoost2: ours, all targets at once, against scikit-learn in arboreto's setting, in parallel.

Run:     GRNJAX_DATA=... python -m experiments.bench.unsupervised
Cost:    5 min on two cores
Prints:  one JSON line a case: seconds from the expression table to all scores; ratio = peer / ours;
         README.md has how they are measured

Ranks are compared pair by pair over the targets that the peer fits: `ours_theirs` must not be below
`theirs_theirs`, of two seeds of the peer, by more than 0.02.
"""

import dataclasses
import os
import time

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor

from experiments.bench.line import BenchFile, peak_mib, run_alone
from grnjax.baselines.boosting import GRNBoost2Config, score_targets
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.data.simulator import EmbeddedConfig, SimulatorConfig
from grnjax.tasks.loading import load_folder
from grnjax.types import GeneTable

SIMULATOR = SimulatorConfig(genes=2_000, tfs=200, cells=2_000, master_regulators=60, programmes=40)
PEER_TARGETS = 200  # at most, of the simulated set
IMPROVEMENTS = "same-cells", "new-cells"
ROUNDS, WINDOW = 5_000, 25
SLACK = 0.02


def main() -> None:
    """Measures both sets by both rules to stop."""
    file = BenchFile("unsupervised")
    for name, load in (("mDC", load_mdc), ("simulated", simulate)):
        genes = load()
        for improvement in IMPROVEMENTS:
            measure_case(file, name, genes, improvement)


def load_mdc() -> GeneTable:
    """The only BEELINE set whose expression is at hand in full."""
    (found,) = find_sets(None, "Specific/mDC/TFs+500")
    dataset, _ = load_folder(found.labels, DataConfig(split="draw"))
    is_tf = np.zeros(len(dataset.genes.names), bool)
    is_tf[dataset.known.positives[:, 0]] = True
    return dataclasses.replace(dataset.genes, is_tf=is_tf)


def simulate() -> GeneTable:
    """A set of the larger size."""
    data, _ = EmbeddedConfig(simulator=SIMULATOR).make()
    depth = np.maximum(data.counts.sum(axis=1, keepdims=True), 1)
    expression = np.log1p(1e4 * data.counts / depth).astype(np.float32)
    order = np.argsort(data.genes)
    names = data.genes[order]
    is_tf = np.isin(names, data.tfs)
    return GeneTable(names, is_tf, expression[:, order], np.ones(len(names), bool))


def measure_case(file: BenchFile, name: str, genes: GeneTable, improvement: str) -> None:
    """The line of one set and rule."""
    targets = np.arange(len(genes.names))
    if name == "simulated":
        targets = np.sort(np.random.default_rng(0).permutation(targets)[:PEER_TARGETS])
    first, ours_s, scores, peak = run_alone(run_ours, genes, improvement)
    (peer_s, theirs), (_, others) = (run_peer(genes, targets, improvement, s) for s in (1, 2))
    ours = scores[:, targets]
    ranks = {
        "ours_theirs": min(correlate(ours, theirs), correlate(ours, others)),
        "theirs_theirs": correlate(theirs, others),
    }
    if ranks["ours_theirs"] < ranks["theirs_theirs"] - SLACK:
        raise RuntimeError(f"{name}, {improvement}: ours and the peer rank differently, {ranks}")
    facts = {"compile_s": round(first - ours_s, 2), "with_compilation": round(first, 2)}
    facts |= {"cells": len(genes.expression), "genes": len(genes.names), "tfs": len(genes.tfs)}
    facts |= {"peer_targets": len(targets), "peer_processes": os.cpu_count()}
    for key, found in (("rounds", ours), ("peer_rounds", theirs)):
        facts[key] = round(float(found.sum(axis=0).mean()), 1)
    facts |= {key: round(value, 4) for key, value in ranks.items()}
    peer_s *= len(genes.names) / len(targets)
    file.add(f"{name}/grnboost2/{improvement}", "s", ours_s, peer_s, peak, **facts)


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation over all pairs."""
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def run_ours(genes: GeneTable, improvement: str) -> tuple[float, float, np.ndarray, float]:
    """Seconds of a first and of a second run, the scores, and the peak memory."""
    config, seconds = GRNBoost2Config(improvement=improvement), []
    for _ in range(2):
        start = time.perf_counter()
        scores = score_targets(genes, np.arange(len(genes.names)), config, seed=0)
        seconds.append(time.perf_counter() - start)
    return *seconds, scores, peak_mib()


# The peer


def run_peer(
    genes: GeneTable, targets: np.ndarray, improvement: str, seed: int
) -> tuple[float, np.ndarray]:
    """Seconds on all cores, and the scores [tf, target]."""
    fit, given = delayed(fit_peer), (genes.expression, genes.tfs)
    with Parallel(n_jobs=os.cpu_count()) as pool:
        pool(fit(*given, 0, improvement, 0, 1) for _ in range(os.cpu_count()))
        start = time.perf_counter()
        columns = pool(fit(*given, target, improvement, seed, ROUNDS) for target in targets)
        return time.perf_counter() - start, np.stack(columns, axis=1)


def fit_peer(
    expression: np.ndarray, tfs: np.ndarray, target: int, improvement: str, seed: int, rounds: int
) -> np.ndarray:
    """Scores of all TFs for one target, in arboreto's setting."""
    values = expression[:, target].astype(np.float64)
    random = np.random.RandomState([seed, target])
    setting = {"learning_rate": 0.01, "max_features": 0.1, "subsample": 0.9}
    model = GradientBoostingRegressor(n_estimators=rounds, random_state=random, **setting)
    candidates = tfs != target
    model.fit(expression[:, tfs[candidates]], values, monitor=EarlyStop(values, improvement))
    scores = np.zeros(len(tfs))
    scores[candidates] = model.feature_importances_ * len(model.estimators_)
    return scores


class EarlyStop:
    """Arboreto's rule: the mean improvement of the last rounds falls below zero.

    On the same cells, as scikit-learn reported it before 1.3, it is measured here.
    """

    def __init__(self, target: np.ndarray, improvement: str):
        self.target = target
        self.is_measured = improvement == "same-cells"
        self.predicted = np.full(len(target), target.mean())
        self.improved: list[float] = []

    def __call__(self, number: int, model: GradientBoostingRegressor, state: dict) -> bool:
        if self.is_measured:
            outside, predicted = ~state["sample_mask"], state["raw_predictions"][:, 0].copy()
            target = self.target[outside]
            before = np.mean((target - self.predicted[outside]) ** 2)
            self.improved.append(before - np.mean((target - predicted[outside]) ** 2))
            self.predicted = predicted
        else:
            self.improved.append(model.oob_improvement_[number])
        return number >= WINDOW - 1 and np.mean(self.improved[-WINDOW:]) < 0


if __name__ == "__main__":
    main()
