"""Which array lies on which device: one mesh, one table of rules, and what keeps a fit to them.

The mesh has two axes, `data` and `model`. Each array of a fit is laid out by the first rule of
`RULES` that speaks of it, and jit does the rest: a loss is a mean over pairs, wherever they lie.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from grnjax.errors import ConfigError
from grnjax.training.step import FitData
from grnjax.types import PairBatch

DATA, MODEL = "data", "model"  # axes of the mesh
FITS = "fits"  # the axis of fits that train side by side
LARGE = 2**22  # numbers in a table from which splitting it is worth the messages: 16 MiB
LEARNED = (".parameters", ".best_parameters", ".optimizer")  # parts of a state that rules may split

PyTree = Any


def choose_mesh(model: int) -> Mesh | None:
    """The mesh of all devices; None for a single one, which needs none."""
    if jax.device_count() == 1 and model == 1:
        return None
    return make_mesh(model)


def make_mesh(model: int = 1) -> Mesh:
    """All devices of all processes: `model` of them to a large table, the rest over the pairs."""
    devices = jax.device_count()
    if devices % model:
        raise ConfigError(
            f"{devices} devices cannot be dealt out {model} to a table; give --devices.model a "
            "number that divides them."
        )
    return jax.make_mesh((devices // model, model), (DATA, MODEL), axis_types=(AxisType.Auto,) * 2)


# The rules


class Leaf(NamedTuple):
    """What a rule is told of an array."""

    path: str  # its place in a FitData or TrainState, such as `.parameters['identity']['tf_bias']`
    shape: tuple[int, ...]
    nodes: int  # genes and their padding node


def split_train_pairs(leaf: Leaf, mesh: Mesh) -> P | None:
    """Train pairs lie over `data`, where their number divides (`place_data` sees to that)."""
    if leaf.path.startswith(".train.") and leaf.shape[0] % mesh.shape[DATA] == 0:
        return P(DATA)
    return None


def split_gene_tables(leaf: Leaf, mesh: Mesh) -> P | None:
    """Large learned tables of a row a gene lie over `model`: by genes, else by columns.

    The first of the two whose size divides is split; shapes stay those of the model, so that a
    checkpoint fits any mesh.
    """
    is_table = leaf.path.startswith(LEARNED) and leaf.shape[:1] == (leaf.nodes,)
    if not is_table or math.prod(leaf.shape) < LARGE:
        return None
    for axis, size in enumerate(leaf.shape):
        if size % mesh.shape[MODEL] == 0:
            return P(*[None] * axis, MODEL)
    return None


def replicate(leaf: Leaf, mesh: Mesh) -> P:
    """Everything else is on every device: genes, graph, validation pairs, other parameters."""
    del leaf, mesh
    return P()


RULES = (split_train_pairs, split_gene_tables, replicate)


def lay_out(tree: PyTree, mesh: Mesh, nodes: int) -> PyTree:
    """The sharding of each array of a FitData or a TrainState, by the rules."""

    def find(path, array):
        leaf = Leaf(jax.tree_util.keystr(path), array.shape, nodes)
        specs = (rule(leaf, mesh) for rule in RULES)
        return NamedSharding(mesh, next(spec for spec in specs if spec is not None))

    return jax.tree_util.tree_map_with_path(find, tree)


# What keeps a fit to them


def place_data(data: FitData, mesh: Mesh, *, batch_size: int) -> FitData:
    """The arrays of a fit on the mesh; those of process 0 serve all.

    Without mini-batches the train pairs are padded to a number that divides. Mini-batches are
    drawn from all train pairs, so these are everywhere, and `split_batches` splits each batch.
    """
    nodes = len(data.genes.nodes)
    if not batch_size:
        train = pad_pairs(data.train, mesh.shape[DATA], nodes - 1)
        data = data._replace(train=train)
    layout = lay_out(data, mesh, nodes)
    if batch_size:
        everywhere = jax.tree.map(lambda _: NamedSharding(mesh, P()), data.train)
        layout = layout._replace(train=everywhere)

    def put(array, sharding):
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return jax.tree.map(put, multihost_utils.broadcast_one_to_all(data), layout)


def share_work(mesh: Mesh, start: Callable, chunk: Callable, score: Callable) -> list[Callable]:
    """The three functions of a trainer, compiled for the mesh."""

    def shared_start(key, data):
        return keep_layout(start(key, data), mesh, len(data.genes.nodes))

    def shared_chunk(state, data, key):
        state, metrics = chunk(state, data, key)
        return keep_layout(state, mesh, len(data.genes.nodes)), metrics

    def shared_score(variables, genes, pairs, key):
        logits = score(variables, genes, split_pairs(pairs, mesh, len(genes.nodes) - 1), key)
        everywhere = NamedSharding(mesh, P())
        return jax.lax.with_sharding_constraint(logits, everywhere)[: len(pairs.labels)]

    return [wait_on_cpu(jax.jit(f)) for f in (shared_start, shared_chunk, shared_score)]


def keep_layout(state: PyTree, mesh: Mesh, nodes: int) -> PyTree:
    """The state, inside jit, laid out by the rules."""
    return jax.lax.with_sharding_constraint(state, lay_out(state, mesh, nodes))


def split_batches(step: Callable, mesh: Mesh) -> Callable:
    """The training step for batches of any size, inside jit, each split over `data`."""

    def split_step(state, batch, data, key):
        return step(state, split_pairs(batch, mesh, len(data.genes.nodes) - 1), data, key)

    return split_step


def split_pairs(batch: PairBatch, mesh: Mesh, padding_node: int) -> PairBatch:
    """The pairs, padded to a number that divides, and inside jit split over `data`."""
    padded = pad_pairs(batch, mesh.shape[DATA], padding_node)
    return jax.lax.with_sharding_constraint(padded, NamedSharding(mesh, P(DATA)))


def pad_pairs(batch: PairBatch, parts: int, padding_node: int) -> PairBatch:
    """The pairs and as many that weigh nothing as make their number divide into `parts`."""
    padding = PairBatch(padding_node, features=0, topology=0, labels=0, weights=0, fold=-1)
    missing = -len(batch.labels) % parts

    def pad(array, value):
        width = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
        return jnp.pad(array, width, constant_values=value)

    return jax.tree.map(pad, batch, padding)


# Many fits at once


def deal_out_work(*functions: Callable) -> list[Callable]:
    """The functions of a fit for fits stacked on a leading axis, compiled: whole ones on a device.

    Devices have nothing to tell each other, and the number of fits must divide by theirs.
    """
    mesh = mesh_of_fits()
    deal = functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=P(FITS),
        out_specs=P(FITS),
        check_vma=False,  # a fit starts from constants, and no array is the same on all devices
    )
    layout = NamedSharding(mesh, P(FITS))
    return [jax.jit(deal(jax.vmap(f)), out_shardings=layout) for f in functions]


def deal_out(tree: PyTree) -> PyTree:
    """The arrays of stacked fits, each fit's on its device."""
    return jax.device_put(tree, NamedSharding(mesh_of_fits(), P(FITS)))


def mesh_of_fits() -> Mesh:
    """All devices of this process in a row."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), (FITS,), (AxisType.Auto,), devices=devices)


# Wherever arrays lie


def fetch(tree: PyTree) -> PyTree:
    """The arrays as numpy ones on every process, wherever their parts lie."""

    def gather(array):
        if array.is_fully_addressable or array.is_fully_replicated:
            return np.asarray(array)
        return multihost_utils.process_allgather(array, tiled=True)

    return jax.tree.map(gather, tree)


def wait_on_cpu(function: Callable) -> Callable:
    """The function, which on CPU returns only when its results are there.

    Simulated devices share the threads of one machine: two programs under way at once can wait
    for each other until jax gives up.
    """
    if jax.default_backend() != "cpu":
        return function
    return functools.wraps(function)(lambda *args: jax.block_until_ready(function(*args)))
