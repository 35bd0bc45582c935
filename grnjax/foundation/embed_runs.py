"""One embedding of cells in a folder of its own: begun, resumed, or found finished."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from grnjax.foundation.embed import Embedded, Embedding
from grnjax.foundation.embed_chunks import CHUNKS
from grnjax.storage.files import replace_whole
from grnjax.storage.outputs import has_finished, hold_folder, write_result
from grnjax.training.cluster import agree, do_first

GENES = "genes.npz"


def embed_once(
    out: Path,
    record: dict,
    begin: Callable[[], contextlib.AbstractContextManager[Embedding]],
    write: Callable[[Embedded], dict],
) -> Embedded | None:
    """Embeds into a folder; None where it holds this very embedding, whole. All processes call it.

    Args:
        record: what makes it this embedding.
        begin: opens cells and model.
        write: on process 0, writes the files and gives what run.json says beside the record.

    Raises:
        ConfigError: the folder holds another run.
    """
    if agree(bool(do_first(lambda: has_finished(out, record, spare=CHUNKS)))):
        return None
    with begin() as embedding, contextlib.ExitStack() as held:
        do_first(lambda: held.enter_context(hold_folder(out, record)))
        embedded = embedding.run(out)
        do_first(lambda: write_result(out, {**record, **write(embedded)}))
    return embedded


def write_table(embedded: Embedded, path: Path) -> None:
    """The genes that have a vector, for scRegNet and for the evidence of vectors."""
    genes, vectors, cells = embedded.tabulate()
    with replace_whole(path) as beside, open(beside, "wb") as file:
        np.savez(file, genes=genes, embedding=vectors, cells=cells)
