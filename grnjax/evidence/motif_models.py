"""Motif models: count matrices of JASPAR (JSON, text) and MEME files, with the TFs they are of.

A motif of a heterodimer, FOS::JUN, belongs to both of its TFs.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from grnjax.data.fasta import BASES
from grnjax.data.names import list_names, show_name
from grnjax.data.safe_text import GZIP, inflate, read_lines, tell_unreadable
from grnjax.data.sniff import identify
from grnjax.errors import CONTROL, SequenceFormatError
from grnjax.progress import logger

MOST_MOTIFS = 100_000
LONGEST = 100  # positions of a motif
MEME_SITES = 20  # where a MEME file does not say of how many sites its probabilities are
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True, eq=False)
class Motif:
    """What a TF binds: how often each base was seen at each position."""

    name: str  # of the model, such as MA0002.3
    tfs: tuple[str, ...]  # two or more for a complex
    counts: np.ndarray  # [position, 4] float64, in the order A, C, G, T
    family: str = ""
    tf_class: str = ""


def read_motif_models(path: str | Path) -> list[Motif]:
    """The motifs of a file, by their names in the order of the alphabet.

    Args:
        path: JASPAR's JSON (a list of id, name, A, C, G, T, perhaps family and cls), JASPAR's text
            (>id name, then four rows), or MEME's minimal format; plain or gzipped.

    Raises:
        SequenceFormatError: it is none of them, or a matrix cannot be one of counts.
    """
    kind = identify(path, SequenceFormatError, may_be_json=True).kind
    if kind != "text":
        raise SequenceFormatError(
            f"{path}: this is {kind}, not motifs; give JASPAR (JSON or text) or MEME format."
        )
    with tell_unreadable(path, SequenceFormatError):
        with open(path, "rb") as raw:
            lines = read_lines(raw, path, SequenceFormatError)
            first = next((line for line in lines if line.strip()), "").lstrip()
        with open(path, "rb") as raw:
            if first.startswith(("[", "{")):
                is_gzip = raw.peek(2)[:2] == GZIP
                blocks = inflate(raw, path, SequenceFormatError) if is_gzip else [raw.read()]
                found = list(parse_json(b"".join(blocks), path))
            else:
                parse = parse_jaspar if first.startswith(">") else parse_meme
                found = list(parse(read_lines(raw, path, SequenceFormatError), path))
    return check_models(found, path)


def check_models(found: list[Motif], path: str | Path) -> list[Motif]:
    """The motifs sorted by name, each name once; says how many are of complexes."""
    if not found:
        raise SequenceFormatError(
            f"{path}: no motif in it; give JASPAR (JSON or text) or MEME format."
        )
    found = sorted(found, key=lambda motif: motif.name)
    names = [motif.name for motif in found]
    repeated = sorted({one for one, other in zip(names, names[1:], strict=False) if one == other})
    if repeated:
        raise SequenceFormatError(
            f"{path}: {len(repeated):,} motifs stand there more than once "
            f"({list_names(repeated)}). Give each once."
        )
    complexes = [motif for motif in found if len(motif.tfs) > 1]
    tfs = {tf for motif in found for tf in motif.tfs}
    text = f"{path}: {len(found):,} motifs of {len(tfs):,} TFs"
    if complexes:
        shown = list_names("::".join(motif.tfs) for motif in complexes)
        text += f"; {len(complexes):,} of complexes ({shown}) count for each of their TFs"
    logger.info(text)
    return found


def make_motif(
    name: str, tf: str, counts: np.ndarray, path: str | Path, family: str = "", tf_class: str = ""
) -> Motif:
    """The motif of these counts [position, 4], which are checked."""
    tf = re.sub(r"\(var\.\s*\d+\)", "", tf, flags=re.IGNORECASE).strip() or name
    tfs = tuple(dict.fromkeys(part.strip() for part in tf.split("::") if part.strip()))
    for text in (name, *tfs, family, tf_class):
        if CONTROL.search(text) or len(text) > 1000:
            raise SequenceFormatError(
                f"{path}: motif {show_name(name)} has control characters or a thousand letters in "
                "a name. Rename it."
            )
    where = f"{path}: motif {show_name(name)}"
    if not name or not tfs:
        raise SequenceFormatError(f"{path}: a motif without a name. Name it.")
    if counts.ndim != 2 or counts.shape[1] != len(BASES) or not len(counts):
        raise SequenceFormatError(
            f"{where}: a matrix of shape {counts.shape}, where positions x the bases A, C, G, T "
            "are expected."
        )
    if len(counts) > LONGEST:
        raise SequenceFormatError(
            f"{where}: {len(counts):,} positions, where {LONGEST} are the most. Cut it."
        )
    if not np.isfinite(counts).all() or (counts < 0).any() or (counts.sum(axis=1) <= 0).any():
        raise SequenceFormatError(
            f"{where}: a count is missing, infinite or below 0, or a position has none. Give a "
            "matrix of counts or probabilities."
        )
    return Motif(name, tfs, counts, family, tf_class)


def parse_json(text: bytes, path: str | Path) -> Iterator[Motif]:
    """Yields the motifs of a list of objects."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise SequenceFormatError(f"{path}: not JSON of motifs ({problem}).") from problem
    if isinstance(listed, dict):
        listed = listed.get("results", [listed])
    if not isinstance(listed, list) or len(listed) > MOST_MOTIFS:
        raise SequenceFormatError(f"{path}: not a list of at most {MOST_MOTIFS:,} motifs.")
    for number, entry in enumerate(listed, start=1):
        if not isinstance(entry, dict):
            raise SequenceFormatError(f"{path}: entry {number} is no motif, but {str(entry)[:40]}.")
        name = entry.get("id", entry.get("matrix_id", ""))
        tf = entry.get("name", "")
        rows = entry.get("pfm", entry)
        if not isinstance(name, str) or not isinstance(tf, str) or not isinstance(rows, dict):
            raise SequenceFormatError(f"{path}: entry {number} has no id and name of a motif.")
        counts = read_json_counts(rows, f"{path}: motif {show_name(name)}")
        texts = [join_text(entry.get(key)) for key in ("family", "cls")]
        yield make_motif(name, tf, counts, path, *texts)


