"""Many devices and many processes give the losses and gradients of one."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from grnjax.errors import ConfigError
from grnjax.training import sharding
from grnjax.training.sharding import Leaf, pad_pairs, replicate, split_gene_tables
from tests.devices import simulate_devices

SCRIPT = Path(__file__).with_name("fits_on_devices.py")
DEADLINE = 240  # seconds for any one process
EQUAL = 1e-5  # relative


def start(devices, *arguments):
    """A process of its own with so many simulated devices."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env=simulate_devices(devices),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes):
    """Waits for processes to end well; what they said."""
    try:
        said = [process.communicate(timeout=DEADLINE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), "".join(said)
    return said


def fit(folder, *, processes, devices, model=1, chunks=100):
    """Runs the fit of a folder by so many processes with so many devices each."""
    if processes == 1:
        return finish(start(devices, "fit", folder, model, chunks))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    return finish(
        *(
            start(devices, "fit", folder, model, chunks, coordinator, processes, number)
            for number in range(processes)
        )
    )


def relative(one, other):
    """The largest difference of two arrays against the largest number of the second."""
    return np.abs(one - other).max() / np.abs(other).max()


@pytest.fixture(scope="module")
def one_and_eight(tmp_path_factory):
    """What every case gives on one device and on eight."""
    folder = tmp_path_factory.mktemp("steps")
    finish(*(start(count, "steps", folder / f"{count}.npz") for count in (1, 8)))
    return [dict(np.load(folder / f"{count}.npz")) for count in (1, 8)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        "all pairs/jit, model 1",
        "all pairs/jit, model 2",
        "batches of 50/jit, model 2",
        "all pairs/pmap",
    ],
)
def test_losses_and_gradients_on_eight_devices_are_those_on_one(one_and_eight, way):
    """The pairs, 449 or 50 a batch, do not divide by the devices; model 2 splits a table, too."""
    one, eight = one_and_eight
    case = way.split("/")[0]
    names = [name.removeprefix(f"{way}/") for name in eight if name.startswith(f"{way}/")]
    expected = {name: one[f"{case}/{name}"] for name in names}
    assert {"loss 0", "loss 1", "loss 2"} < expected.keys()
    assert sum(name.startswith("gradient") for name in names) == 10
    for name, value in expected.items():
        assert relative(eight[f"{way}/{name}"], value) <= EQUAL, name
    losses = [expected[f"loss {number}"] for number in range(3)]
    assert len(set(map(float, losses))) == 3  # the comparison sees that something was learned


@pytest.fixture(scope="module")
def scregnet_on_one_and_eight(tmp_path_factory):
    """What scRegNet gives on one device and on eight."""
    folder = tmp_path_factory.mktemp("scregnet")
    finish(*(start(count, "scregnet", folder / f"{count}.npz") for count in (1, 8)))
    return [dict(np.load(folder / f"{count}.npz")) for count in (1, 8)]


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [46, 50, 53])
def test_scregnet_on_eight_devices_is_that_on_one(scregnet_on_one_and_eight, batch_size):
    """One device encodes some of the genes for each batch; of 50 or 53 pairs, eight encode all."""
    one, eight = scregnet_on_one_and_eight
    names = [name for name in one if name.startswith(f"{batch_size}/")]
    assert len(names) > 10 and one.keys() == eight.keys()
    for name in names:
        assert np.abs(eight[name] - one[name]).max() <= EQUAL * np.abs(one[name]).max(), name


@pytest.mark.slow
def test_embeddings_on_eight_devices_are_those_on_one(tmp_path):
    finish(*(start(count, "embeddings", tmp_path / f"{count}.npz") for count in (1, 8)))
    one, eight = (dict(np.load(tmp_path / f"{count}.npz")) for count in (1, 8))
    assert np.abs(one["vectors"]).max() > 0.1 and np.abs(one["table"]).max() > 0.05
    for name, values in one.items():
        assert relative(eight[name], values) <= 1e-3, name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The log of a fit by one device that was not cut off."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    fit(folder, processes=1, devices=1)
    return read_log(folder)


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory):
    """A fit by two processes with four devices each, cut off after two of five evaluations."""
    folder = tmp_path_factory.mktemp("cut-off") / "run"
    said = fit(folder, processes=2, devices=4, model=2, chunks=2)
    assert all("cut off" in words for words in said)
    assert sorted(path.name for path in (folder / "checkpoints/fit").iterdir()) == ["10", "5"]
    return folder


