"""Files that are whole or absent: atomic writes, digests, logs of lines, and run folders.

Nothing here imports jax or orbax, so that the command line starts fast.
"""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from grnjax.errors import ConfigError, GrnjaxError
from grnjax.progress import logger

RECORD = "record.json"
RUN = "run"  # in the record, the digest of what makes this run
LOCK = ".lock"
PARTIAL = ".partial-"  # begins the name of a file that is still being written
FULL = (errno.ENOSPC, errno.EDQUOT)
WRITING: set[Path] = set()  # such files of this process, for whoever ends it at once


# Whole files


def flush(path: str | Path) -> None:
    """Forces a file's bytes, or a folder's list of names, out to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


@contextlib.contextmanager
def replace_whole(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; the file moves to `path` when the block ends well.

    A kill or a full disk leaves the old file or the new one, never a part. For writers that want
    a path of their own (HDF5); everything else goes through `write_atomic`.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ConfigError(
            f"{path.parent} is no folder, so {path.name} cannot stand in it; make it first."
        )
    beside = path.with_name(f"{PARTIAL}{platform.node()}-{os.getpid()}-{path.name}")
    remove_leftovers(path)
    WRITING.add(beside)
    try:
        yield beside
        flush(beside)
        os.replace(beside, path)
    except (OSError, RuntimeError) as error:  # HDF5 raises either, in many lines
        full = next((x for x in FULL if os.strerror(x) in str(error)), None)
        if full is not None:
            raise OSError(full, os.strerror(full), str(path)) from error
        raise
    finally:
        beside.unlink(missing_ok=True)
        WRITING.discard(beside)
    flush(path.parent)


def remove_leftovers(path: Path) -> None:
    """Removes what processes of this machine that were killed have left of a file."""
    ours = f"{PARTIAL}{platform.node()}-"
    for leftover in path.parent.glob(f"{glob.escape(ours)}*-{glob.escape(path.name)}"):
        process = leftover.name.removesuffix(f"-{path.name}").rpartition("-")[2]
        if process.isdecimal() and not is_alive(int(process)):
            leftover.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def write_atomic(path: str | Path, data: bytes | str) -> None:
    """Writes `data` so that `path` holds the old content or the new one at every moment."""
    with replace_whole(path) as beside:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)


def write_new(path: str | Path, data: bytes) -> None:
    """Writes `data` to a file that is not there, or holds just that already.

    Raises:
        ConfigError: the file holds something else, as one that was damaged since does.
    """
    refuse_others(path, data)
    write_atomic(path, data)


def refuse_others(path: str | Path, data: bytes) -> None:
    """Refuses to write over anything but a file that holds these very bytes."""
    path = Path(path)
    if path.is_symlink():
        raise ConfigError(f"{path} is a link, and is not written over; delete it.")
    if path.exists() and (not path.is_file() or path.read_bytes() != data):
        raise ConfigError(
            f"{path} exists and holds something else; delete it or write to another file."
        )


def write_json(path: str | Path, value: object) -> None:
    """Writes `value` as JSON for people and programs: sorted keys, indented, one newline."""
    write_atomic(path, encode_json(value))


def encode_json(value: object) -> bytes:
    """The one way in which `write_json` writes a value."""
    text = json.dumps(to_plain(value), sort_keys=True, indent=2, ensure_ascii=False)
    return (text + "\n").encode(errors="backslashreplace")  # of file names that are no UTF-8


def digest_json(value: object) -> str:
    """SHA-256 of a value as `write_json` writes it."""
    return hashlib.sha256(encode_json(value)).hexdigest()


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
    A link is not followed.
    """

    def __init__(self, path: str | Path):
        self._path = Path(path)
        self._file = open(path, "a+b", opener=refuse_links)
        self._file.seek(0)
        self._file.truncate(self._file.read().rfind(b"\n") + 1)
        flush(Path(path).parent)

    def append(self, record: dict) -> None:
        """Writes `record` as the last line."""
        line = json.dumps(to_plain(record), sort_keys=True).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

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
            if not isinstance(records[-1], (dict, list)):
                raise ValueError("neither a record nor a row")
        except (ValueError, RecursionError) as error:
            raise GrnjaxError(
                f"{path}, line {number}, is not JSON, so the file was damaged after it was "
                "written; delete it or that line."
            ) from error
    return records


def refuse_links(path: str, flags: int) -> int:
    """Opens a file of a run folder for `open`, unless a link stands in its place."""
    if os.path.islink(path):
        raise ConfigError(
            f"{path} is a link, and a run writes to files of its own only; delete the link."
        )
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


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
    with open(folder / LOCK, "a+", opener=refuse_links) as file:
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
        for leftover in folder.rglob(f"{PARTIAL}*"):
            leftover.unlink()
        yield


def open_run(
    folder: str | Path, record: dict, identify: Callable[[dict], dict] = lambda record: record
) -> bool:
    """True if `folder` already holds this very run, to be resumed; False if it was made just now.

    A folder of another run, or one that is not a run's, is refused and left untouched.

    Args:
        record: what makes a run this run: settings and digests of its inputs, nested as you like.
        identify: what of a record counts, of this one and of that in the folder.
    """
    folder = Path(folder)
    _refuse_foreign(folder)
    path = folder / RECORD
    if path.is_symlink():
        raise ConfigError(f"{path} is a link, so it tells of no run here; choose another --out.")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {**record, RUN: digest_json(identify(record))})
        return False
    there = read_record(folder)
    there.pop(RUN, None)
    compare_records(folder, identify(record), identify(there))
    return True


def compare_records(folder: Path, here: dict, there: dict, place: str = "--out") -> None:
    """Raises if a folder holds another run, by the first of the settings and inputs that differ.

    Args:
        here: what makes the run that is to go on.
        there: that of the run in the folder.
        place: what names the folder, in the words of the caller.
    """
    here, there = _flatten(to_plain(here)), _flatten(to_plain(there))
    differing = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
    if differing and all(key.startswith("config.") and key not in there for key in differing):
        names = [key.removeprefix("config.") for key in differing if not key.endswith(".class")]
        raise ConfigError(
            f"{folder} holds a run of an earlier version of grnjax, by {folder / RECORD}: it is "
            f"the same but for {len(names)} settings that there were not ({', '.join(names[:5])}), "
            f"so finish it with that version, or choose another {place}."
        )
    if differing:
        shown = "; ".join(
            f"{key} was {there.get(key)!r} and is now {here.get(key)!r}" for key in differing[:5]
        )
        raise ConfigError(
            f"{folder} holds another run: {len(differing)} of its settings and inputs differ "
            f"({shown}), by {folder / RECORD}. Repeat its settings to resume it or choose another "
            f"{place}."
        )


def read_record(folder: str | Path) -> dict:
    """What `open_run` was given when the folder was made, and its digest under `run`."""
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} is damaged (no record in JSON); choose another --out."
        ) from error
    return record


def read_run_digest(folder: str | Path) -> str | None:
    """The digest that tells this run from others, by which its checkpoints know it.

    None where the folder has no record. One of an earlier version is digested as it stands.
    """
    path = Path(folder) / RECORD
    if not path.exists():
        return None
    record = read_record(folder)
    return record.pop(RUN, None) or digest_json(record)


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
