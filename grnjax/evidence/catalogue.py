"""What `--evidence` names: sources of evidence one by one, or a folder of them.

An entry is KIND=PATH, or a folder whose files begin with their kind:

    motifs_promoter.parquet         motifs=FILE                    motif hits of promoters
    peaks_hsc/{peaks,hits,...}.*    peaks=PEAKS,HITS,TSS,FACTORS   motif hits of accessible peaks
    positions_mm10.bed              positions=FILE                 where genes start
    interactions_string.tsv         interactions=FILE              a network without direction
    curated_collectri.csv           curated=FILE                   regulation from literature
    table_dispersion.csv            table=FILE                     numbers of genes
    vectors_geneformer.npz          vectors=FILE                   an embedding of genes
    network_hesc/                   network=FILE or FOLDER         labels of another cell's network
    network-other-species_mdc.csv   network-other-species=...      ... of another species

Peaks need no start sites (tss) of genes and no table of the factors of motifs; an entry leaves
the place of such a file empty or, at its end, out. A reader of your own is named by its place,
package.module:function=PATH; one that takes several files is a `Reader` there.
"""

import dataclasses
import difflib
import functools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from grnjax.config import import_named
from grnjax.data.names import list_names
from grnjax.errors import ConfigError
from grnjax.evidence.curated import read_curated
from grnjax.evidence.gene_tables import read_gene_table
from grnjax.evidence.interactions import read_interactions
from grnjax.evidence.motifs import read_motifs
from grnjax.evidence.other_networks import merge_networks, read_other_network
from grnjax.evidence.peaks import read_peaks
from grnjax.evidence.positions import read_positions
from grnjax.evidence.types import Evidence
from grnjax.evidence.vectors import read_vectors, split_embedding
from grnjax.progress import logger

FLAG = "--evidence"  # in messages


@dataclasses.dataclass(frozen=True)
class Reader:
    """How sources of a kind are read, and from which files."""

    read: Callable[..., Evidence]  # with `names`, `tfs`, `name` and a path a file
    files: tuple[str, ...] = ("path",)  # arguments of `read`, in the order of an entry
    optional: tuple[str, ...] = ()  # further ones

    @property
    def form(self) -> str:
        """What stands behind KIND= in an entry."""
        further = "".join(f"[,{role.upper()}]" for role in self.optional)
        return ",".join(role.upper() for role in self.files) + further

    @property
    def roles(self) -> tuple[str, ...]:
        """The arguments for all files."""
        return self.files + self.optional


READERS = {
    "motifs": Reader(read_motifs),
    "peaks": Reader(read_peaks, files=("peaks", "hits"), optional=("tss", "factors")),
    "positions": Reader(read_positions),
    "interactions": Reader(read_interactions),
    "curated": Reader(read_curated),
    "table": Reader(read_gene_table),
    "vectors": Reader(read_vectors),
    "network": Reader(read_other_network),
    "network-other-species": Reader(functools.partial(read_other_network, species_differs=True)),
}
MERGED = "other networks"
SUFFIXES = (".gz", ".csv", ".tsv", ".txt", ".bed", ".parquet", ".npz", ".h5ad", ".zarr")
LICENCES = ("LICENSE", "LICENCE", "README")  # in the order in which they are looked for


@dataclasses.dataclass(frozen=True)
class Source:
    """One source: what it is, where it lies, what its evidence will be called."""

    kind: str
    path: Path  # of its file or folder; of vectors perhaps FILE.h5ad:KEY
    files: dict[str, Path]  # by the argument of the reader
    name: str


def read_blocks(
    entries: Sequence[str], names: np.ndarray, tfs: np.ndarray, *, keep_own: bool = False
) -> list[Evidence]:
    """The evidence that the entries name, in their order; several networks merged, and last.

    `report["licence_file"]` is the LICENSE or README in or beside a source, None without one.

    Args:
        keep_own: whether networks of the species keep the lists of `tfs` (`read_other_network`).
    """
    networks, evidence, sources = [], [], list_sources(entries)
    if sources:
        logger.info(f"{FLAG}: {len(sources):,} sources: {', '.join(s.name for s in sources)}")
    for source in sources:
        reader = find_reader(source.kind)
        kept = {"keep_own": keep_own} if source.kind == "network" else {}
        read = reader.read(**source.files, names=names, tfs=tfs, name=source.name, **kept)
        report = read.report | {"licence_file": find_licence(source.path)}
        read = dataclasses.replace(read, report=report)
        (networks if read.kind == "network" else evidence).append(read)
    if len(networks) > 1:
        networks = [merge_networks(networks, MERGED)]
    return [*evidence, *networks]


def digest_entries(entries: Sequence[str]) -> dict[str, Path]:
    """Every file or folder that the entries name, by its role: "blocks: motifs promoter"."""
    return {
        f"blocks: {source.name}" + (f", {role}" if len(source.files) > 1 else ""): strip_key(path)
        for source in list_sources(entries)
        for role, path in source.files.items()
    }


def list_sources(entries: Sequence[str]) -> list[Source]:
    """The sources of all entries, each under a name of its own.

    Sources that would share a name, such as two folders TFs+500, go by their paths.
    """
    sources = []
    for entry in entries:
        sources += list_folder(Path(entry)) if os.path.isdir(entry) else [parse_entry(entry)]
    given = [source.name for source in sources]
    sources = [
        dataclasses.replace(source, name=f"{source.kind} {source.path}")
        if given.count(source.name) > 1
        else source
        for source in sources
    ]
    given = [source.name for source in sources]
    repeated = sorted({name for name in given if given.count(name) > 1})
    if repeated:
        raise ConfigError(f"{FLAG}: {list_names(repeated)} is given twice. Give it once.")
    return sources


