"""Text files of unknown origin, plain or gzipped: what they may inflate to, and how long a line is.

A gzip file of 3 MB can hold 3 GB. What a file may inflate to grows with its size: matrices of
counts, zeros for the most part, come to a fortieth of their text; only small networks written as
tables of zeros come to less, and they have the 32 MB that any file may have.
"""

import contextlib
import csv
import functools
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from grnjax.errors import GrnjaxError, printable

MEGABYTE = 1 << 20
LONGEST_LINE = 32 * MEGABYTE
FORBIDDEN = {"\0": "NUL", "\x1b": "escape"}  # no table has them, and terminals obey the latter
GZIP = b"\x1f\x8b"


@contextlib.contextmanager
def tell_unreadable(path: str | Path, error: type[GrnjaxError]) -> Iterator[None]:
    """Turns what the library raises about a text file that cannot be read into one sentence."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise error(f"{path}: the gzip file is truncated or damaged ({problem}).") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise error(f"{path}: not a text table ({problem}).") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}).") from problem


def read_lines(raw: io.BufferedReader, path: str | Path, error: type[GrnjaxError]) -> Iterator[str]:
    """Yields the lines of a text file that is open for reading bytes, gzipped or not.

    Raises:
        error: the file inflates to far more than its size or has far too many lines for it, a
            line is too long, or a line holds characters that no table has.
        EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, OSError: as the library says.
    """
    is_gzip = raw.peek(2)[:2] == GZIP
    size = os.fstat(raw.fileno()).st_size
    most_lines = 1_000_000 + 3 * size // 4
    if is_gzip:
        for _ in inflate(raw, path, error):
            pass
        raw.seek(0)
    stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    read = functools.partial(text.readline, LONGEST_LINE)
    for number, line in enumerate(iter(read, ""), start=1):
        if is_gzip and number > most_lines:
            raise bomb(path, size, f"{most_lines:,} lines", error)
        if len(line) == LONGEST_LINE:
            raise error(
                f"{path}: line {number:,} has more than {LONGEST_LINE // MEGABYTE} million "
                "characters, so this is no table. Give one row a line."
            )
        for mark, name in FORBIDDEN.items():
            if mark in line:
                place = line.index(mark)
                raise error(
                    f"{path}: not a text table: line {number:,} holds the {name} character "
                    f"({printable(line[max(0, place - 20) : place + 20])}). Remove it."
                )
        yield line


def most_inflated(size: int) -> int:
    """How many bytes so many compressed ones may hold."""
    return 32 * MEGABYTE + 64 * size


def inflate(raw: io.BufferedReader, path: str | Path, error: type[GrnjaxError]) -> Iterator[bytes]:
    """Yields what a gzip file inflates to, a megabyte at a time; refuses one that grows too far."""
    size, done = os.fstat(raw.fileno()).st_size, 0
    most = most_inflated(size)
    with gzip.GzipFile(fileobj=raw) as packed:
        while block := packed.read(MEGABYTE):
            done += len(block)
            if done > most:
                raise bomb(path, size, f"{most:,}", error)
            yield block


def bomb(path: str | Path, size: int, most: str, error: type[GrnjaxError]) -> GrnjaxError:
    """The error about a gzip file that holds more than it may."""
    return error(
        f"{path}: its {size:,} bytes of gzip inflate to more than {most}, which no file of this "
        "size does. If it is a real one, gunzip it and give the plain file."
    )


def hold_rows(
    rows: Iterable[list[str]], path: str | Path, error: type[GrnjaxError]
) -> list[list[str]]:
    """All rows at once, which takes some hundred bytes a field, so there must not be too many."""
    most = 4_000_000 + 2 * (os.path.getsize(path) if os.path.isfile(path) else 1 << 40)
    held, fields = [], 0
    for row in rows:
        fields += len(row)
        if fields > most:
            raise error(
                f"{path}: more than {most:,} fields in {len(held):,} rows, too many for a table of "
                "names in a file of this size. Keep its first columns, or gunzip it."
            )
        held.append(row)
    return held
