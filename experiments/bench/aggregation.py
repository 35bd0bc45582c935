"""Sums over neighbours: dense regulator blocks (ours) against messages along edges (the peer).

Run:     python -m experiments.bench.aggregation [--large]
Cost:    15 s on two cores; --large 1 min and 9 GiB more
Prints:  one JSON line a case: milliseconds of a jitted forward and backward pass, by features
         and by weights, the better of three rounds; ratio = peer / ours

`grnjax.graphs.aggregate.BLOCK_CELLS_PER_EDGE` was set from these lines: every case says how many
block cells there are to an edge, and `aggregate` takes the blocks up to that constant.
"""

import json
import platform
import sys
import time
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np

from grnjax.graphs.aggregate import sum_by_edge, sum_by_regulator
from grnjax.graphs.build import build_graph

CASES = [  # genes, TFs, known edges, width
    *((1000, 30, edges, width) for edges in (500, 2_000, 10_000, 30_000) for width in (64, 256)),
    *((1600, 90, edges, width) for edges in (4_000, 40_000) for width in (64, 256)),
]
LARGE = [(20_000, 1500, edges, 128) for edges in (100_000, 250_000, 500_000, 2_000_000)]
VERSIONS = {"python": platform.python_version()} | {
    name: metadata.version(name) for name in ("jax", "jaxlib")
}


def main() -> None:
    """Measures each case with messages both ways along an edge, as scRegNet has them."""
    for genes, tfs, edges, width in CASES + LARGE * ("--large" in sys.argv):
        rng = np.random.default_rng(0)
        # no edges between TFs, so that each counts for two
        drawn = rng.choice(tfs * (genes - tfs), min(edges, tfs * (genes - tfs)), replace=False)
        pairs = np.stack([drawn % tfs, tfs + drawn // tfs], axis=1)
        graph = jax.tree.map(
            jnp.asarray,
            build_graph(pairs, genes, symmetric=True, self_loops=True, padded_regulators=tfs),
        )
        nodes = jnp.asarray(rng.normal(size=(genes + 1, width)), jnp.float32)
        ours, peer = (time_pass(form, nodes, graph) for form in (sum_by_regulator, sum_by_edge))
        cells = 2 * tfs * genes / len(graph.edges)
        line = {
            "bench": "aggregation",
            "case": f"{genes} genes, {tfs} TFs, {len(pairs)} edges both ways, width {width}, "
            f"{cells:.0f} cells an edge",
            "unit": "ms",
            "ours": round(ours, 2),
            "peer": round(peer, 2),
            "ratio": round(peer / ours, 2),
            "versions": VERSIONS,
        }
        print(json.dumps(line), flush=True)


def time_pass(form, nodes: jax.Array, graph) -> float:
    """Milliseconds of one forward and backward pass, compiled before."""

    @jax.jit
    def differentiate(nodes, weights, graph):
        def loss(nodes, weights):
            return jnp.sum(jnp.sin(form(nodes, graph, weights)))

        return jax.value_and_grad(loss, argnums=(0, 1))(nodes, weights)

    jax.block_until_ready(differentiate(nodes, graph.edges, graph))
    repeats = 1 + 2_000_000 // len(graph.edges) // nodes.shape[1]
    rounds = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(repeats):
            jax.block_until_ready(differentiate(nodes, graph.edges, graph))
        rounds.append((time.perf_counter() - start) / repeats)
    return 1000 * min(rounds)


if __name__ == "__main__":
    main()
