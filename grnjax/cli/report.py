"""`grnjax report`: the report of a finished run, made again from what it has left alone."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.file_record import tell_changed
from grnjax.config import Settings
from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.report.page import place_report, write_report


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportCommand(Settings):
    """Make the report of a finished run of infer, train or activity, from what it has left alone.

    One HTML file that opens anywhere, offline. It needs Jinja2 and Plotly (the extra `report`).
    """

    run: Positional[Path]
    """Run folder of infer or train, or the file that activity has written."""
    out: Path | None = None
    """File to write; by default report.html in the folder, or beside the file, named as it is."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(ReportCommand, args, program="grnjax report")
    path = command.out or place_report(command.run)
    with tell_changed(path):
        write_report(command.run, path)
    print(f"Report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def make_report(folder: Path) -> Path | None:
    """The report of a finished run; None, and why there is none, where it cannot be made."""
    try:
        return write_report(folder)
    except (GrnjaxError, OSError) as error:
        logger.warning("no report.html: %s", error)
        return None
