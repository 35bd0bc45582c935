"""The project's one logger and its one progress bar."""

import logging
import sys
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("grnjax")
FIRST_LINE = 4.0  # seconds
LONGEST_SILENCE = 60.0


def start_logging(clean: Callable[[str], str] = str) -> None:
    """Sends grnjax's messages, cleaned, to standard error; only the command line calls this."""
    handler = logging.StreamHandler(sys.stderr)
    handler.format = lambda record: clean(record.getMessage())  # type: ignore[method-assign]
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class ProgressBar:
    """How far a long step is: a bar on a terminal, else a line now and then; also while it waits.

    Used as a context manager. A thread of its own moves it, so that a first fit that compiles, or a
    block that takes minutes, is seen to be under way.

    Args:
        total: how many `unit`s there are.
        hidden: shows nothing.
    """

    def __init__(self, total: int, description: str, *, unit: str, hidden: bool = False):
        from tqdm import tqdm

        self.total, self.description, self.unit = total, description, unit
        disable = True if hidden else None  # None: unless it is a terminal
        style = {}
        if not hidden and is_notebook():
            disable, style = False, {"file": sys.stdout, "ascii": " .:", "ncols": 80}
        self.bar = tqdm(
            total=total, desc=description, leave=False, disable=disable, unit=unit, **style
        )
        self.done, self.begun = 0, time.monotonic()
        self.closed = threading.Event()
        if not hidden and total:
            if self.bar.disable:
                logger.info("%s: %s %ss", description, f"{total:,}", unit)
            threading.Thread(target=self._tell, daemon=True).start()

    def update(self, count: int = 1) -> None:
        """Counts what was done since."""
        self.done += count
        self.bar.update(count)

    def set_postfix_str(self, text: str) -> None:
        """What stands beside the bar."""
        self.bar.set_postfix_str(text)

    def close(self) -> None:
        """Ends it."""
        self.closed.set()
        self.bar.close()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _tell(self) -> None:
        """Moves the bar every second, or logs a line, soon, then more rarely, then each minute."""
        wait = FIRST_LINE
        while not self.closed.wait(1):
            passed = time.monotonic() - self.begun
            if not self.bar.disable:
                self.bar.refresh()
            elif passed >= wait:
                wait += min(max(FIRST_LINE, wait / 2), LONGEST_SILENCE)
                logger.info(describe_progress(self.description, self.done, self.total, passed))


def is_notebook() -> bool:
    """Whether this runs in a notebook, where a bar of text is redrawn in place as in a terminal."""
    find = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return find is not None and type(find()).__name__ == "ZMQInteractiveShell"


def describe_progress(description: str, done: int, total: int, passed: float) -> str:
    """Share done, time passed, and the time left at the same pace."""
    text = f"{description}: {done / total:.0%} after {describe_time(passed)}"
    return text + (f", about {describe_time(passed * (total - done) / done)} left" if done else "")


def describe_time(seconds: float) -> str:
    """So many seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
