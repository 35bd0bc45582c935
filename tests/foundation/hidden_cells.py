"""Small models with cells in which tokens are hidden, for tests of masked-expression training.

Run: python hidden_cells.py RESULTS     a few steps on whatever devices there are
"""

import dataclasses
import sys

import jax
import numpy as np
from scipy import sparse

from grnjax.data.cell_rows import CellRows
from grnjax.foundation.token_objectives import TRAININGS
from grnjax.tasks.foundation_training import FoundationStudy, build_data, name_parts, read_tokens
from grnjax.training import sharding
from grnjax.training.loop import make_trainer
from tests.foundation.small_models import GENES, make_model

CELLS = 40
QUICK = {"epochs": 6, "batch_size": 8, "accumulate": 1, "learning_rate": 1e-2, "patience": 100}
ON_DEVICES = ("geneformer", "scbert")
GIVEN = {"scbert": {"least_genes": 1}}
ALSO = {"scfoundation": {"thin_above": 1}}  # these cells have few counts


def make_rows():
    """Cells of two kinds that have genes of their own."""
    import pandas as pd

    rng = np.random.default_rng(0)
    rate = np.full((CELLS, len(GENES)), 0.7)
    rate[: CELLS // 2, :8] = rate[CELLS // 2 :, 8:16] = 6.0
    counts = sparse.csr_array(rng.poisson(rate).astype(np.float32))
    index = pd.Index([f"c{i}" for i in range(CELLS)])
    tables = pd.DataFrame(index=index), pd.DataFrame(index=pd.Index(GENES))
    return CellRows("cells", *tables, lambda start, stop: counts[start:stop])


def make_fit(name, *, dropout=0.0, **training):
    """The objective of a small model that starts with given arrays, its data and its test cells.

    Its positions hold all genes, and it has the heads that are trained.
    """
    model = make_model(name)
    needed = {"geneformer": {"positions": 24}, "scgpt": {"expression_head": True}}.get(name, {})
    part = {"scbert": "performer", "scfoundation": "decoder"}.get(name)
    if part is None:
        needed |= {"dropout": dropout}
    else:
        needed |= {part: dataclasses.replace(getattr(model.config, part), dropout=dropout)}
    config = dataclasses.replace(model.config, **needed)
    form = jax.eval_shape(config.init, jax.random.key(0))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda x: rng.normal(0.1, 0.3, x.shape).astype("f4"), form)
    settings = {**model.about["settings"], "max_seq_len": 30}
    model = dataclasses.replace(
        model,
        config=config,
        module=config.make(),
        variables=variables,
        about={**model.about, "settings": settings},
    )
    config = TRAININGS[name](
        **(QUICK | {"checkpoint_seconds": 0.0} | ALSO.get(name, {}) | training)
    )
    study = FoundationStudy(training=config, **GIVEN.get(name, {}))
    table, _ = read_tokens(make_rows(), model, study, None)
    return build_data(table, name_parts(CELLS, study)[table.rows], model, study)


def save_steps(path):
    """Losses of two steps of two models, and the first gradients, on these devices.

    Batches of 15 cells are padded to 16 for eight devices.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    results = {}
    for name in ON_DEVICES:
        objective, data, _ = make_fit(name, batch_size=15)
        objective = dataclasses.replace(objective, steps=1)
        mesh = None if jax.device_count() == 1 else sharding.make_mesh()
        trainer = make_trainer(objective, mesh)
        if mesh is not None:
            data = sharding.place_data(data, objective, mesh)
        state = trainer.start(jax.random.key(0), data)
        for number in range(2):
            state, metrics = trainer.chunk(state, data, jax.random.key(1))
            for what in ("loss", "validation_loss"):
                results[f"{name}: {what} {number}"] = np.asarray(metrics[what])
            if number == 0:
                moments = state.optimizer[1][0].mu  # of Adam: a tenth of the gradient
                for where, array in jax.tree_util.tree_leaves_with_path(moments):
                    results[f"{name}: {jax.tree_util.keystr(where)}"] = np.asarray(array)
    np.savez(path, **results)


if __name__ == "__main__":
    save_steps(sys.argv[1])
