"""Measured rows as JSON lines under experiments/results/: appended as they come, never repeated."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from grnjax.storage.files import JsonLines, read_json_lines

RESULTS = Path(__file__).parents[1] / "results"
KEYS = ("set", "split", "method", "draw", "seed")


class ResultsFile:
    """The rows of one study; a row is named by its set, split, method, draw and seed."""

    def __init__(self, study: str):
        RESULTS.mkdir(exist_ok=True)
        self.path = RESULTS / f"{study}.jsonl"
        self.rows = read_json_lines(self.path)
        self.provenance = describe_provenance()

    def has(self, **where: object) -> bool:
        """Whether rows with these values were measured before."""
        return any(all(row[key] == value for key, value in where.items()) for row in self.rows)

    def add(self, rows: list[dict], **where: object) -> None:
        """Appends the rows that are not there yet, each with how it was measured."""
        done = {tuple(row[key] for key in KEYS) for row in self.rows}
        with JsonLines(self.path) as lines:
            for row in rows:
                row = {**where, **row, **self.provenance}
                if tuple(row[key] for key in KEYS) not in done:
                    lines.append(row)
                    self.rows.append(row)


def rename_model(rows: list[dict], model: str, name: str) -> list[dict]:
    """The rows of the model itself under another name, for a variant of its settings."""
    return [{**row, "method": name} for row in rows if row["method"] == model]


def describe_provenance() -> dict:
    """Commit, command, hardware and versions of this measurement."""
    import jax

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()

    changed = "+changes" if git("status", "--porcelain", "grnjax", "experiments/*.py") else ""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "commit": git("rev-parse", "--short", "HEAD") + changed,
        "command": " ".join([f"python -m {name_module(Path(sys.argv[0]))}", *sys.argv[1:]]),
        "hardware": f"{os.cpu_count()} cores, {memory:.0f} GiB, {jax.devices()[0].device_kind}",
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in ("jax", "flax", "optax")},
    }


def name_module(script: Path) -> str:
    """The name by which `python -m` finds an experiment."""
    root = RESULTS.parents[1]
    script = script.resolve()
    inside = script.relative_to(root) if script.is_relative_to(root) else Path(script.name)
    return ".".join(inside.with_suffix("").parts)
