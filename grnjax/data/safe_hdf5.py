"""HDF5 files and zarr folders looked through before anything in them is read.

Both formats can point out of themselves (external storage, links, virtual datasets), declare arrays
of any size in a few bytes, and hold compressed chunks that inflate beyond what they declare.
"""

import contextlib
import math
import mmap
import os
import resource
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from grnjax.data.safe_text import MEGABYTE
from grnjax.errors import GrnjaxError

if TYPE_CHECKING:  # each import takes a quarter of a second
    import h5py
    import zarr

ADDRESSES = "/proc/self/statm"
WORKSPACE = 320 * MEGABYTE  # for copies on the way, beside what the arrays take
DEEPEST = 32  # groups within groups
DEFLATE = 1  # number of HDF5's gzip filter
MOST_DEFLATED = 1032  # bytes that one byte of gzip can become
SMALL = 3 * MEGABYTE
CHUNK = 4096  # bytes that HDF5 takes for each chunk that it reads
HEAP = b"GCOL\x01\0\0\0"  # begins a heap of text
OBJECT = struct.Struct("<HHxxxxQ")  # index, references and size of an object in it


def allow(size: int) -> int:
    """How many bytes the arrays of a file of `size` bytes may have, sparse ones written out.

    Counts of single cells, 97 % of them zeros, take a sixtieth compressed and the sparsest of
    large sets a two hundredth.
    """
    return 128 * MEGABYTE + 64 * min(size, SMALL) + 256 * max(0, size - SMALL)


