"""What `--blocks` names: sources of evidence one by one, or a folder of them.

An entry is KIND=PATH, or a folder whose files begin with their kind:

    motifs_promoter.parquet         motifs=FILE                    motif hits of promoters
    peaks_hsc/{peaks,hits,tss}.*    peaks=PEAKS,HITS[,TSS]         motif hits of accessible peaks
    positions_mm10.bed              positions=FILE                 where genes start
    interactions_string.tsv         interactions=FILE              a network without direction
    curated_collectri.csv           curated=FILE                   regulation from literature
    table_dispersion.csv            table=FILE                     numbers of genes
    vectors_geneformer.npz          vectors=FILE                   an embedding of genes
    network_hesc/                   network=FILE or FOLDER         labels of another cell's network
    network-other-species_mdc.csv   network-other-species=...      ... of another species
"""

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from grnjax.data.blocks.curated import read_curated
from grnjax.data.blocks.evidence import Evidence
from grnjax.data.blocks.gene_tables import read_gene_table
from grnjax.data.blocks.interactions import read_interactions
from grnjax.data.blocks.motifs import read_motifs
from grnjax.data.blocks.other_networks import merge_networks, read_other_network
from grnjax.data.blocks.peaks import read_peaks
from grnjax.data.blocks.positions import read_positions
from grnjax.data.blocks.vectors import read_vectors
from grnjax.data.genes import split_embedding
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.progress import logger

READERS: dict[str, Callable[..., Evidence]] = {
    "motifs": read_motifs,
    "positions": read_positions,
    "interactions": read_interactions,
    "curated": read_curated,
    "table": read_gene_table,
    "vectors": read_vectors,
}
OTHER_SPECIES = "network-other-species"
KINDS = (*READERS, "peaks", "network", OTHER_SPECIES)
PEAK_FILES = ("peaks", "hits", "tss")  # in the order of peaks=PEAKS,HITS,TSS; the last may lack
MERGED = "other networks"
SUFFIXES = (
    ".gz", ".csv", ".tsv", ".txt", ".bed", ".parquet", ".npz", ".npy", ".h5ad", ".zarr",
)
LICENCES = ("LICENSE", "LICENCE", "README")  # in the order in which they are looked for


@dataclasses.dataclass(frozen=True)
class Source:
    """One source: what it is, where it lies, what its evidence will be called."""

    kind: str
    paths: tuple[Path, ...]  # several for peaks; perhaps FILE.h5ad:KEY for vectors
    name: str
    licence: Path | None  # the file that may state its licence


def read_blocks(entries: Sequence[str], names: np.ndarray, tfs: np.ndarray) -> list[Evidence]:
    """The evidence that the entries name, in their order; several networks merged, and last.

    `report["licence_file"]` is the LICENSE or README in the folder of a source, None without one.

    Args:
        entries: KIND=PATH, or folders.
        names: the genes of the run.
        tfs: the gene indices of its TFs.
    """
    networks, evidence = [], []
    for source in list_sources(entries):
        read = read_source(source, names, tfs)
        licence = source.licence and str(source.licence)
        read = dataclasses.replace(read, report=read.report | {"licence_file": licence})
        (networks if source.kind in ("network", OTHER_SPECIES) else evidence).append(read)
    if len(networks) > 1:
        networks = [merge_networks(networks, MERGED)]
    return [*evidence, *networks]


def digest_entries(entries: Sequence[str]) -> dict[str, Path]:
    """Every file or folder that the entries name, by its role: "blocks: motifs promoter"."""
    return {
        f"blocks: {source.name}" + (f", {role}" if len(source.paths) > 1 else ""): strip_key(path)
        for source in list_sources(entries)
        for role, path in zip(PEAK_FILES, source.paths, strict=False)
    }


def read_source(source: Source, names: np.ndarray, tfs: np.ndarray) -> Evidence:
    """The evidence of one source."""
    path, *others = source.paths
    if source.kind == "peaks":
        hits, sites = (*others, None)[:2]
        return read_peaks(path, hits, names, tfs, genes_bed=sites, name=source.name)
    if source.kind in READERS:
        return READERS[source.kind](path, names, tfs, name=source.name)
    species_differs = source.kind == OTHER_SPECIES
    return read_other_network(
        path, names, tfs, species_differs=species_differs, name=source.name
    )


def list_sources(entries: Sequence[str]) -> list[Source]:
    """The sources of all entries, each under a name of its own.

    Sources that would share a name, such as two folders TFs+500, go by their paths.
    """
    sources = []
    for entry in entries:
        sources += list_folder(Path(entry)) if os.path.isdir(entry) else [parse_entry(entry)]
    given = [source.name for source in sources]
    sources = [
        dataclasses.replace(source, name=f"{source.kind} {source.paths[0]}")
        if given.count(source.name) > 1
        else source
        for source in sources
    ]
    given = [source.name for source in sources]
    repeated = sorted({name for name in given if given.count(name) > 1})
    if repeated:
        raise ConfigError(f"--blocks: {list_names(repeated)} is given twice. Give it once.")
    return sources


