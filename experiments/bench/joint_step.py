"""One joint step of GRNFormer: time and peak memory by width, depth and length, on random cells.

Run:     python -m experiments.bench.joint_step
Cost:    2 to 5 min and 5 GB memory on two cores
Case:    seconds of a training step (backbone, structure encoder and adapter, forward, backward and
         update) after compilation, the median of three, or one where a step takes over 10 s, with
         networks of the cell and of its type; `cells` of them a step; no peer
Expect:  2 s for 16 cells of 1,200 tokens by default; 7 s for 4 cells at width 512 and 12 layers;
         20 s for one of 18,984 tokens whose adapter reads genes with an edge alone; 2 to 4 GiB
"""

import dataclasses
import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.line import BenchFile, peak_mib, run_alone
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.models.grnformer import GRNFormerConfig
from grnjax.models.masked_expression import MaskedExpressionConfig
from grnjax.models.topology_adapter import AdapterConfig
from grnjax.tasks.pretraining import PretrainingConfig, build_cell_data, count_most_edges
from grnjax.training.masked_expression import MaskedObjective, MaskedTrainingConfig
from grnjax.training.step import fresh_state, train_step

CELLS, TFS, REGULONS = 64, 300, 100
EDGES_A_GENE = 10
LONG = 10.0  # seconds of a step that is measured once


@dataclasses.dataclass(frozen=True)
class Case:
    """A size."""

    tokens: int
    cells: int  # a step
    model: GRNFormerConfig


WIDE = MaskedExpressionConfig(width=512, layers=12, heads=8, feed_forward=512, recompute=True)
LENGTHY = MaskedExpressionConfig(recompute=True)
CASES = {
    "default": Case(1200, 16, GRNFormerConfig()),
    "width 512, 12 layers": Case(1200, 4, GRNFormerConfig(backbone=WIDE)),
    "18,984 tokens": Case(
        18_984, 1, GRNFormerConfig(backbone=LENGTHY, adapter=AdapterConfig(keys="regulated"))
    ),
}


def main() -> None:
    """Measures each size in a process of its own."""
    import pandas as pd

    file = BenchFile("joint_step")
    for name, case in CASES.items():
        seconds, compiling, peak, parameters = run_alone(measure, case)
        more = {"cells": case.cells, "tokens": case.tokens, "compile_s": compiling}
        file.add(
            name,
            "s",
            float(pd.Series(seconds).median()),
            None,
            peak,
            **more,
            parameters=parameters,
            info=True,
        )


def measure(case: Case) -> tuple[list[float], float, float, int]:
    """Seconds of steps and of compilation, peak memory in MiB, and the number of parameters."""
    training = MaskedTrainingConfig(model=case.model, batch_size=case.cells)
    config = PretrainingConfig(training=training, tokens=case.tokens)
    expression, genes, networks = draw_cells(case.tokens)
    data, _ = build_cell_data(expression, genes, np.arange(case.tokens), networks, config, 0)
    objective = MaskedObjective(training, steps=3, most_edges=count_most_edges(data))
    state = jax.jit(lambda key: fresh_state(objective, key, data))(jax.random.key(0))

    def step(state, data, key):
        part = data.train[: case.cells], jnp.ones(case.cells)
        batch = objective.batch(data, part, jax.random.fold_in(key, state.step))
        return train_step(state, batch, data, key, objective=objective)

    key, begun = jax.random.key(1), time.perf_counter()
    compiled = jax.jit(step, donate_argnums=0).lower(state, data, key).compile()
    compiling, seconds = time.perf_counter() - begun, []
    while len(seconds) < 3 and max(seconds, default=0) < LONG:
        begun = time.perf_counter()
        state, loss = jax.block_until_ready(compiled(state, data, key))
        seconds.append(time.perf_counter() - begun)
        assert jnp.isfinite(loss)
    parameters = sum(x.size for x in jax.tree.leaves(state.parameters))
    return seconds, round(compiling, 1), peak_mib(), parameters


def draw_cells(tokens: int):
    """Expression, a fifth of it above 0, and networks whose targets are a quarter of the genes."""
    import pandas as pd

    rng = np.random.default_rng(0)
    genes = np.array([f"G{i:05d}" for i in range(tokens)])
    regulon = np.sort(rng.integers(REGULONS, size=EDGES_A_GENE * tokens))
    tf = rng.permutation(TFS)[:REGULONS][regulon]
    target = rng.integers(tokens // 4, size=len(regulon))
    edges = pd.DataFrame({"tf": genes[tf], "target": genes[target], "regulon": regulon})
    active = rng.random((CELLS, REGULONS)) < 0.3
    types = np.array(list("abcd"))[rng.integers(4, size=CELLS)]
    expression = (rng.random((CELLS, tokens)) < 0.2) * rng.uniform(1, 3, (CELLS, tokens))
    return np.float32(expression), genes, CellNetworks.of(edges, active, types)


if __name__ == "__main__":
    main()
