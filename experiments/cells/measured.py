"""Rows of a task on cells as they are kept: figures of each row, and its gain by an interval."""

from experiments.shared.record import ResultsFile
from grnjax.tasks.cells.study import CellPart, CellTask, Found, Row, bound_difference, run_task

GAIN = {"gain": "mean", "gain_low": "low", "gain_high": "high"}


def measure(
    results: ResultsFile,
    task: CellTask,
    source: str,
    *,
    name: str,
    references: dict[str, str],
    figure: str,
) -> None:
    """Runs what a task has no rows of on a source, and appends them; trivial rows run anyway.

    Args:
        name: of the set.
        references: by group of units, the trivial row over which the gain in `figure` is asked for;
            none leaves gains out.
    """

    def is_known(part: CellPart, row: Row) -> bool:
        where = {"set": name, "seed": part.seed, "split": part.split, "method": row.name}
        return row.kind != "trivial" and results.has(**where)

    results.add(add_gains(run_task(task, source, skip=is_known), references, figure), set=name)


def add_gains(found: Found, references: dict[str, str], figure: str) -> list[dict]:
    """The rows, named with their group, with the gain over the reference on the same units."""
    rows = []
    for row in found.rows:
        group, units = row["group"], found.units[found.units["split"] == row["split"]]
        kept = {key: x for key, x in row.items() if key not in ("split", "group")}
        split = row["split"] if group == "all" else f"{row['split']}: {group}"
        if references:
            reference = references.get(group, references["all"])
            if group != "all":
                units = units[units["group"] == group]
            gain = bound_difference(units, row["method"], reference, figure)
            kept |= {key: gain.get(name) for key, name in GAIN.items()}
        rows.append({**kept, "split": split})
    return rows
