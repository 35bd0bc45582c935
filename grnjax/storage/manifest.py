"""The manifest of a checkpoint: what it says, in bytes that no change leaves as they were."""

import hashlib
import json
from pathlib import Path

from grnjax.errors import CheckpointError
from grnjax.storage.files import digest_file

MANIFEST = "manifest.json"


def list_files(folder: Path) -> dict[str, dict]:
    """Size of every file under `folder` but the manifest, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size}
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST
    }


def digest_files(folder: Path) -> dict[str, dict]:
    """Size and SHA-256 of those files."""
    files = list_files(folder)
    return {name: {**file, "digest": digest(folder / name)} for name, file in files.items()}


def digest(path: Path) -> str:
    """SHA-256 of a file of a step."""
    try:
        return digest_file(path)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error


def encode_manifest(contents: dict) -> bytes:
    """The one way to write these contents: sorted keys, and the digest of what it says."""
    contents = json.loads(json.dumps(contents))
    own = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    manifest = {"contents": contents, "digest": own}
    return json.dumps(manifest, sort_keys=True, indent=1).encode() + b"\n"


def read_manifest(path: Path) -> dict:
    """A manifest's contents, if its bytes are exactly those that `save` would write."""
    try:
        written = path.read_bytes()
        contents = json.loads(written)["contents"]
        if not contents.keys() >= {"step", "meta", "arrays", "files"}:
            raise ValueError("it lacks a part")
        dict(contents.get("owner") or {})
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a manifest") from error
    if written != encode_manifest(contents):
        raise CheckpointError(f"{path}: its own digest differs")
    return contents


def compare_files(folder: Path, there: dict, here: dict, compared: tuple[str, ...]) -> None:
    """Raises unless these are the files of the manifest, alike in what is compared."""
    for name in sorted({*there, *here}):
        if name not in here:
            raise CheckpointError(f"{folder / name}: missing")
        if name not in there:
            raise CheckpointError(f"{folder / name}: not in the manifest")
        for what in compared:
            if here[name][what] != there[name][what]:
                raise CheckpointError(f"{folder / name}: {what} differs from the manifest")


def refuse_links(*paths: Path) -> None:
    """Raises if a link, or a pipe, stands in the place of a file or a folder."""
    for path in paths:
        if path.is_symlink() or path.exists() and not (path.is_file() or path.is_dir()):
            raise CheckpointError(f"{path}: a link or a pipe stands in its place")
