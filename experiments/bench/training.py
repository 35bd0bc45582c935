"""scRegNet's training: ours against PyTorch Geometric's, on the same pairs.

Run:     python -m experiments.bench.training        (needs the extra `bench`, after torch==2.13.0)
Cost:    10 min on two cores, 2 GB memory
Prints:  one JSON line a case; docs/speed.md explains them

The model is scRegNet's published form with the settings published for hESC TFs+500, on draw 0 of
the standard split. Evaluation counts; compilation does in the study alone, and `compile_s` is what
it takes. Every run has a process of its own.
"""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.line import BenchFile, Run, peak_mib, run_alone
from experiments.scregnet.published_settings import PUBLISHED, published_config, train_quickly
from experiments.shared.studies import EMBEDDINGS, HESC, Splits, Variant
from grnjax.data.data_set import find_root
from grnjax.data.expression import DataConfig
from grnjax.data.sets import find_sets
from grnjax.evaluation.splits import draw_split
from grnjax.methods.pair_models import make_method_trainer
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod, node_features
from grnjax.tasks.loading import load_embedding, load_folder
from grnjax.tasks.split_fits import LinkPredictionConfig, build_problems
from grnjax.training.batches import build_fit_data, shared_sizes
from grnjax.training.loop import Trainer
from grnjax.training.pair_objective import FitData
from grnjax.types import Dataset, Split

SETTINGS = "Specific/hESC/TFs+500"
SETS = {"mDC": None, "hESC": EMBEDDINGS[HESC]}
WIDTH = 896
EPOCHS, MOST_SECONDS, EVALUATE_EVERY = 60, 600.0, 5
SLACK = 0.002
DRAWS, SEEDS = range(5), range(5)
OTHER_SEEDS = range(1, 6)


class Problem(NamedTuple):
    """One set with its draws."""

    dataset: Dataset
    embedding: np.ndarray
    splits: list[Split]


def main() -> None:
    """Measures every case of both sets."""
    lines = BenchFile("training")
    for name, vectors in SETS.items():
        measure_set(name, load(name, vectors), lines)


def load(name: str, vectors: str | None) -> Problem:
    """The set with its frozen vectors and its draws."""
    path = None if vectors is None else str(find_root(None) / vectors)
    config = DataConfig(split="draw", embedding=path)
    (found,) = find_sets(None, f"Specific/{name}/TFs+500")
    dataset, _ = load_folder(found.labels, config)
    genes = len(dataset.genes.names)
    embedding = load_embedding(config, dataset)
    if embedding is None:
        embedding = np.random.default_rng(0).normal(size=(genes, WIDTH)).astype(np.float32)
    edges = dataset.known.positives
    splits = [draw_split("standard", edges, genes, draw) for draw in DRAWS]
    return Problem(dataset, embedding, splits)


