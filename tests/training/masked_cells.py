"""Cells in which planted regulons are on or off, for tests of fits to masked expression.

Run: python masked_cells.py RESULTS     a fit on whatever devices there are
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np

from grnjax.graphs.sampling import build_regulon_graph
from grnjax.models.grnformer import GRNFormerConfig
from grnjax.models.masked_expression import MaskedExpressionConfig
from grnjax.models.structure_encoder import StructureConfig
from grnjax.training import sharding
from grnjax.training.loop import make_trainer
from grnjax.training.masked_expression import (
    CellData,
    HeldOutCells,
    MaskedObjective,
    MaskedTrainingConfig,
)

KEPT = ("loss", "validation_loss")
GENES, REGULONS, CELLS, TYPES = 30, 5, 200, 2
CONFIG = MaskedTrainingConfig(
    model=GRNFormerConfig(
        backbone=MaskedExpressionConfig(width=16, heads=2, layers=2, feed_forward=16, dropout=0.0),
        structure=StructureConfig(fan_out=4),
    ),
    masked_zeros=0.3,
    epochs=40,
    batch_size=16,
    learning_rate=5e-3,
    checkpoint_seconds=0.0,
    patience=100,
)


def make_data() -> CellData:
    """Targets of a regulon are expressed where it is on, others now and then."""
    rng = np.random.default_rng(0)
    regulon = np.repeat(np.arange(REGULONS), 5)
    target = np.concatenate([REGULONS + 5 * r + np.arange(5) for r in range(REGULONS)])
    cell_type = rng.integers(TYPES, size=CELLS)
    type_active = rng.random((TYPES, REGULONS)) < 0.5
    active = rng.random((CELLS, REGULONS)) < np.where(type_active, 0.9, 0.2)[cell_type]
    chance = np.full((CELLS, GENES), 0.5)
    chance[:, target] = np.where(active[:, regulon], 0.95, 0.1)
    expression = (rng.random((CELLS, GENES)) < chance) * rng.uniform(1, 2, (CELLS, GENES))
    held_out = np.arange(160, CELLS)
    return CellData(
        expression=jnp.float32(expression),
        active=jnp.asarray(active),
        type_active=jnp.asarray(type_active),
        cell_type=jnp.asarray(cell_type),
        graph=build_regulon_graph(np.stack([regulon, target], 1), regulon, GENES),
        is_tf=jnp.arange(GENES) < REGULONS,
        keys=jnp.arange(GENES),
        train=jnp.arange(160),
        validation=HeldOutCells(
            jnp.asarray(held_out), jnp.asarray(rng.random((len(held_out), GENES)) < 0.3)
        ),
    )


def make_objective(config: MaskedTrainingConfig = CONFIG) -> MaskedObjective:
    """For the data of `make_data`, whose networks have 25 edges at most."""
    return MaskedObjective(config, steps=10, most_edges=25)


def save_steps(path: str) -> None:
    """Losses of three steps and the first gradient, on the devices of this process.

    Batches of 15 cells are padded to 16 for eight devices.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    config, data = dataclasses.replace(CONFIG, batch_size=15), make_data()
    mesh = None if jax.device_count() == 1 else sharding.make_mesh()
    trainer = make_trainer(MaskedObjective(config, steps=1, most_edges=25), mesh)
    if mesh is not None:
        data = sharding.place_data(data, trainer.objective, mesh)
    state, results = trainer.start(jax.random.key(0), data), {}
    for number in range(3):
        state, metrics = trainer.chunk(state, data, jax.random.key(1))
        results |= {f"{name} {number}": np.asarray(metrics[name]) for name in KEPT}
        if number == 0:
            moments = state.optimizer[1][0].mu  # of Adam: a tenth of the gradient
            for name, array in jax.tree_util.tree_leaves_with_path(moments):
                results[jax.tree_util.keystr(name)] = np.asarray(array)
    np.savez(path, **results)


if __name__ == "__main__":
    save_steps(sys.argv[1])
