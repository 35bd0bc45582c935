"""What is fitted: the whole of what the training loop asks of a model and its data.

Pair models, the expression autoencoder and the language model of walks are objectives, and the
loop has for each of them the finite guard, the best state so far, resuming, a mesh of devices, and
fits side by side.
"""

from typing import Any, NamedTuple

import jax
import optax
from jaxtyping import Array, Bool, Float, Int

from grnjax.config import Settings

PyTree = Any


class TrainState(NamedTuple):
    """Everything a run needs to resume exactly where it stopped."""

    parameters: PyTree
    collections: PyTree  # other variables of the model, batch statistics for one
    optimizer: PyTree
    step: Int[Array, ""]
    epoch: Int[Array, ""]  # the data position: epochs are shuffled by (seed, epoch)
    finite: Bool[Array, ""]  # False from the first update that was refused as not finite
    best_parameters: PyTree
    best_collections: PyTree
    best_score: Float[Array, ""]
    best_epoch: Int[Array, ""]
    worse: Int[Array, ""]  # evaluations since the best one
    stopped: Bool[Array, ""]


class Schedule(NamedTuple):
    """How long a fit lasts, and what the host does meanwhile."""

    epochs: int  # at most, rounded up to whole evaluations
    evaluate_every: int  # epochs
    patience: int  # evaluations without a better one before the fit stops
    learning_rate: float  # for the message of a fit that diverged
    checkpoint_seconds: float  # between two checkpoints
    first_choice: int = 0  # epoch before which no evaluation counts
    side_by_side: bool | None = None  # whether fits train side by side; by default on accelerators

    @classmethod
    def of(cls, config: Any, **values: Any) -> "Schedule":
        """The settings of a config that are called as here, but for those in `values`."""
        found = {name: getattr(config, name) for name in cls._fields if hasattr(config, name)}
        return cls(**(found | values))


class BatchLoss(NamedTuple):
    """What a batch comes to."""

    loss: Float[Array, ""]
    collections: PyTree  # as the batch leaves them
    weight: Float[Array, ""] | float = 1.0  # of the batch; one that weighs nothing moves nothing


class Objective:
    """A model, the loss it is trained by, and the score its epoch is chosen by.

    Its methods are pure functions, traced inside jit. A state's parameters and collections are the
    model's variables. Keys depend on (seed, step), but for that of `divide`, which is the fit's.
    """

    config: Settings
    optimizer: optax.GradientTransformation
    metrics: tuple[str, ...]  # names of what `evaluate` measures

    @property
    def schedule(self) -> Schedule:
        """That of the settings."""
        return Schedule.of(self.config)

    def init(self, key: jax.Array, data: PyTree) -> tuple[PyTree, PyTree]:
        """Fresh parameters and collections."""
        raise NotImplementedError

    def divide(self, data: PyTree, key: jax.Array, epoch: Int[Array, ""]) -> PyTree | None:
        """What the steps of an epoch take, with a leading axis of steps; None for one of all."""
        raise NotImplementedError

    def batch(self, data: PyTree, part: PyTree, key: jax.Array) -> PyTree:
        """The arrays of a step from one part of an epoch."""
        raise NotImplementedError

    def loss(
        self, state: TrainState, batch: PyTree, data: PyTree, key: jax.Array, *, axis: str | None
    ) -> BatchLoss:
        """The loss, to be differentiated by `state.parameters`.

        Args:
            axis: of `jax.pmap`, whose devices have a part of the batch each; this device's part of
                the loss is asked for then. None otherwise.
        """
        raise NotImplementedError

    def evaluate(
        self, state: TrainState, data: PyTree, key: jax.Array
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """The score that chooses the epoch, higher is better, and the metrics for the log."""
        raise NotImplementedError

    def split_seed(self, seed: int) -> jax.Array:
        """The keys of the start and of the training."""
        return jax.random.split(jax.random.key(seed))

    # On a mesh of devices

    whole_batches = False
    """Whether a step takes all pairs of `data.train`, which can then lie split over devices."""

    def count_rows(self, data: PyTree) -> int:
        """Rows of the tables, frozen and learned, that are split over devices where large."""
        raise NotImplementedError

    def pad_batch(self, batch: PyTree, data: PyTree, parts: int) -> PyTree:
        """The batch with what is split over devices padded to numbers that divide."""
        del data, parts
        return batch
