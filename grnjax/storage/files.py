"""Files that are whole or absent: atomic writes, digests, logs of lines, and run folders.

Nothing here imports jax or orbax, so that the command line starts fast.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from grnjax.errors import ConfigError, GrnjaxError
from grnjax.progress import logger

RECORD = "record.json"
LOCK = ".lock"
PARTIAL = ".partial-"  # begins the name of a file that is still being written


# Whole files


def flush(path: str | Path) -> None:
    """Forces a file's bytes, or a folder's list of names, out to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def replace_whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; the file moves to `path` when the block ends well.

    A kill or a full disk leaves the old file or the new one, never a part. For writers that want
    a path of their own (HDF5); everything else goes through `write_atomic`.
    """
    path = Path(path)
    beside = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        yield beside
        flush(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    flush(path.parent)


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Writes `data` so that `path` holds the old content or the new one at every moment."""
    with replace_whole(path) as beside:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)


def write_json(path: str | Path, value: object) -> None:
    """Writes `value` as JSON for people and programs: sorted keys, indented, one newline."""
    text = json.dumps(to_plain(value), sort_keys=True, indent=2, ensure_ascii=False)
    write_atomic(path, text + "\n")


def to_plain(value: object) -> object:
    """`value` in JSON's own types: arrays as lists, paths as text, NaN and infinities as null."""
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy arrays and scalars, and jax arrays without their import
        return to_plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def digest_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Logs of lines


class JsonLines:
    """A log of one JSON object a line; a line is on the disk when `append` returns.

    A line that an earlier kill cut short is removed on opening, so that the next one starts fresh.
    """

    def __init__(self, path: str | Path):
        self._file = open(path, "a+b")
        self._file.seek(0)
        self._file.truncate(self._file.read().rfind(b"\n") + 1)
        flush(Path(path).parent)

    def append(self, record: dict) -> None:
        """Writes `record` as the last line."""
        self._file.write(json.dumps(to_plain(record), sort_keys=True).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file; further lines are an error."""
        self._file.close()

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def read_json_lines(path: str | Path) -> list[dict]:
    """The records of a log, without a last line that a kill cut short; none if it is missing."""
    path = Path(path)
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise GrnjaxError(
                f"{path}, line {number}, is not JSON, so the file was damaged after it was "
                "written; delete it or that line."
            ) from error
    return records


# Run folders


@contextlib.contextmanager
def lock_run(folder: str | Path) -> Iterator[None]:
    """Keeps other processes out of a run folder, which is created if missing, during the block.

    The operating system drops the lock when the process ends, however it ends. What a killed
    process left half-written is removed.
    """
    folder = Path(folder)
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise ConfigError(
                f"{folder} is in use by {file.read() or 'another process'}; wait for it to end or "
                "choose another --out."
            ) from error
        except OSError as error:
            logger.warning("%s cannot be locked (%s); start one run at a time", folder, error)
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        for leftover in folder.glob(f"{PARTIAL}*"):
            leftover.unlink()
        yield


def open_run(
    folder: str | Path, record: dict, translate: Callable[[dict], dict] = lambda there: there
) -> bool:
    """True if `folder` already holds this very run, to be resumed; False if it was made just now.

    A folder of another run, or one that is not a run's, is refused and left untouched.

    Args:
        record: what makes a run this run: settings and digests of its inputs, nested as you like.
        translate: gives the record that the folder has the shape that `record` has.
    """
    folder = Path(folder)
    _refuse_foreign(folder)
    here = _flatten(to_plain(record))
    path = folder / RECORD
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, record)
        return False
    try:
        there = json.loads(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON; choose another --out.") from error
    there = _flatten(translate(there))
    differing = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    if differing:
        shown = "; ".join(
            f"{key} was {there.get(key)!r} and is now {here.get(key)!r}" for key in differing[:5]
        )
        raise ConfigError(
            f"{folder} holds another run: {len(differing)} of its settings and inputs differ "
            f"({shown}). Repeat its settings to resume it or choose another --out."
        )
    return True


def _refuse_foreign(folder: Path) -> None:
    """Raises unless `folder` is missing, empty or a run's."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file, and a run needs a folder; choose another --out.")
    names = os.listdir(folder) if folder.exists() else []
    others = [name for name in names if name != LOCK and not name.startswith(PARTIAL)]
    if others and RECORD not in others:
        raise ConfigError(
            f"{folder} is not empty ({len(others)} entries) and has no {RECORD}, so it is not a "
            "run of grnjax; choose another --out."
        )


def _flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Nested dicts as one dict with dotted keys."""
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): value}
    return {
        key: leaf
        for name, item in value.items()
        for key, leaf in _flatten(item, f"{prefix}{name}.").items()
    }
