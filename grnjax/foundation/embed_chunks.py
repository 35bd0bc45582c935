"""What an embedding has done so far, on disk: finished chunks of cells, and sums over them.

The vectors of a chunk are written first, then the sums up to it with the numbers and digests of the
chunks in them. Both files are whole or absent, so a kill between the two costs one chunk, and
nothing is added up twice.

Each process has sums of its own. A run goes on with any number of processes: what the sums of any
of them hold is done, and the chunks that are left are dealt out anew.
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
from grnjax.training.cluster import agree, do_first

CHUNKS, SUMS = "chunks", "sums-{:03d}.npz"
DAMAGE = (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """A file of sums: those of each group of cells, and what is in them."""

    digests: dict[int, str]  # of the chunks, by their number
    report: dict[str, int]  # counts of cells
    batches: dict[int, int]  # cells of a batch by their length
    totals: np.ndarray  # [group, gene, dim] float64
    counts: np.ndarray  # [group, gene]


def share_chunks(count: int, finished: set[int], processes: int, process: int) -> list[int]:
    """The chunks that are left to a process: every so-manieth of those that are not finished."""
    return [number for number in range(count) if number not in finished][process::processes]


@dataclasses.dataclass(eq=False)
class Progress:
    """Sums over the chunks that are done; with a folder, kept there."""

    means: list[GeneMeans]  # of each group of cells, over the chunks of this process
    folder: Path | None = None
    process: int = 0
    batches: dict[int, int] = dataclasses.field(default_factory=dict)
    report: dict[str, int] = dataclasses.field(default_factory=dict)  # counts of cells
    digests: dict[int, str] = dataclasses.field(default_factory=dict)  # of the own chunks
    finished: set[int] = dataclasses.field(default_factory=set)  # chunks, of any process
    held: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)

    def restore(self) -> None:
        """Goes on from what the folder holds; what is damaged is said, and done again."""
        if self.folder is None:
            return
        do_first(self._sweep)
        for number, sums in self._read_all():
            self.finished |= {*sums.digests}
            self.batches = self.batches or sums.batches
            if number == self.process:
                self.digests, self.report = sums.digests, sums.report
                self._add(sums)
        if self.finished:
            logger.info("%s: going on behind %d finished chunks", self.folder, len(self.finished))
        agree(True)  # nobody writes before all have read

    def keep(
        self, number: int, cells: np.ndarray, vectors: np.ndarray, report: dict[str, int]
    ) -> None:
        """Adds a finished chunk, whose genes are in the sums already: rows and their vectors."""
        for name, count in report.items():
            self.report[name] = self.report.get(name, 0) + count
        self.finished.add(number)
        if self.folder is None:
            self.held.append((cells, vectors))
            return
        path = self._path(number)
        with replace_whole(path) as beside, open(beside, "wb") as file:
            np.savez(file, cells=cells, vectors=vectors)
        self.digests[number] = digest_file(path)
        told = {name: getattr(self, name) for name in ("digests", "report", "batches")}
        text = np.array(encode_json(told).decode())
        totals, counts = ([getattr(x, y) for x in self.means] for y in ("totals", "counts"))
        with replace_whole(self._sums(self.process)) as beside, open(beside, "wb") as file:
            np.savez(file, told=text, totals=totals, counts=counts)

    def gather(self) -> None:
        """Adds what the other processes did, once all have ended."""
        for number, sums in self._read_all() if self.folder is not None else ():
            if number != self.process:
                self.finished |= {*sums.digests}
                for name, count in sums.report.items():
                    self.report[name] = self.report.get(name, 0) + count
                self._add(sums)

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and vectors of the finished chunks."""
        yield from self.held
        for number in sorted(self.finished) if self.folder else ():
            with np.load(self._path(number), allow_pickle=False) as arrays:
                yield arrays["cells"], arrays["vectors"]

    def _sweep(self) -> None:
        """Removes sums that are damaged or are over chunks that are."""
        folder = Path(self.folder or "") / CHUNKS
        folder.mkdir(exist_ok=True)
        for path in sorted(folder.glob(SUMS.format(0).replace("000", "*"))):
            try:
                sums = read_sums(path)
                if sums.totals.shape != (len(self.means), *self.means[0].totals.shape):
                    raise ValueError("sums of another shape")
                for number, digest in sums.digests.items():
                    if digest_file(self._path(number)) != digest:
                        raise ValueError(f"{self._path(number).name} is not as it was written")
            except DAMAGE as error:
                logger.warning("%s is damaged (%s); its cells are embedded again", path, error)
                path.unlink()

    def _read_all(self) -> Iterator[tuple[int, Sums]]:
        """The sums that are there, by the number of their process."""
        folder = Path(self.folder or "") / CHUNKS
        for path in sorted(folder.glob(SUMS.format(0).replace("000", "*"))):
            yield int(path.stem.rpartition("-")[2]), read_sums(path)

    def _add(self, sums: Sums) -> None:
        for mean, total, count in zip(self.means, sums.totals, sums.counts, strict=True):
            mean.add(total, count)

    def _path(self, number: int) -> Path:
        return Path(self.folder or "") / CHUNKS / f"{number:06d}.npz"

    def _sums(self, process: int) -> Path:
        return Path(self.folder or "") / CHUNKS / SUMS.format(process)


def read_sums(path: Path) -> Sums:
    """A file of sums.

    Raises:
        OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile: it is damaged.
    """
    with np.load(path, allow_pickle=False) as arrays:
        told = json.loads(str(arrays["told"]))
        digests, batches = (
            {int(number): x for number, x in told[name].items()} for name in ("digests", "batches")
        )
        return Sums(digests, told["report"], batches, arrays["totals"], arrays["counts"])
