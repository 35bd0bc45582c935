"""Many fits of one run: named, logged, resumed, behind one progress bar."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from grnjax.progress import ProgressBar, logger
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.storage.files import JsonLines, read_json_lines, read_run_digest, write_atomic
from grnjax.training.cluster import agree, is_first
from grnjax.training.keeper import FitResult, Keeper
from grnjax.training.loop import Trainer, fit
from grnjax.training.objective import PyTree
from grnjax.training.side_by_side import choose_group_size, fit_side_by_side

SHOWN = {  # beside the bar, of whatever a fit is selected on
    "average_precision": "AP",
    "held_out": "variance explained",
    "held_out_loss": "held-out loss",
}


def derive_seed(*numbers: int) -> int:
    """One seed from several numbers, such as (seed, member, fold); all of them matter."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A fit to come; its data are built when it is its turn."""

    name: str
    seed: int
    build: Callable[[], PyTree]


class FitRecorder:
    """The fits of a run folder, or of none: each has its checkpoints, all share metrics.jsonl.

    A fit that had ended is read back, one that was cut off resumes, and its log lines after the
    checkpoint are taken out before they are written again. Of several processes all take part in
    the checkpoints, and only process 0 writes the log and shows the bar.
    """

    def __init__(self, folder: Path | None, fits: int, epochs: int, description: str):
        self.folder = folder
        self.epochs = epochs
        self.run = None if folder is None else read_run_digest(folder)
        unit = "epoch" if epochs > 1 else "fit"
        self.bar = ProgressBar(fits * epochs, description, unit=unit, hidden=not is_first())
        self.lines = None
        if folder is not None and is_first():
            folder.mkdir(parents=True, exist_ok=True)
            self.lines = JsonLines(folder / "metrics.jsonl")

    def fit_all(self, trainer: Trainer, jobs: Sequence[Job]) -> Iterator[tuple[FitResult, PyTree]]:
        """The selected model of each job, in their order, and its data.

        They are fitted one after the other or side by side, as the trainer's settings say; the
        data of all must then have the same shapes.
        """
        size = choose_group_size(trainer, len(jobs))
        if size == 1:
            for job in jobs:
                data = job.build()
                yield self.fit(trainer, data, name=job.name, seed=job.seed), data
            return
        for first in range(0, len(jobs), size):
            group = jobs[first : first + size]
            every_data = [job.build() for job in group]
            logs = [RecordedFit(self, job.name) for job in group]
            keepers = [Keeper(log.name, self.open_store(log.name), log) for log in logs]
            seeds = [job.seed for job in group]
            results = fit_side_by_side(trainer, every_data, seeds, keepers, size)
            for log, result, data in zip(logs, results, every_data, strict=True):
                log.end()
                yield result, data

    def fit(self, trainer: Trainer, data: PyTree, *, name: str, seed: int) -> FitResult:
        """The selected model of the fit called `name`, trained now or read back."""
        log = RecordedFit(self, name)
        result = fit(trainer, data, seed=seed, name=name, store=self.open_store(name), log=log)
        log.end()
        return result

    def recall(
        self,
        name: str,
        form: Callable[[], PyTree],
        make: Callable[[], PyTree],
        describe: Callable[[PyTree], list[dict]],
    ) -> PyTree:
        """The arrays of a short fit called `name`, made now or, if it had ended, read back.

        Args:
            form: makes arrays of the shapes and types that will come back; asked only where there
                is something to read.
            make: the fit.
            describe: its lines for metrics.jsonl, each with its `epoch`.
        """
        store = self.open_store(name)
        # processes see a shared folder at different times, and reading is for all of them or none
        there = store is not None and agree(store.folder.exists())
        restored = store.latest(form()) if store is not None and there else None
        if restored is not None:
            logger.info("%s: read back", name)
            result = restored.state
        else:
            if self.lines is not None:
                self.forget_lines(name, 0)
            result = make()
            for line in describe(result) if self.lines is not None else ():
                self.lines.append({"fit": name, **line})
            if store is not None:
                store.save(1, result, {"name": name})
        self.bar.update(self.epochs)
        return result

    def open_store(self, name: str) -> CheckpointStore | None:
        """The checkpoints of the fit called `name`; None without a run folder."""
        if self.folder is None:
            return None
        owner = {"run": self.run, "fit": name}
        return CheckpointStore(self.folder / "checkpoints" / name, owner=owner)

    def __enter__(self) -> "FitRecorder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()
        if self.lines is not None:
            self.lines.close()

    def forget_lines(self, name: str, epoch: int) -> None:
        """Takes the lines of a fit after `epoch` out of the log."""
        path = self.folder / "metrics.jsonl"
        lines = read_json_lines(path)
        kept = [line for line in lines if line["fit"] != name or line["epoch"] <= epoch]
        if len(kept) < len(lines):
            self.lines.close()
            write_atomic(path, "".join(json.dumps(x, sort_keys=True) + "\n" for x in kept))
            self.lines = JsonLines(path)


class RecordedFit:
    """The part of metrics.jsonl and of the progress bar that belongs to one fit."""

    def __init__(self, recorder: FitRecorder, name: str):
        self.recorder, self.name, self.epoch = recorder, name, 0

    def start(self, epoch: int) -> None:
        """Reports where the fit resumes, and forgets what a cut-off attempt wrote after that."""
        self._move_bar(epoch)
        if self.recorder.lines is not None:
            if epoch:
                logger.info("%s: read back after epoch %d", self.name, epoch)
            self.recorder.forget_lines(self.name, epoch)

    def write(self, metrics: dict) -> None:
        """Appends one evaluation."""
        self._move_bar(metrics["epoch"])
        shown = [f"{word} {metrics[key]:.3f}" for key, word in SHOWN.items() if key in metrics]
        self.recorder.bar.set_postfix_str(" ".join([self.name, *shown]))
        if self.recorder.lines is not None:
            self.recorder.lines.append({"fit": self.name, **metrics})

    def end(self) -> None:
        """Counts the epochs that the fit did not need."""
        self._move_bar(self.recorder.epochs)

    def _move_bar(self, epoch: int) -> None:
        self.recorder.bar.update(epoch - self.epoch)
        self.epoch = epoch
