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
from grnjax.training.cluster import agree, do_first, is_first

NO_PART_OF_IT = ("out", "devices")


def identity(command: Any) -> dict:
    """The settings that make a run this run; where it is written and what computes it do not."""
    values = settings.to_json(command)
    return {key: value for key, value in values.items() if key not in NO_PART_OF_IT}


def already_finished(out: Path, record: dict) -> bool:
    """Whether `out` holds the finished results of this very run; says so if it does."""
    if not agree((out / "run.json").exists()):
        return False
    open_run(out, record)  # refuses a folder of another run
    logger.info("%s: this run has already finished; nothing to do.", out)
    return True


@contextlib.contextmanager
def enter_run(out: Path, record: dict) -> Iterator[None]:
    """Keeps the run folder for this run; a mistake seen before training leaves no new one.

    Of several processes, process 0 holds the folder for all.
    """
    before = list(out.iterdir()) if out.is_dir() else None
    with contextlib.ExitStack() as held:

        def enter() -> bool:
            held.enter_context(lock_run(out))
            return open_run(out, record)

        if do_first(enter):
            logger.info("%s: going on with an unfinished run", out)
        device = describe_environment()["device"]
        logger.info("computing on %(count)d x %(kind)s", device)
        try:
            yield
        except GrnjaxError:
            if is_first() and not before and not (out / "checkpoints").exists():
                for path in out.iterdir():
                    path.unlink()
                if before is None:
                    out.rmdir()
            raise
