"""Random walks over inferred networks, and the language model that learns from them.

Run:     python -m experiments.bench.walks
Cost:    5 min on two idle cores, 1 GiB
Prints:  one JSON line a case; all are context, as no peer walks or learns the same

Case `walk/p=...,q=...` is the time of a step in microseconds, where 20,000 walkers take 19 steps
each over a network of 20,000 genes, 200,000 edges and hubs of thousands of targets; below 1 is more
than a million steps a second. The best of five rounds, compiled before. Case `fit/<genes> genes` is
the whole of the default training on five networks, compilation and held-out losses included, and
`vectors_s` what one vector a gene takes from there; its networks are noisy copies of one.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.line import BenchFile, peak_mib
from grnjax.graphs.walks import InferredNetwork, WalkConfig, build_walk_graph, draw_walks
from grnjax.training.walk_training import WalkTrainingConfig, fit_walks
from grnjax.training.walk_vectors import embed_genes

GENES, TFS, EDGES = 20_000, 1_500, 200_000
WALKERS, LENGTH, ROUNDS = 20_000, 20, 5
ORDERS = [(1.0, 1.0), (0.25, 1.0), (1.0, 0.5), (0.5, 2.0), (4.0, 0.25), (0.25, 4.0)]
FITS = [821, 1_410]
NETWORKS, SHARED = 5, 0.6
HUBS = 0.8
"""The k-th TF has targets in proportion to 1 / k to this power."""


def main() -> None:
    """Measures the walks, then the fits."""
    file = BenchFile("walks")
    for p, q in ORDERS:
        measure_walks(file, p, q)
    for genes in FITS:
        measure_fit(file, genes)


def measure_walks(file: BenchFile, p: float, q: float) -> None:
    """The line of one pair of p and q."""
    rng = np.random.default_rng(0)
    network = draw_network(rng, GENES, TFS, EDGES)
    begun = time.perf_counter()
    graph = build_walk_graph([network], GENES)
    prepared = time.perf_counter() - begun
    hub = int(np.diff(graph.first).max())
    starts = jnp.asarray(rng.choice(graph.starts, WALKERS))
    graph = jax.tree.map(jnp.asarray, graph)
    config = WalkConfig(length=LENGTH, p=p, q=q)
    begun = time.perf_counter()
    traced = jax.jit(draw_walks, static_argnames="config")
    draw = traced.lower(graph, starts, config, jax.random.key(0)).compile()
    compiled = time.perf_counter() - begun
    seconds = []
    for number in range(ROUNDS):
        key = jax.random.key(number)
        begun = time.perf_counter()
        jax.block_until_ready(draw(graph, starts, key))
        seconds.append(time.perf_counter() - begun)
    steps = WALKERS * (LENGTH - 1)
    facts = {"steps_a_second": round(steps / min(seconds)), "largest_hub": hub, "info": True}
    facts |= {"compile_s": round(compiled, 2), "prepare_s": round(prepared, 2)}
    file.add(f"walk/p={p:g},q={q:g}", "us", 1e6 * min(seconds) / steps, None, peak_mib(), **facts)


def measure_fit(file: BenchFile, genes: int) -> None:
    """The line of one training with the default settings."""
    rng, config = np.random.default_rng(0), WalkTrainingConfig()
    networks = draw_copies(rng, genes)
    graph = build_walk_graph(networks, genes)
    begun = time.perf_counter()
    fit = fit_walks(graph, genes, config, seed=0)
    fitted = time.perf_counter()
    embed_genes(fit.result.variables, graph, genes, config, seed=0)
    facts = {"vectors_s": round(time.perf_counter() - fitted, 2), "info": True}
    facts["steps"] = fit.result.epochs * config.evaluate_every
    facts["held_out_loss"] = round(-fit.result.best_score, 3)
    facts["unigram_entropy"] = round(fit.unigram_entropy, 3)
    file.add(f"fit/{genes} genes", "s", fitted - begun, None, peak_mib(), **facts)


def draw_network(rng: np.random.Generator, genes: int, tfs: int, edges: int):
    """A random network whose TFs differ much in how many targets they have."""
    regulators = rng.choice(genes, tfs, replace=False)
    chance = np.arange(1, tfs + 1) ** -HUBS
    drawn = np.zeros((0, 2), np.int64)
    while len(drawn) < edges:
        sources = rng.choice(regulators, edges, p=chance / chance.sum())
        more = np.stack([sources, rng.integers(0, genes, edges)], axis=1)
        drawn = np.unique(np.concatenate([drawn, more]), axis=0)
        drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    drawn = drawn[rng.permutation(len(drawn))[:edges]]
    weights = rng.permutation(np.arange(1, edges + 1)) / edges
    return InferredNetwork(drawn.astype(np.int32), weights.astype(np.float32))


def draw_copies(rng: np.random.Generator, genes: int) -> list:
    """Networks that share most of their edges, ten a gene, and have random ones for the others."""
    edges, tfs = 10 * genes, genes // 5
    common = draw_network(rng, genes, tfs, edges)
    copies = []
    for _ in range(NETWORKS):
        own = draw_network(rng, genes, tfs, edges)
        kept = rng.random(edges) < SHARED
        joined, first = np.unique(
            np.concatenate([common.edges[kept], own.edges[~kept]]), axis=0, return_index=True
        )
        weights = np.concatenate([common.weights[kept], own.weights[~kept]])
        copies.append(InferredNetwork(joined, weights[first]))
    return copies


if __name__ == "__main__":
    main()
