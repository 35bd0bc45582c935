"""Which array lies on which device: one mesh, one table of rules, and what keeps a fit to them.

The mesh has two axes, `data` and `model`. Each array of a fit is laid out by the first rule of
`RULES` that applies to it, and jit does the rest: a loss is a mean over pairs, wherever they lie.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from grnjax.errors import ConfigError
from grnjax.training.objective import Objective, PyTree
from grnjax.types import AnyArray, PairBatch

DATA, MODEL = "data", "model"  # axes of the mesh
FITS = "fits"  # the axis of fits that train side by side
LARGE = 2**22  # numbers in a table from which splitting it is worth the messages: 16 MiB
FROZEN = (".genes.nodes", ".genes.embedding", ".profiles")  # tables of data that may be split
LEARNED = (".parameters", ".best_parameters", ".optimizer")  # and parts of a TrainState


def make_mesh(model: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """All devices of all processes: `model` of them to a large table, the rest over the pairs.

    Args:
        devices: some of them in the place of all.
    """
    count = jax.device_count() if devices is None else len(devices)
    if count % model:
        raise ConfigError(
            f"{count} devices cannot be assigned {model} to a table; give --devices.model a "
            "number that divides them."
        )
    axes = (DATA, MODEL), (AxisType.Auto,) * 2
    return jax.make_mesh((count // model, model), *axes, devices=devices)


# The rules


class Leaf(NamedTuple):
    """What a rule sees of an array."""

    path: str  # its place in the data or a TrainState, such as `.parameters['identity']['tf_bias']`
    shape: tuple[int, ...]
    nodes: int  # genes and their padding node
    in_batches: bool = False  # whether batches are drawn from the train pairs


def split_train_pairs(leaf: Leaf, mesh: Mesh) -> P | None:
    """Train pairs lie over `data`, if no batches are drawn from them and their number divides."""
    if not leaf.path.startswith(".train.") or leaf.in_batches:
        return None
    return P(DATA) if leaf.shape[0] % mesh.shape[DATA] == 0 else None


def split_gene_tables(leaf: Leaf, mesh: Mesh) -> P | None:
    """Large tables of a row a gene, frozen or learned, lie over `model`: by genes, else by columns.

    The first of the two whose size divides is split; shapes stay those of the model, so that a
    checkpoint fits any mesh.
    """
    is_table = leaf.path.startswith(FROZEN + LEARNED) and leaf.shape[:1] == (leaf.nodes,)
    if not is_table or math.prod(leaf.shape) < LARGE:
        return None
    for axis, size in enumerate(leaf.shape):
        if size % mesh.shape[MODEL] == 0:
            return P(*[None] * axis, MODEL)
    return None


def replicate(leaf: Leaf, mesh: Mesh) -> P:
    """Everything else is on every device: graph, validation pairs, small tables, other arrays."""
    del leaf, mesh
    return P()


RULES = (split_train_pairs, split_gene_tables, replicate)


def lay_out(
    tree: PyTree,
    mesh: Mesh,
    rows: int,
    *,
    in_batches: bool = False,
    rules: Sequence[Callable[[Leaf, Mesh], P | None]] = RULES,
) -> PyTree:
    """The sharding of each array of a fit's data or of a TrainState, by the rules."""

    def find(path, array):
        leaf = Leaf(jax.tree_util.keystr(path), array.shape, rows, in_batches)
        specs = (rule(leaf, mesh) for rule in rules)
        return NamedSharding(mesh, next(spec for spec in specs if spec is not None))

    return jax.tree_util.tree_map_with_path(find, tree)


def check_tables(data: PyTree, state: PyTree, objective: Objective, mesh: Mesh) -> None:
    """Refuses a mesh whose devices for large tables would have none to share.

    Raises:
        ConfigError: `model` is above 1, and every table is on every device.
    """
    rows, model = objective.count_rows(data), mesh.shape[MODEL]
    layouts = jax.tree.leaves([lay_out(tree, mesh, rows) for tree in (data, state)])
    if model > 1 and not any(MODEL in layout.spec for layout in layouts):
        raise ConfigError(
            f"--devices.model {model} would leave {mesh.size - mesh.shape[DATA]} of {mesh.size} "
            f"devices without work of their own: no table of {rows:,} nodes has {LARGE:,} numbers "
            "or more and a side that divides; leave it out."
        )


# What keeps a fit to them