def read_log(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("processes, devices, model", [(1, 2, 2), (2, 1, 1)], ids=["1x2", "2x1"])
def test_a_checkpoint_of_two_processes_resumes_elsewhere_with_the_same_losses(
    cut_off, uninterrupted, tmp_path, processes, devices, model
):
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    before = read_log(folder)
    fit(folder, processes=processes, devices=devices, model=model)
    log = read_log(folder)
    assert log[:2] == before
    assert [line["epoch"] for line in log] == [line["epoch"] for line in uninterrupted]
    for name in ("loss", "average_precision", "auroc"):
        here, there = (np.array([line[name] for line in x]) for x in (log, uninterrupted))
        np.testing.assert_allclose(here, there, rtol=EQUAL, err_msg=name)


@pytest.mark.slow
def test_a_damaged_checkpoint_of_two_processes_is_left_for_the_one_before(
    cut_off, uninterrupted, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(cut_off, folder)
    files = [path for path in (folder / "checkpoints/fit/10/state").rglob("*") if path.is_file()]
    path = max(files, key=lambda p: p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    [said] = fit(folder, processes=1, devices=1)
    assert f"{path}: digest differs from the manifest; using step 5 instead" in said
    log = read_log(folder)
    assert [line["epoch"] for line in log] == [line["epoch"] for line in uninterrupted]
    losses = [[line["loss"] for line in lines] for lines in (log, uninterrupted)]
    np.testing.assert_allclose(*losses, rtol=EQUAL)


class Mesh:
    """What the rules ask of a mesh."""

    def __init__(self, data, model):
        self.shape = {"data": data, "model": model}


def test_large_tables_of_genes_are_split_and_nothing_else(monkeypatch):
    monkeypatch.setattr(sharding, "LARGE", 100)
    mesh = Mesh(data=2, model=4)

    def find(path, *shape, nodes=64):
        return split_gene_tables(Leaf(path, shape, nodes), mesh)

    assert find(".parameters['identity']['tf_factors']", 64, 8) == P("model")
    assert find(".optimizer[1].mu['identity']['tf_factors']", 64, 8) == P("model")
    assert find(".parameters['table']", 61, 8, nodes=61) == P(None, "model")  # 61 is a prime
    assert find(".parameters['table']", 61, 7, nodes=61) is None
    assert find(".parameters['identity']['tf_bias']", 64) is None  # not large
    assert find(".parameters['dense']['kernel']", 32, 64) is None  # no genes
    assert find(".genes.nodes", 64, 8) == find(".genes.embedding", 64, 8) == P("model")  # frozen
    assert find(".genes.embedding", 64, 0) is None  # there is none
    assert find(".train.features", 64, 8) is None  # a row a pair
    assert replicate(Leaf(".genes.nodes", (64, 8), 64), mesh) == P()


@pytest.mark.slow
def test_pairs_are_padded_with_pairs_that_weigh_nothing(problem):
    train = problem.build().train
    padded = pad_pairs(train, parts=len(train.labels) + 3, padding_node=60)
    assert len(padded.labels) == len(train.labels) + 3
    for before, after in zip(train, padded):
        np.testing.assert_array_equal(after[: len(before)], before)
    assert not padded.weights[-3:].any() and (padded.pairs[-3:] == 60).all()
    assert (padded.fold[-3:] == -1).all()
    same = pad_pairs(train, parts=1, padding_node=60)
    jax.tree.map(np.testing.assert_array_equal, same, train)


def test_a_table_needs_a_number_of_devices_that_there_is():
    with pytest.raises(ConfigError, match="1 devices cannot be assigned 3 to a table"):
        sharding.make_mesh(3)


def test_devices_for_large_tables_are_refused_where_no_table_is_large(
    problem, tiny_trainer, monkeypatch
):
    data, mesh = problem.build(), AbstractMesh((2, 4), ("data", "model"))
    state, objective = tiny_trainer.start(jax.random.key(0), data), tiny_trainer.objective
    with pytest.raises(ConfigError, match="leave 6 of 8 devices without work of their own: no tab"):
        sharding.check_tables(data, state, objective, mesh)
    sharding.check_tables(data, state, objective, AbstractMesh((8, 1), ("data", "model")))
    monkeypatch.setattr(sharding, "LARGE", 200)
    sharding.check_tables(data, state, objective, mesh)
