"""Checkpoints that are complete, verified and bit for bit, or not there: the only user of Orbax.

A store is a folder with one subfolder a step:

    120/state/...       the arrays, as Orbax writes them
    120/manifest.json   owner, step, meta, every array's dtype and shape, every file's size and
                        SHA-256

The manifest is written last and carries its own digest; the folder gets its number in one rename.
So a kill leaves the old steps or the new one, and a flipped bit, a file too many or too few, or a
renamed folder is noticed before Orbax reads anything.

Where several processes run, all of them open the store and take part in every save and every
read. Each writes its parts of the arrays, and process 0 does the rest; it alone chooses the step
to be read, and digests its files. They need a folder that all of them see.
"""

import dataclasses
import functools
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from grnjax.errors import CheckpointError
from grnjax.progress import logger
from grnjax.storage.files import flush
from grnjax.storage.manifest import (
    MANIFEST,
    compare_files,
    digest,
    digest_files,
    encode_manifest,
    list_files,
    read_manifest,
    refuse_links,
)
from grnjax.storage.orbax_errors import one_sentence, quiet_orbax

UNFINISHED = ".partial"  # ends the name of a step being written or deleted
REPLACED = ".replaced"  # ends the name of a step that a new save of the same step is replacing

NO_STEP, NO_WHOLE_STEP = -1, -2  # what process 0 broadcasts in the place of a step

PyTree = Any


@dataclasses.dataclass(frozen=True, eq=False)
class Restored:
    """A step as it was saved."""

    step: int
    state: PyTree
    meta: dict


