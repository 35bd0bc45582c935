"""Fits of equal shapes trained side by side: one program for all, whole fits on each device.

Each keeps its own checkpoints, log lines and early stop. All continue until the last of them has
stopped; what is computed for a stopped one meanwhile is thrown away.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from grnjax.errors import ConfigError
from grnjax.training.cluster import DeviceConfig
from grnjax.training.keeper import FitResult, Keeper, train_to_the_end
from grnjax.training.loop import Trainer
from grnjax.training.objective import PyTree
from grnjax.training.sharding import fetch, make_mesh, spread_fits

FITS_A_DEVICE = 8  # at most, as each of them needs its memory


def choose_mesh(devices: DeviceConfig, side_by_side: bool | None, fits: int) -> Mesh | None:
    """The mesh of all devices, if they share each fit; None if a fit has one device for itself.

    A device that has whole fits waits for no other (`docs/scaling.md`), so the accelerators
    of one process get them unless a table is to be split. Several processes share each fit.

    Args:
        side_by_side: the setting of that name.
        fits: how many alike there are.

    Raises:
        ConfigError: flags that contradict each other, or a number of devices that does not divide.
    """
    processes, model = jax.process_count(), devices.model
    if side_by_side and processes > 1:
        raise ConfigError(
            f"--training.side-by-side True places whole fits within one process, and each of "
            f"the {processes} would train all of them; leave it out, and all devices share each "
            "fit."
        )
    if side_by_side and model > 1:
        raise ConfigError(
            f"--devices.model {model} splits the tables of a fit over devices, and "
            "--method.training.side-by-side True leaves each fit to one; leave one of them out."
        )
    whole = side_by_side
    if whole is None:
        whole = jax.default_backend() != "cpu" and processes == model == 1 and fits > 1
    alone = jax.device_count() == model == 1
    return None if whole or alone else make_mesh(model)


def choose_group_size(trainer: Trainer, fits: int) -> int:
    """How many of so many fits train at once; 1 is one after the other.

    Groups are alike, so that they share one compilation, and give each device as many fits.
    """
    wanted = trainer.schedule.side_by_side
    if wanted is None:
        wanted = jax.default_backend() != "cpu"
    if not wanted or fits < 2 or trainer.mesh is not None:
        return 1
    devices = jax.local_device_count()
    groups = math.ceil(fits / (devices * FITS_A_DEVICE))
    return devices * math.ceil(fits / (devices * groups))


def fit_side_by_side(
    trainer: Trainer,
    data: Sequence[PyTree],
    seeds: Sequence[int],
    keepers: Sequence[Keeper],
    size: int,
) -> Iterator[FitResult]:
    """What `fit` gives for each, within rounding; all are fitted when the first result comes.

    Args:
        size: how many are computed; copies of the last make up for missing ones.

    Raises:
        ConfigError: so many do not fit into the memory of the devices.
        NonFiniteError: instead of the result of a fit that had an update which was not finite.
    """
    start, chunk = trainer.stacked
    copies = size - len(keepers)

    def stack(parts: list[PyTree]) -> PyTree:
        parts = [*parts, *parts[-1:] * copies]
        return spread_fits(jax.tree.map(lambda *arrays: np.stack(arrays), *parts))

    def split(tree: PyTree) -> list[PyTree]:
        arrays, form = jax.tree.flatten(fetch(tree))
        return [
            form.unflatten([np.asarray(array[place]) for array in arrays])
            for place in range(len(keepers))
        ]

    seeds = [*seeds, *seeds[-1:] * copies]
    keys = jnp.stack([trainer.objective.split_seed(seed) for seed in seeds])
    with explain_lack_of_memory(size):
        init_keys, train_keys = spread_fits((keys[:, 0], keys[:, 1]))
        stacked = stack(data)
        starts = split(start(init_keys, stacked))
        states = train_to_the_end(
            keepers,
            stack([keeper.begin(state) for keeper, state in zip(keepers, starts, strict=True)]),
            lambda states: chunk(states, stacked, train_keys),
            split,
            trainer.schedule.checkpoint_seconds,
        )
    for keeper, state in zip(keepers, split(states), strict=True):
        yield keeper.finish(state, trainer.schedule.learning_rate)


@contextlib.contextmanager
def explain_lack_of_memory(fits: int) -> Iterator[None]:
    """Explains what to do where so many fits do not fit into the memory of the devices.

    Raises:
        ConfigError: in the place of jax's own error.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise ConfigError(
            f"{fits} fits side by side need more memory than there is (devices: "
            f"{jax.local_device_count()}); train them one by one with "
            "--method.training.side-by-side False and a new --out."
        ) from error
