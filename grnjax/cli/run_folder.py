"""Run folders as the commands use them: begun, resumed, found finished, or left as they were."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grnjax import config as settings
from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import lock_run, open_run
from grnjax.tasks.record import describe_environment


def identity(command: Any) -> dict:
    """The settings that make a run this run; where it is written does not."""
    values = settings.to_json(command)
    return {key: value for key, value in values.items() if key != "out"}


def already_finished(out: Path, record: dict) -> bool:
    """Whether `out` holds the finished results of this very run; says so if it does."""
    if not (out / "run.json").exists():
        return False
    open_run(out, record)  # refuses a folder of another run
    logger.info("%s: this run has already finished; nothing to do.", out)
    return True


@contextlib.contextmanager
def enter_run(out: Path, record: dict) -> Iterator[None]:
    """Keeps the run folder for this process; a mistake seen before training leaves no new one."""
    before = list(out.iterdir()) if out.is_dir() else None
    with lock_run(out):
        if open_run(out, record):
            logger.info("%s: going on with an unfinished run", out)
        device = describe_environment()["device"]
        logger.info("computing on %(count)d x %(kind)s", device)
        try:
            yield
        except GrnjaxError:
            if not before and not (out / "checkpoints").exists():
                for path in out.iterdir():
                    path.unlink()
                if before is None:
                    out.rmdir()
            raise
