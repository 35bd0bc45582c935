"""The project's one logger and its one progress bar."""

import logging
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

logger = logging.getLogger("grnjax")


def start_logging(verbose: bool = False) -> None:
    """Sends grnjax's messages to standard error; libraries never call this, the command line does."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logger.propagate = False


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yields the items behind a progress bar, which is drawn on a terminal only."""
    from tqdm import tqdm

    return iter(tqdm(items, desc=description, total=total, leave=False, disable=None))