def parse_entry(entry: str) -> Source:
    """The source that KIND=PATH names."""
    kind, mark, rest = entry.partition("=")
    if not mark:
        is_there = "a file of no stated kind" if os.path.exists(entry) else "no such folder"
        raise ConfigError(
            f"--blocks: {entry} is {is_there}. Give a folder, or KIND=PATH with KIND one of "
            f"{', '.join(KINDS)}."
        )
    if kind not in KINDS:
        raise ConfigError(
            f"--blocks: {entry} has the kind {kind!r}; did you mean {find_nearest(kind)}? The "
            f"kinds are {', '.join(KINDS)}."
        )
    paths = tuple(map(Path, rest.split(",") if kind == "peaks" else [rest]))
    if kind == "peaks" and not 2 <= len(paths) <= len(PEAK_FILES):
        raise ConfigError(
            f"--blocks: {entry} names {len(paths):,} files; write peaks=PEAKS,HITS or "
            "peaks=PEAKS,HITS,TSS."
        )
    absent = [str(path) for path in paths if not strip_key(path).exists()]
    if absent:
        raise ConfigError(
            f"--blocks: {entry}: no such file: {list_names(absent)}. Check the path of the {kind}."
        )
    return Source(kind, paths, make_name(kind, paths[0]), find_licence(paths[0]))


def list_folder(folder: Path) -> list[Source]:
    """The sources in a folder, by the names of its files; what it cannot recognise is an error."""
    sources, skipped, unknown = [], [], []
    for path in sorted(folder.iterdir()):
        kind = find_kind(path)
        if path.name.startswith(".") or path.name.upper().startswith(LICENCES):
            skipped.append(path.name)
        elif kind is None:
            unknown.append(path.name)
        else:
            paths = find_peak_files(path) if kind == "peaks" else (path,)
            licence = find_licence(path) or find_licence(folder)
            sources.append(Source(kind, paths, make_name(kind, path), licence))
    if unknown or not sources:
        what = (
            f"{len(unknown):,} of its files begin with no kind of evidence "
            f"({list_names(unknown)}; the nearest kind is {find_nearest(unknown[0])})"
            if unknown
            else "no evidence in this folder"
        )
        raise ConfigError(
            f"{folder}: {what}. Let names begin with one of {', '.join(KINDS)}, such as "
            "motifs_promoter.parquet; a folder of one network goes as network=FOLDER."
        )
    logger.info(
        f"{folder}: {len(sources):,} sources of evidence; skipped {len(skipped):,} files "
        f"({list_names(skipped) or 'none'})"
    )
    return sources


def find_peak_files(folder: Path) -> tuple[Path, ...]:
    """Peaks, hits and perhaps start sites in a folder peaks_NAME, each one file."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [[path for path in files if path.name.lower().startswith(role)] for role in PEAK_FILES]
    counts = [len(paths) for paths in found]
    if counts not in ([1, 1, 0], [1, 1, 1]):
        raise ConfigError(
            f"{folder}: peaks need a folder with one file peaks*, one hits* and at most one tss*; "
            f"found {counts[0]}, {counts[1]} and {counts[2]}. Or name them: peaks=PEAKS,HITS,TSS."
        )
    return tuple(path for paths in found for path in paths)


def find_kind(path: Path) -> str | None:
    """The longest kind that the name begins with, up to its end or one of `.`, `_`, `-`."""
    stem = strip_suffixes(path.name)
    fitting = [kind for kind in KINDS if re.match(rf"{re.escape(kind)}([._-]|$)", stem)]
    return max(fitting, key=len, default=None)


def find_nearest(text: str) -> str:
    """The kind most like the text."""
    return difflib.get_close_matches(text, KINDS, n=1, cutoff=0.0)[0]


def find_licence(folder: Path) -> Path | None:
    """The LICENSE or else the README in a folder; None without either."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [path for word in LICENCES for path in files if path.name.upper().startswith(word)]
    return found[0] if found else None


def make_name(kind: str, path: Path) -> str:
    """A readable name: "motifs promoter" for motifs_promoter.parquet, whoever said the kind."""
    _, key = split_embedding(path)
    stem = strip_suffixes(strip_key(path).name)
    rest = stem.removeprefix(kind) if find_kind(path) == kind else stem
    return " ".join(re.split(r"[._\-\s]+", f"{kind} {rest} {key or ''}".strip()))


def strip_key(path: Path) -> Path:
    """The file of FILE.h5ad:KEY, and any other path as it is."""
    return Path(split_embedding(path)[0])


def strip_suffixes(name: str) -> str:
    """The name without .csv, .tsv.gz and the like."""
    while name.lower().endswith(SUFFIXES):
        name = name.rpartition(".")[0]
    return name
