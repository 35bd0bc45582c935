"""Sums over neighbours at genome scale, on CPU: ours, PyTorch Geometric, torch's sparse product.

Run:     python -m experiments.bench.aggregation
Cost:    7 min on two busy cores, 9 GiB, most of it the peer's gradient by weights
Prints:  one JSON line a case: milliseconds of a forward and backward pass, the best of the rounds;
         ratio = peer / ours; the cases are explained in README.md

All sides get the same edges, sorted by receiver, run as many threads as there are cores, each in a
process of its own, in turn, and agree to a relative 1e-4 before anything is timed.
"""

import gc
import os
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from experiments.bench.line import BenchFile, Side

GENES, REGULATORS, WIDTH = 20_000, 1_500, 128
EDGES = {"500k": 500_000, "2M": 2_000_000}
ROUNDS = 5
SECONDS = 0.5  # of a round on one side
REST = 0.3  # seconds until the idle threads of the other sides sleep
TOLERANCE = 1e-4
GRAPHS = [  # genes, TFs, edges, width; the first three are what the training of one fit sums
    (1_000, 30, 500, 64),
    (1_600, 90, 4_000, 64),
    (1_600, 90, 40_000, 64),
    (GENES, REGULATORS, 500_000, WIDTH),
]


def main() -> None:
    """Measures the cases, then the forms that our constants choose from."""
    file = BenchFile("aggregation")
    for name, edges in EDGES.items():
        for symmetric in (False, True):
            measure_case(file, name, edges, symmetric)
    measure_groups(file)
    measure_at_once(file)


def measure_case(file: BenchFile, name: str, edges: int, symmetric: bool) -> None:
    """The lines of one graph: its peers by features, and scatter by weights."""
    suffix = "/symmetric" if symmetric else ""
    for peers, by_weights in ((("scatter", "csr"), False), (("scatter",), True)):
        sides = {x: Side(serve, x, edges, symmetric, by_weights) for x in ("ours", *peers)}
        best = compare(sides)
        ours, bandwidth = sides["ours"], sides["ours"].ask("bandwidth")
        moved = 4 * 4 * GENES * WIDTH + 2 * 8 * edges * (2 if symmetric else 1)
        facts = {
            "compile_s": round(ours.facts["first_s"], 2),
            "prepare_s": round(ours.facts["prepare_s"], 2),
            "threads": os.cpu_count(),
            "floor_ms": round(1000 * moved / bandwidth, 2),
            "floor": "features, sums, slopes and edges moved once",
            "bandwidth_gb_s": round(bandwidth / 1e9, 1),
            **({"info": True} if by_weights else {}),
        }
        for peer in peers:
            case, theirs = f"{name}/{peer}{suffix}" + "/weights" * by_weights, sides[peer].facts
            facts["peer_peak_mib"] = round(theirs["peak_mib"])
            facts["peer_prepare_s"] = round(theirs["prepare_s"], 2)
            file.add(case, "ms", best["ours"], best[peer], ours.facts["peak_mib"], **facts)
        for side in sides.values():
            side.end()


def compare(sides: dict[str, Side]) -> dict[str, float]:
    """Milliseconds of each side, the best of rounds in turn, once all were found to agree."""
    results = {name: side.ask("results") for name, side in sides.items()}
    for name, arrays in results.items():
        for ours, theirs in zip(results["ours"], arrays, strict=True):
            difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
            if not difference < TOLERANCE:
                raise RuntimeError(f"ours and {name} differ by a relative {difference:.1e}")
    rounds = []
    for _ in range(ROUNDS):
        for side in sides.values():
            time.sleep(REST)
            rounds.append(side.ask("time"))
    return {name: min(rounds[place :: len(sides)]) for place, name in enumerate(sides)}


# One side, in a process of its own


