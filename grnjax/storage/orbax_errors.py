"""What Orbax and the threads of TensorStore log, print and raise, as one sentence or not at all."""

import contextlib
import functools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from grnjax.errors import CheckpointError
from grnjax.storage.files import FULL


@contextlib.contextmanager
def quiet_orbax() -> Iterator[None]:
    """Holds back what Orbax logs, which says of its errors no more than what it then raises."""
    orbax_logger = logging.getLogger("absl")
    before = orbax_logger.level
    orbax_logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        orbax_logger.setLevel(before)


@contextlib.contextmanager
def one_sentence(folder: Path) -> Iterator[None]:
    """What Orbax raises where it cannot write, such as on a full disk, in one sentence.

    Raises:
        CheckpointError: in the place of it.
    """
    forget_late_writers()
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        full = next((os.strerror(x) for x in FULL if os.strerror(x) in str(error)), first)
        raise CheckpointError(
            f"{folder} cannot be written ({full}); make room and run the "
            "same command again, which goes on from the checkpoint before."
        ) from error


@functools.cache
def forget_late_writers() -> None:
    """From now on nothing is printed of writes that end when nobody waits for them any more.

    After a write that failed Orbax closes its loop of events. The others are still under way in
    threads of TensorStore, and would print a traceback each where they cannot report to the loop.
    """
    before = sys.unraisablehook

    def tell(found) -> None:
        if str(found.exc_value) != "Event loop is closed":
            before(found)

    sys.unraisablehook = tell
