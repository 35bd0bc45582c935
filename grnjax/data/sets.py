"""Data sets by name: one catalogue of all families.

    Specific/hESC/TFs+500         in BEELINE's layout under a root (`benchmark.py`)
    bsubtilis                     bulk expression with a gold standard (`bulk.py`)
    pbmc3k                        cells whose types are known (`labelled_cells.py`)
    my_lab.sets:Screens/hela      of your own: a class below `DataSet`, and the name of a set
    path/to/folder                a folder of labels, as BEELINE and GENELink write them

FAMILY/NAME, such as bulk/yeast, is the set of that family alone.
"""

import difflib
import fnmatch
import os
from pathlib import Path

from grnjax.config import import_named
from grnjax.data.benchmark import BenchmarkSet, take_folder
from grnjax.data.data_set import ROOT_VARIABLE, DataSet, LoadedSet, find_root
from grnjax.data.expression import DataConfig
from grnjax.errors import ConfigError

FAMILIES = {
    "beeline": "grnjax.data.benchmark:BenchmarkSet",
    "bulk": "grnjax.data.bulk:BulkSet",
    "cells": "grnjax.data.labelled_cells:CellSet",
}


def load_set(name: str | Path, config: DataConfig) -> LoadedSet:
    """The set of this name, or that this folder is, with its published splits and its files."""
    return find_set(name, config.root).load(config)


def find_sets(root: str | Path | None, pattern: str = "*") -> list[DataSet]:
    """The sets whose names fit the pattern, by family and in the order of their names.

    Args:
        root: the folder that holds them; None for the one that GRNJAX_DATA names.
        pattern: as a shell has them: Specific/*/TFs+500, bulk/*, package.module:Class/*.
    """
    listed, own = list_sets(pattern, find_root(root, is_needed=False))
    found = [one for one in listed.values() if fnmatch.fnmatchcase(one.name, own or "*")]
    if not found:
        raise ConfigError(describe_missing(pattern, find_root(root), listed))
    return found


def find_set(name: str | Path, root: str | Path | None = None) -> DataSet:
    """The set of this name, or that this folder is; a name must mean one of them only."""
    name, base = str(name).rstrip("/") or "/", find_root(root, is_needed=False)
    listed, own = list_sets(name, base)
    found = {key: one for key, one in listed.items() if own in ("", one.name)}
    if os.path.isdir(name):
        found = {key: one for key, one in found.items() if not is_folder(one, name)}
        found[os.path.join(".", name)] = take_folder(name, root)
    if len(found) > 1:
        raise ConfigError(f"{name} may be any of {', '.join(found)}; write one of these.")
    if not (found or root or os.environ.get(ROOT_VARIABLE)):
        raise ConfigError(
            f"{name}: no such folder. If it names a data set, say where the sets are: "
            f"--data.root=FOLDER, or the environment variable {ROOT_VARIABLE}."
        )
    if not found:
        raise ConfigError(describe_missing(name, find_root(root), listed))
    return next(iter(found.values()))


def list_sets(name: str, root: Path | None) -> tuple[dict[str, DataSet], str]:
    """The sets of the families that a name may be of, by FAMILY/NAME, and the name in them."""
    family, _, own = name.partition("/")
    is_family = family in FAMILIES or (":" in family and not os.path.exists(family))
    listed = {
        f"{key}/{one.name}": one
        for key in ([family] if is_family else FAMILIES)
        for one in import_named(FAMILIES.get(key, key), below=DataSet).list_sets(root)
    }
    return listed, own if is_family else name


def is_folder(found: DataSet, folder: str) -> bool:
    """Whether a set lies in this very folder."""
    return isinstance(found, BenchmarkSet) and os.path.samefile(found.labels, folder)


def describe_missing(name: str, root: Path, listed: dict[str, DataSet]) -> str:
    """The message for a set that is not there, with the names most like it."""
    names = sorted({one.name for one in listed.values()})
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
    nearest = (
        f"the nearest are {', '.join(near)}"
        if near
        else "there are none; a root holds beeline_labels/ or the like"
    )
    return f"{name}: no such folder, and no such set under {root}; {nearest}."
