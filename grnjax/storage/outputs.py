"""What a finished run has left in its folder, told in run.json, so that damage is noticed.

run.json holds size and SHA-256 of every other file of the folder and the digest of what it says
itself, and is written last. Nothing here imports jax.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import (
    LOCK,
    PARTIAL,
    RUN,
    digest_file,
    digest_json,
    encode_json,
    lock_run,
    open_run,
    read_run_digest,
    write_json,
)

RESULT = "run.json"
OUTPUTS, DIGEST = "outputs", "digest"  # keys in it
CHECKPOINTS = "checkpoints"
LOG = "metrics.jsonl"
REPORT = "report.html"  # made of the others, again at any time, and so no part of the run


def write_result(folder: Path, contents: dict) -> None:
    """Writes run.json: the contents, the files that lie beside it, and the digest of both."""
    plain = [name for name in _list_files(folder) if is_plain(folder / name)]
    files = {name: _describe(folder / name) for name in plain}
    contents = {**contents, OUTPUTS: files, RUN: read_run_digest(folder)}
    write_json(folder / RESULT, {**contents, DIGEST: digest_json(contents)})


def find_damage(folder: Path) -> dict[str, str] | None:
    """What is wrong with the files of a finished run, by their names; none where all is whole.

    None for a run of an earlier version, which told nothing of its files.
    """
    path = folder / RESULT
    if not is_plain(path):
        return {RESULT: "it is a link, or no file at all"}
    try:
        written = path.read_bytes()
        contents = json.loads(written)
        if {OUTPUTS, DIGEST}.isdisjoint(contents) and "command" in contents:
            return None
        there = {name: (file["bytes"], file["sha256"]) for name, file in contents[OUTPUTS].items()}
        whole = DIGEST in contents and is_as_written(contents, written)
    except OSError as error:
        return {RESULT: str(error.strerror)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        return {RESULT: "it is not as it was written"}
    if contents.get(RUN) != read_run_digest(folder):
        return {RESULT: "it belongs to another run"}
    problems = {name: _compare(folder, name, *stated) for name, stated in sorted(there.items())}
    extra = {name for name in _list_files(folder) if name.startswith(f"{CHECKPOINTS}/")} - {*there}
    problems |= dict.fromkeys(sorted(extra), "it was not there when the run finished")
    return {name: problem for name, problem in problems.items() if problem}


def is_as_written(told: dict, written: bytes) -> bool:
    """Whether the bytes of a record are those that were written, by the digest in it.

    One of an earlier version has none, and cannot say.
    """
    if DIGEST not in told:
        return True
    contents = {key: value for key, value in told.items() if key != DIGEST}
    return told[DIGEST] == digest_json(contents) and written == encode_json(told)


def has_finished(folder: Path, record: dict, *, spare: str | None = None) -> bool:
    """Whether a folder holds this very run, whole; says so, or what is damaged.

    Args:
        record: what makes it this run.
        spare: a folder in it that only an unfinished run needs.

    Raises:
        ConfigError: it holds another run.
    """
    if not (folder / RESULT).exists():
        return False
    open_run(folder, record)  # refuses a folder of another run
    found = find_damage(folder)
    spared = {name: x for name, x in (found or {}).items() if name.startswith(f"{spare}/")}
    damage = {name: x for name, x in (found or {}).items() if name not in spared}
    for name, problem in damage.items():
        logger.warning("%s: %s; it is made again", folder / name, problem)
    if found is None or damage:
        return False
    said = ""
    if spared:
        name, problem = next(iter(spared.items()))
        said = (
            f", and its results are whole, but {name}, which they need no more, is not: {problem}"
        )
    logger.info("%s: this run has already finished%s; nothing to do.", folder, said)
    return True


@contextlib.contextmanager
def hold_folder(
    folder: Path, record: dict, *, undo: tuple[type[Exception], ...] = (GrnjaxError,)
) -> Iterator[None]:
    """Keeps a folder for this run during the block; a new one is emptied where the input is bad.

    What a kill leaves, the same command goes on with.

    Args:
        undo: the errors after which a new folder is emptied; with OSError a full disk is one.
    """
    before = list(folder.iterdir()) if folder.is_dir() else None
    try:
        with lock_run(folder):
            if open_run(folder, record):
                logger.info("%s: resuming an unfinished run", folder)
            yield
    except undo:
        if not before and folder.is_dir():
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if before is None:
                folder.rmdir()
        raise


def _list_files(folder: Path) -> list[str]:
    """What tells of a run, by its path in its folder: files, and whatever stands in their place."""
    found = []
    for where, folders, files in os.walk(folder):
        names = [*files, *(name for name in folders if os.path.islink(os.path.join(where, name)))]
        found += [Path(where, name).relative_to(folder).as_posix() for name in names]
    own = [x for x in found if x != RESULT and PARTIAL not in x]
    return sorted(x for x in own if x.rpartition("/")[2] not in (LOCK, REPORT))


def is_plain(path: Path) -> bool:
    """Whether it is a file, and no link, pipe or folder."""
    return path.is_file() and not path.is_symlink()


def _describe(path: Path) -> dict:
    """Size and SHA-256 of a file."""
    return {"bytes": path.stat().st_size, "sha256": digest_file(path)}


def _compare(folder: Path, name: str, size: int, digest: str) -> str | None:
    """How a file differs from what was written; None if it does not."""
    path = folder / name
    inside = [folder.joinpath(*Path(name).parts[:depth]) for depth in range(1, name.count("/") + 2)]
    links = [part for part in inside if part.is_symlink()]
    if links:
        return f"{links[0].relative_to(folder)} is a link" if links[0] != path else "it is a link"
    if not path.is_file():
        return "it is missing"
    here = path.stat().st_size
    if here != size:
        return f"it has {here:,} bytes and was written with {size:,}"
    return None if digest_file(path) == digest else "its content has changed"
