"""Run folders as the commands use them: begun, resumed, found finished, or left as they were."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from jax.sharding import Mesh

from grnjax import config as settings
from grnjax.cli.old_flags import translate_record
from grnjax.config import Settings
from grnjax.errors import ConfigError, GrnjaxError
from grnjax.methods.method import MethodConfig
from grnjax.progress import logger
from grnjax.storage.files import lock_run, open_run
from grnjax.storage.outputs import CHECKPOINTS, LOG, RESULT, find_damage, write_result
from grnjax.tasks.record import NO_PART_OF_IT, describe_environment, digest_inputs, identify
from grnjax.training.cluster import DeviceConfig, agree, do_first, is_first, join_processes
from grnjax.training.side_by_side import choose_mesh


class Run:
    """One run of a command in its folder: what makes it this run, and what it leaves behind.

    Used as a context, it keeps the folder for this run; a mistake seen before training leaves no
    new one. Of several processes, process 0 holds the folder for all.
    """

    def __init__(self, name: str, command: Settings):
        """Joins the other processes of the run, if there are any.

        Args:
            command: all settings; has `out`, the folder, `devices` and, if any, `method`.

        Raises:
            ConfigError: the method would not use the devices, or the processes do not meet.
        """
        method: MethodConfig | None = getattr(command, "method", None)
        if method and "labels" not in method.READS and command.devices != DeviceConfig():
            raise ConfigError(
                f"--devices is no setting of {method.name()}, which computes without; "
                "leave it out or choose another --method."
            )
        join_processes(command.devices)
        self.begun, self.out, self.devices = time.monotonic(), command.out, command.devices
        self.command, values = command, settings.to_json(command)
        identity = {key: value for key, value in values.items() if key not in NO_PART_OF_IT}
        self.record: dict = {"command": name, "config": identity}
        self.held = contextlib.ExitStack()
        self.before: list[Path] | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes and prints for all."""
        return is_first()

    def has_finished(self, inputs: dict[str, str | Path | None]) -> bool:
        """Whether the folder holds the finished results of this run, whole; says so if it does.

        Otherwise what is missing or damaged is named, and the run is to go on from its checkpoints.

        Args:
            inputs: the files that the run reads, by their roles; their digests identify it, too.

        Raises:
            ConfigError: the folder holds another run, or its log is damaged.
        """
        self.record["inputs"] = digest_inputs(inputs)
        if not agree(os.path.lexists(self.out / RESULT)):
            return False
        self.open()  # refuses a folder of another run
        said = do_first(self.verify)
        if not agree(said is not None):
            return False
        logger.info("%s: this run has already finished%s; nothing to do.", self.out, said)
        return True

    def verify(self) -> str | None:
        """What to say of a finished run that is whole; None, and what is wrong, if it is not."""
        damage = find_damage(self.out)
        if damage is None:
            return " by an earlier version, without digests to verify it by"
        if LOG in damage:
            raise ConfigError(
                f"{self.out / LOG}: {damage[LOG]}, and only training writes it; put a copy back, "
                f"or delete {self.out} to train again."
            )
        if not (self.out / CHECKPOINTS).exists() and all(x.startswith(CHECKPOINTS) for x in damage):
            return ", and its results are whole, but its checkpoints are gone" if damage else ""
        for name, problem in damage.items():
            logger.warning("%s: %s; it is made again from here", self.out / name, problem)
        return None if damage else ""

    def open(self) -> bool:
        """True if the folder already holds this run, also one of version 0.1.0 (`open_run`)."""
        return open_run(
            self.out, self.record, lambda x: identify(translate_record(x, self.command))
        )

    def choose_mesh(self, method: MethodConfig, fits: int) -> Mesh | None:
        """The devices that share each of so many fits; None where each has one for itself."""
        side_by_side = method.engine.side_by_side if method.engine else None
        return choose_mesh(self.devices, side_by_side, fits if method.engine else 1)

    def __enter__(self) -> "Run":
        self.before = list(self.out.iterdir()) if self.out.is_dir() else None

        def enter() -> bool:
            with contextlib.ExitStack() as held:  # a folder that is refused is not kept locked
                held.enter_context(lock_run(self.out))
                resumes = self.open()
                self.held = held.pop_all()
            return resumes

        if do_first(enter):
            logger.info("%s: resuming an unfinished run", self.out)
        device = describe_environment()["device"]
        logger.info("computing on %(count)d x %(kind)s", device)
        return self

    def finish(self, results: dict, write: Callable[[dict], None] = lambda about: None) -> None:
        """Writes what `write` does, then the record of the run, which thereby has finished.

        Args:
            write: is given what makes the run this run, and the environment.
        """

        def write_all() -> None:
            about = {**self.record, **describe_environment()}
            write(about)
            seconds = time.monotonic() - self.begun
            write_result(self.out, {**about, **results, "seconds": seconds})

        do_first(write_all)

    def __exit__(self, kind, error, trace) -> None:
        left = list(self.out.iterdir()) if is_first() and self.out.is_dir() else []
        untouched = left and not self.before and not any(path.is_dir() for path in left)
        if isinstance(error, GrnjaxError) and untouched:  # no checkpoints, no group that is ranked
            for path in left:
                path.unlink()
            if self.before is None:
                self.out.rmdir()
        self.held.close()