def measure_set(name: str, problem: Problem, lines: BenchFile) -> None:
    """The cases of one set."""
    published = published_config(SETTINGS)
    ours = train_quickly(published)
    peer = run_alone(run_peer, problem, "scatter", EPOCHS)
    csr = run_alone(run_peer, problem, "csr", EPOCHS // 6)
    best = max(score for _, score in peer.curve)

    same, compiling = run_alone(run_ours, problem, published, 0, None, sum(peer.seconds))
    epoch, theirs = min(same.seconds) / EVALUATE_EVERY, min(peer.seconds)
    compiled = {"compile_s": compiling, "with_compilation": epoch + compiling}
    memory = {"peer_peak_mib": round(peer.peak_mib)}
    lines.add(f"{name}/epoch", "s", epoch, theirs, same.peak_mib, **compiled, **memory)
    lines.add(f"{name}/epoch, torch CSR", "s", epoch, min(csr.seconds), same.peak_mib, info=True)

    target, case = best - SLACK, f"{name}/time_to_quality"
    goal = {"target": target, "peer_epochs": len(peer.seconds)}
    runs = [run_alone(run_ours, problem, ours, seed, target) for seed in OTHER_SEEDS]
    every = [run.until(target) for run, _ in runs]
    seconds, theirs = float(np.median(every)), peer.until(target)
    compiling = float(np.median([compiling for _, compiling in runs]))
    compiled = {"compile_s": compiling, "with_compilation": seconds + compiling}
    memory = max(run.peak_mib for run, _ in runs)
    lines.add(case, "s", seconds, theirs, memory, **compiled, **goal, every_seed=every)
    reached = same.until(target) < np.inf
    sooner = (same.until(target), theirs) if reached else (same.curve[-1][0], None)
    goal |= {"reached": reached, "best_validation_ap": max(score for _, score in same.curve)}
    lines.add(f"{case}, published schedule", "s", *sooner, same.peak_mib, info=True, **goal)

    seconds, reached, memory = run_alone(study, problem, ours)
    theirs = len(DRAWS) * len(SEEDS) * peer.curve[-1][0]
    facts = {"compile_s": compiling, "without_compilation": seconds - compiling}
    facts |= {"validation_ap": reached, "peer_validation_ap": best, "extrapolated": True}
    lines.add(f"{name}/study", "s", seconds, theirs, memory, **facts)


def run_peer(problem: Problem, form: str, epochs: int) -> Run:
    """One run of the peer by the published schedule, on draw 0."""
    from experiments.bench.peer_scregnet import train_peer

    nodes = node_features(problem.dataset.genes, InputConfig(nodes="profile"))
    pairs = problem.splits[0].train, problem.splits[0].validation
    limits = {"evaluate_every": EVALUATE_EVERY, "most_seconds": MOST_SECONDS, "epochs": epochs}
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    given = (nodes, problem.embedding, *pairs, PUBLISHED[SETTINGS])
    return train_peer(*given, form=form, device=device, **limits)


def run_ours(
    problem: Problem,
    method: ScRegNetMethod,
    seed: int = 0,
    target: float | None = None,
    at_least: float = 0.0,
    most_seconds: float = 0.0,
) -> tuple[Run, float]:
    """One fit of ours on draw 0, and the seconds to compile.

    It runs until a validation AP is reached or `most_seconds` have passed, where given, else for
    as many epochs as the peer's; then its first chunk is timed again until `at_least` so many
    seconds have passed.
    """
    trainer, data = prepare(problem, method)
    key = jax.random.key(seed)
    begun = time.perf_counter()
    jax.block_until_ready(trainer.chunk(trainer.start(key, data), data, key))
    first = time.perf_counter() - begun
    state = fresh = trainer.start(key, data)
    seconds, curve, begun = [], [], time.perf_counter()
    is_free = target is not None or most_seconds > 0
    while is_free or len(seconds) < EPOCHS // EVALUATE_EVERY:
        start = time.perf_counter()
        state, metrics = trainer.chunk(state, data, key)
        precision = float(metrics["average_precision"])
        seconds.append(time.perf_counter() - start)
        curve.append((time.perf_counter() - begun, precision))
        is_good = target is not None and precision >= target
        if bool(metrics["stopped"]) or is_good or 0 < most_seconds < curve[-1][0]:
            break
    while time.perf_counter() - begun < at_least:
        start = time.perf_counter()
        jax.block_until_ready(trainer.chunk(fresh, data, key))
        seconds.append(time.perf_counter() - start)
    return Run(seconds, curve, peak_mib()), first - min(seconds)


def prepare(problem: Problem, method: ScRegNetMethod) -> tuple[Trainer, FitData]:
    """The compiled parts and the arrays of a fit on draw 0, on the device."""
    splits = problem.splits
    config = LinkPredictionConfig(method=method)
    known = build_problems(problem.dataset, splits, config, embedding=problem.embedding)[0]
    batch = method.training.batch_size
    sizes = shared_sizes([s.train for s in splits], len(problem.dataset.genes.names), batch)
    inputs = method.make_inputs(known, sizes)
    data = build_fit_data(inputs, splits[0].train, splits[0].validation, folds=0, seed=0)
    return make_method_trainer(method, None), jax.tree.map(jnp.asarray, data)


def study(problem: Problem, method: ScRegNetMethod) -> tuple[float, float, float]:
    """Seconds to fit every draw and seed to its end, the mean best validation AP of draw 0, MiB."""
    begun = time.perf_counter()
    ground = Splits(problem.dataset, problem.splits, problem.embedding)
    fits = ground.fit(Variant(method=method), problem.splits, tuple(SEEDS), "study")
    scores = [fitted.result.best_score for _, _, fitted in fits]
    return time.perf_counter() - begun, float(np.mean(scores[: len(SEEDS)])), peak_mib()


if __name__ == "__main__":
    main()
