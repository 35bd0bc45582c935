"""Which arrays of a model lie on which device: rules for the blocks, beside those of training.

With one device to the axis `model` of the mesh, every array is on every device, and cells are
divided. With more, heads of attention, the inner width of feed-forward parts and the columns of
large tables are divided, so that of a model each device holds a part (Shoeybi et al. 2019,
"Megatron-LM", section 3).
"""

import re

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from grnjax.errors import ConfigError
from grnjax.training.objective import PyTree
from grnjax.training.sharding import DATA, MODEL, Leaf, lay_out, make_mesh, replicate

SPLIT = {
    r"\['attention'\]\['(query|key|value)'\]\['kernel'\]": -2,  # [dim, head, dim of a head]
    r"\['attention'\]\['(query|key|value)'\]\['bias'\]": -2,
    r"\['attention'\]\['out'\]\['kernel'\]": -3,  # [head, dim of a head, dim]
    r"\['ffn_in'\]\['(kernel|bias)'\]": -1,
    r"\['ffn_out'\]\['kernel'\]": -2,
    r"\['embedding'\]": -1,
}
"""The axis that is divided, counted from the last, by the end of an array's path."""


def split_blocks(leaf: Leaf, mesh: Mesh) -> P | None:
    """Heads, inner widths and columns of tables lie over `model` where their number divides."""
    for pattern, axis in SPLIT.items():
        if re.search(pattern + "$", leaf.path):
            place = len(leaf.shape) + axis
            if mesh.shape[MODEL] > 1 and leaf.shape[place] % mesh.shape[MODEL] == 0:
                return P(*[None] * place, MODEL)
    return None


RULES = (split_blocks, replicate)


def lay_out_model(variables: PyTree, mesh: Mesh) -> PyTree:
    """The sharding of each array of a model.

    Raises:
        ConfigError: devices are left without a part of it.
    """
    layout = lay_out(variables, mesh, 0, rules=RULES)
    if mesh.shape[MODEL] > 1 and not any(MODEL in x.spec for x in jax.tree.leaves(layout)):
        raise ConfigError(
            f"--devices.model {mesh.shape[MODEL]} divides neither heads nor widths of this model; "
            "give another number or leave it out."
        )
    return layout


def place_variables(form: PyTree, mesh: Mesh) -> PyTree:
    """The form of a model's variables, to be read from a checkpoint right onto the mesh."""

    def place(leaf, sharding):
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    return jax.tree.map(place, form, lay_out_model(form, mesh))


def choose_local_mesh(model: int = 1) -> Mesh | None:
    """The devices of this process, which share each batch of cells; None where there is one.

    Raises:
        ConfigError: the number that share a model does not divide that of all.
    """
    devices = jax.local_devices()
    if len(devices) % model:
        raise ConfigError(
            f"--devices.model {model} does not divide the number of devices of a process, "
            f"{len(devices)}; give one that does, or leave it out."
        )
    return None if len(devices) == model == 1 else make_mesh(model, devices)


def split_cells(inputs: tuple, mesh: Mesh) -> tuple:
    """The arrays of a batch with cells divided among the devices."""
    return jax.device_put(inputs, NamedSharding(mesh, P(DATA)))
