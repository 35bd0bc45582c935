"""Public data sets by name: what they are, and their archives fetched and verified.

No checksum stands in this file. The record of a set states those of its files when it is read,
and registry.json keeps the SHA-256 of what came, by which the next fetch knows its files again.
"""

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import PARTIAL, digest_file, replace_whole, write_json

ZENODO = "https://zenodo.org"
REGISTRY = "registry.json"
CHUNK = 1 << 16  # bytes
TIMEOUT = 60  # seconds without an answer
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
    """What a record says of one of its files."""

    size: int  # bytes
    algorithm: str
    checksum: str  # hexadecimal

    def describes(self, path: Path) -> bool:
        """Whether the file has this checksum."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.checksum


def fetch_archives(public: PublicSet, folder: Path, server: str = ZENODO) -> list[Path]:
    """The archives of a set in `folder`, whole and verified; only what is not there is fetched.

    Args:
        public: the set.
        folder: where the archives and registry.json lie.
        server: where the record is; a mirror needs the paths of Zenodo.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder)
    registry = read_registry(folder / REGISTRY)
    wanted = [name for name in public.files if not is_known(folder / name, registry.get(name))]
    if wanted:
        server = server.rstrip("/")
        stated = read_record(public, server)
        for name in wanted:
            path = folder / name
            url = f"{server}/records/{public.record}/files/{name}?download=1"
            if not (path.is_file() and stated[name].describes(path)):
                fetch_file(url, path, stated[name])
            registry[name] = {
                "url": url,
                stated[name].algorithm: stated[name].checksum,
                "sha256": digest_file(path),
                "bytes": path.stat().st_size,
            }
            write_json(folder / REGISTRY, registry)
    return [folder / name for name in public.files]


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
        return dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as problem:
        raise GrnjaxError(
            f"{path} is damaged ({problem}); delete it, and the files are verified by their record."
        ) from problem


def is_known(path: Path, entry: dict | None) -> bool:
    """Whether the file is the one that an earlier fetch wrote."""
    if entry is None or not path.is_file():
        return False
    if digest_file(path) == entry.get("sha256"):
        return True
    logger.warning("%s has changed since it was fetched, and is fetched again", path)
    return False


def read_record(public: PublicSet, server: str) -> dict[str, StatedFile]:
    """What the record states of the files of the set."""
    url = f"{server}/api/records/{public.record}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        download(url, path)
        content = path.read_bytes()
    try:
        record = json.loads(content)
        stated = {}
        for file in record["files"]:
            algorithm, _, checksum = file["checksum"].partition(":")
            stated[file["key"]] = StatedFile(int(file["size"]), algorithm, checksum.lower())
        licence = record.get("metadata", {}).get("license", {}).get("id", "none stated")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise GrnjaxError(f"{url} is not a record of Zenodo ({problem!r}).") from problem
    for name in public.files:
        if name not in stated:
            raise GrnjaxError(f"{url} lists no file {name}; it has {', '.join(stated) or 'none'}.")
        if stated[name].algorithm not in ALGORITHMS:
            raise GrnjaxError(
                f"{url} gives {name} a checksum of the kind {stated[name].algorithm!r}, which is "
                f"none of {', '.join(ALGORITHMS)}, so the file could not be verified."
            )
    logger.info("Record %d, licence: %s", public.record, licence)
    return {name: stated[name] for name in public.files}


def fetch_file(url: str, path: Path, stated: StatedFile) -> None:
    """Downloads a file, which appears under its name only if it has the checksum stated."""
    logger.info("Fetching %s (%s MB)", url, f"{stated.size / 1e6:,.1f}")
    with replace_whole(path) as partial:
        download(url, partial, stated.size)
        if not stated.describes(partial):
            raise GrnjaxError(
                f"{url}: the {partial.stat().st_size:,} bytes that came do not have the "
                f"{stated.algorithm} that the record states for its {stated.size:,} bytes "
                f"({stated.checksum}), so nothing was kept. Run the command again."
            )


def download(url: str, path: Path, size: int | None = None) -> None:
    """Writes what lies at `url` to `path`; with a size, a bar shows on a terminal."""
    import pooch
    from tqdm import tqdm

    bar = False
    if size:
        bar = tqdm(total=size, desc=path.name, unit="B", unit_scale=True, leave=False, disable=None)
    try:
        fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
        fetch(url, str(path), None)
    except OSError as problem:  # what requests raises is of this class
        answer = getattr(problem, "response", None)
        reason = problem.strerror or type(problem).__name__
        if answer is not None:
            reason = f"{answer.status_code} {answer.reason}"
        raise GrnjaxError(
            f"{url} cannot be fetched ({reason}). Run the command again, or get the files of the "
            "record in another way and name them with --archive."
        ) from problem
    finally:
        if bar is not False:
            bar.close()
