"""Blocks of scores in a run folder: whole or absent, and of this very run or refused."""

import hashlib
import io
from pathlib import Path

import numpy as np

from grnjax.data.safe_arrays import translate
from grnjax.errors import CheckpointError
from grnjax.storage.files import write_atomic
from grnjax.types import GeneTable

DIGEST_BYTES = 32  # a SHA-256 begins the file


def digest_run(genes: GeneTable, method: str, config: object, seed: int) -> str:
    """What a block of scores depends on, beside its targets, as one SHA-256."""
    digest = hashlib.sha256(f"{method} {config} {seed}\n".encode())
    digest.update("\n".join(genes.names.tolist()).encode())
    arrays = [genes.is_tf, genes.measured]
    if genes.stream is None:
        arrays.append(genes.in_memory)
    else:
        digest.update(f"stream {genes.stream.digest}".encode())
    if genes.batches is not None:
        arrays += [genes.batches.of_cell, genes.batches.as_measured]
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_block(path: Path, block: np.ndarray, targets: np.ndarray, key: str) -> None:
    """Keeps the scores of some targets, with what they were computed from, behind a SHA-256."""
    content = io.BytesIO()
    np.savez(content, scores=block, targets=targets, key=np.array(key))
    digest = hashlib.sha256(content.getbuffer()).digest()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, digest + content.getvalue())


def read_block(path: Path, targets: np.ndarray, key: str) -> np.ndarray:
    """The scores [tf, target] that `write_block` kept; refuses damaged ones and those of others."""
    raw = path.read_bytes()
    digest, content = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
    if path.is_symlink() or hashlib.sha256(content).digest() != digest:
        what = "a link" if path.is_symlink() else "damaged"
        raise CheckpointError(f"{path} is {what}; delete it, and its targets are scored again.")
    with translate(path, "block of scores", CheckpointError):
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            block, of_targets, of_key = file["scores"], file["targets"], str(file["key"])
    if of_key != key or not np.array_equal(of_targets, targets):
        raise CheckpointError(
            f"{path} was computed from other expression, TFs, settings or targets; choose another "
            "folder, or delete it."
        )
    return block
