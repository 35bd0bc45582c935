"""What a training step of scRegNet computes and sends on many devices: a JSON line a size.

Run:     python -m experiments.bench.scaling
Cost:    about a minute on a CPU; the devices are simulated, so nothing is timed
Expect:  the table of docs/scaling.md

Read off the compiled step: floating-point operations as XLA counts them, and the bytes of the
arrays that are summed over the devices. The network is random, with the sizes of BEELINE sets.
"""

import json
import math
import re

import jax
import numpy as np

from grnjax.methods.pair_models import make_method_trainer
from grnjax.methods.scregnet import ScRegNetMethod
from grnjax.training.batches import ModelInputs, build_fit_data, shared_sizes
from grnjax.training.pair_objective import FitData
from grnjax.training.sharding import keep_layout, make_mesh, place_data, split_batches
from grnjax.types import GeneTable, LabelledPairs

DEVICES = 8
SIZES = {"TFs+500": (900, 400), "4,000 genes": (4000, 500)}  # genes, TFs among them
TRAINED = 0.6  # share of the pairs
DENSITY = 0.15
COLLECTIVE = re.compile(r"= (.*?) (?:all-reduce|all-gather|reduce-scatter|all-to-all)\(")
ARRAY = re.compile(r"f32\[([\d,]*)\]")


def main() -> None:
    """Prints the lines."""
    jax.config.update("jax_num_cpu_devices", DEVICES)
    for name, (genes, tfs) in SIZES.items():
        print(json.dumps({"case": name, "devices": DEVICES, **count(make_data(genes, tfs))}))


def make_data(genes: int, tfs: int) -> FitData:
    """The arrays of a fit on a random network."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((tfs, genes)) < TRAINED).astype(np.int32)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    train = LabelledPairs(pairs, (rng.random(len(pairs)) < DENSITY).astype(np.float32))
    names, is_tf = np.arange(genes).astype(str), np.arange(genes) < tfs
    table = GeneTable(names, is_tf, np.zeros((1, genes), np.float32), np.ones(genes, bool))
    nodes = rng.normal(size=(genes, 70)).astype(np.float32)
    block = rng.normal(size=(tfs, genes, 2)).astype(np.float32)
    sizes = shared_sizes([train], genes, batch_size=0)
    inputs = ModelInputs(table, nodes, None, block, table.tfs, sizes.pairs, sizes.edges)
    return build_fit_data(inputs, train, train.take(slice(0, 1000)), folds=0, seed=0)


def count(data: FitData) -> dict:
    """Operations and bytes of one full-batch step, on one device and on all."""
    mesh, nodes, key = make_mesh(), len(data.genes.nodes), jax.random.key(0)
    trainer = make_method_trainer(ScRegNetMethod(), mesh)
    placed = place_data(data, trainer.objective, mesh)
    state = trainer.start(key, placed)
    split_step = split_batches(trainer.step, trainer.objective, mesh)

    def step(state, data, key):
        return trainer.step(state, data.train, data, key)

    def shared_step(state, data, key):
        state, loss = split_step(state, data.train, data, key)
        return keep_layout(state, mesh, nodes), loss

    one = jax.jit(step).lower(jax.device_get(state), data, key).compile()
    shared = jax.jit(shared_step).lower(state, placed, key).compile()
    arrays = "".join(COLLECTIVE.findall(shared.as_text()))
    sizes = [math.prod(map(int, filter(None, x.split(",")))) for x in ARRAY.findall(arrays)]
    return {
        "nodes": nodes,
        "pairs": len(data.train.labels),
        "parameter_bytes": 4 * sum(x.size for x in jax.tree.leaves(state.parameters)),
        "summed_bytes": 4 * sum(sizes),
        "flops_on_one": one.cost_analysis()["flops"],
        "flops_a_device": shared.cost_analysis()["flops"],
    }


if __name__ == "__main__":
    main()