def serve(connection: Connection, side: str, edges: int, symmetric: bool, by_weights: bool) -> None:
    """Prepares the graph, then answers questions until the end."""
    os.environ["JAX_PLATFORMS"] = "cpu"  # where the peers are
    inputs = draw_inputs(edges, symmetric)
    prepare = {"ours": prepare_ours, "scatter": prepare_scatter, "csr": prepare_csr}[side]
    gc.collect()
    before, start = read_memory("VmRSS"), time.perf_counter()
    run = prepare(*inputs, by_weights)
    prepared = time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    results = run()
    first = time.perf_counter()
    run()
    steady = time.perf_counter() - first
    peak, first = read_memory("VmHWM") - before, first - prepared - steady
    connection.send({"peak_mib": peak, "prepare_s": prepared - start, "first_s": first})
    answers = {
        "results": lambda: [np.asarray(array) for array in results],
        "time": lambda: best_milliseconds(run, SECONDS),
        "bandwidth": measure_bandwidth,
    }
    while (question := connection.recv()) != "end":
        connection.send(answers[question]())


def draw_inputs(edges: int, symmetric: bool) -> tuple[np.ndarray, ...]:
    """Ends [edge, 2] sorted by receiver, their weights, features, and the slope of the sums."""
    rng = np.random.default_rng(0)
    pairs = draw_pairs(rng, GENES, REGULATORS, edges)
    if symmetric:
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
    pairs = pairs[np.lexsort(pairs.T)]
    weights = rng.uniform(0.5, 2, len(pairs)).astype(np.float32)
    return pairs, weights, *rng.normal(size=(2, GENES, WIDTH)).astype(np.float32)


