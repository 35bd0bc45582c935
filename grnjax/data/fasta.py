"""DNA of FASTA files, plain or gzipped, a piece at a time: a genome never stands in memory whole.

Bases are numbered A 0, C 1, G 2, T and U 3; every other letter of IUPAC and gaps are `UNKNOWN`.
"""

import bisect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import pandas as pd

from grnjax.data.genome_places import plain_chromosome
from grnjax.data.names import list_names, show_name
from grnjax.data.safe_text import MEGABYTE, inflate, tell_unreadable
from grnjax.data.sniff import identify
from grnjax.errors import CONTROL, GeneMismatchError, SequenceFormatError
from grnjax.progress import logger

Case = Literal["read", "mask"]
BASES = "ACGT"
UNKNOWN = 4  # the number of a base that is not known
SKIPPED, INVALID = 5, 6
LONGEST_HEADER = 1 << 16
LONGEST_PEAK = 1_000_000
MOST_OPEN = 1 << 29  # bases of the peaks that a piece of the genome begins
MOST_NAMES = 20_000_000


class Piece(NamedTuple):
    """Some bases of a sequence; its pieces come in order, each where the one before it ends."""

    name: str  # of the sequence: its header up to the first blank
    start: int  # place of the first base in the sequence, from 0
    codes: np.ndarray  # [base] uint8


def make_table(case: Case) -> np.ndarray:
    """The number of each byte."""
    table = np.full(256, INVALID, np.uint8)
    for letter in "RYSWKMBDHVN-.":
        table[ord(letter)] = table[ord(letter.lower())] = UNKNOWN
    for number, letter in enumerate(BASES):
        table[ord(letter)] = number
        table[ord(letter.lower())] = number if case == "read" else UNKNOWN
    table[ord("U")], table[ord("u")] = table[ord("T")], table[ord("t")]
    table[[ord(letter) for letter in " \t\n\r"]] = SKIPPED
    return table


def read_pieces(
    path: str | Path, *, case: Case = "read", advance: Callable[[int], None] = lambda _: None
) -> Iterator[Piece]:
    """Yields the sequences of a FASTA file in pieces of a megabyte at most.

    Every sequence has a piece that starts at 0, be it empty. One under a name that stood there
    before is left out, and said to be.

    Args:
        case: whether lower-case letters, which mark repeats, are read as bases or masked.
        advance: told how many bytes of the file were read since.

    Raises:
        SequenceFormatError: it is no FASTA file of DNA.
    """
    kind = identify(path, SequenceFormatError)
    if kind.kind != "text":
        raise SequenceFormatError(f"{path}: this is {kind.kind}, not FASTA (>name, then bases).")
    table, seen, repeated = make_table(case), set(), []
    name, place, wanted = None, 0, False
    with tell_unreadable(path, SequenceFormatError), open(path, "rb") as raw:
        for header, text in split_records(read_blocks(raw, kind.is_gzipped, path), path):
            advance(raw.tell())
            if header is not None:
                name, place = read_name(header, path), 0
                wanted = name not in seen
                seen.add(name)
                if not wanted:
                    repeated.append(name)
                if len(seen) > MOST_NAMES:
                    raise SequenceFormatError(
                        f"{path}: more than {MOST_NAMES:,} sequences; split the file."
                    )
            codes = table[np.frombuffer(text, np.uint8)]
            codes = codes[codes != SKIPPED]
            if (codes == INVALID).any():
                raise complain(text, table, name or "", path)
            if wanted and name is not None and (header is not None or len(codes)):
                yield Piece(name, place, codes)
            place += len(codes)
    if name is None:
        raise SequenceFormatError(f"{path}: the file is empty, so there is no sequence in it.")
    if repeated:
        logger.warning(
            f"{path}: {len(repeated):,} sequences under names that stood there before are left "
            f"out: {list_names(repeated)}"
        )


def read_blocks(raw: BinaryIO, is_gzipped: bool, path: str | Path) -> Iterator[bytes]:
    """Yields what the file holds, a megabyte at a time, with line ends as on Unix."""
    blocks = (
        inflate(raw, path, SequenceFormatError)  # type: ignore[arg-type]
        if is_gzipped
        else iter(lambda: raw.read(MEGABYTE), b"")
    )
    for block in blocks:
        yield block.replace(b"\r", b"\n")


def split_records(
    blocks: Iterator[bytes], path: str | Path
) -> Iterator[tuple[bytes | None, bytes]]:
    """Yields the header where a sequence begins, None where one goes on, and bases with blanks."""
    header: bytes | None = None  # what the blocks so far have of a header that they cut short
    is_first, at_start = True, True
    for block in blocks:
        if is_first:
            block = block.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not block:
                continue
            if not block.startswith(b">"):
                raise SequenceFormatError(
                    f"{path}: not FASTA: it begins with {block[:20]!r} and not with > and a name."
                )
            is_first = False
        place = 0
        while place < len(block):
            if header is not None:
                end = block.find(b"\n", place)
                header += block[place : end if end >= 0 else len(block)]
                if len(header) > LONGEST_HEADER:
                    raise SequenceFormatError(
                        f"{path}: a header of more than {LONGEST_HEADER:,} letters "
                        f"({header[:20]!r}); give one name a line and its bases below."
                    )
                if end < 0:
                    break
                found, header, place, at_start = header, None, end + 1, True
                bases_end, place, header, at_start = find_header(block, place, at_start)
                yield found, block[end + 1 : bases_end]
            else:
                begin = place
                bases_end, place, header, at_start = find_header(block, place, at_start)
                if bases_end > begin:
                    yield None, block[begin:bases_end]
    if header is not None:
        yield header, b""


