"""Where the regulators act: the activity of their confident targets in each group of cells."""

from grnjax.errors import GrnjaxError
from grnjax.report.contents import Contents
from grnjax.report.group_activity import AbsentError, measure_groups
from grnjax.report.heat_map import draw_activity

ORDER, TITLE = 40, "Cells"
COMMANDS = ("infer",)


def build(contents: Contents, page) -> dict | None:
    """A heat map of mean activity by group, or the sentence why there is none."""
    try:
        found = measure_groups(contents, page.networks)
    except AbsentError as error:
        return {"why": str(error), "chart": None, "table": None, "found": None}
    except (GrnjaxError, OSError) as error:
        why = f"No activity by group: {error}"
        return {"why": why, "chart": None, "table": None, "found": None}
    drawn = draw_activity(page.payload, "cells", found.activity)
    return {"why": "", "table": found.activity, "found": found, **drawn}