@contextlib.contextmanager
def limit_memory(path: str | Path) -> Iterator[None]:
    """Holds this process, during the block, to the memory that a file of this size may take.

    Some sizes stand where nothing but the library reads them: of one text in a heap, of what a
    compressed chunk holds. Beyond the limit it fails as when memory is out, and says so.
    """
    if not os.path.exists(ADDRESSES):  # not Linux
        yield
        return
    paths = [path, *Path(path).rglob("*")]
    size = sum(os.path.getsize(file) for file in paths if os.path.isfile(file))
    with open(ADDRESSES) as statistics:
        used = int(statistics.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = used + allow(size) + WORKSPACE
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class Budget:
    """The bytes that the arrays of a file may have together."""

    def __init__(self, size: int, path: str | Path, error: type[GrnjaxError]):
        self.size, self.most, self.path, self.error = size, allow(size), path, error
        self.spent = 0

    def spend(self, name: str, shape: Sequence[int], itemsize: int) -> None:
        """Counts an array; refuses it if it, or all together, are too large for the file."""
        needed = itemsize * math.prod(map(int, shape))
        self.spent += needed
        if self.spent > self.most:
            raise self.error(
                f"{self.describe(name, shape, needed)} It is damaged or made to fill the memory; "
                "if it is real, write it again without compression."
            )

    def check_shape(self, name: str, shape: Any) -> None:
        """Refuses a sparse matrix that would be too large for the file if it were written out."""
        shape = [max(0, int(length)) for length in np.ravel(shape)]
        needed = 4 * math.prod(shape)
        if needed > self.most:
            raise self.error(
                f"{self.describe(name, shape, needed)} Keep fewer cells or genes, such as the "
                "cells that passed a filter."
            )

    def describe(self, name: str, shape: Sequence[int], needed: int) -> str:
        """What an array takes and what it may take."""
        form = " x ".join(f"{int(length):,}" for length in shape)
        return (
            f"{self.path}: {name} of {form} takes {needed / 1e6:,.0f} MB of memory, where a file "
            f"of {self.size / 1e6:,.1f} MB may take {self.most / 1e6:,.0f}."
        )


def check_hdf5(file: "h5py.File", path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses an HDF5 file that reaches out of itself or declares far more than it holds.

    Args:
        file: the file, open for reading; only its structure is read.
        error: what is raised; its message names the path and the part of the file.
    """
    import h5py

    check_heaps(file, path, error)
    budget = Budget(os.path.getsize(path), path, error)
    for name, item in walk_hdf5(file, path, error):
        if isinstance(item, h5py.Group):
            if is_written_out(name, str(item.attrs.get("encoding-type", ""))):
                budget.check_shape(name, item.attrs.get("shape", ()))
        elif isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                kind = "virtual" if item.is_virtual else "stored in another file"
                raise error(
                    f"{path}: {name} is {kind}, and other files are not followed. Write the data "
                    "into the file itself."
                )
            for shape in (item.shape, item.chunks):
                budget.spend(name, shape or (), item.dtype.itemsize)
            if item.chunks:
                chunks = [-(-a // b) for a, b in zip(item.shape, item.chunks, strict=True)]
                budget.spend(f"the chunks of {name}", chunks, CHUNK)
            check_chunks(item, name, budget)


def check_heaps(file: "h5py.File", path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses a file with a heap of text whose objects lead nowhere: HDF5 would follow for ever.

    The layout is that of the file format specification, III.E, global heap.
    """
    with (
        open(file.filename, "rb") as raw,
        mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as all_,
    ):
        start = all_.find(HEAP)
        while start >= 0:
            end = start + int.from_bytes(all_[start + 8 : start + 16], "little")
            at = start + 16
            while at + 16 <= end <= len(all_):
                index, _, size = OBJECT.unpack_from(all_, at)
                step = 16 + (size + 7) // 8 * 8 if index else size
                if step < 16 or at + step > end:
                    raise error(f"{path}: damaged: its text (at byte {at:,}) cannot be read.")
                at += step
            start = all_.find(HEAP, start + 1)


def walk_hdf5(
    file: "h5py.File", path: str | Path, error: type[GrnjaxError]
) -> Iterator[tuple[str, Any]]:
    """Yields name and object of everything in the file; refuses links and groups in themselves."""
    import h5py

    groups, waiting = set(), [("", file)]
    while waiting:
        parent, group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in groups or parent.count("/") >= DEEPEST:
            raise error(f"{path}: {parent} is a group within itself, or one of too many levels.")
        groups.add(address)
        for key in group:
            name = f"{parent}/{key}".removeprefix("/")
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise error(
                    f"{path}: {name} is a link to {link.path}, and links are not followed. Write "
                    "the data into the file itself."
                )
            item = group[key]
            yield name, item
            if isinstance(item, h5py.Group):
                waiting.append((name, item))


def is_written_out(name: str, encoding: str) -> bool:
    """Whether a group is a sparse matrix that readers write out densely; graphs (*p) are not."""
    return encoding in ("csr_matrix", "csc_matrix") and not name.startswith(("obsp/", "varp/"))


def check_chunks(dataset: "h5py.Dataset", name: str, budget: Budget) -> None:
    """Refuses a chunk that inflates to more than the chunk size, which HDF5 would just do."""
    filters = dataset.id.get_create_plist()
    if not dataset.chunks or DEFLATE not in {
        filters.get_filter(i)[0] for i in range(filters.get_nfilters())
    }:
        return
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for i in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(i)
        if chunk.size * MOST_DEFLATED <= budget.most:
            continue
        _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        inflate = zlib.decompressobj()
        if len(inflate.decompress(packed, size + 1024)) > size + 512:
            raise budget.error(
                f"{budget.path}: a chunk of {name} inflates to more than its {size:,} bytes, so "
                "the file is damaged or made to fill the memory."
            )


def check_zarr(store: "zarr.Group", path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses a zarr folder that reaches out of itself, runs code or declares far more than it has.

    Of all that zarr can hold, only pickled arrays may execute code when read.
    """
    root, size = Path(path).resolve(), 0
    for folder, _, files in os.walk(path):
        for file in [Path(folder), *(Path(folder) / name for name in files)]:
            if not file.resolve().is_relative_to(root):
                raise error(f"{path}: {file} is a link to {file.resolve()}, which is not followed.")
            size += file.stat().st_size if file.is_file() else 0
    budget = Budget(size, path, error)
    for name, item in store.members(max_depth=DEEPEST):
        metadata = item.metadata.to_dict()
        codecs = [metadata.get(key) for key in ("filters", "compressor", "codecs")]
        if "pickle" in str(codecs).lower():
            raise error(f"{path}: {name} is pickled, so reading it could execute code.")
        if hasattr(item, "shape"):
            for shape in (item.shape, item.chunks):
                budget.spend(name, shape, max(item.dtype.itemsize, 1))
        elif is_written_out(name, str(item.attrs.get("encoding-type", ""))):
            budget.check_shape(name, item.attrs.get("shape", ()))
