"""Public data sets by name: what they are, and their archives fetched and verified.

A checksum in the catalogue is the one that counts. For an archive that has none there, the record
of the set states one, asked for over https each time, and registry.json keeps what came first: that
shows any later change, and cannot show who wrote the first file.
"""

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

from grnjax.data.https import fetch
from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import PARTIAL, digest_file, replace_whole, write_json

ZENODO = "https://zenodo.org"
REGISTRY = "registry.json"
MB = 1_000_000
RECORD_SIZE = 5 * MB  # of the text of a record, at most
SECONDS = 3600.0  # that a file, or a record, may take
ABANDONED = 3600  # seconds after which nobody writes to a partial file any more
ALGORITHMS = ("md5", "sha256", "sha512")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublicSet:
    """A data set that a record of Zenodo holds."""

    record: int
    files: dict[str, int]  # name: size in MB
    holds: str
    licence: str
    source: str
    sha256: dict[str, str] = dataclasses.field(default_factory=dict)  # of files, where known


CATALOGUE = {
    "beeline": PublicSet(
        record=3701939,
        files={"BEELINE-data.zip": 262, "BEELINE-Networks.zip": 17},
        holds=(
            "seven scRNA-seq sets of human and mouse, their TF lists, and the ChIP-seq, STRING and "
            "LOF/GOF networks; built into the sets TFs+500 and TFs+1000 of each"
        ),
        licence="as the record states; it is shown when the set is fetched",
        source="Pratapa et al. 2020, doi 10.1038/s41592-019-0690-6",
    ),
}


@dataclasses.dataclass(frozen=True)
class StatedFile:
    """What a record, or the catalogue, says of a file."""

    size: int  # bytes
    algorithm: str
    checksum: str  # hexadecimal

    def describes(self, path: Path) -> bool:
        """Whether the file has this checksum."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.checksum


def fetch_archives(
    public: PublicSet, folder: Path, server: str = ZENODO, *, seconds: float = SECONDS
) -> list[Path]:
    """The archives of a set in `folder`, whole and verified; only what is not there is fetched.

    Args:
        public: the set.
        folder: where the archives and registry.json lie.
        server: where the record is; a mirror needs the paths of Zenodo, and https unless it is on
            this very machine.
        seconds: that each file may take.

    Raises:
        GrnjaxError: something was refused; no part of it is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    registry = read_registry(folder / REGISTRY)
    if all(has_digest(folder / name, public.sha256.get(name)) for name in public.files):
        return [folder / name for name in public.files]
    server = server.rstrip("/")
    try:
        stated = read_record(public, server, seconds)
    except Unreachable as problem:
        kept = {name: registry.get(name, {}).get("sha256") for name in public.files}
        if all(has_digest(folder / name, public.sha256.get(name, kept[name])) for name in kept):
            logger.warning(
                "%s Taken are the files in %s that %s knows, which shows that they have not "
                "changed since, if nobody has changed that file, too.",
                problem,
                folder,
                REGISTRY,
            )
            return [folder / name for name in public.files]
        raise
    for name in public.files:
        path, entry = folder / name, registry.get(name, {})
        check_first_use(name, stated[name], entry, folder / REGISTRY)
        url = f"{server}/records/{public.record}/files/{name}?download=1"
        if not is_known(path, stated[name], entry):
            fetch_file(url, path, stated[name], entry.get("sha256"), seconds)
        if not has_digest(path, entry.get("sha256")):
            registry[name] = {
                "url": url,
                stated[name].algorithm: stated[name].checksum,
                "sha256": digest_file(path),
                "bytes": path.stat().st_size,
            }
            write_json(folder / REGISTRY, registry)
            logger.info(
                "%s: SHA-256 %s, %s", name, registry[name]["sha256"], describe_trust(public, name)
            )
    return [folder / name for name in public.files]


def describe_trust(public: PublicSet, name: str) -> str:
    """What the checksum of a file that has come rests on."""
    if name in public.sha256:
        return "as the catalogue has it"
    return "taken on first use: no checksum of it stands in the catalogue, only one in its record"


class Unreachable(GrnjaxError):
    """A server that gives no record."""


def remove_abandoned(folder: Path) -> None:
    """Removes what a killed process left half-written: files and folders long untouched."""
    for leftover in folder.glob(f"{PARTIAL}*"):
        if time.time() - leftover.stat().st_mtime > ABANDONED:
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