def place_data(data: PyTree, objective: Objective, mesh: Mesh) -> PyTree:
    """The arrays of a fit on the mesh; those of process 0 serve all.

    Where steps take all train pairs, these are padded to a number that divides and split. Else
    they are everywhere, and `split_batches` splits each batch.
    """
    if objective.whole_batches:
        train = objective.pad_batch(data.train, data, mesh.shape[DATA])
        data = data._replace(train=train)
    layout = lay_out(data, mesh, objective.count_rows(data), in_batches=not objective.whole_batches)

    return jax.tree.map(place, multihost_utils.broadcast_one_to_all(data), layout)


def place(array: AnyArray, sharding: NamedSharding) -> jax.Array:
    """The array where it belongs, each process giving the parts of its own devices."""
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def share_work(
    mesh: Mesh, objective: Objective, start: Callable, chunk: Callable
) -> list[Callable]:
    """Two functions of a trainer, compiled for the mesh."""

    def shared_start(key, data):
        return keep_layout(start(key, data), mesh, objective.count_rows(data))

    def shared_chunk(state, data, key):
        state, metrics = chunk(state, data, key)
        return keep_layout(state, mesh, objective.count_rows(data)), metrics

    return [wait_on_cpu(jax.jit(f)) for f in (shared_start, shared_chunk)]


def share_score(mesh: Mesh, score: Callable) -> Callable:
    """The scores of pairs, compiled for the mesh, whose devices have some of the pairs each."""

    def shared_score(variables, genes, pairs, key):
        padded = pad_pairs(pairs, mesh.shape[DATA], padding_node=len(genes.nodes) - 1)
        logits = score(variables, genes, split_rows(padded, mesh), key)
        everywhere = NamedSharding(mesh, P())
        return jax.lax.with_sharding_constraint(logits, everywhere)[: len(pairs.labels)]

    return wait_on_cpu(jax.jit(shared_score))


def keep_layout(state: PyTree, mesh: Mesh, rows: int) -> PyTree:
    """The state, inside jit, laid out by the rules."""
    return jax.lax.with_sharding_constraint(state, lay_out(state, mesh, rows))


def split_batches(step: Callable, objective: Objective, mesh: Mesh) -> Callable:
    """The training step for batches of any size, inside jit, each split over `data`."""

    def split_step(state, batch, data, key):
        padded = objective.pad_batch(batch, data, mesh.shape[DATA])
        return step(state, split_rows(padded, mesh), data, key)

    return split_step


def split_rows(batch: PyTree, mesh: Mesh) -> PyTree:
    """The arrays, inside jit, with rows split over `data` where their number divides."""
    parts = mesh.shape[DATA]

    def split(array):
        spec = P(DATA) if array.ndim and array.shape[0] % parts == 0 else P()
        return jax.lax.with_sharding_constraint(array, NamedSharding(mesh, spec))

    return jax.tree.map(split, batch)


def pad_pairs(batch: PairBatch, parts: int, padding_node: int) -> PairBatch:
    """The pairs and as many that weigh nothing as make their number divide into `parts`."""
    padding = PairBatch(padding_node, features=0, topology=0, labels=0, weights=0, fold=-1)
    missing = -len(batch.labels) % parts

    def pad(array, value):
        width = [(0, missing)] + [(0, 0)] * (array.ndim - 1)
        return jnp.pad(array, width, constant_values=value)

    return jax.tree.map(pad, batch, padding)


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


# Whole fits on each device, which do not communicate


def stack_fits(*functions: Callable) -> list[Callable]:
    """The functions of a fit for fits stacked on a leading axis, compiled: whole ones on a device.

    The number of fits must divide by that of the devices.
    """
    mesh = mesh_of_fits()
    spread = functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=P(FITS),
        out_specs=P(FITS),
        check_vma=False,  # a fit starts from constants, and no array is the same on all devices
    )
    layout = NamedSharding(mesh, P(FITS))
    return [jax.jit(spread(jax.vmap(f)), out_shardings=layout) for f in functions]


def spread_fits(tree: PyTree) -> PyTree:
    """The arrays of stacked fits, each fit's on its device."""
    return jax.device_put(tree, NamedSharding(mesh_of_fits(), P(FITS)))


def mesh_of_fits() -> Mesh:
    """All devices of this process in a row."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), (FITS,), (AxisType.Auto,), devices=devices)