def parse_entry(entry: str) -> Source:
    """The source that KIND=PATH names."""
    kind, mark, rest = entry.partition("=")
    if not mark:
        is_there = "a file of no stated kind" if os.path.exists(entry) else "no such folder"
        raise ConfigError(
            f"{FLAG}: {entry} is {is_there}. Give a folder, or KIND=PATH with KIND one of "
            f"{', '.join(READERS)}."
        )
    reader = find_reader(kind, entry)
    given = rest.split(",") if len(reader.roles) > 1 else [rest]
    files = {role: Path(path) for role, path in zip(reader.roles, given, strict=False) if path}
    if len(given) > len(reader.roles) or not files.keys() >= set(reader.files):
        raise ConfigError(
            f"{FLAG}: {entry} names {len(files):,} files; write {kind}={reader.form}."
        )
    absent = [str(path) for path in files.values() if not strip_key(path).exists()]
    if absent:
        raise ConfigError(
            f"{FLAG}: {entry}: no such file: {list_names(absent)}. Check the path of the {kind}."
        )
    path = files[reader.roles[0]]
    return Source(kind, path, files, make_name(kind, path))


def find_reader(kind: str, entry: str = "") -> Reader:
    """The reader of a kind, or that which package.module:name names, a function or a `Reader`."""
    if kind in READERS:
        return READERS[kind]
    if ":" not in kind:
        raise ConfigError(
            f"{FLAG}: {entry} has the kind {kind!r}; did you mean {find_nearest(kind)}? The kinds "
            f"are {', '.join(READERS)}."
        )
    found = import_named(kind)
    if not isinstance(found, Reader) and not callable(found):
        raise ConfigError(f"{FLAG}: {kind} is neither a function nor a Reader.")
    return found if isinstance(found, Reader) else Reader(found)


def list_folder(folder: Path) -> list[Source]:
    """The sources in a folder, by the names of its files; what it cannot recognise is an error.

    Hidden files, licences and READMEs are no sources.
    """
    sources, unknown = [], []
    for path in sorted(folder.iterdir()):
        kind = find_kind(path)
        if kind is not None:
            sources.append(Source(kind, path, find_files(path, kind), make_name(kind, path)))
        elif not path.name.upper().startswith((".", *LICENCES)):
            unknown.append(path.name)
    if unknown or not sources:
        what = (
            f"{len(unknown):,} of its files begin with no kind of evidence "
            f"({list_names(unknown)}; the nearest kind is {find_nearest(unknown[0])})"
            if unknown
            else "no evidence in this folder"
        )
        raise ConfigError(
            f"{folder}: {what}. Let names begin with one of {', '.join(READERS)}, such as "
            "motifs_promoter.parquet; a folder of one network goes as network=FOLDER."
        )
    return sources


def find_files(path: Path, kind: str) -> dict[str, Path]:
    """The files of a source by their roles: itself, or those in a folder that begin with a role."""
    reader = READERS[kind]
    if len(reader.roles) == 1:
        return {reader.roles[0]: path}
    inside = sorted(path.iterdir()) if path.is_dir() else []
    found = {role: [p for p in inside if p.name.lower().startswith(role)] for role in reader.roles}
    counts = {role: len(paths) for role, paths in found.items()}
    if max(counts.values()) > 1 or not all(counts[role] for role in reader.files):
        counted = ", ".join(f"{count:,} {role}*" for role, count in counts.items())
        raise ConfigError(
            f"{path}: {kind} need a folder with one file each that begins with "
            f"{', '.join(reader.files)}, and at most one with {', '.join(reader.optional)}; found "
            f"{counted}. Or name them: {kind}={reader.form}."
        )
    return {role: paths[0] for role, paths in found.items() if paths}


def find_kind(path: Path) -> str | None:
    """The longest kind that the name begins with, up to its end or one of `.`, `_`, `-`."""
    stem = strip_suffixes(path.name)
    fitting = [kind for kind in READERS if re.match(rf"{re.escape(kind)}([._-]|$)", stem)]
    return max(fitting, key=len, default=None)


def find_nearest(text: str) -> str:
    """The kind most like the text."""
    return difflib.get_close_matches(text, READERS, n=1, cutoff=0.0)[0]


def find_licence(path: Path) -> str | None:
    """The LICENSE or else the README in a folder, or else beside a file or folder."""
    for folder in filter(Path.is_dir, (path, path.parent)):
        files = sorted(folder.iterdir())
        for word in LICENCES:
            for file in files:
                if file.name.upper().startswith(word):
                    return str(file)
    return None


def make_name(kind: str, path: Path) -> str:
    """A readable name: "motifs promoter" for motifs_promoter.parquet, whoever said the kind."""
    _, key = split_embedding(path)
    stem = strip_suffixes(strip_key(path).name)
    rest = stem.removeprefix(kind) if find_kind(path) == kind else stem
    kind = kind.rpartition(":")[2].removeprefix("read_")
    return " ".join(re.split(r"[._\-\s]+", f"{kind} {rest} {key or ''}".strip()))


def strip_key(path: Path) -> Path:
    """The file of FILE.h5ad:KEY, and any other path as it is."""
    return Path(split_embedding(path)[0])


def strip_suffixes(name: str) -> str:
    """The name without .csv, .tsv.gz and the like."""
    while name.lower().endswith(SUFFIXES):
        name = name.rpartition(".")[0]
    return name
