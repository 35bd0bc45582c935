"""What an embedding has done so far, on disk: finished chunks of cells, and sums over them.

The vectors of a chunk are written first, then the sums up to it with the number of chunks in them
and the digests of these. Both files are whole or absent, so a kill between the two costs one chunk,
and nothing is added up twice.
"""

import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from grnjax.foundation.pooling import GeneMeans
from grnjax.progress import logger
from grnjax.storage.files import digest_file, encode_json, replace_whole

CHUNKS, SUMS = "chunks", "sums.npz"


@dataclasses.dataclass(eq=False)
class Progress:
    """Sums over the chunks that are done; with a folder, kept there."""

    means: list[GeneMeans]  # of each group of cells
    folder: Path | None = None
    done: int = 0
    report: dict[str, int] = dataclasses.field(default_factory=dict)  # counts of cells
    digests: list[str] = dataclasses.field(default_factory=list)  # of the chunks
    held: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)

    def restore(self) -> None:
        """Goes on from what the folder holds; what is damaged is said, and all is done again."""
        if self.folder is None:
            return
        path = self.folder / CHUNKS / SUMS
        (self.folder / CHUNKS).mkdir(exist_ok=True)
        if not path.is_file():
            return
        try:
            with np.load(path, allow_pickle=False) as arrays:
                told = json.loads(str(arrays["told"]))
                totals, counts = arrays["totals"], arrays["counts"]
            self._check(told["digests"], totals)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("%s is damaged (%s); all cells are embedded again", path, error)
            return
        for mean, total, count in zip(self.means, totals, counts):
            mean.totals[:], mean.counts[:] = total, count
        self.done, self.digests, self.report = len(told["digests"]), *map(told.get, self._told())
        logger.info("%s: going on behind %d finished chunks of cells", self.folder, self.done)

    def keep(self, cells: np.ndarray, vectors: np.ndarray, report: dict[str, int]) -> None:
        """Adds a finished chunk, whose genes are in the sums already: rows and their vectors."""
        for name, count in report.items():
            self.report[name] = self.report.get(name, 0) + count
        if self.folder is None:
            self.held.append((cells, vectors))
        else:
            path = self._path(self.done)
            with replace_whole(path) as beside, open(beside, "wb") as file:
                np.savez(file, cells=cells, vectors=vectors)
            self.digests.append(digest_file(path))
            told = encode_json({name: getattr(self, name) for name in self._told()}).decode()
            totals, counts = ([getattr(x, y) for x in self.means] for y in ("totals", "counts"))
            with (
                replace_whole(self.folder / CHUNKS / SUMS) as beside,
                open(beside, "wb") as file,
            ):
                np.savez(file, told=np.array(told), totals=totals, counts=counts)
        self.done += 1

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and vectors of the finished chunks."""
        yield from self.held
        for number in range(self.done if self.folder else 0):
            with np.load(self._path(number), allow_pickle=False) as arrays:
                yield arrays["cells"], arrays["vectors"]

    def _check(self, digests: list[str], totals: np.ndarray) -> None:
        """Raises ValueError if chunks are not those that were added up."""
        if totals.shape != (len(self.means), *self.means[0].totals.shape):
            raise ValueError("sums of another shape")
        for number, digest in enumerate(digests):
            if digest_file(self._path(number)) != digest:
                raise ValueError(f"{self._path(number).name} is not as it was written")

    def _path(self, number: int) -> Path:
        return Path(self.folder or "") / CHUNKS / f"{number:06d}.npz"

    @staticmethod
    def _told() -> tuple[str, str]:
        return "digests", "report"
