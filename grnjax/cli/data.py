"""`grnjax data`: data sets fetched, built; networks converted; motifs scanned for; a compendium."""

import dataclasses
import itertools
import os
import textwrap
from collections import Counter
from pathlib import Path
from typing import Literal

import pandas as pd
from tyro.conf import Positional

from grnjax import config as settings
from grnjax.cli import data_compendium
from grnjax.cli.file_record import has_finished, write_record
from grnjax.config import Settings
from grnjax.data.beeline_archive import build_sets
from grnjax.data.data_set import ROOT_VARIABLE, DataSet
from grnjax.data.download import CATALOGUE, ZENODO, fetch_archives
from grnjax.data.edges import offer_weights, read_edges
from grnjax.data.layouts import write_layout
from grnjax.data.sets import find_sets
from grnjax.errors import ConfigError
from grnjax.evidence.motif_hits import MotifHitsConfig, check_files, scan_files
from grnjax.progress import logger
from grnjax.tasks.record import digest_inputs

HELP = """grnjax data: public data sets by name, network files of other programs, motif hits.

usage: grnjax data list [PATTERN] [--root DIR]
       grnjax data fetch NAME [--out DIR] [--archive FILE.zip ...]
       grnjax data convert SOURCE TARGET [--layout scenic|beeline|decoupler|genernib]
       grnjax data motifs --sequences FASTA --motifs JASPAR --out HITS.tsv
       grnjax data compendium list|add|remove

  list        the sets under a root by name, with their sizes, and the public ones to fetch
  fetch       download and verify a set, or take its archives from a disk, and build it
  convert     a network file into that of another program
  motifs      hits of motifs (JASPAR, MEME) in peaks or promoters, for evidence and
              --method=enhancer
  compendium  networks of other cells: what comes with grnjax, and lists of your own

grnjax data fetch --help, convert --help and motifs --help list their settings."""


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

    SOURCE is whatever `grnjax evaluate` reads: text (gzip too), .parquet, .h5ad or .zarr; tables,
    SIF and matrices. The
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
    weight_column: str | None = None
    """Heading of the weights where it is not weight or importance; in an .h5ad or .zarr, the key
    of the network in .varp or .uns."""
    only: str | None = None
    """COLUMN=VALUE of the rows to take, where a table holds several networks."""
    dataset_id: str = "unknown"
    """What geneRNIB calls the data set."""
    method_id: str = "unknown"
    """What geneRNIB calls the method."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotifsCommand(MotifHitsConfig):
    """Write the hits of motifs in peaks or promoters, both strands, as a table.

    Give --sequences, or --genome and --peaks. The table is what `--evidence peaks=PEAKS,HITS` and
    `--method=enhancer --method.motifs HITS` read; beside it, HITS.tsv.json has the settings and
    what was counted. The same command on a finished table verifies it and does nothing.
    """

    motifs: Path
    """Motifs: JASPAR (JSON or text) or MEME format, plain or gzipped."""
    out: Path
    """Table to write: .tsv or .tsv.gz."""
    sequences: Path | None = None
    """FASTA of peaks (named chr1_100_200 or chr1:100-200) or of promoters (named by genes)."""
    genome: Path | None = None
    """FASTA of chromosomes."""
    peaks: Path | None = None
    """BED of the peaks in the genome."""


def run(args: list[str]) -> None:
    """Runs the command with these arguments."""
    actions = {"list": list_sets, "fetch": fetch, "convert": convert, "motifs": scan_motifs}
    actions["compendium"] = data_compendium.run
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
    edges = read_edges(command.source, weight_column=command.weight_column, only=command.only)
    offer = offer_weights(edges)
    if "weight" not in edges:
        offer = f"no column of weights, so each edge weighs 1{'; ' * bool(offer)}{offer}"
    if offer and command.weight_column is None:
        logger.info(f"{command.source}: {offer}")
    say_signs(edges, layout, command.source)
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


def say_signs(edges: pd.DataFrame, layout: str, source: Path) -> None:
    """Says which signs are left out or not known, where the layout has a place for them."""
    is_signed = "sign" in edges or ("weight" in edges and (edges["weight"] < 0).any())
    if layout == "scenic" and is_signed:
        logger.info(f"{source}: scenic has no signs; --layout decoupler keeps them in the weights")
    unknown = int((edges["sign"] == 0).sum()) if "sign" in edges else len(edges)
    if layout == "decoupler" and unknown and (not is_signed or "sign" in edges):
        logger.info(
            f"{source}: the sign of {unknown:,} of {len(edges):,} edges is unknown; decoupler "
            "reads their weights, above 0, as activation"
        )


def scan_motifs(args: list[str]) -> None:
    """Scans for motifs, unless the table is there already."""
    command = settings.parse(MotifsCommand, args, program="grnjax data motifs")
    files = {role: getattr(command, role) for role in ("sequences", "genome", "peaks")}
    check_files(*files.values())
    beside = command.out.with_name(f"{command.out.name}.json")
    values = settings.to_json(command)
    chosen = {field.name: values[field.name] for field in dataclasses.fields(MotifHitsConfig)}
    inputs = digest_inputs({**files, "motifs": command.motifs})
    about = {"command": "data motifs", "config": chosen, "inputs": inputs}
    if has_finished(beside, about, [command.out]):
        return
    counts = scan_files(
        files["sequences"],
        command.motifs,
        command.out,
        MotifHitsConfig(**{name: getattr(command, name) for name in chosen}),
        genome=command.genome,
        peaks=command.peaks,
    )
    write_record(beside, about, [command.out], report=counts)
    print(f"{counts['hits']:,} hits in {counts['sequences']:,} sequences written to {command.out}")
