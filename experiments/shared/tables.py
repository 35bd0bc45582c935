"""Tables and CSV files from measured rows: one generator for all pages of experiments/ and docs/.

A page shows a table of at most six columns, one figure with its interval a cell; the whole of a
study is in a CSV file beside its rows.
"""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments.shared.record import read_rows
from grnjax.evaluation.report import paired_differences, shorten, summarise

ROOT = Path(__file__).parents[2]
MOST_COLUMNS = 6
SIMULATED = "simulated"  # the set of figures whose draws are networks
METRICS = {  # titles of figures
    "auroc": "AUROC",
    "average_precision": "AP",
    "early_precision_ratio": "EPR",
    "within_tf_auroc": "within-TF",
    "swap_micro": "swap",
    "matched_auroc": "matched AUROC",
}
AP, SWAP = {"average_precision": "AP"}, {"swap_micro": "swap"}
FOUR = {key: METRICS[key] for key in ("auroc", "average_precision", "within_tf_auroc")} | SWAP
AUROC, SHOWN = {"auroc": "AUROC"}, AP | SWAP
KEYS = ("method", "draw", "seed")


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A table of a page: `rows` and `columns` are what `cell` is called with, by their titles."""

    rows: Mapping[str, object]
    columns: Mapping[str, object]
    cell: Callable[[Any, Any], str]
    index: str = ""
    """Title of the column of row titles."""
    note: str = ""
    """What stands under the table."""

    def __str__(self) -> str:
        if not self.rows or len(self.columns) >= MOST_COLUMNS:
            raise ValueError(
                f"A table of {len(self.rows)} rows and {1 + len(self.columns)} columns: a page "
                f"needs a row and takes {MOST_COLUMNS} columns; put more into the CSV file."
            )
        lines = [[self.index, *self.columns], ["---", *["---:"] * len(self.columns)]]
        for title, row in self.rows.items():
            lines.append([title, *(self.cell(row, column) for column in self.columns.values())])
        text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
        return f"{text}\n\n{self.note}" if self.note else text


class Figures:
    """Means over draws, with 95 % intervals, of measured rows, by set and kind of split."""

    def __init__(self, rows: Iterable[dict]):
        self.groups: dict[tuple[str, str], list[dict]] = {}
        for row in rows:
            if "auroc" in row:
                kept = {key: row[key] for key in (*KEYS, *METRICS) if key in row}
                self.groups.setdefault((row["set"], row["split"]), []).append(kept)
        self._means: dict[tuple[str, str], dict[tuple[str, str], tuple]] = {}

    def sets(self, split: str) -> list[str]:
        """The sets that have rows of this kind of split, as they were measured."""
        return [name for name, kind in self.groups if kind == split]

    def methods(self, name: str, split: str) -> list[str]:
        """The methods of a set and kind of split, as they were measured."""
        return list(dict.fromkeys(row["method"] for row in self.groups[name, split]))

    def means(self, name: str, split: str) -> dict[tuple[str, str], tuple[float, float, int]]:
        """Mean, half width of its interval and number of draws, by method and metric."""
        if (name, split) not in self._means:
            table = summarise(self.groups[name, split]).itertuples(index=False)
            self._means[name, split] = {(method, key): (*x,) for method, key, *x in table}
        return self._means[name, split]

    def cell(
        self,
        *,
        name: str,
        split: str,
        method: str,
        figure: str,
        over: str = "",
        same_seeds: bool = False,
        instead: Mapping[str, str] | None = None,
    ) -> str:
        """.814±.012, a hyphen where it is undefined; nothing where it was not measured.

        Args:
            name: the set.
            over: the method over which the gain is asked for, on the draws that both have.
            same_seeds: whether both count with the seeds that both have, or each with all its own.
            instead: for a method that the set lacks, the one that takes its place.
        """
        rows = self.groups.get((name, split), [])
        there = {row["method"] for row in rows}
        method, over = (x if x in there else (instead or {}).get(x, x) for x in (method, over))
        if not {method, over or method} <= there:
            return ""
        if not over:
            mean, half, _ = self.means(name, split)[method, figure]
            return write(mean, half, decimals=2 if figure.endswith("ratio") else 3)
        if same_seeds:
            places = [
                {(r["draw"], r["seed"]) for r in rows if r["method"] == x} for x in (method, over)
            ]
            rows = [row for row in rows if (row["draw"], row["seed"]) in places[0] & places[1]]
        found = paired_differences(rows, method, over)[figure]
        return write(found["mean"], found["half_width"], signed=True)

    def draws(self, name: str, split: str) -> int:
        """On how many draws at most a figure rests."""
        return max(count for _, _, count in self.means(name, split).values())


def axis(field: str, things: Mapping[str, str] | Iterable[str]) -> dict[str, dict[str, str]]:
    """Rows or columns that differ in one argument of `Figures.cell`, by their titles.

    Args:
        things: the values and their titles, or values that are their own.
    """
    titles = things if isinstance(things, Mapping) else {thing: thing for thing in things}
    return {title: {field: thing} for thing, title in titles.items()}


def cross(*axes: Mapping[str, dict]) -> dict[str, dict]:
    """Rows or columns that differ in several: each of the first with each of the next."""
    return {
        ", ".join(titles): {key: x for one in places for key, x in one.items()}
        for titles, places in (
            zip(*items) for items in itertools.product(*(a.items() for a in axes))
        )
    }


def grid(
    figures: Figures,
    rows: Mapping[str, dict],
    columns: Mapping[str, dict],
    index: str = "",
    note: str = "",
    **where: object,
) -> Table:
    """A table of figures.

    Args:
        rows: arguments of `Figures.cell` by title, as `axis` and `cross` make them; `figures`
            among them stands for another study.
        columns: likewise.
        note: what to say under the table beside what stands behind a mean.
        where: what all cells share.
    """

    def cell(row: dict, column: dict) -> str:
        place = {"figures": figures, **where, **row, **column}
        return place.pop("figures").cell(**place)

    places = [{**where, **row, **column} for row in rows.values() for column in columns.values()]
    groups = {(x["name"], x["split"]) for x in places} & set(figures.groups)
    draws = max((figures.draws(*group) for group in groups), default=0)
    what = "simulated networks" if where.get("name") == SIMULATED else "draws of the split"
    draws_note = f"Mean over {draws} {what}, ± half the width of the 95 % t interval."
    return Table(rows, columns, cell, index, f"{draws_note} {note}".strip() if draws > 1 else note)


def csv_text(figures: Figures) -> str:
    """All means: set, split, method, draws, and each metric with its half interval."""
    shown = {key for group in figures.groups for _, key in figures.means(*group)}
    metrics = [key for key in METRICS if key in shown]
    heads = ["set", "split", "method", "draws"]
    lines = [heads + [f"{key}{end}" for key in metrics for end in ("", "_half_interval")]]
    for group in figures.groups:
        means = figures.means(*group)
        for method in figures.methods(*group):
            found = [means.get((method, key), (math.nan, math.nan, 0)) for key in metrics]
            numbers = [
                f"{x:.4f}" if x == x else "" for mean, half, _ in found for x in (mean, half)
            ]
            draws = max(count for *_, count in found)
            lines.append([*(f'"{text}"' for text in (*group, method)), str(draws), *numbers])
    return "".join(",".join(line) + "\n" for line in lines)


def fill_in(text: str, tables: Mapping[str, Callable[[], object]]) -> str:
    """The text of a page with every table between its two marks made again."""
    for name, make in tables.items():
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"The page has no table called {name!r}.")
        body = f"{make()}\n"
        text = pattern.sub(lambda found, body=body: found[1] + body + found[2], text)
    return text


def write(
    value: float | None, half: float | None = None, *, signed: bool = False, decimals: int = 3
) -> str:
    """.012±.003, or +.012±.003 where signed; a hyphen where the value is undefined."""
    if value is None or math.isnan(value):
        return "-"
    text = shorten(abs(value), decimals) if signed else shorten(value, decimals)
    text = ("-" if value < 0 else "+") * signed + text
    return text if half is None or math.isnan(half) else f"{text}±{shorten(half, decimals)}"


def sets(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """An axis of sets."""
    return axis("name", {name: shorten_set(name) for name in names})


def shorten_set(name: str) -> str:
    """Specific/hESC/TFs+500, measured genes as hESC, measured genes; others as they are."""
    if name.count("/") < 2:
        return name
    _, cell, genes = name.split("/")
    _, comma, note = genes.partition(", ")
    return cell + comma + note


@functools.cache
def load(study: str, draws: range | None = None, seeds: tuple[int, ...] = ()) -> Figures:
    """The figures of a study, of some draws and seeds or all."""
    return Figures(
        row
        for row in read_rows(study)
        if (draws is None or row["draw"] in draws) and (not seeds or row["seed"] in seeds)
    )
