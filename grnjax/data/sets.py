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
    listed = list_sets(choose_root(root), pattern)
    own = split_name(pattern)[1]
    found = [one for one in listed.values() if fnmatch.fnmatchcase(one.name, own or "*")]
    if not found:
        raise ConfigError(describe_missing(pattern, find_root(root), listed))
    return found


def find_set(name: str | Path, root: str | Path | None = None) -> DataSet:
    """The set of this name, or that this folder is; a name must mean one of them only."""
    name = str(name).rstrip("/") or "/"
    is_folder = os.path.isdir(name)
    base = choose_root(root)
    listed, own = list_sets(base, name), split_name(name)[1]
    found = {key: one for key, one in listed.items() if own in ("", one.name)}
    if is_folder and not any(is_elsewhere(one, name) for one in found.values()):
        return take_folder(name, root)
    choices = [*found, *[os.path.join(".", name)] * is_folder]
    if len(choices) > 1:
        raise ConfigError(f"{name} may be any of {', '.join(choices)}; write one of these.")
    if found:
        return next(iter(found.values()))
    if base is None:
        raise ConfigError(
            f"{name}: no such folder. If it names a data set, say where the sets are: "
            f"--data.root=FOLDER, or the environment variable {ROOT_VARIABLE}."
        )
    raise ConfigError(describe_missing(name, base, listed))


def choose_root(root: str | Path | None) -> Path | None:
    """The folder of the sets, None where neither the setting nor the environment names one."""
    return find_root(root) if root or os.environ.get(ROOT_VARIABLE) else None


def list_sets(root: Path | None, name: str = "") -> dict[str, DataSet]:
    """All sets of the families that a name may be of, by FAMILY/NAME."""
    families = {family: import_family(family) for family in split_name(name)[0]}
    return {
        f"{family}/{one.name}": one
        for family, kind in families.items()
        for one in kind.list_sets(root)
    }


def split_name(name: str) -> tuple[list[str], str]:
    """The families that a name may be of, and what it is called there."""
    family, _, own = name.partition("/")
    is_family = family in FAMILIES or (":" in family and not os.path.exists(family))
    return ([family], own) if is_family else ([*FAMILIES], name)


def import_family(family: str) -> type[DataSet]:
    """The class of a family, by its name in `FAMILIES` or by package.module:Class."""
    found = import_named(FAMILIES.get(family, family))
    if not (isinstance(found, type) and issubclass(found, DataSet)):
        raise ConfigError(f"{family} is no family of sets: it is no class below DataSet.")
    return found


def is_elsewhere(found: DataSet, folder: str) -> bool:
    """Whether a set is another one than the folder of the same name."""
    return not (isinstance(found, BenchmarkSet) and os.path.samefile(found.labels, folder))


def describe_missing(name: str, root: Path, listed: dict[str, DataSet]) -> str:
    """The message for a set that is not there, with the names most like it."""
    names = {one.name for one in listed.values()}
    near = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.0)
    nearest = f"the nearest are {', '.join(near)}" if near else "there are none"
    return f"{name}: no such folder, and no such set under {root}; {nearest}."
