"""Rows of a task on cells as they are kept: figures of each row, and its gain by an interval."""

from experiments.shared.record import ResultsFile
from grnjax.tasks.cells.study import CellTask, Found, bound_difference, run_task

GAIN = ("gain", "gain_low", "gain_high")


def measure(
    results: ResultsFile,
    task: CellTask,
    source: str,
    *,
    name: str,
    references: dict[str, str],
    figure: str,
    last: str,
) -> None:
    """Runs a task on a source and appends its rows, unless they are there.

    Args:
        name: of the set.
        last: the row that a run measures last.
        references: by group of units, the row over which the gain in `figure` is asked for.
    """
    if not all(results.has(set=name, seed=seed, method=last) for seed in task.seeds):
        found = run_task(task, source)
        results.add(add_gains(found, references, figure), set=name)


def add_gains(found: Found, references: dict[str, str], figure: str) -> list[dict]:
    """The rows, named with their group, with the gain over the reference on all seeds."""
    rows = []
    for row in found.rows:
        group, units = row["group"], found.units[found.units["split"] == row["split"]]
        reference = references.get(group, references["all"])
        if group != "all":
            units = units[units["group"] == group]
        gain = bound_difference(units, row["method"], reference, figure)
        kept = {key: x for key, x in row.items() if key not in ("split", "group")}
        split = row["split"] if group == "all" else f"{row['split']}: {group}"
        values = (gain.get(key) for key in ("mean", "low", "high"))
        rows.append({**kept, "split": split, **dict(zip(GAIN, values, strict=True))})
    return rows
