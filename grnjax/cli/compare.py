"""`grnjax compare`: many methods on one set, one table."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.run_folder import Run
from grnjax.cli.train import inputs_of_set
from grnjax.data.expression import DataConfig
from grnjax.progress import logger
from grnjax.storage.files import write_atomic
from grnjax.tasks.comparison import Comparison, ComparisonConfig, compare
from grnjax.tasks.loading import load_folder
from grnjax.tasks.split_fits import SplitConfig, draw_splits
from grnjax.training.cluster import DeviceConfig

TABLE, PICTURE = "comparison.tsv", "comparison.png"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareCommand(ComparisonConfig):
    """Fit many methods on the draws of one set and judge them beside the trivial rows.

    The table has a line a method, with the seconds and the memory of a fit. A run that was cut off
    goes on with the row that it was at.
    """

    folder: Positional[str]
    """Folder or name of a set, as `grnjax train` takes it."""
    out: Path
    """Run folder; the same command on it resumes."""
    data: DataConfig = DataConfig(split="draw")
    devices: DeviceConfig = DeviceConfig()


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(CompareCommand, args, program="grnjax compare")
    command.make_methods()  # refuses names and settings before anything is read
    run = Run("compare", command)
    dataset, found = load_folder(command.folder, command.data)
    if run.has_finished(inputs_of_set(found, command.data)):
        return
    splits = draw_splits(dataset, SplitConfig(kind=command.kind, draws=(*range(command.draws),)))
    with run:
        results = compare(
            dataset,
            splits,
            command,
            folder=command.out,
            data=command.data,
            set_name=command.folder,
            choose_mesh=run.choose_mesh,
        )
        run.finish(
            {
                "data": dataset.report,
                "metrics": {"rows": results.rows},
                "left_out": results.left_out,
            },
            write=lambda about: write_files(results, command),
        )
    print(f"\n{results}\n\nEverything else is in {command.out}")


def write_files(results: Comparison, command: CompareCommand) -> None:
    """The table and, where matplotlib is there, the picture."""
    table = results.table
    write_atomic(command.out / TABLE, table.to_csv(sep="\t"))
    try:
        from grnjax.plotting.comparison import plot_comparison
    except ModuleNotFoundError as error:
        logger.warning("There is no picture. %s", error)  # it says what to install
        return
    note = f"{command.folder}, {command.kind} split, means over {command.draws} draws"
    plot_comparison(table, note).savefig(command.out / PICTURE)