class CheckpointStore:
    """The checkpoints of one run. Opening it tidies up after a kill, so one run has it open.

    Args:
        folder: Created by the first save.
        keep: How many of the newest steps stay on the disk, at least 1.
        owner: Whose they are, such as a run and a fit in it, in words by their role. Steps of
            another owner are refused; of a step that names none, one warning is given. None asks
            nothing.
    """

    def __init__(self, folder: str | Path, keep: int = 2, owner: dict[str, str] | None = None):
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.folder = Path(folder)
        self.keep = keep
        self.owner = owner
        if _is_first():
            self._tidy_up()
        _wait_for_all("open")

    def steps(self) -> list[int]:
        """The saved steps, ascending; a folder without a manifest does not count."""
        return [step for step in self._folders() if (self._path(step) / MANIFEST).exists()]

    def save(self, step: int, state: PyTree, meta: dict) -> None:
        """Writes a step, which becomes the newest one, and deletes what there is no room for.

        Later steps are deleted too: `latest` refused them, or the caller went back behind them.
        Every process must call this with the same step; it is whole when any of them returns.

        Args:
            step: 0 or more. A step that exists is replaced.
            state: A tree of arrays: jax, random keys included, or numpy. What only one process
                has is taken from process 0.
            meta: JSON values; NaN and infinities are kept.
        """
        written = self._path(step, UNFINISHED)
        if _is_first():
            shutil.rmtree(written, ignore_errors=True)
            written.mkdir(parents=True)
        _wait_for_all("write")
        arrays = _name_leaves(state)
        import orbax.checkpoint as ocp  # slow to import, and most of a start does without it

        args = ocp.args.StandardSave({name: _own(x) for name, x in arrays.items() if x.size})
        with quiet_orbax(), one_sentence(written):
            with ocp.Checkpointer(ocp.StandardCheckpointHandler()) as orbax:
                orbax.save((written / "state").absolute(), args=args)
        _wait_for_all("sign")
        if _is_first():
            contents = {"step": step, "meta": meta, "arrays": _describe(arrays)}
            self._sign(written, contents | ({"owner": self.owner} if self.owner else {}))
            self._publish(step, written)
        _wait_for_all("continue")

    def _tidy_up(self) -> None:
        """Undoes what a kill left half-done."""
        for path in self.folder.glob(f"*{REPLACED}"):
            if path.with_suffix("").exists():
                shutil.rmtree(path)
            else:
                path.rename(path.with_suffix(""))
        for path in self.folder.glob(f"*{UNFINISHED}"):
            shutil.rmtree(path)

    def _sign(self, written: Path, contents: dict) -> None:
        """Writes the manifest of a step and forces all of it to the disk."""
        contents = {**contents, "files": digest_files(written)}
        (written / MANIFEST).write_bytes(encode_manifest(contents))
        for path in (written, *written.rglob("*")):
            flush(path)

    def _publish(self, step: int, written: Path) -> None:
        """Gives a written step its name, and deletes the steps that there is no room for."""
        final, replaced = self._path(step), self._path(step, REPLACED)
        if final.exists():
            final.rename(replaced)
        written.rename(final)
        flush(self.folder)
        shutil.rmtree(replaced, ignore_errors=True)

        kept = [other for other in self.steps() if other <= step][-self.keep :]
        for other in set(self._folders()) - set(kept):
            self._delete(other)

    def _delete(self, step: int) -> None:
        """Deletes a step; what a kill leaves of it is no step any more."""
        if self._path(step).is_symlink():
            self._path(step).unlink()
            return
        doomed = self._path(step, UNFINISHED)
        self._path(step).rename(doomed)
        shutil.rmtree(doomed)

    def latest(self, target: PyTree) -> Restored | None:
        """The newest step that is whole, or None in an empty store.

        A damaged step is refused with a warning that names the file, and the one before is tried.

        Args:
            target: The tree to fill: arrays or `jax.ShapeDtypeStruct`s. Where it has a jax array or
                a struct, a jax array with its sharding (by default the first device) comes back;
                where it has a numpy array, a numpy array.

        Raises:
            CheckpointError: If no step is whole, or one belongs to another owner, or the newest
                whole one holds other arrays than `target` (names, shapes or dtypes), or another
                process does not find it.
        """
        step = self._choose()
        if step is None:
            return None
        contents = read_manifest(self._path(step) / MANIFEST)
        self._compare(step, contents["arrays"], _describe(_name_leaves(target)))
        return Restored(step, self._restore(step, target), contents["meta"])

    def _choose(self) -> int | None:
        """The step that every process is to read: the newest one that is whole for process 0."""
        if jax.process_count() == 1:
            return self._find_newest_whole()
        chosen = NO_WHOLE_STEP
        try:
            if _is_first():
                step = self._find_newest_whole()
                chosen = NO_STEP if step is None else step
        finally:  # a failure reaches the others, too
            chosen = int(multihost_utils.broadcast_one_to_all(np.int32(chosen)))
        if chosen == NO_WHOLE_STEP:
            raise CheckpointError(
                f"{self.folder}: process 0 found no whole step; its message says why."
            )
        if chosen == NO_STEP:
            return None
        self._check_that_all_see(chosen)
        return chosen

    def _check_that_all_see(self, step: int) -> None:
        """Raises on every process if one of them does not find what process 0 found.

        Compared are the manifest and the sizes of the files that it names.
        """
        folder, seen, problem = self._path(step), np.zeros(32, np.uint8), "it is whole here"
        try:
            contents = read_manifest(folder / MANIFEST)
            compare_files(folder, contents["files"], list_files(folder), ("size",))
            seen = np.frombuffer(bytes.fromhex(digest(folder / MANIFEST)), np.uint8)
        except CheckpointError as error:
            problem = str(error)
        seen_by = multihost_utils.process_allgather(seen)
        differ = (seen_by != seen_by[0]).any(axis=1) | ~seen_by.any(axis=1)
        if differ.any():
            raise CheckpointError(
                f"{differ.sum()} of {len(differ)} processes do not find {folder} as process 0 "
                f"does ({problem}); use a folder that all of them see, or start again when it has "
                "caught up."
            )

    def _find_newest_whole(self) -> int | None:
        """The newest step whose files agree with its manifest; None in an empty store.

        A damaged step before it is of no use to anyone, and is deleted with a warning.
        """
        problems, whole = [], None
        for step in reversed(self._folders()):
            try:
                self._verify(step)
            except CheckpointError as error:
                if whole is None:
                    problems.append(str(error))
                    continue
                logger.warning("%s; it is deleted, as step %d is whole", error, whole)
                self._delete(step)
                continue
            self._check_owner(step)
            whole = step if whole is None else whole
        if problems and whole is None:
            raise CheckpointError(
                f"{problems[0]}; no other step in {self.folder} is whole, so delete that folder to "
                "start again."
            )
        for problem in problems:
            logger.warning("%s; using step %d instead", problem, whole)
        return whole

    def _check_owner(self, step: int) -> None:
        """Raises if a whole step says that it belongs to another owner."""
        if self.owner is None:
            return
        there = read_manifest(self._path(step) / MANIFEST).get("owner")
        if there is None:
            _warn_of_unowned(self.folder.parent)
            return
        differing = [what for what in self.owner if there.get(what) != self.owner[what]]
        if differing:
            what = differing[-1]
            raise CheckpointError(
                f"{self._path(step)} is a checkpoint of another {what} ({there.get(what)}, not "
                f"{self.owner[what]}) and is not used; move {self.folder} away to train this fit "
                "anew, or put the checkpoints back where they were written."
            )

    def _path(self, step: int, suffix: str = "") -> Path:
        return self.folder / f"{step}{suffix}"

    def _folders(self) -> list[int]:
        """The steps that have a folder, whole or not, ascending."""
        return sorted(int(path.name) for path in self.folder.glob("*") if path.name.isdecimal())

    def _verify(self, step: int) -> None:
        """Raises unless every file of the step is one, and agrees with its manifest."""
        folder = self._path(step)
        refuse_links(self.folder, folder, *folder.rglob("*"))
        contents = read_manifest(folder / MANIFEST)
        if contents["step"] != step:
            raise CheckpointError(f"{folder}: its manifest is of step {contents['step']}")
        compare_files(folder, contents["files"], digest_files(folder), ("size", "digest"))

    def _compare(self, step: int, there: dict[str, str], here: dict[str, str]) -> None:
        """Raises unless the arrays are the same; Orbax alone would cast dtypes in silence."""
        differing = [key for key in sorted({*there, *here}) if there.get(key) != here.get(key)]
        if differing:
            shown = "; ".join(
                f"{key} is {there.get(key, 'absent')} there and {here.get(key, 'absent')} here"
                for key in differing[:5]
            )
            what = "belongs to other settings or data"
            remedy = "Repeat its settings or start a new folder."
            if self.owner and read_manifest(self._path(step) / MANIFEST).get("owner"):  # this fit
                what = "was written by another version of grnjax, for it is of this very fit"
                remedy = (
                    f"Finish the run with that version, or move {self.folder} away to fit anew."
                )
            raise CheckpointError(
                f"{self._path(step)} {what}: {len(differing)} of its {len(there)} arrays differ "
                f"({shown}). {remedy}"
            )

    def _restore(self, step: int, target: PyTree) -> PyTree:
        """The arrays of a verified step in the form of `target`."""
        import orbax.checkpoint as ocp

        wanted = _name_leaves(target)
        args = ocp.args.StandardRestore({name: _place(x) for name, x in wanted.items() if x.size})
        with quiet_orbax(), ocp.Checkpointer(ocp.StandardCheckpointHandler()) as orbax:
            found = orbax.restore((self._path(step) / "state").absolute(), args=args)
        leaves = [found[name] if x.size else _make_empty(x) for name, x in wanted.items()]
        return jax.tree.unflatten(jax.tree.structure(target), leaves)


