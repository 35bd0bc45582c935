"""`grnjax report`: the report of a finished run, made again from its folder alone."""

import dataclasses
from pathlib import Path

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli.file_record import tell_changed
from grnjax.config import Settings
from grnjax.report.page import write_report
from grnjax.storage.outputs import REPORT


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportCommand(Settings):
    """Make the report of a finished `grnjax infer` again, from its folder alone.

    One HTML file that opens anywhere, offline. It needs Jinja2 and Plotly (the extra `report`).
    """

    run: Positional[Path]
    """Run folder."""
    out: Path | None = None
    """File to write; by default report.html in the folder."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    command = settings.parse(ReportCommand, args, program="grnjax report")
    path = command.out or command.run / REPORT
    with tell_changed(path):
        write_report(command.run, path)
    print(f"Report: {path} ({path.stat().st_size / 1e6:.1f} MB)")
