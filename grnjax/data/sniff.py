"""What a file or folder is, by its first bytes or by what lies in it, and never by its name.

What no reader here takes is refused with the line that converts it.
"""

import codecs
import gzip
import os
import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from grnjax.data.names import list_names
from grnjax.data.safe_text import GZIP
from grnjax.errors import GrnjaxError

HEAD = 4096  # bytes that are looked at
HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_STARTS = (0, 512, 1024, 2048)  # MuData and MATLAB write a line of their own before it
READ = ((b"PAR1", "parquet"), (b"%%MatrixMarket", "mtx"))
BINARY = (".h5ad", ".h5mu", ".h5", ".loom", ".parquet", ".zarr")
MTX = re.compile(r"\.mtx(\.gz)?$")
ZARR = ("zarr.json", ".zgroup", ".zattrs")
SEURAT = 'Seurat::as.SingleCellExperiment(readRDS("x.rds"))'
RDS = f"in R, zellkonverter::writeH5AD({SEURAT}, 'x.h5ad')"
EXCEL = "in Python, pandas.read_excel('x.xlsx', index_col=0).to_csv('x.csv'), or save it as CSV"
FOREIGN = (  # first bytes, what they begin, and what to do
    (rb"X\n\x00\x00\x00|[AB]\n\d+\n|RD[AXB]\d\n", "an R object", RDS),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook", EXCEL),
    (rb"BZh\d", "compressed by bzip2", "unpack it first with bunzip2"),
    (rb"\xfd7zXZ\x00", "compressed by xz", "unpack it first with unxz"),
    (rb"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it first with unzstd"),
    (rb"7z\xbc\xaf|Rar!", "an archive", "unpack it first"),
    (rb".{257}ustar", "a tar archive", "unpack it first with tar -xf"),
    (
        rb"ARROW1|FEA1",
        "a Feather file",
        "in Python, pandas.read_feather('x').to_parquet('x.parquet')",
    ),
    (
        rb"\x93NUMPY",
        "a NumPy array without names",
        "save a table with the names of genes and cells",
    ),
    (
        rb"\x80[\x02-\x05][\x8a\x8c\x95c}\]]",
        "a pickle, which may run code",
        "save it as .h5ad or CSV",
    ),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16", "in a shell, iconv -f UTF-16 -t UTF-8 x > y"),
    (rb"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (rb"%PDF-", "a PDF document", "give the table itself"),
    (
        rb"(?i)\s*(<\?xml[^>]*>\s*)?<graphml",
        "a GraphML network",
        "in Python, networkx.to_pandas_edgelist(networkx.read_graphml('x')).to_csv('x.csv')",
    ),
    (rb"\s*(\{|\[\s*[\[{])\s*\"", "JSON", "in Python, pandas.read_json('x').to_csv('x.csv')"),
    (rb"(?i)\s*<(!doctype html|html|\?xml)", "a web page or XML", "download the file itself again"),
    (rb"version https://git-lfs", "a Git LFS pointer", "fetch the file itself with git lfs pull"),
)


class Source(NamedTuple):
    """What a path leads to."""

    kind: str
    """"hdf5", "zarr", "parquet", "mtx" (10x folders too), "npz", or "text" for all that is left."""
    is_gzipped: bool = False


def identify(path: str | Path, error: type[GrnjaxError], *, may_be_json: bool = False) -> Source:
    """What lies at the path.

    Args:
        may_be_json: whether the reader takes JSON, which then is text.

    Raises:
        error: nothing, a pipe, which can be read only once, or what no reader here takes.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return Source(identify_folder(Path(path), error))
        check_file(path, error)
        with open(path, "rb") as raw:
            head = raw.read(HEAD)
            is_gzipped = head.startswith(GZIP)
            if is_gzipped:
                raw.seek(0)
                head = peek(raw)
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}).") from problem
    if any(head.startswith(HDF5, start) for start in HDF5_STARTS):
        return Source("hdf5", is_gzipped)
    for first, kind in READ:
        if head.startswith(first):
            return Source(kind, is_gzipped)
    for pattern, what, remedy in FOREIGN:
        if re.match(pattern, head, re.DOTALL) and not (may_be_json and what == "JSON"):
            raise error(f"{path}: this is {what}, which is not read here; {remedy}.")
    if head.startswith(b"PK\x03\x04"):
        return Source(identify_zip(path, error), is_gzipped)
    if is_binary(head):
        raise error(
            f"{path}: a binary file of a kind that is not known here, which begins with "
            f"{head[:8]!r}; give .h5ad, or text with names on both axes."
        )
    suffix = Path(str(path).removesuffix(".gz")).suffix.lower()
    if suffix in BINARY:
        raise error(
            f"{path}: not a readable {suffix} file: it is empty, damaged or text. If it is a text "
            "table, call it .csv."
        )
    return Source("text", is_gzipped)


def is_binary(head: bytes) -> bool:
    """Whether these first bytes are no text in any encoding of one byte a letter."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return any(byte < 9 for byte in head)
    return False


def check_text(path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses what is no text table; folders and missing files are left to who opens them."""
    check_file(path, error)
    if os.path.isfile(path) and (kind := identify(path, error).kind) not in ("text", "mtx"):
        raise error(f"{path}: this is {kind}, not a text table.")


def check_file(path: str | Path, error: type[GrnjaxError]) -> None:
    """Refuses pipes and devices: a run reads its inputs twice, once for what identifies it."""
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise error(
            f"{path}: a pipe or device can be read only once, and inputs are read again for the "
            "record of the run. Write it into a file first and give that."
        )


def peek(raw) -> bytes:
    """The first bytes in a gzip file, as far as it is whole."""
    try:
        return gzip.GzipFile(fileobj=raw).read(HEAD)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""  # the reader of text says what is wrong


def identify_folder(folder: Path, error: type[GrnjaxError]) -> str:
    """Which kind of folder this is; refuses one that holds no matrix itself."""
    names = sorted(os.listdir(folder))
    if folder.suffix == ".zarr" or not set(names).isdisjoint(ZARR):
        return "zarr"
    if any(map(MTX.search, names)):
        return "mtx"
    inside = [n for n in names if any(map(MTX.search, listed(folder / n)))]
    hint = f"give one of its folders ({list_names(inside)})" if inside else "give a file"
    raise error(
        f"{folder}: a folder without a matrix: neither a .zarr nor a 10x folder (matrix.mtx, "
        f"features.tsv, barcodes.tsv); it holds {list_names(names) or 'nothing'}. Instead, {hint}."
    )


def listed(folder: Path) -> list[str]:
    """The names in a folder; none of what is no folder."""
    return os.listdir(folder) if folder.is_dir() else []


def identify_zip(path: str | Path, error: type[GrnjaxError]) -> str:
    """Which kind of zip archive this is: "npz", or one that is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as problem:
        raise error(f"{path}: a zip archive that cannot be read ({problem}).") from problem
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.startswith("xl/") for name in names):
        raise error(f"{path}: this is an Excel workbook, which is not read here; {EXCEL}.")
    raise error(
        f"{path}: this is a zip archive of {len(names):,} files ({list_names(names)}); unpack it "
        "first and give what is in it."
    )
