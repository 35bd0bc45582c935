"""The training step under `jax.pmap`, for programs that are built on it.

Each device holds the whole state, all genes and its part of the train pairs. Losses and gradients
are those of `make_pair_trainer` on a mesh, but for a model with dropout on pairs: its mask counts
the pairs of a part from 0, so that each device drops of its first pair what the others do.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from grnjax.training.loop import Trainer
from grnjax.training.objective import TrainState
from grnjax.training.pair_objective import FitData
from grnjax.training.sharding import DATA, pad_pairs, wait_on_cpu

Step = Callable[[TrainState, FitData, Array], tuple[TrainState, Float[Array, " device"]]]


def make_pmap_step(trainer: Trainer, devices: Sequence[jax.Device]) -> Step:
    """A step over all train pairs, from (state, data, key) to the new state and the loss.

    State and data are those of `spread`; every array that comes back leads with the devices.
    """

    def step(state, data, key):
        return trainer.step(state, data.train, data, key, axis=DATA)

    return wait_on_cpu(jax.pmap(step, DATA, in_axes=(0, 0, None), devices=devices))


def spread(
    state: TrainState, data: FitData, devices: Sequence[jax.Device]
) -> tuple[TrainState, FitData]:
    """State and data for each device: copies, but of the train pairs, padded, equal parts."""
    count = len(devices)
    by_device = NamedSharding(Mesh(np.array(devices), (DATA,)), P(DATA))

    def copy(array):
        return jax.device_put(np.broadcast_to(array, (count, *array.shape)), by_device)

    def split(array):
        parts = array.reshape(count, len(array) // count, *array.shape[1:])
        return jax.device_put(parts, by_device)

    train = pad_pairs(data.train, count, padding_node=len(data.genes.nodes) - 1)
    state, rest = jax.tree.map(copy, (state, data._replace(train=None)))
    return state, rest._replace(train=jax.tree.map(split, train))


def collect(state: TrainState) -> TrainState:
    """The state of the first device, which is that of every other."""
    return jax.tree.map(lambda array: array.addressable_shards[0].data[0], state)