def find_header(block: bytes, place: int, at_start: bool) -> tuple[int, int, bytes | None, bool]:
    """Where the bases from `place` end, where to go on, and b"" if that is in a header."""
    if at_start and block[place : place + 1] == b">":
        return place, place + 1, b"", False
    found = block.find(b"\n>", place)
    if found < 0:
        return len(block), len(block), None, block.endswith(b"\n")
    return found, found + 2, b"", False


def read_name(header: bytes, path: str | Path) -> str:
    """The name in a header."""
    text = header.decode("utf-8", "replace").strip()
    name = text.split()[0] if text else ""
    if not name or CONTROL.search(name):
        raise SequenceFormatError(
            f"{path}: a sequence without a name, or with control characters in it "
            f"({show_name(text)}). Write > and a name above its bases."
        )
    return name


def complain(text: bytes, table: np.ndarray, name: str, path: str | Path) -> SequenceFormatError:
    """The error about letters that no DNA has."""
    wrong = sorted({letter for letter in text if table[letter] == INVALID})
    shown = ", ".join(repr(chr(letter)) for letter in wrong[:5])
    return SequenceFormatError(
        f"{path}: sequence {show_name(name)} holds {shown}, which no DNA has. Give the bases A, C, "
        "G, T and N (IUPAC) in FASTA."
    )


def cut_peaks(pieces: Iterator[Piece], peaks: pd.DataFrame, source: object) -> Iterator[Piece]:
    """Yields the bases of each peak, called chr_start_end, as the genome goes by.

    Chromosomes that differ by chr before their name alone are the same. Peaks that the genome does
    not have are counted and named at the end.

    Args:
        peaks: `chromosome`, `start`, `end`, as `read_bed` has them.

    Raises:
        GeneMismatchError: the genome has none of the peaks.
        SequenceFormatError: a peak of more than a million bases.
    """
    peaks = peaks[["chromosome", "start", "end"]].drop_duplicates()
    peaks = peaks.sort_values(["chromosome", "start", "end"])
    longest = peaks.loc[(peaks["end"] - peaks["start"]).idxmax()]
    if longest["end"] - longest["start"] > LONGEST_PEAK:
        raise SequenceFormatError(
            f"{source}: {longest['chromosome']}, {longest['start']:,} to {longest['end']:,}, is "
            f"longer than {LONGEST_PEAK:,} bases, which no peak is. Give peaks or promoters."
        )
    of = {str(name): rows for name, rows in peaks.groupby("chromosome")}
    plain = {plain_chromosome(name): name for name in of}
    lost, renamed, found = set(of), {}, 0
    outside: list[str] = []
    name, cut = None, None
    for piece in pieces:
        if piece.start == 0 and piece.name != name:
            if cut is not None:
                outside += cut.left()
            name = piece.name
            own = name if name in of else plain.get(plain_chromosome(name), "")
            cut = Cutter(of[own], own) if own in lost else None
            lost.discard(own)
            if own and own != name:
                renamed[name] = own
        if cut is not None:
            for ready in cut.take(piece):
                found += 1
                yield ready
    if cut is not None:
        outside += cut.left()
    if not found:
        raise GeneMismatchError(
            f"{source}: the genome has none of its {len(peaks):,} peaks (on {list_names(of)}; "
            f"the last sequence there is {show_name(name or '')}). Give the same genome assembly."
        )
    if renamed:
        shown = list_names(f"{there} as {here}" for there, here in renamed.items())
        logger.warning(f"{source}: chromosomes are called otherwise in the genome; read {shown}")
    if lost:
        count = sum(len(of[each]) for each in lost)
        logger.warning(
            f"{source}: {count:,} of {len(peaks):,} peaks lie on chromosomes that the genome does "
            f"not have, and are left out: {list_names(sorted(lost))}"
        )
    if outside:
        logger.warning(
            f"{source}: {len(outside):,} of {len(peaks):,} peaks end beyond their chromosome, and "
            f"are left out: {list_names(outside)}"
        )


class Cutter:
    """The peaks of one chromosome, cut out as its pieces come."""

    def __init__(self, peaks: pd.DataFrame, chromosome: str):
        """Takes peaks in the order of their starts."""
        self.starts, self.ends = peaks["start"].tolist(), peaks["end"].tolist()
        self.names = [f"{chromosome}_{a}_{b}" for a, b in zip(self.starts, self.ends, strict=True)]
        self.next = self.bases = 0
        self.open: dict[int, np.ndarray] = {}

    def take(self, piece: Piece) -> Iterator[Piece]:
        """Yields the peaks that are whole with this piece."""
        begin, end = piece.start, piece.start + len(piece.codes)
        last = bisect.bisect_left(self.starts, end, self.next)
        for peak in range(self.next, last):
            self.open[peak] = np.empty(self.ends[peak] - self.starts[peak], np.uint8)
            self.bases += len(self.open[peak])
            if self.bases > MOST_OPEN:
                raise SequenceFormatError(
                    f"{self.names[peak]}: so many peaks lie above one another that they have more "
                    f"than {MOST_OPEN:,} bases at once. Merge overlapping peaks."
                )
        self.next = last
        for peak, codes in list(self.open.items()):
            start = self.starts[peak]
            first, stop = max(start, begin), min(self.ends[peak], end)
            codes[first - start : stop - start] = piece.codes[first - begin : stop - begin]
            if self.ends[peak] <= end:
                self.bases -= len(codes)
                yield Piece(self.names[peak], 0, self.open.pop(peak))

    def left(self) -> list[str]:
        """The peaks that never became whole."""
        return [self.names[peak] for peak in self.open] + self.names[self.next :]
