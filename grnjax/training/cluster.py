"""Processes that train together: how they find each other, agree, and leave writing to the first.

All processes run the same program on the same inputs. They meet in the sums over devices, in
checkpoints and here; a run folder, seen by all of them, is written by process 0.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from grnjax.config import Count, Positive, Settings
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.progress import logger

Result = TypeVar("Result")

FOUND_BY_JAX = "auto"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceConfig(Settings):
    """Which devices and processes share a run; a run may resume with others."""

    coordinator: str | None = None
    """HOST:PORT of process 0, the same for all; or auto on a TPU pod or under Slurm, where jax
    finds it and the numbers below."""
    processes: Positive | None = None
    """Number of processes."""
    process: Count | None = None
    """Which of them this one is, from 0 on."""
    model: Positive = 1
    """Devices over which large tables of genes are split, and train pairs over the rest."""

    def __post_init__(self):
        super().__post_init__()
        numbers = self.processes, self.process
        if self.coordinator in (None, FOUND_BY_JAX):
            if numbers != (None, None):
                raise ValueError("processes and process need a coordinator, HOST:PORT")
        elif ":" not in self.coordinator or None in numbers:
            raise ValueError(
                f"a coordinator is HOST:PORT and needs processes and process, or it is "
                f"{FOUND_BY_JAX}; got {self.coordinator}, {self.processes} and {self.process}"
            )
        elif self.process >= self.processes:
            raise ValueError(
                f"process must be 0 to {self.processes - 1} of {self.processes} processes, got "
                f"{self.process}"
            )


def join_processes(config: DeviceConfig) -> None:
    """Connects this process with the others, if there are any, before any device is used.

    Of their messages only errors come through, but for process 0.
    """
    if config.coordinator is None:
        return
    address = None if config.coordinator == FOUND_BY_JAX else config.coordinator
    try:
        jax.distributed.initialize(address, config.processes, config.process)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the processes cannot find each other by --devices.coordinator {config.coordinator}: "
            f"{error}"
        ) from error
    agree(True)  # now that all are here, as on CPU a first exchange waits for half a minute only
    if not is_first():
        logger.setLevel(logging.ERROR)


def is_first() -> bool:
    """Whether this is process 0, which writes and logs for all."""
    return jax.process_index() == 0


def agree(claim: bool) -> bool:
    """What process 0 holds of the claim; every process must ask."""
    if jax.process_count() == 1:
        return claim
    return bool(multihost_utils.broadcast_one_to_all(np.int32(claim)))


def do_first(action: Callable[[], Result]) -> Result | None:
    """What the action gives on process 0; the others wait until it is done, and get None.

    Raises:
        GrnjaxError: on the others, if it failed on process 0.
    """
    if not is_first():
        if agree(False):
            return None
        raise GrnjaxError("process 0 failed; its message says why.")
    done = False
    try:
        result = action()
        done = True
    finally:
        agree(done)
    return result


@contextlib.contextmanager
def finish_together() -> Iterator[None]:
    """A block that each process runs for itself; it ends when all have ended it.

    Raises:
        GrnjaxError: on those that ended it well, if it failed on another.
    """
    done = False
    try:
        yield
        done = True
    finally:
        if jax.process_count() > 1:
            others = multihost_utils.process_allgather(np.int32(done)).ravel()
            failed = np.flatnonzero(others == 0).tolist()
            if done and failed:
                raise GrnjaxError(f"process {failed[0]} failed; its message says why.")
