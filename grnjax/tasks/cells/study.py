"""The design that all tasks on cells share: parts, rows, figures, a table, a run that resumes.

A task reads its source, cuts it into parts (a split and a seed), and lists rows: each predicts the
test units of a part. Trivial rows are among them and cannot be left out. A row says what it is by
its kind, so that tables keep trivial rows, models and controls apart. A task of your own is a class
below `CellTask` in one file; `grnjax task my_file:MyTask SOURCE --out DIR` runs it.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from grnjax.config import Seeds, Settings
from grnjax.errors import ConfigError
from grnjax.progress import logger
from grnjax.training.recorder import FitRecorder

Kind = Literal["trivial", "baseline", "network", "model", "control"]
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class CellPart:
    """A split and a seed; what is in it is the task's own."""

    name: str  # in a run folder
    split: str
    seed: int
    content: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One line of the table: what predicts, and how."""

    name: str
    kind: Kind
    predict: Callable[[FitRecorder], np.ndarray]
    """The predictions of a part's test units. A model's own fits go through the recorder."""
    keep: tuple[int, ...] | None = None
    """Shape of float32 predictions that took long and are kept in the run folder; None: made
    again each time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellTask(Settings):
    """A question that is put to cells: base of the tasks."""

    NAMED: ClassVar[dict[str, str]] = {
        "drug-response": "grnjax.tasks.cells.drug_response:DrugResponse",
        "drug-class": "grnjax.tasks.cells.drug_class:DrugClass",
        "perturbation": "grnjax.tasks.cells.perturbation:Perturbation",
    }
    SHOWN: ClassVar[dict[str, str]] = {}
    """Figures of the printed table and their headings; the first is the main one."""

    seeds: Seeds = (0, 1, 2)
    """Seeds of the splits and of what is fitted on them."""

    def list_inputs(self, source: str) -> Mapping[str, str | Path | None]:
        """The files that make a run this run, by their roles."""
        return {"source": source}

    def read(self, source: str) -> tuple[Any, dict]:
        """What the task works on, and a report of what was read and left out."""
        raise NotImplementedError

    def list_parts(self, material: Any) -> list[CellPart]:
        """The splits, one for each seed."""
        raise NotImplementedError

    def list_rows(self, material: Any, part: CellPart) -> list[Row]:
        """What predicts the test units of a part, trivial rows first."""
        raise NotImplementedError

    def judge(self, material: Any, part: CellPart, predicted: np.ndarray) -> pd.DataFrame:
        """The figures of a part's predictions, one line a unit (`unit`, `group`, figures)."""
        raise NotImplementedError

    def describe(self, material: Any, part: CellPart, predicted: np.ndarray) -> dict[str, float]:
        """Figures of a part as a whole, beside the means over its units."""
        del material, part, predicted
        return {}

    def epochs(self) -> int:
        """Of a fit at most, for the progress bar."""
        return 1


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What a task found."""

    rows: list[dict]  # one a row, part and group of units
    units: pd.DataFrame  # one line a row, part and unit
    report: dict

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame(self.rows)


def run_task(
    task: CellTask,
    source: str,
    *,
    folder: Path | None = None,
    skip: Callable[[CellPart, Row], bool] = lambda part, row: False,
) -> Found:
    """All rows of all parts, judged.

    Args:
        source: what the task reads.
        folder: run folder; fits and long computations in it are kept and gone on with.
        skip: rows that are not asked for, as they are known.

    Raises:
        GrnjaxError: the source cannot be read or is too small, in one sentence.
    """
    material, report = task.read(source)
    parts = task.list_parts(material)
    if not parts:
        raise ConfigError(f"{source}: no split of it is asked for; give --task.splits.")
    rows_of = [
        [row for row in task.list_rows(material, part) if not skip(part, row)] for part in parts
    ]
    total, epochs = sum(map(len, rows_of)), task.epochs()
    rows, units = [], []
    with FitRecorder(folder, total, epochs, "rows") as recorder:
        for part, own in zip(parts, rows_of, strict=True):
            for row in own:
                predicted = predict_row(row, part, recorder)
                if not np.isfinite(predicted).all():
                    raise ConfigError(
                        f"{row.name} on {part.name}: {(~np.isfinite(predicted)).sum():,} of "
                        f"{predicted.size:,} predictions are not finite; lower its learning rate."
                    )
                of_units = task.judge(material, part, predicted)
                whole = task.describe(material, part, predicted)
                rows += list(summarise_units(row, part, of_units, whole))
                about = {"row": row.name, "split": part.split, "seed": part.seed}
                units.append(of_units.assign(**about))
    return Found(rows, pd.concat(units, ignore_index=True), report)


def predict_row(row: Row, part: CellPart, recorder: FitRecorder) -> np.ndarray:
    """The predictions, made now or read back."""
    shape = row.keep
    if shape is None:
        return row.predict(recorder)

    def make() -> dict[str, np.ndarray]:
        logger.info("%s: %s", part.name, row.name)
        return {"predicted": np.asarray(row.predict(recorder), np.float32)}

    return recorder.recall(
        f"{part.name}-{slug(row.name)}",
        form=lambda: {"predicted": np.zeros(shape, np.float32)},
        make=make,
        describe=lambda _: [{"epoch": 1}],
    )["predicted"]


def slug(name: str) -> str:
    """A name as part of a path."""
    return "".join(x if x.isalnum() else "-" for x in name.lower()).strip("-")


def summarise_units(
    row: Row, part: CellPart, units: pd.DataFrame, whole: dict[str, float]
) -> Iterator[dict]:
    """The means over units, all of them and each group's, with intervals over resampled units."""
    figures = [name for name in units if name not in ("unit", "group")]
    about = {"method": row.name, "kind": row.kind, "split": part.split}
    about |= {"draw": part.seed, "seed": part.seed}
    groups = units["group"] if "group" in units else pd.Series("", units.index)
    kinds = sorted(groups.unique())
    for group in ["all", *(kinds if len(kinds) > 1 else [])]:
        own = units if group == "all" else units[groups == group]
        line: dict = {**about, "group": group, "units": len(own)}
        for name in figures:
            line[name] = float(own[name].mean())
        yield {**line, **whole} if group == "all" else line


def bound_difference(
    units: pd.DataFrame, row: str, reference: str, figure: str, *, seed: int = 0
) -> dict[str, float]:
    """By how much a row exceeds another, with the 95 % interval over resampled units.

    A unit counts once, with its mean over seeds; units that one of the two lacks are left out.
    """
    means = [
        units[units["row"] == name].groupby(["split", "unit"])[figure].mean()
        for name in (row, reference)
    ]
    difference = (means[0] - means[1]).dropna().to_numpy()
    if len(difference) < 2:
        return {"mean": float(difference.mean()) if len(difference) else np.nan}
    rng = np.random.default_rng([seed, len(difference)])
    drawn = rng.choice(difference, (RESAMPLES, len(difference))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"mean": float(difference.mean()), "low": float(low), "high": float(high)}
