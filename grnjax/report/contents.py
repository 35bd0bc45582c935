"""What a run folder holds, read for people: its record, its edges and its other tables."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig
from grnjax.storage.outputs import OUTPUTS
from grnjax.tasks.run_reading import EDGES, check_files, read_result, read_table

TERM = "logit: "
TABLES = ("tfs", "tf_differences", "edge_differences")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Contents:
    """What there is to tell of a run of `grnjax infer`."""

    record: Mapping  # run.json, as it is in the folder
    edges: pd.DataFrame | None  # tf, target, importance, ...; None for a run over groups
    tables: Mapping[str, pd.DataFrame] = dataclasses.field(default_factory=dict)
    folder: Path = Path()

    @property
    def method(self) -> str:
        """The name of the method."""
        return str(self.record.get("method", "unknown"))

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


def read_contents(folder: str | Path) -> Contents:
    """What the folder of a finished run holds.

    Raises:
        ConfigError: no finished run of `grnjax infer`, or files that are not as it left them.
    """
    folder = Path(folder)
    record = read_result(folder)
    if record.get("command") != "infer":
        raise ConfigError(
            f"{folder} is a run of grnjax {record.get('command')}; reports are of grnjax infer."
        )
    there = [name for name in TABLES if (folder / f"{name}.tsv").is_file()]
    stated = {f"{name}.tsv" for name in TABLES} & record.get(OUTPUTS, {}).keys()
    check_files(folder, record, *sorted(stated), *([EDGES] if "groups" not in record else []))
    edges = None
    if "groups" not in record:
        edges = read_table(folder / EDGES).rename(columns={"TF": "tf"})
        missing = [name for name in ("tf", "target", "importance") if name not in edges]
        if missing:
            raise ConfigError(f"{folder / EDGES} has no column {' or '.join(missing)}.")
    tables = {name: read_table(folder / f"{name}.tsv") for name in there}
    return Contents(record=record, edges=edges, tables=tables, folder=folder)


def find_method(name: str) -> type[MethodConfig] | None:
    """The method of a record, if it comes with grnjax; a record must not import at will."""
    return None if ":" in name else MethodConfig.find(name)
