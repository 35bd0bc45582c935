"""Fits on whatever devices there are, in a process of its own, for other tests to compare.

Run: python fits_on_devices.py steps RESULTS
     python fits_on_devices.py scregnet RESULTS
     python fits_on_devices.py embeddings RESULTS
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

from grnjax.data.gene_profiles import GeneProfiles
from grnjax.graphs.walks import InferredNetwork, WalkConfig, build_walk_graph
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.models.scregnet import ScRegNet, ScRegNetConfig
from grnjax.models.terms import IdentityTerm, TermInputs
from grnjax.models.walk_model import WalkModelConfig
from grnjax.training import sharding
from grnjax.training.cluster import DeviceConfig, join_processes
from grnjax.training.expression_embedding import EmbeddingTrainingConfig, embed_expression
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from grnjax.training.pmap_step import collect, make_pmap_step, spread
from grnjax.training.recorder import FitRecorder, Job
from grnjax.training.side_by_side import choose_group_size, choose_mesh
from grnjax.training.walk_training import WalkTrainingConfig, fit_walks

PAIRS = 449  # a prime, so that no number of devices divides them
CASES = {"all pairs": 0, "batches of 50": 50}
WAYS = [("all pairs", 1), ("all pairs", 2), ("batches of 50", 2)]  # with devices to a table
STEPS = 3
SCREGNET_WAYS = {46: 1, 50: 1, 53: 2}  # pairs a batch, and devices to a table


class TableModel(nn.Module):
    """The tiny model and a learned vector for each gene: 64 x 4 numbers, split by genes."""

    @nn.nowrap
    def make_terms(self):
        return [IdentityTerm(rank=4, ridge=2.0, bias_ridge=0.0, name="identity")]

    @nn.compact
    def __call__(self, genes, pairs, *, train):
        logits = TinyModel(name="tiny")(genes, pairs, train=train)
        [identity] = self.make_terms()
        return logits + identity(TermInputs(genes.seen, pairs))


def build_data():
    """The arrays of a fit on 63 genes with frozen vectors; with the padding node they are 64."""
    problem = make_problem(dataclasses.replace(SIZE, genes=63))
    vectors = np.random.default_rng(0).normal(size=(63, 8)).astype(np.float32)
    inputs = dataclasses.replace(problem.inputs, padded_pairs=PAIRS, embedding=vectors)
    return problem.build(inputs=inputs, folds=4)


def make(mesh, **settings):
    """A trainer whose weight decay leaves the gradient alone; its ridge is on the vectors."""
    config = TrainingConfig(weight_decay=0.0, patience=100, checkpoint_seconds=0.0, **settings)
    return make_pair_trainer(TableModel(), config, mesh)


def record(results, case, number, loss, state):
    """Keeps the loss, and the gradient times 0.1: the first moment of Adam after one step."""
    results[f"{case}/loss {number}"] = np.asarray(loss)
    if number == 0:
        for path, moment in jax.tree_util.tree_leaves_with_path(state.optimizer[1].mu):
            results[f"{case}/gradient {jax.tree_util.keystr(path)}"] = np.asarray(moment)


def run_steps(trainer, data, case, results):
    """A few epochs by jit, evaluated after each, and the scores of the validation pairs."""
    mesh, placed = trainer.mesh, data
    if mesh is not None:
        placed = sharding.place_data(data, trainer.objective, mesh)
    state = trainer.start(jax.random.key(0), placed)
    for number in range(STEPS):
        state, metrics = trainer.chunk(state, placed, jax.random.key(1))
        record(results, case, number, metrics["loss"], state)
    variables = sharding.fetch({"params": state.parameters, **state.collections})
    scores = trainer.score(variables, data.genes, data.validation, jax.random.key(2))
    results[f"{case}/scores"] = np.asarray(scores)
    return placed, state


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
    settings = {"edge_folds": 4, "unseen_share": 0.3, "evaluate_every": 1}
    if jax.device_count() == 1:
        for name, batch_size in CASES.items():
            run_steps(make(None, batch_size=batch_size, **settings), data, name, results)
    else:
        sharding.LARGE = 200
        for name, model in WAYS:
            trainer = make(sharding.make_mesh(model), batch_size=CASES[name], **settings)
            check_layout(*run_steps(trainer, data, f"{name}/jit, model {model}", results), model)
        run_pmap(data, "all pairs/pmap", results, **settings)
    np.savez(path, **results)


def check_layout(data, state, model):
    """Only the tables of genes are split, and only over the axis for them."""
    for table in (data.genes.nodes, data.genes.embedding):
        assert table.sharding.shard_shape(table.shape) == (64 // model, table.shape[1])
    assert data.genes.seen.is_fully_replicated and data.genes.graph.senders.is_fully_replicated
    for part in (state.parameters, state.best_parameters, state.optimizer[1].nu):
        table, bias = part["identity"]["tf_factors"], part["identity"]["tf_bias"]
        assert bias.is_fully_replicated and len(bias.sharding.device_set) == jax.device_count()
        assert table.sharding.shard_shape(table.shape) == (64 // model, table.shape[1])


def scregnet(path):
    """The shipped model, compiled as users have it, in small batches.

    With 10 TFs, batches below 54 pairs ask for fewer rows than the 64 of all genes. On eight
    devices those of 50 and 53 are padded to more.
    """
    sharding.LARGE, data, results = 200, build_data(), {}
    config = ScRegNetConfig(mlp_widths=(16, 16))
    for batch_size, model in SCREGNET_WAYS.items():
        mesh = None if jax.device_count() == 1 else sharding.make_mesh(model)
        training = TrainingConfig(batch_size=batch_size, evaluate_every=1)
        trainer = make_pair_trainer(ScRegNet(config), training, mesh)
        placed, state = run_steps(trainer, data, str(batch_size), results)
        if mesh is not None:
            check_layout(placed, state, model)
    np.savez(path, **results)


def embeddings(path):
    """A fit of the autoencoder and one of the language model of walks, which are never whole.

    Their batches are of 33 genes, which no number of devices divides, and of 32 walks.
    """
    mesh = None if jax.device_count() == 1 else sharding.make_mesh()
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 40)) + rng.normal(size=(100, 40))
    profiles = GeneProfiles(values.astype(np.float32), np.ones(100, bool))
    training = EmbeddingTrainingConfig(epochs=10, warm_up=5, batch_size=33, evaluate_every=5)
    model = AutoencoderConfig(dim=4, widths=(16,))
    found = embed_expression(profiles, model, training, seed=0, mesh=mesh)
    edges = np.argwhere(np.triu(rng.random((40, 40)) < 0.2, 1))
    network = InferredNetwork(edges, np.ones(len(edges), np.float32))
    config = WalkTrainingConfig(
        walks=WalkConfig(length=6),
        model=WalkModelConfig(layers=1, heads=2, width=16, feed_forward=16),
        walks_a_node=16,
        batch_size=32,
        evaluate_every=10,
        held_out_walks=64,
    )
    walks = fit_walks(build_walk_graph([network], 40), 40, config, seed=0, mesh=mesh)
    np.savez(
        path,
        vectors=found.vectors,
        held_out=found.held_out,
        table=walks.result.variables["params"]["table"],
        loss=walks.result.best_score,
    )


class Cut(Exception):
    """The run is cut off."""


def fit(folder, model, chunks, *where):
    """Fits in a run folder, cut off when it asks for one more chunk than `chunks`."""
    if where:
        coordinator, processes, process = where[0], int(where[1]), int(where[2])
        join_processes(DeviceConfig(coordinator=coordinator, processes=processes, process=process))
    sharding.LARGE = 200
    mesh, left = choose_mesh(DeviceConfig(model=int(model)), None, fits=1), int(chunks)
    trainer = make(mesh, epochs=25, evaluate_every=5)

    def chunk(*args):
        nonlocal left
        left -= 1
        if left < 0:
            raise Cut
        return trainer.chunk(*args)

    Path(folder).mkdir(exist_ok=True)
    try:
        with FitRecorder(Path(folder), 1, 25, "fitting") as recorder:
            cut = dataclasses.replace(trainer, chunk=chunk)
            recorder.fit(cut, build_data(), name="fit", seed=0)
    except Cut:
        print("cut off")


def study(path):
    """Eleven fits by one device, one after the other, and by all of them, whole ones on each."""
    results, data, devices = {}, build_data(), jax.device_count()
    jobs = [Job(f"fit{seed}", seed, lambda: data) for seed in range(11)]
    assert choose_mesh(DeviceConfig(), None, len(jobs)).size == devices  # on CPU
    fit_study(make(None, epochs=20, evaluate_every=5), jobs, "one by one", results)
    jax.default_backend = lambda: "gpu"
    assert choose_mesh(DeviceConfig(), None, 1).size == devices
    assert choose_mesh(DeviceConfig(), False, len(jobs)).size == devices
    assert choose_mesh(DeviceConfig(model=2), None, len(jobs)).shape["model"] == 2
    trainer = make(choose_mesh(DeviceConfig(), None, len(jobs)), epochs=20, evaluate_every=5)
    assert choose_group_size(trainer, len(jobs)) == 2 * devices
    fit_study(trainer, jobs, "side by side", results)
    np.savez(path, **results)


def fit_study(trainer, jobs, way, results):
    """Keeps the results of the fits of a study."""
    with FitRecorder(None, len(jobs), 20, way) as fits:
        for job, (result, _) in zip(jobs, fits.fit_all(trainer, jobs), strict=True):
            results[f"{way}/{job.name}/epoch"] = result.best_epoch
            results[f"{way}/{job.name}/score"] = result.best_score
            for name, array in jax.tree_util.tree_leaves_with_path(result.variables):
                results[f"{way}/{job.name}/{jax.tree_util.keystr(name)}"] = array


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    jax.config.update("jax_disable_most_optimizations", command != "scregnet")
    commands = {"steps": steps, "scregnet": scregnet, "fit": fit, "study": study}
    (commands | {"embeddings": embeddings})[command](*arguments)
