"""Fits on whatever devices there are, in a process of its own, for other tests to compare.

Run: python fits_on_devices.py steps RESULTS
     python fits_on_devices.py fit FOLDER MODEL CHUNKS [COORDINATOR PROCESSES PROCESS]
     python fits_on_devices.py study RESULTS
"""

import dataclasses
import sys
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
from conftest import SIZE, TinyModel, make_problem

from grnjax.models.heads import IdentityTerm
from grnjax.training import sharding
from grnjax.training.cluster import DeviceConfig, join_processes
from grnjax.training.loop import TrainingConfig, make_trainer
from grnjax.training.pmap_step import collect, make_pmap_step, spread
from grnjax.training.side_by_side import choose_group_size
from grnjax.training.study import Job, Study

PAIRS = 449  # a prime, so that no number of devices divides them
CASES = {"all pairs": 0, "batches of 50": 50}
WAYS = [("all pairs", 1), ("all pairs", 2), ("batches of 50", 2)]  # with devices to a table
STEPS = 3


class TableModel(nn.Module):
    """The tiny model and a learned vector for each gene: 64 x 4 numbers, split by genes."""

    @nn.compact
    def __call__(self, genes, pairs, *, train):
        logits = TinyModel(name="tiny")(genes, pairs, train=train)
        return logits + IdentityTerm(4, name="identity")(genes.seen, pairs.pairs)


def build_data():
    """The arrays of a fit on 63 genes, which make 64 with the padding node."""
    problem = make_problem(dataclasses.replace(SIZE, genes=63))
    return problem.build(inputs=dataclasses.replace(problem.inputs, padded_pairs=PAIRS), folds=4)


def make(mesh, **settings):
    """A trainer whose weight decay leaves the gradient alone; its ridge is on the vectors."""
    return make_trainer(
        TableModel(),
        TrainingConfig(weight_decay=0.0, patience=100, checkpoint_seconds=0.0, **settings),
        penalty=lambda parameters: (parameters["identity"]["tf_factors"] ** 2).sum(),
        mesh=mesh,
    )


def record(results, case, number, loss, state):
    """Keeps the loss, and the gradient times 0.1: the first moment of Adam after one step."""
    results[f"{case}/loss {number}"] = np.asarray(loss)
    if number == 0:
        for path, moment in jax.tree_util.tree_leaves_with_path(state.optimizer[1].mu):
            results[f"{case}/gradient {jax.tree_util.keystr(path)}"] = np.asarray(moment)


def run_steps(mesh, data, case, results, **settings):
    """A few epochs by jit, evaluated after each, and the scores of the validation pairs."""
    trainer = make(mesh, evaluate_every=1, **settings)
    placed = data
    if mesh is not None:
        placed = sharding.place_data(data, mesh, batch_size=trainer.config.batch_size)
    state = trainer.start(jax.random.key(0), placed)
    for number in range(STEPS):
        state, metrics = trainer.chunk(state, placed, jax.random.key(1))
        record(results, case, number, metrics["loss"], state)
    variables = sharding.fetch({"params": state.parameters, **state.collections})
    scores = trainer.score(variables, data.genes, data.validation, jax.random.key(2))
    results[f"{case}/scores"] = np.asarray(scores)
    return state


def run_pmap(data, case, results, **settings):
    """The same by pmap, from the same start."""
    trainer, devices = make(None, **settings), jax.devices()
    step = make_pmap_step(trainer, devices)
    state, spread_data = spread(trainer.start(jax.random.key(0), data), data, devices)
    for number in range(STEPS):
        state, losses = step(state, spread_data, jax.random.key(1))
        assert len(set(np.asarray(losses).tolist())) == 1
        record(results, case, number, losses[0], collect(state))


def steps(path):
    """Losses, gradients and scores of every case on the devices of this process."""
    data, results = build_data(), {}
    settings = {"edge_folds": 4, "unseen_share": 0.3}
    if jax.device_count() == 1:
        for name, batch_size in CASES.items():
            run_steps(None, data, name, results, batch_size=batch_size, **settings)
    else:
        sharding.LARGE = 200
        for name, model in WAYS:
            mesh, case = sharding.make_mesh(model), f"{name}/jit, model {model}"
            state = run_steps(mesh, data, case, results, batch_size=CASES[name], **settings)
            check_layout(state, model)
        run_pmap(data, "all pairs/pmap", results, **settings)
    np.savez(path, **results)


def check_layout(state, model):
    """Only the table of vectors is split, and only over the axis for it."""
    for part in (state.parameters, state.best_parameters, state.optimizer[1].nu):
        table, bias = part["identity"]["tf_factors"], part["identity"]["tf_bias"]
        assert bias.is_fully_replicated and len(bias.sharding.device_set) == jax.device_count()
        assert table.sharding.shard_shape(table.shape) == (64 // model, 4)


class Cut(Exception):
    """The run is cut off."""


def fit(folder, model, chunks, *where):
    """Fits in a run folder, cut off when it asks for one more chunk than `chunks`."""
    if where:
        coordinator, processes, process = where[0], int(where[1]), int(where[2])
        join_processes(
            DeviceConfig(coordinator=coordinator, processes=processes, process=process)
        )
    sharding.LARGE = 200
    trainer, left = make(sharding.choose_mesh(int(model)), epochs=25, evaluate_every=5), int(chunks)

    def chunk(*args):
        nonlocal left
        left -= 1
        if left < 0:
            raise Cut
        return trainer.chunk(*args)

    Path(folder).mkdir(exist_ok=True)
    try:
        with Study(Path(folder), 1, 25, "fitting") as study:
            cut = dataclasses.replace(trainer, chunk=chunk)
            study.fit(cut, build_data(), name="fit", seed=0)
    except Cut:
        print("cut off")


def study(path):
    """Eleven fits by one device, one after the other, and by all of them, whole ones on each."""
    results, data = {}, build_data()
    jobs = [Job(f"fit{seed}", seed, lambda: data) for seed in range(11)]
    for way, choice in (("one by one", False), ("side by side", True)):
        trainer = make(None, epochs=20, evaluate_every=5, side_by_side=choice)
        assert choose_group_size(trainer, len(jobs)) == (2 * jax.device_count() if choice else 1)
        with Study(None, len(jobs), 20, way) as fits:
            for job, (result, _) in zip(jobs, fits.fit_all(trainer, jobs), strict=True):
                results[f"{way}/{job.name}/epoch"] = result.best_epoch
                results[f"{way}/{job.name}/score"] = result.best_score
                for name, array in jax.tree_util.tree_leaves_with_path(result.variables):
                    results[f"{way}/{job.name}/{jax.tree_util.keystr(name)}"] = array
    np.savez(path, **results)


if __name__ == "__main__":
    jax.config.update("jax_disable_most_optimizations", True)
    {"steps": steps, "fit": fit, "study": study}[sys.argv[1]](*sys.argv[2:])
