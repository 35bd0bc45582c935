"""What a run folder holds, read for people: its record, its edges and its other tables."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from grnjax.errors import ConfigError
from grnjax.methods.method import MethodConfig
from grnjax.storage.outputs import RESULT

EDGES = "edges.tsv"
WORDS = ("TF", "target", "status", "unseen", "rests_on")
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
        return "scores.npz" in self.record.get("outputs", {})


def read_contents(folder: str | Path) -> Contents:
    """What the folder of a finished run holds.

    Raises:
        ConfigError: no finished run of `grnjax infer`, or files that are not as it left them.
    """
    folder = Path(folder)
    record = read_record(folder)
    edges = None
    if "groups" not in record:
        edges = read_table(folder / EDGES).rename(columns={"TF": "tf"})
        missing = [name for name in ("tf", "target", "importance") if name not in edges]
        if missing:
            raise ConfigError(f"{folder / EDGES} has no column {' or '.join(missing)}.")
    there = [name for name in TABLES if (folder / f"{name}.tsv").is_file()]
    tables = {name: read_table(folder / f"{name}.tsv") for name in there}
    return Contents(record=record, edges=edges, tables=tables, folder=folder)


def read_record(folder: Path) -> dict:
    """run.json of a finished run of `grnjax infer`."""
    path = folder / RESULT
    if not path.is_file():
        what = (
            "has no run.json, so no run has finished there" if folder.is_dir() else "is no folder"
        )
        raise ConfigError(f"{folder} {what}; give the --out of a finished grnjax infer.")
    try:
        record = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not the JSON that a run writes: {error}.") from error
    if not isinstance(record, dict) or record.get("command") != "infer":
        what = record.get("command") if isinstance(record, dict) else None
        raise ConfigError(
            f"{folder} is a run of {what or 'another program'}; reports are made of grnjax infer."
        )
    return record


def read_table(path: Path) -> pd.DataFrame:
    """A table of the run; names such as NA are names, and numbers that are missing are NaN.

    Raises:
        ConfigError: it is missing, or no such table.
    """
    try:
        heading = pd.read_csv(path, sep="\t", nrows=0).columns
        first = pd.read_csv(path, sep="\t", nrows=200, keep_default_na=False, dtype=str)
        words = [name for name in heading if name in WORDS or is_words(first[name])]
        numbers = [name for name in heading if name not in words]
        return pd.read_csv(
            path,
            sep="\t",
            keep_default_na=False,
            na_values={name: ["", "nan"] for name in numbers},
            dtype={**dict.fromkeys(words, str), **dict.fromkeys(numbers, np.float32)},
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing, and the report is made of it.") from error
    except (ValueError, KeyError, pd.errors.ParserError) as error:
        raise ConfigError(f"{path} is not the table that a run writes: {error}.") from error


def is_words(values: pd.Series) -> bool:
    """Whether a column holds other things than numbers."""
    filled = values[values != ""]
    return bool(pd.to_numeric(filled, errors="coerce").isna().any())


def find_method(name: str) -> type[MethodConfig] | None:
    """The method of a record, if it comes with grnjax; a record must not import at will."""
    return None if ":" in name else MethodConfig.find(name)
