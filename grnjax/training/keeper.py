"""What the host does for a fit: its checkpoints, its log, its result, and the loop of chunks."""

import dataclasses
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from grnjax.errors import NonFiniteError
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.cluster import agree
from grnjax.training.objective import PyTree, TrainState


@dataclasses.dataclass(frozen=True, eq=False)
class FitResult:
    """The selected model of one fit and how it was reached."""

    variables: dict  # {"params": ..., other collections}: the best on validation
    best_epoch: int
    best_score: float
    epochs: int


class FitLog(Protocol):
    """Where a fit reports to."""

    def start(self, epoch: int) -> None:
        """The fit begins, or resumes, after `epoch`."""

    def write(self, metrics: dict) -> None:
        """Loss and validation scores of one evaluation."""


class Keeper:
    """Keeps the checkpoints of one fit, if it has a store, and its log, if it has one."""

    def __init__(self, name: str, store: CheckpointStore | None, log: FitLog | None):
        self.name, self.store, self.log = name, store, log
        self.saved_epoch = None

    def begin(self, start: TrainState) -> TrainState:
        """The newest state in the store, in arrays like those of `start`; else `start` itself."""
        state, restored = start, None if self.store is None else self.store.latest(start)
        if restored is not None:
            state = restored.state
            self.saved_epoch = int(state.epoch)
        else:  # is saved, so that a damaged later checkpoint has one before it
            self.save(start)
        if self.log is not None:
            self.log.start(int(state.epoch))
        return state

    def save(self, state: TrainState) -> None:
        """Saves a state unless it is the one that was saved last."""
        epoch = int(state.epoch)
        if self.store is not None and epoch != self.saved_epoch:
            self.store.save(epoch, state, {"name": self.name})
            self.saved_epoch = epoch

    def announce(self, metrics: dict) -> bool:
        """Fetches the metrics of a chunk, passes them on, and returns whether it has stopped."""
        values = {name: np.asarray(value).item() for name, value in metrics.items()}
        trained, stopped = values.pop("trained"), values.pop("stopped")
        if trained and self.log is not None:
            self.log.write(values)
        return stopped

    def finish(self, state: TrainState, learning_rate: float) -> FitResult:
        """The selected model.

        Raises:
            NonFiniteError: an update was not finite; the last good state is in the store.
        """
        if not state.finite:
            raise NonFiniteError(
                f"{self.name}: the loss stopped being finite by epoch {int(state.epoch)}, "
                f"after step {int(state.step)}; the last good state is kept. Lower "
                f"--method.training.learning-rate (now {learning_rate:g}) and choose another --out."
            )
        variables = {"params": state.best_parameters, **state.best_collections}
        return FitResult(
            variables, int(state.best_epoch), float(state.best_score), int(state.epoch)
        )


def train_to_the_end(
    keepers: list[Keeper],
    state: TrainState,
    advance: Callable[[TrainState], tuple[TrainState, dict]],
    split: Callable[[PyTree], list[PyTree]],
    checkpoint_seconds: float,
) -> TrainState:
    """The state when all of its fits have stopped, each saved now and then and at its end.

    The device is asked for metrics one chunk late, so it does not wait for the host. With several
    processes and checkpoints it does, a moment after each chunk: process 0 then decides for all
    whether it is time to save.

    Args:
        state: that of one fit, or the states of several in one.
        advance: the next state, and the metrics of the chunk between.
        split: the part of each fit in a state, or in metrics, in the order of `keepers`.
    """

    def announce(metrics: dict) -> bool:
        return all([k.announce(part) for k, part in zip(keepers, split(metrics), strict=True)])

    def save() -> None:
        for keeper, part in zip(keepers, split(state), strict=True):
            keeper.save(part)

    stores = keepers[0].store is not None
    stopped, pending, saved_at = bool(np.all(state.stopped)), None, time.monotonic()
    while not stopped:
        state, metrics = advance(state)
        if pending is not None:
            stopped = announce(pending)
        pending = metrics
        late = time.monotonic() - saved_at >= checkpoint_seconds
        if stores and agree(late) and not stopped:
            stopped, pending, saved_at = announce(metrics), None, time.monotonic()
            save()
    if stores:
        save()
    return state