def read_json_counts(rows: dict, where: str) -> np.ndarray:
    """The matrix [position, 4] of the lists under A, C, G, T."""
    try:
        return np.array([rows[base] for base in BASES], np.float64).T
    except (KeyError, ValueError, TypeError) as problem:
        raise SequenceFormatError(
            f"{where}: no counts of equal length under A, C, G, T ({problem})."
        ) from problem


def join_text(value: object) -> str:
    """Text, or a list of texts, as one."""
    if isinstance(value, list):
        return "; ".join(str(item) for item in value[:10])
    return value if isinstance(value, str) else ""


def parse_jaspar(lines: Iterator[str], path: str | Path) -> Iterator[Motif]:
    """Yields the motifs of JASPAR's text: >id name, and the counts of A, C, G and T in rows."""
    header, rows = "", []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith(">"):
            if header:
                yield finish_jaspar(header, rows, path)
            header, rows = text, []
        elif len(rows) < len(BASES):
            rows.append(text)
        else:
            raise SequenceFormatError(
                f"{path}: motif {show_name(header)} has more than four rows of counts."
            )
    if header:
        yield finish_jaspar(header, rows, path)


def finish_jaspar(header: str, rows: Sequence[str], path: str | Path) -> Motif:
    """The motif of a header and four rows."""
    words = header[1:].split()
    name, tf = (words[0] if words else ""), " ".join(words[1:])
    where = f"{path}: motif {show_name(name)}"
    letters = [row.lstrip()[:1].upper() for row in rows]
    named = [letter for letter in letters if letter in BASES and letter]
    if len(rows) != len(BASES) or (named and sorted(named) != list(BASES)):
        raise SequenceFormatError(f"{where}: four rows of counts, A, C, G and T, are expected.")
    values = [read_numbers(re.sub(r"^\s*[ACGTacgt]?\s*\[?|\]\s*$", "", row), where) for row in rows]
    if len({len(row) for row in values}) > 1:
        lengths = ", ".join(str(len(row)) for row in values)
        raise SequenceFormatError(f"{where}: its rows have {lengths} counts, not equally many.")
    order = [letters.index(base) for base in BASES] if named else range(len(BASES))
    return make_motif(name, tf, np.array([values[place] for place in order]).T, path)


def read_numbers(text: str, where: str) -> list[float]:
    """The numbers of a line of nothing else."""
    words = text.replace(",", " ").split()
    wrong = [word for word in words if not NUMBER.fullmatch(word)]
    if wrong:
        raise SequenceFormatError(f"{where}: {show_name(wrong[0])} is not a count.")
    return [float(word) for word in words]


def parse_meme(lines: Iterator[str], path: str | Path) -> Iterator[Motif]:
    """Yields the motifs of MEME's minimal format: letter-probability matrices of DNA."""
    version = next((line.strip() for line in lines if line.strip()), "")
    if not version.startswith("MEME version"):
        raise SequenceFormatError(
            f"{path}: neither JASPAR (JSON or text) nor MEME: it begins with {version[:40]!r}."
        )
    name, tf, where, matrix, sites, width = "", "", str(path), None, float(MEME_SITES), None
    for line in itertools.chain(lines, ["MOTIF"]):  # which ends a matrix whose width is not stated
        words = line.split()
        if matrix is not None and words and words[0] not in ("MOTIF", "URL"):
            matrix.append(read_numbers(line, where))
            if len(matrix[-1]) != len(BASES) or len(matrix) > LONGEST:
                raise SequenceFormatError(
                    f"{where}: row {len(matrix)} has {len(matrix[-1])} probabilities; {LONGEST} "
                    "rows of four are the most."
                )
        ends = words[:1] in (["MOTIF"], ["URL"]) or (not words and matrix and width is None)
        if matrix is not None and (ends or len(matrix) == width):
            if width not in (None, len(matrix)):
                raise SequenceFormatError(f"{where}: {len(matrix)} of its {width} rows are there.")
            yield make_motif(name, tf, sites * np.array(matrix), path)
            matrix = None
        if line.startswith("ALPHABET") and "=" in line:
            letters = line.partition("=")[2].split()[:1]
            if letters != [BASES]:
                raise SequenceFormatError(f"{path}: the alphabet {letters} is not that of DNA.")
        elif words[:1] == ["MOTIF"]:
            name, tf = (words[1] if len(words) > 1 else ""), " ".join(words[2:])
        elif line.startswith("letter-probability matrix"):
            matrix, where = [], f"{path}: motif {show_name(name)}"
            sites, width = read_meme_sizes(line, where)


def read_meme_sizes(line: str, where: str) -> tuple[float, int | None]:
    """The sites, and the width if there is one, that the line above a matrix of MEME states."""
    found = dict(re.findall(r"(\w+)=\s*(\S+)", line))
    try:
        sites = float(found.get("nsites", MEME_SITES))
        width = int(found["w"]) if "w" in found else None
    except ValueError as problem:
        raise SequenceFormatError(f"{where}: no numbers of sites and rows ({problem}).") from None
    if (width is not None and width < 1) or not np.isfinite(sites):
        raise SequenceFormatError(f"{where}: w= {width} and nsites= {sites} make no matrix.")
    return sites if sites > 0 else float(MEME_SITES), width