def draw_pairs(rng: np.random.Generator, genes: int, tfs: int, edges: int) -> np.ndarray:
    """Distinct edges from the TFs to other genes; none between TFs, so that each counts for two."""
    drawn = rng.choice(tfs * (genes - tfs), edges, replace=False)
    return np.stack([drawn % tfs, tfs + drawn // tfs], axis=1)


def prepare_ours(pairs, weights, features, slope, by_weights: bool) -> Callable:
    """A pass of `aggregate`: its sums, the gradient by features, and that by weights if asked."""
    import jax
    import jax.numpy as jnp

    from grnjax.graphs.aggregate import aggregate
    from grnjax.graphs.build import build_graph, pad_rows

    graph = build_graph(pairs, GENES, symmetric=False, self_loops=False, weights=weights)
    graph = jax.tree.map(jnp.asarray, graph)
    features, slope = (jnp.asarray(pad_rows(array, GENES + 1)) for array in (features, slope))

    @jax.jit
    def differentiate(features, weights, slope, graph):
        total, backward = jax.vjp(lambda x, w: aggregate(x, graph, w), features, weights)
        by_feature, by_weight = backward(slope)
        found = total[:GENES], by_feature[:GENES]
        return (*found, by_weight[: len(pairs)]) if by_weights else found

    return lambda: jax.block_until_ready(differentiate(features, graph.edges, slope, graph))


def prepare_scatter(pairs, weights, features, slope, by_weights: bool) -> Callable:
    """A pass of PyTorch Geometric's plainest layer: the weighted sum of messages along edges."""
    import torch
    from torch_geometric.nn import SimpleConv

    torch.set_num_threads(os.cpu_count())
    layer, ends = SimpleConv(aggr="sum"), torch.from_numpy(pairs.T.copy())
    weights = torch.from_numpy(weights).requires_grad_(by_weights)
    features = torch.from_numpy(features).requires_grad_()
    wanted, slope = (features, weights)[: 1 + by_weights], torch.from_numpy(slope)
    return differentiate_torch(lambda: layer(features, ends, weights), wanted, slope)


def prepare_csr(pairs, weights, features, slope, by_weights: bool) -> Callable:
    """A pass of torch's product with a sparse matrix in rows, made before."""
    import torch

    torch.set_num_threads(os.cpu_count())
    warnings.filterwarnings("ignore", message="Sparse")
    senders, receivers = torch.from_numpy(pairs.T.copy())
    starts = torch.zeros(GENES + 1, dtype=torch.int64)
    starts[1:] = torch.bincount(receivers, minlength=GENES).cumsum(0)
    matrix = torch.sparse_csr_tensor(starts, senders, torch.from_numpy(weights), (GENES, GENES))
    features = torch.from_numpy(features).requires_grad_()
    return differentiate_torch(lambda: matrix @ features, (features,), torch.from_numpy(slope))


def differentiate_torch(summed: Callable, wanted: tuple, slope) -> Callable:
    """A pass: the sums and the gradients by what is wanted."""

    def run():
        for tensor in wanted:
            tensor.grad = None
        total = summed()
        total.backward(slope)
        return (total.detach(), *(tensor.grad for tensor in wanted))

    return run


def read_memory(key: str) -> float:
    """How many MiB this process has: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key))) / 1024


def best_milliseconds(run: Callable, seconds: float) -> float:
    """The fastest of as many passes as fit into the time, three at least."""
    end, found = time.perf_counter() + seconds, []
    while len(found) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def measure_bandwidth() -> float:
    """Bytes a second that all cores read and write, from adding to half a GiB."""
    import jax
    import jax.numpy as jnp

    numbers, add = jnp.zeros(2**27), jax.jit(lambda x: x + 1)
    add(numbers).block_until_ready()
    return 2 * numbers.nbytes / best_milliseconds(lambda: add(numbers).block_until_ready(), 1) * 1e3


# What our constants choose from


def measure_groups(file: BenchFile) -> None:
    """Sums by group, for each number of members, against messages along edges."""
    import jax

    from grnjax.graphs.aggregate import sum_by_edge, sum_by_group
    from grnjax.graphs.build import Neighbourhoods, choose_members, group_edges

    def differentiate(form, nodes, graph):
        total, backward = jax.vjp(lambda x: form(x, graph, graph.edges), nodes)
        return backward(total)

    for graph, nodes in draw_graphs():
        genes, size, real = len(nodes) - 1, len(graph.edges), graph.n_edge[0]
        by_edge = time_jitted(differentiate, sum_by_edge, nodes, graph)
        for members in (4, 8, 16, 32):
            ends = (graph.receivers[:real], graph.senders[:real])
            rows = (group_edges(x, genes, padded_edges=size, members=members) for x in ends)
            grouped = graph._replace(globals=Neighbourhoods(*rows))
            case = f"groups/{describe(nodes, graph)}/{members} members"
            ours = time_jitted(differentiate, sum_by_group, nodes, grouped)
            chosen = members == choose_members(size, genes)
            file.add(case, "ms", ours, by_edge, None, chosen=chosen, info=True)


def measure_at_once(file: BenchFile) -> None:
    """The two passes in pieces, for each size of these, against all in one go."""
    from grnjax.graphs.aggregate import AT_ONCE, multiply_ends, sum_rows

    def sum_groups(at_once, nodes, graph):
        return sum_rows(nodes, graph.senders, graph.edges, graph.globals.incoming, at_once)

    def find_slopes(at_once, nodes, graph):
        return multiply_ends(nodes, nodes, graph, at_once)

    for graph, nodes in draw_graphs():
        size = len(graph.edges)
        for name, form in (("rows", sum_groups), ("slopes", find_slopes)):
            whole = time_jitted(form, size, nodes, graph)
            for at_once in (2048, 8192, 32768):
                case = f"{name}/{describe(nodes, graph)}/{at_once} at once"
                ours = time_jitted(form, at_once, nodes, graph)
                file.add(case, "ms", ours, whole, None, chosen=at_once == AT_ONCE, info=True)


def draw_graphs() -> Iterator[tuple]:
    """Graphs with messages both ways along an edge, as scRegNet has them, and vectors of nodes."""
    from grnjax.graphs.build import build_graph

    rng = np.random.default_rng(0)
    for genes, tfs, edges, width in GRAPHS:
        pairs = draw_pairs(rng, genes, tfs, edges)
        nodes = rng.normal(size=(genes + 1, width)).astype(np.float32)
        yield build_graph(pairs, genes, symmetric=True, self_loops=True), nodes


def describe(nodes: np.ndarray, graph) -> str:
    """The sizes of a graph in words."""
    return f"{len(nodes) - 1} genes, {len(graph.edges)} edges, width {nodes.shape[1]}"


def time_jitted(form: Callable, setting: object, nodes: np.ndarray, graph) -> float:
    """Milliseconds of the compiled form with a setting that is part of the program."""
    import jax
    import jax.numpy as jnp

    nodes, graph = jax.tree.map(jnp.asarray, (nodes, graph))
    compiled = jax.jit(form, static_argnums=0).lower(setting, nodes, graph).compile()
    return best_milliseconds(lambda: jax.block_until_ready(compiled(nodes, graph)), SECONDS)


if __name__ == "__main__":
    main()
