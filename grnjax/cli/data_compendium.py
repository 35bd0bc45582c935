"""`grnjax data compendium`: networks of other cells listed, your own added and removed."""

import dataclasses
import os

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.data.benchmark import BenchmarkSet
from grnjax.data.compendium.aliases import name_cell_type, name_tf
from grnjax.data.compendium.folder import (
    SHIPPED,
    add_own,
    list_own,
    load_compendium,
    remove_own,
    user_folder,
)
from grnjax.data.compendium.tables import ListsConfig, read_lists
from grnjax.data.sets import find_set
from grnjax.errors import ConfigError

HELP = """grnjax data compendium: networks of other cells, by species, cell type and TF.

usage: grnjax data compendium list [--tf TF] [--cell CELLS]
       grnjax data compendium add LISTS --species SPECIES [--cell CELLS] [--licence TEXT]
       grnjax data compendium remove NAME

  list      the sources, what comes with grnjax and your own, or the lists of a TF or cell type
  add       lists of your own: a table of TF, cell and target, a target table of ChIP-Atlas, GMT, or
            the name of a BEELINE set (Specific/hESC/TFs+500); nothing is fetched
  remove    one of your own sources

grnjax data compendium add --help and list --help list their settings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListCommand(Settings):
    """List the sources of the compendium, or the lists of a TF or cell type in it."""

    tf: str | None = None
    """Lists of this TF alone."""
    cell: str | None = None
    """Lists of this cell type alone, whatever it is called."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddCommand(ListsConfig):
    """Add target lists of your own to the compendium.

    LISTS is a table in text (gzip too) or .parquet with a row a TF, cell type and target, a target
    table of ChIP-Atlas, a GMT file whose sets are called TF_CELL, or the name of a set in BEELINE's
    layout. Lists of one TF in one cell type become one, whatever the cells are called. They are
    kept in grnjax/compendium of your data folder, or where GRNJAX_COMPENDIUM says.
    """

    lists: Positional[str]
    """File of target lists, or name or folder of a set such as Specific/hESC/TFs+500."""
    root: str | None = None
    """Folder of the sets; the environment variable GRNJAX_DATA names it otherwise."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveCommand(Settings):
    """Remove one of your own sources from the compendium."""

    name: Positional[str]
    """Name of the source, as `grnjax data compendium list` shows it."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    actions = {"list": list_sources, "add": add, "remove": remove}
    if not args or args[0] in ("-h", "--help"):
        print(HELP)
        return
    name, *rest = args
    if name not in actions:
        raise ConfigError(
            f"grnjax data compendium has no command {name}; it has {', '.join(actions)}."
        )
    actions[name](rest)


def list_sources(args: list[str]) -> None:
    """Prints the sources, or the lists that are asked for."""
    command = settings.parse(ListCommand, args, program="grnjax data compendium list")
    compendium = load_compendium()
    table = compendium.tabulate()
    if command.tf is not None or command.cell is not None:
        print_lists(table, command)
        return
    for source in compendium.sources:
        about, lists = source.about, source.lists
        whose = "comes with grnjax" if about.name in SHIPPED else "your own"
        print(f"{about.name} ({whose})")
        print(f"  holds     {about.title}")
        print(
            f"            {len(lists):,} lists of {len({*lists.tfs}):,} TFs in "
            f"{len({*lists.cells}):,} cell types ({about.species}, {about.kind}), "
            f"{lists.counts.sum():,} targets among {len(source.genes):,} genes"
        )
        print(f"  source    {about.origin}")
        print(f"  licence   {about.licence}")
        print(f"  SHA-256   {source.digest}")
    print(f"\nYour own sources are kept in {user_folder()}: {len(list_own()):,}.")


def print_lists(table: pd.DataFrame, command: ListCommand) -> None:
    """A line a list of this TF or cell type."""
    if command.tf is not None:
        table = table[table["tf"] == name_tf(command.tf)]
    if command.cell is not None:
        table = table[table["cell"] == name_cell_type(command.cell)]
    if table.empty:
        asked = " in ".join(name for name in (command.tf, command.cell) if name)
        print(f"The compendium has no list of {asked}.")
        return
    columns = ["species", "cell", "tf", "kind", "targets", "universe", "source", "licence"]
    print(table[columns].sort_values(["kind", "tf", "cell"]).to_string(index=False))


def add(args: list[str]) -> None:
    """Reads lists and keeps them in the user's folder."""
    command = settings.parse(AddCommand, args, program="grnjax data compendium add")
    fields = {field.name for field in dataclasses.fields(ListsConfig)}
    config = ListsConfig(**{name: getattr(command, name) for name in fields})
    folder = None
    if not os.path.isfile(command.lists):
        if os.path.splitext(command.lists)[1]:
            raise ConfigError(f"{command.lists}: no such file; give a table, or the name of a set.")
        found = find_set(command.lists, command.root)
        if not isinstance(found, BenchmarkSet):
            raise ConfigError(
                f"{command.lists} is not laid out as BEELINE's sets are; give its edges as a table."
            )
        folder = found.labels
    source = read_lists(command.lists, config, folder=folder)
    path = add_own(source)
    lists = source.lists
    print(
        f"{source.about.name}: {len(lists):,} lists of {len({*lists.tfs}):,} TFs in "
        f"{len({*lists.cells}):,} cell types, {lists.counts.sum():,} targets among "
        f"{len(source.genes):,} genes; licence: {source.about.licence}"
    )
    print(f"kept in {path}")


def remove(args: list[str]) -> None:
    """Removes a source of the user's."""
    command = settings.parse(RemoveCommand, args, program="grnjax data compendium remove")
    print(f"removed {remove_own(command.name)}")
