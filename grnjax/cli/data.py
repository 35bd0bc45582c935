"""`grnjax data`: public data sets listed, fetched and built, and network files converted."""

import dataclasses
import itertools
import os
import textwrap
from collections import Counter
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from grnjax import config as settings
from grnjax.config import Settings
from grnjax.data.beeline_archive import build_sets
from grnjax.data.data_set import ROOT_VARIABLE, DataSet
from grnjax.data.download import CATALOGUE, ZENODO, fetch_archives
from grnjax.data.edges import read_edges
from grnjax.data.layouts import write_layout
from grnjax.data.sets import find_sets
from grnjax.errors import ConfigError

HELP = """grnjax data: public data sets by name, and network files of other programs.

usage: grnjax data list [PATTERN] [--root DIR]
       grnjax data fetch NAME [--out DIR] [--archive FILE.zip ...]
       grnjax data convert SOURCE TARGET [--layout scenic|beeline|decoupler|genernib]

  list      the sets under a root by name, with their sizes, and the public ones to fetch
  fetch     download and verify a set, or take its archives from a disk, and build it
  convert   a network file into that of another program

grnjax data fetch --help and grnjax data convert --help list their settings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListCommand(Settings):
    """List the data sets under a root, which `grnjax train NAME` reads, and those to fetch.

    PATTERN is as a shell has it: Specific/*, bulk/*; package.module:Class/* lists sets of a class
    of your own.
    """

    pattern: Positional[str] = "*"
    """Names of the sets to list."""
    root: str | None = None
    """Folder of the sets; the environment variable GRNJAX_DATA names it otherwise."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FetchCommand(Settings):
    """Fetch a public data set and build the benchmark sets in it.

    The archives are verified by the checksums that their record states, and stay in
    OUT/archives; a second fetch downloads only what is missing or has changed. The sets TFs+500
    and TFs+1000 are chosen by BEELINE's rule and come to lie in OUT/beeline_labels and
    OUT/beeline_expression: `--data.root=OUT` finds them. What OUT holds already stays as it is.
    """

    name: Positional[str]
    """Name of the set, as `grnjax data list` shows it."""
    out: Path = Path("grnjax-data")
    """Folder for the archives and the sets."""
    archive: tuple[Path, ...] = ()
    """Archives of the set that are on a disk already; then nothing is downloaded."""
    server: str = ZENODO
    """Server of the record: Zenodo, or a mirror with the same paths."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertCommand(Settings):
    """Write a network file in the layout that another program reads.

    SOURCE is whatever `grnjax evaluate` reads: text (gzip too), .parquet, .h5ad or .zarr. The
    suffix of TARGET decides the kind of file: .tsv, .csv (both also .gz), .parquet, or .h5ad for
    geneRNIB. What is left out on the way is counted.
    """

    source: Positional[Path]
    """Network file to read."""
    target: Positional[Path]
    """Network file to write."""
    layout: Literal["auto", "scenic", "beeline", "decoupler", "genernib"] = "auto"
    """Headings: TF, target, importance (scenic); Gene1, Gene2, EdgeWeight, always tab separated
    (beeline); source, target, weight (decoupler); the same in .uns (genernib); auto takes
    genernib for .h5ad, else scenic."""
    dataset_id: str = "unknown"
    """What geneRNIB calls the data set."""
    method_id: str = "unknown"
    """What geneRNIB calls the method."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    actions = {"list": list_sets, "fetch": fetch, "convert": convert}
    if not args or args[0] in ("-h", "--help"):
        print(HELP)
        return
    name, *rest = args
    if name not in actions:
        raise ConfigError(f"grnjax data has no command {name}; it has {', '.join(actions)}.")
    actions[name](rest)


def list_sets(args: list[str]) -> None:
    """Prints the catalogue of what is there, and that of what there is to fetch."""
    command = settings.parse(ListCommand, args, program="grnjax data list")
    if command.root or ":" in command.pattern or os.environ.get(ROOT_VARIABLE):
        print_sets(find_sets(command.root, command.pattern))
    else:
        print(f"No root of data sets: give --root DIR, or set {ROOT_VARIABLE}.")
    print("\nTo fetch with grnjax data fetch NAME --out DIR:")
    for name, public in CATALOGUE.items():
        print(name)
        for what, text in (
            ("holds", public.holds),
            ("source", public.source),
            ("record", f"Zenodo {public.record}, {ZENODO}/records/{public.record}"),
            ("files", ", ".join(f"{file} ({size} MB)" for file, size in public.files.items())),
            ("licence", public.licence),
        ):
            margin = " " * 12
            print(textwrap.fill(text, 88, initial_indent=f"  {what:<10}", subsequent_indent=margin))


def print_sets(sets: list[DataSet]) -> None:
    """One line a set: its name, its size, whose pairs of it are published and how often."""
    width = max(len(one.name) for one in sets)
    for kind, group in itertools.groupby(sets, type):
        print(kind.TITLE)
        for one in group:
            draws = Counter(source.partition("/")[0] for source in one.splits)
            published = ", ".join(f"{source} ({count})" for source, count in draws.items())
            more = f"; published pairs: {published}" if published else ""
            print(f"  {one.name:<{width}}  {one.describe()}{more}")


def fetch(args: list[str]) -> None:
    """Fetches the archives of a set, unless they are given, and builds it."""
    command = settings.parse(FetchCommand, args, program="grnjax data fetch")
    if command.name not in CATALOGUE:
        raise ConfigError(
            f"grnjax data fetch knows no set {command.name}; it knows {', '.join(CATALOGUE)}."
        )
    archives = list(command.archive) or fetch_archives(
        CATALOGUE[command.name], command.out / "archives", command.server
    )
    report = build_sets(archives, command.out)
    for path, counts in report["built"].items():
        print(f"{path}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if report["kept"]:
        print(f"{len(report['kept']):,} files and folders were there already and are unchanged")
    print(f"Use them with --data.root={command.out}, or set GRNJAX_DATA to that folder.")


def convert(args: list[str]) -> None:
    """Reads a network file and writes it in another layout."""
    command = settings.parse(ConvertCommand, args, program="grnjax data convert")
    layout = command.layout
    if layout == "auto":
        layout = "genernib" if command.target.suffix == ".h5ad" else "scenic"
    edges = read_edges(command.source)
    write_layout(
        edges,
        command.target,
        layout,
        dataset_id=command.dataset_id,
        method_id=command.method_id,
    )
    for what in ("self_loops", "duplicates", "repeated_pairs"):
        count = edges.attrs["report"][what]
        if count:
            print(f"{count:,} {what.replace('_', ' ')} of {command.source} dropped")
