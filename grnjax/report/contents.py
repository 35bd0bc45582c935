"""What a run has left, read for people: its record, its edges or activities, its other tables."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from grnjax.data.edges import find_edges
from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig
from grnjax.storage.files import digest_file
from grnjax.storage.outputs import OUTPUTS
from grnjax.tasks.run_reading import (
    check_files,
    parse_record,
    read_result,
    read_table,
)

TERM = "logit: "
TABLES = ("tfs", "tf_differences", "edge_differences", "eregulons")
FOLDERS = ("infer", "train")
ANNDATA = (".h5ad", ".h5mu")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What there is to tell of a run of `grnjax infer`, `train` or `activity`."""

    record: Mapping  # run.json, as it is in the folder
    edges: pd.DataFrame | None  # tf, target, importance, ...; None where there are none or groups
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    folder: Path = Path()

    @property
    def command(self) -> str:
        """The command that made it."""
        return str(self.record.get("command", "infer"))

    @property
    def method(self) -> str:
        """The name of the method; of `train`, which is the first that was judged."""
        first = next(iter(self.metrics.get("rows") or [{}]))
        return str(self.record.get("method") or first.get("method") or "unknown")

    @property
    def metrics(self) -> Mapping:
        """What judged the network; empty where nothing did."""
        return self.record.get("metrics") or {}

    @property
    def learned(self) -> bool:
        """Whether the method has learned from known edges, so that its scores are out of fold."""
        return "calibration" in self.metrics

    @property
    def is_cut(self) -> bool:
        """Whether the edges are the best alone, and the scores of all stand elsewhere."""
        return "scores.npz" in self.record.get(OUTPUTS, {})


def read_contents(path: str | Path) -> Contents:
    """What is in the folder of a finished run, or beside a file that `grnjax activity` wrote.

    Raises:
        ConfigError: no finished run of these commands, or files that are not as it left them.
    """
    path = Path(path)
    if path.suffix in ANNDATA and path.is_file():
        return read_activity_contents(path)
    record = read_result(path)
    command = record.get("command")
    if command not in FOLDERS:
        raise ConfigError(
            f"{path} is a run of grnjax {command}; reports are of grnjax {' and '.join(FOLDERS)}, "
            "and of the file that grnjax activity writes."
        )
    there = [name for name in TABLES if (path / f"{name}.tsv").is_file()]
    stated = {f"{name}.tsv" for name in TABLES} & record.get(OUTPUTS, {}).keys()
    ranks = command == "infer" and "groups" not in record
    ranked = find_edges(path)
    check_files(path, record, *sorted(stated), *([ranked.name] if ranks else []))
    edges = None
    if ranks:
        edges = read_table(ranked).rename(columns={"TF": "tf"})
        missing = [name for name in ("tf", "target", "importance") if name not in edges]
        if missing:
            raise ConfigError(f"{ranked} has no column {' or '.join(missing)}.")
    tables = {name: read_table(path / f"{name}.tsv") for name in there}
    return Contents(record=record, edges=edges, tables=tables, folder=path)


def read_activity_contents(path: Path) -> Contents:
    """A file of `grnjax activity`, which its record says to be whole, and that record."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        raise ConfigError(f"{path}: {beside.name}, which says how it was made, is not beside it.")
    record = parse_record(beside)
    if record.get("command") != "activity" or path.name not in record.get(OUTPUTS, {}):
        raise ConfigError(f"{beside} is no record of grnjax activity of {path.name}.")
    if digest_file(path) != record[OUTPUTS][path.name]:
        raise ConfigError(
            f"{path} is not as grnjax activity wrote it; the same command makes it again."
        )
    return Contents(record=record, edges=None, folder=path)


def find_method(name: str) -> type[MethodConfig] | None:
    """The method of a record, if it comes with grnjax; a record must not import at will."""
    return None if ":" in name else MethodConfig.find(name)
