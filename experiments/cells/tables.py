"""Tables and the picture of perturbations, and pages' tables, from the rows of the studies."""

import functools
from collections.abc import Callable

from experiments.cells.perturbation import DOUBLES, JUDGED
from experiments.cells.perturbation import STUDY as PERTURBATION
from experiments.grnformer.tables import average
from experiments.shared import tables as st
from experiments.shared.record import read_rows
from grnjax.plotting.style import COLOURS, NORMAL, clean_axes, new_figure, set_title

SIMULATED, DREAM4 = "simulated", "DREAM4"
Rows = list[dict]


@functools.cache
def find(study: str) -> Rows:
    """The rows of a study."""
    return read_rows(study)


def select(study: str, sets: str, splits: tuple[str, ...]) -> dict[str, Rows]:
    """Rows by method, of sets whose names begin so."""
    found: dict[str, Rows] = {}
    for row in find(study):
        if row["set"].startswith(sets) and row["split"] in splits:
            found.setdefault(row["method"], []).append(row)
    return found


def average_sets(rows: Rows, key: str, splits: tuple[str, ...]) -> float | None:
    """The mean over a set's rows, weighted by their units."""
    own = [row for row in rows if row["split"] in splits]
    total = sum(row["units"] for row in own)
    return sum(row[key] * row["units"] for row in own) / total if total else None


def perturbation_table(sets: str, split: str) -> st.Table:
    """Figures of all rows on all conditions, and on doubles where there are any."""
    doubles = tuple(f"{split}: {group}" for group in DOUBLES)
    by_method = select(PERTURBATION, sets, (split, *doubles))
    columns: dict[str, tuple[str, tuple[str, ...]]] = {
        "PCC delta": ("pcc_delta", (split,)),
        "beyond shift": ("pcc_beyond_shift", (split,)),
        "rank": ("rank", (split,)),
    }
    if any(row["split"] in doubles for rows in by_method.values() for row in rows):
        columns["doubles: PCC delta"] = ("pcc_delta", doubles)
        columns["over the sum"] = ("gain", doubles)

    def cell(rows: Rows, column: tuple[str, tuple[str, ...]]) -> str:
        key, splits = column
        own = {(row["set"], row["seed"]): [] for row in rows if row["split"] in splits}
        for row in rows:
            if row["split"] in splits:
                own[row["set"], row["seed"]].append(row)
        return average([average_sets(x, key, splits) for x in own.values()])

    note = (
        "Mean over networks and seeds, ± half the 95 % t interval. Rank: share of conditions that "
        "fit better than the true one, .5 by chance."
    )
    return st.Table(by_method, columns, cell, sets, note)


def networks_table() -> st.Table:
    """How networks predict perturbations, beside the same degrees rewired."""
    rows = {f"{row['set']}: {row['method']}": row for row in find(JUDGED)}
    columns = {
        "TFs": "perturbations",
        "correlation": "correlation",
        "rewired": "rewired_mean",
        "rewired, 97.5 %": "rewired_high",
        "p": "p_value",
    }

    def cell(row: dict, key: str) -> str:
        value = row[key]
        return f"{value:,}" if isinstance(value, int) else st.write(value)

    note = "Mean over perturbed TFs of the correlation over genes; p counts rewired networks."
    return st.Table(rows, columns, cell, "network", note)


def picture():
    """What each row knows beyond the mean shift, a dot a simulated network."""
    by_method = select(PERTURBATION, SIMULATED, ("simulation",))
    drawn = new_figure(7.5, 0.8 + 0.26 * len(by_method))
    axes = drawn.subplots()
    for place, rows in enumerate(by_method.values()):
        values = [row["pcc_beyond_shift"] for row in rows]
        is_network = rows[0]["kind"] in ("network", "model")
        colour = COLOURS[1] if is_network else COLOURS[0]
        axes.plot(values, [place] * len(values), "o", color=colour, markersize=5)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.set_yticks(range(len(by_method)), [*by_method], fontsize=NORMAL)
    axes.invert_yaxis()
    clean_axes(axes)
    set_title(axes, "Correlation of predicted and true change, mean shift taken out")
    return drawn


PERTURBATION_PAGE: dict[str, Callable[[], object]] = {
    "simulated": functools.partial(perturbation_table, SIMULATED, "simulation"),
    "DREAM4": functools.partial(perturbation_table, DREAM4, "single"),
    "networks": networks_table,
}
TABLES: dict[str, Callable[[], object]] = {}
CSV: dict[str, Callable[[], object]] = {}
PICTURES = {"perturbation.png": picture}
