"""The project's one logger and its one progress bar."""

import logging
import sys

logger = logging.getLogger("grnjax")


def start_logging() -> None:
    """Sends grnjax's messages to standard error; only the command line calls this."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def progress_bar(total: int, description: str, *, unit: str, hidden: bool = False):
    """A tqdm bar over `unit`s, on a terminal only, if not `hidden`; use it as a context manager."""
    from tqdm import tqdm

    disable = True if hidden else None  # None: unless it is a terminal
    return tqdm(total=total, desc=description, leave=False, disable=disable, unit=unit)