def _name_leaves(tree: PyTree) -> dict[str, Any]:
    """The arrays of a tree by their place in it, such as `['params']['w']`, in the tree's order.

    Orbax sees this flat dict and never the tree: its own names for {"a.b": x} and {"a": {"b": y}}
    are the same, and it refuses arrays of size zero, which are left out.
    """
    leaves = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path)
        if not hasattr(leaf, "dtype"):
            raise TypeError(f"{name} is {leaf!r}, and a checkpoint's state holds arrays only")
        leaves[name] = leaf
    return leaves


def _describe(arrays: dict[str, Any]) -> dict[str, str]:
    """Dtype and shape of each array in words."""
    return {name: f"{array.dtype}{list(array.shape)}" for name, array in arrays.items()}


def _make_empty(like: Any) -> np.ndarray | jax.Array:
    """An array of size zero, numpy's or jax's as `like` is."""
    array = np.zeros(like.shape, like.dtype)
    return array if isinstance(like, np.ndarray) else jax.device_put(array, like.sharding)


def _own(leaf: Any) -> Any:
    """The array as Orbax takes it: among several processes, one of a single process as numpy's."""
    if jax.process_count() > 1 and isinstance(leaf, jax.Array) and leaf.is_fully_addressable:
        return np.asarray(leaf)
    return leaf


def _is_first() -> bool:
    """Whether this is the process that names, signs and deletes."""
    return jax.process_index() == 0


def _wait_for_all(reason: str) -> None:
    """Returns when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"checkpoint: {reason}")


def _place(leaf: Any) -> Any:
    """What Orbax needs to know of a leaf of the target: its form, and where to put it."""
    if isinstance(leaf, (np.ndarray, np.generic)):
        return np.asarray(leaf)
    sharding = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


@functools.cache
def _warn_of_unowned(folder: Path) -> None:
    """Says once that checkpoints in a folder cannot be told from those of other runs."""
    logger.warning(
        "%s: written by an earlier version, which does not say of which run; they are used as they "
        "are",
        folder,
    )
