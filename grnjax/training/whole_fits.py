"""Whole fits placed on the devices of this process, which do not communicate."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

FITS = "fits"  # the axis of fits that train side by side

PyTree = Any


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