def read_registry(path: Path) -> dict[str, dict]:
    """The files that were fetched before, by name."""
    if not path.exists():
        return {}
    try:
        return {name: dict(entry) for name, entry in json.loads(path.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as problem:
        raise GrnjaxError(
            f"{path} is damaged ({type(problem).__name__} in it); delete it, and the files are "
            "verified by their record."
        ) from problem


def has_digest(path: Path, sha256: str | None) -> bool:
    """Whether there is such a file with such a digest."""
    return sha256 is not None and path.is_file() and digest_file(path) == sha256


def is_known(path: Path, stated: StatedFile, entry: dict) -> bool:
    """Whether the file is there already, as its record and an earlier fetch describe it."""
    if not path.is_file():
        return False
    if stated.describes(path) and ("sha256" not in entry or has_digest(path, entry["sha256"])):
        return True
    if entry:
        logger.warning("%s has changed since it was fetched, and is fetched again", path)
    return False


def check_first_use(name: str, stated: StatedFile, entry: dict, registry: Path) -> None:
    """Raises if the record states another checksum than it did when the file was first fetched."""
    before = entry.get(stated.algorithm, stated.checksum)
    if before != stated.checksum:
        raise GrnjaxError(
            f"{name} is to have the {stated.algorithm} {stated.checksum}, and by {registry} it had "
            f"{str(before)[:128]} when it was first fetched, though files of a record never change;"
            " find out which is right, and delete that file to trust the record again."
        )


def read_record(public: PublicSet, server: str, seconds: float) -> dict[str, StatedFile]:
    """What is stated of the files of the set: by its record, and before that by the catalogue."""
    url = f"{server}/api/records/{public.record}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        try:
            fetch(url, path, size=RECORD_SIZE, seconds=seconds)
        except GrnjaxError as problem:
            raise Unreachable(str(problem)) from problem
        content = path.read_bytes()
    try:
        record = json.loads(content)
        stated = {}
        for file in record["files"]:
            algorithm, _, checksum = file["checksum"].partition(":")
            stated[file["key"]] = StatedFile(int(file["size"]), algorithm, checksum.lower())
        licence = record.get("metadata", {}).get("license", {}).get("id", "none stated")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise GrnjaxError(
            f"{url} is not a record of Zenodo ({type(problem).__name__} in it)."
        ) from problem
    for name, size in public.files.items():
        if name not in stated:
            there = ascii(", ".join(map(str, stated)) or "none")[1:200].rstrip("'")
            raise GrnjaxError(f"{url} lists no file {name}; it has {there}.")
        if stated[name].algorithm not in ALGORITHMS:
            raise GrnjaxError(
                f"{url} gives {name} a checksum of the kind {stated[name].algorithm[:40]!r}, which "
                f"is none of {', '.join(ALGORITHMS)}, so the file could not be verified."
            )
        most = int(1.1 * (size + 1) * MB)
        if not 0 <= stated[name].size <= most:
            raise GrnjaxError(
                f"{url} states {stated[name].size:,} bytes for {name}, which has about {size:,} MB "
                "by the catalogue; nothing was fetched."
            )
        if name in public.sha256:
            pinned = StatedFile(stated[name].size, "sha256", public.sha256[name])
            stated[name] = pinned
    logger.info("Record %d, licence: %s", public.record, ascii(str(licence)[:80])[1:-1])
    return {name: stated[name] for name in public.files}


def fetch_file(url: str, path: Path, stated: StatedFile, first: str | None, seconds: float) -> None:
    """Downloads a file, which appears under its name only if it is the one that was stated.

    Args:
        first: SHA-256 of what came at the first fetch, if there was one.
    """
    logger.info("Fetching %s (%s MB)", url, f"{stated.size / 1e6:,.1f}")
    with replace_whole(path) as partial:
        fetch(url, partial, size=stated.size, seconds=seconds, bar=True)
        came = f"{url}: the {partial.stat().st_size:,} bytes that came do not have the"
        if not stated.describes(partial):
            raise GrnjaxError(
                f"{came} {stated.algorithm} that the record states for its {stated.size:,} bytes "
                f"({stated.checksum}), so nothing was kept. Run the command again."
            )
        if first is not None and not has_digest(partial, first):
            raise GrnjaxError(
                f"{came} SHA-256 that {path.with_name(REGISTRY)} has of the first fetch "
                f"({str(first)[:64]}), so nothing was kept; delete that file to trust the record."
            )
