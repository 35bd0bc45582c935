"""Measured rows under experiments/results/: appended as they come, never measured twice.

A results file is a log of JSON lines. A line that is a list is a row. A line that is an object
stands above rows: with the names of their values (`columns`) and what they share (`same`), or with
what of `same` changes from there on. How rows were measured stands once a run in runs.jsonl, to
which their `run` leads. `read_rows` gives a dict a row.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from grnjax.storage.files import JsonLines, read_json_lines, to_plain, write_atomic
from grnjax.storage.memory import find_total

RESULTS = Path(__file__).parents[1] / "results"
RUNS = "runs"
KEYS = ("set", "split", "method", "draw", "seed")
COUNTS = ("pairs", "positives", "prevalence", "swap_quadruples", "swap_tf_pairs")
SHARED = ("run", "set", "split", "draw", "level", "genes", "bench", "unit", *COUNTS)
SHARED += ("within_tf_count", "within_target_count")  # one for all rows of a split


class ResultsFile:
    """The rows of one study; a row is named by its set, split, method, draw and seed."""

    def __init__(self, study: str):
        RESULTS.mkdir(exist_ok=True)
        self.study = study
        self.path = RESULTS / f"{study}.jsonl"
        self.rows = read_rows(study)
        self.run: str | None = None

    def has(self, **where: object) -> bool:
        """Whether rows with these values were measured before."""
        return any(all(row[key] == value for key, value in where.items()) for row in self.rows)

    def add(self, rows: list[dict], **where: object) -> None:
        """Appends the rows that are not there yet, each with the run that measured it."""
        done = {tuple(row[key] for key in KEYS) for row in self.rows}
        self.run = self.run or record_run(describe_provenance())
        rows = [{**where, **row, "run": self.run} for row in rows]
        rows = [row for row in rows if tuple(row[key] for key in KEYS) not in done]
        head: dict = {}
        for line in read_json_lines(self.path):
            head = _follow(head, line)
        with JsonLines(self.path) as lines:
            for line in pack(rows, head):
                lines.append(line)
        self.rows += rows


def read_rows(study: str, **where: object) -> list[dict]:
    """The rows of a study, in the order of measurement, that have these values.

    Args:
        study: name of a file of experiments/results/, without its ending.
        where: what the rows must have, such as `split="standard"`; all of them by default.
    """
    head: dict = {}
    rows = []
    for line in read_json_lines(RESULTS / f"{study}.jsonl"):
        head = _follow(head, line)
        if isinstance(line, list):
            values = map(_unpack_value, line)
            rows.append({**head["same"], **dict(zip(head["columns"], values, strict=True))})
    return [row for row in rows if all(row.get(key) == value for key, value in where.items())]


def read_runs() -> dict[str, dict]:
    """Commit, command, hardware and versions of every run, by the `run` of its rows."""
    return {line.pop("run"): line for line in read_json_lines(RESULTS / f"{RUNS}.jsonl")}


def pack(rows: list[dict], head: dict | None = None) -> Iterator[dict | list]:
    """The lines that hold rows.

    Args:
        rows: of any fields; those that `SHARED` names stand in a line above their rows.
        head: what the file's last rows share, if it has any.
    """
    head = head or {"columns": None, "same": {}}
    for row in rows:
        same = {key: row[key] for key in SHARED if key in row}
        columns = [key for key in row if key not in same]
        if columns != head["columns"] or same.keys() != head["same"].keys():
            yield {"columns": columns, "same": same}
        elif same != head["same"]:
            yield {"same": {key: x for key, x in same.items() if x != head["same"][key]}}
        head = {"columns": columns, "same": same}
        yield [_pack_value(row[key]) for key in columns]


def write_rows(study: str, rows: list[dict]) -> None:
    """Replaces the rows of a study."""
    text = "".join(json.dumps(to_plain(line), sort_keys=True) + "\n" for line in pack(rows))
    write_atomic(RESULTS / f"{study}.jsonl", text)


def record_run(provenance: dict) -> str:
    """The name of a run of this provenance, which is kept in runs.jsonl once."""
    run = hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()[:8]
    if run not in read_runs():
        with JsonLines(RESULTS / f"{RUNS}.jsonl") as lines:
            lines.append({"run": run, **provenance})
    return run


def describe_provenance() -> dict:
    """Commit, command, hardware and versions of this measurement."""
    import jax

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()

    changed = "+changes" if git("status", "--porcelain", "grnjax", "experiments/*.py") else ""
    script, root = Path(sys.argv[0]).resolve(), RESULTS.parents[1]
    inside = script.relative_to(root) if script.is_relative_to(root) else Path(script.name)
    module = inside.with_suffix("").parts
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    memory = find_total() / 2**30
    return {
        "commit": git("rev-parse", "--short", "HEAD") + changed,
        "command": " ".join([f"python -m {'.'.join(module)}", *words]),
        "hardware": f"{os.cpu_count()} cores, {memory:.0f} GiB, {jax.devices()[0].device_kind}",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("jax", "flax", "optax")},
    }


def _follow(head: dict, line: dict | list) -> dict:
    """Columns and what rows share, after one more line."""
    if isinstance(line, list):
        return head
    return line if "columns" in line else {**head, "same": {**head["same"], **line["same"]}}


def _pack_value(value: object) -> object:
    """A list of records of the same fields as one object; anything else as it is."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return value
    columns = list(value[0])
    return {"columns": columns, "values": [[item[key] for key in columns] for item in value]}


def _unpack_value(value: object) -> object:
    if not isinstance(value, dict) or set(value) != {"columns", "values"}:
        return value
    return [dict(zip(value["columns"], line, strict=True)) for line in value["values"]]
