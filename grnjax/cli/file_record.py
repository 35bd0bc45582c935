"""The record beside an output that is a file and no folder: what was done, and digests of files.

By it the same command knows that it has finished, and notices what was damaged since.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from grnjax.errors import GrnjaxError
from grnjax.progress import logger
from grnjax.storage.files import (
    digest_file,
    digest_json,
    encode_json,
    write_atomic,
    write_json,
)
from grnjax.storage.outputs import DIGEST, is_as_written
from grnjax.tasks.record import describe_environment


def list_outputs(record: Path, command: str) -> dict[str, str]:
    """The files that an earlier run of this command has written, by name, with their digests.

    None without a record, or with one that is damaged or another command's.
    """
    try:
        told = json.loads(record.read_bytes())
        if told["command"] != command:
            return {}
        return {str(name): str(digest) for name, digest in told["outputs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def has_finished(record: Path, about: dict, outputs: Sequence[Path]) -> bool:
    """Whether this very run has been made and its files are as they were written; says so.

    Where something is there that is not this run's, whole, what it is is said, for it is written
    again.

    Args:
        about: what makes it this run: `command`, `config` and the digests of `inputs`.
    """
    written = list_outputs(record, about["command"])
    if not written or not {path.name for path in outputs} <= written.keys():
        return False
    if not all(written[path.name] for path in outputs):  # begun, and not finished
        return False
    told = json.loads(record.read_bytes())
    if record.is_symlink() or not is_as_written(told, record.read_bytes()):
        logger.warning("%s is not as this command wrote it, and is written again", record)
        return False
    differing = [x for x in about if encode_json(told.get(x)) != encode_json(about[x])]
    if differing:
        said = " and ".join(differing)
        logger.warning("%s tells of a run with other %s, and is written again", record, said)
        return False
    for path in outputs:
        if not path.is_file() or digest_file(path) != written[path.name]:
            logger.warning("%s is not as this command wrote it, and is written again", path)
            return False
    logger.info("%s: this run has already finished; nothing to do.", outputs[0])
    return True


@contextlib.contextmanager
def begin_record(record: Path, about: dict, outputs: Sequence[Path]) -> Iterator[None]:
    """Names the outputs before they are written: what a stopped run leaves is this command's.

    Where writing them is refused, the record is as it was.
    """
    before = record.read_bytes() if record.exists() else None
    named = list_outputs(record, about["command"]) | {path.name: "" for path in outputs}
    write_json(record, {**about, "outputs": named})
    try:
        yield
    except GrnjaxError:
        if before is None:
            record.unlink()
        else:
            write_atomic(record, before)
        raise


@contextlib.contextmanager
def tell_changed(path: Path) -> Iterator[None]:
    """Says of a file that the block writes over whether it held anything else, or was a link."""
    was_link, before = path.is_symlink(), path.read_bytes() if path.is_file() else None
    yield
    if before is not None and (was_link or path.read_bytes() != before):
        logger.warning("%s was there and held something else; it is written over", path)


def write_record(record: Path, about: dict, outputs: Sequence[Path], **more: object) -> None:
    """Writes the record, when the outputs are whole, with versions and whatever else is to say."""
    digests = {path.name: digest_file(path) for path in outputs}
    contents = {**about, **describe_environment(), "outputs": digests, **more}
    write_json(record, {**contents, DIGEST: digest_json(contents)})
