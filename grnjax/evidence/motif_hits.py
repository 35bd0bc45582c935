"""Motif hits of a file of sequences, written as a table that the readers of hits take.

A row is a hit of a motif for one of its TFs: a motif of a heterodimer has two rows. `score` is
-log10 of the p-value, so that hits of different motifs compare and none is negative; `log_odds` is
in bits; `start` and `end` count from 0 in the sequence as it is given, `end` being outside.
"""

import contextlib
import dataclasses
import gzip
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import numpy as np

from grnjax.data.fasta import UNKNOWN, Case, Piece, cut_peaks, read_pieces
from grnjax.data.genome_places import PEAK_NAME
from grnjax.data.names import count_names, list_names
from grnjax.errors import ConfigError, SequenceFormatError
from grnjax.evidence.intervals import read_bed
from grnjax.evidence.motif_models import read_motif_models
from grnjax.evidence.motif_scores import (
    MotifScoreConfig,
    ScoredMotif,
    choose_background,
    score_motif,
)
from grnjax.progress import ProgressBar, logger
from grnjax.storage.files import replace_whole

COLUMNS = ("tf", "motif", "start", "end", "strand", "score", "log_odds", "p_value")
PLACE = re.compile(PEAK_NAME)
# as bedtools writes it: name::chr1:100-200(+)
DECORATED = re.compile(r"^(?:.*::)?(.+?)(?:\([-+.]\))?$")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotifHitsConfig(MotifScoreConfig):
    """What is scanned for, and how TFs are written."""

    lower_case: Case = "read"
    """Bases in lower case, which mark repeats: read as any other, or mask them."""
    tf_names: Literal["upper-case", "as-written"] = "upper-case"
    """JASPAR writes a TF of the mouse Runx1, of the human RUNX1; in upper case they are one."""


def scan_files(
    sequences: Path | None,
    motifs: Path,
    out: Path,
    config: MotifHitsConfig,
    *,
    genome: Path | None = None,
    peaks: Path | None = None,
    hidden: bool = False,
) -> dict:
    """Writes the hits of a file of motifs in sequences, and returns counts of what was done.

    The table is whole or absent. Its first column is `peak` where the first sequence is called
    chr1_100_200 or chr1:100-200, else `target`: then sequences are taken to be called by genes.

    Args:
        sequences: FASTA of peaks or promoters; or None, with `genome`, FASTA of chromosomes, and
            `peaks`, BED.
        out: .tsv or .tsv.gz.
        hidden: without progress.

    Raises:
        ConfigError: neither sequences nor a genome with peaks, or both.
        SequenceFormatError: a file cannot be read as what it should be.
    """
    source = check_files(sequences, genome, peaks)
    if out.suffix not in (".tsv", ".gz"):
        raise ConfigError(f"{out}: hits are written as text; call it .tsv or .tsv.gz.")
    models = read_motif_models(motifs)

    def read(what: str) -> Iterator[Piece]:
        with ProgressBar(source.stat().st_size, what, unit="byte", hidden=hidden) as bar:
            pieces = read_pieces(
                source,
                case=config.lower_case,
                advance=lambda place: bar.update(place - bar.done),
            )
            yield from pieces if peaks is None else cut_peaks(pieces, read_bed(peaks), peaks)

    count = count_bases(read("counting bases")) if config.background == "measured" else None
    background = choose_background(config, count)
    scored = [score_motif(motif, background, config) for motif in models]
    beyond = [one.motif.name for one in scored if one.threshold is None]
    if len(beyond) == len(scored):
        raise SequenceFormatError(
            f"{motifs}: none of its {len(scored):,} motifs can reach a p-value of "
            f"{config.p_value:g}. Give a larger --p-value."
        )
    if beyond:
        logger.warning(
            f"{motifs}: {len(beyond):,} of {len(scored):,} motifs are too short or vague for a "
            f"p-value of {config.p_value:g}, so that they have no hits: {list_names(beyond)}"
        )
    report = {
        "motifs": len(scored),
        "motifs_beyond_p_value": count_names(beyond),
        "background": background.tolist(),
    }
    report |= write_hits(lambda: read("scanning"), scored, config, out)
    logger.info(
        f"{out}: {report['hits']:,} hits of {report['motifs_with_hits']:,} motifs in "
        f"{report['sequences_with_hits']:,} of {report['sequences']:,} sequences"
    )
    return report


def check_files(sequences: Path | None, genome: Path | None, peaks: Path | None) -> Path:
    """The FASTA file that is read."""
    if (genome is None) != (peaks is None) or (sequences is None) == (genome is None):
        raise ConfigError(
            "Motifs are scanned for in --sequences FASTA, or in the peaks of a genome by --genome "
            "FASTA --peaks BED; give one of the two."
        )
    source = genome if sequences is None else sequences
    assert source is not None
    if not source.is_file():
        raise ConfigError(f"{source}: there is no such file.")
    return source


def count_bases(pieces: Iterator[Piece]) -> np.ndarray:
    """How often A, C, G and T stand in the sequences, both strands not yet taken together."""
    return sum((np.bincount(x.codes, minlength=UNKNOWN + 1)[:UNKNOWN] for x in pieces), np.zeros(4))


def write_hits(
    read: Callable[[], Iterator[Piece]],
    scored: Sequence[ScoredMotif],
    config: MotifHitsConfig,
    out: Path,
) -> dict:
    """Scans, writes the table, and returns counts of hits and sequences."""
    from grnjax.evidence.motif_scan import scan

    names: list[str] = []
    bases, unknown = Counter(), Counter()

    def watch() -> Iterator[Piece]:
        for piece in read():
            bases[0] += len(piece.codes)
            unknown[0] += int((piece.codes == UNKNOWN).sum())
            yield piece

    tfs = [name_tfs(one, config) for one in scored]
    labels: list[str] = []
    hits, with_hits, motifs = 0, 0, np.zeros(len(scored), bool)
    last, column = -1, ""
    with replace_whole(out) as partial, open_text(partial, out.suffix == ".gz") as file:
        for found in scan(watch(), scored, config.p_value, names):
            labels += map(label_sequence, names[len(labels) :])
            if not column:
                column = "peak" if PLACE.match(labels[0]) else "target"
                file.write("\t".join([column, *COLUMNS]) + "\n")
            file.writelines(write_lines(found, labels, scored, tfs, config))
            hits += len(found.start)
            motifs[found.motif] = True
            if len(found.sequence):
                different = np.unique(found.sequence)
                with_hits += len(different) - int(different[0] == last)
                last = int(different[-1])
        labels += map(label_sequence, names[len(labels) :])
        if not bases[0] - unknown[0]:
            raise SequenceFormatError(
                f"None of the {bases[0]:,} bases of the {len(names):,} sequences is known, so "
                "that there is nothing to scan. Give sequences, or --lower-case=read."
            )
    misnamed = [name for name in labels if bool(PLACE.match(name)) != (column == "peak")]
    if misnamed:
        wanted = "chr1_100_200" if column == "peak" else "genes"
        logger.warning(
            f"{out}: {len(misnamed):,} of {len(labels):,} sequences are not called like the first, "
            f"as {wanted}, so readers of its column {column} may refuse them: "
            f"{list_names(misnamed)}"
        )
    return {
        "sequences": len(names),
        "bases": bases[0],
        "unknown_bases": unknown[0],
        "hits": hits,
        "sequences_with_hits": with_hits,
        "motifs_with_hits": int(motifs.sum()),
        "sequences_are": column,
    }


@contextlib.contextmanager
def open_text(path: Path, is_gzipped: bool) -> Iterator[IO[str]]:
    """The file for writing; a gzip file has no time in it, so that the same hits are the same."""
    with contextlib.ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(open(path, "wb"))
        if is_gzipped:
            packed = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0)
            raw = stack.enter_context(packed)
        yield stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8", newline="\n"))


def label_sequence(name: str) -> str:
    """The name of a sequence without what bedtools writes around a place."""
    found = DECORATED.match(name)
    place = found[1] if found else name
    return place if PLACE.match(place) else name


def name_tfs(one: ScoredMotif, config: MotifHitsConfig) -> list[str]:
    """The TFs of a motif as they are to be written, each once."""
    tfs = one.motif.tfs
    return list(dict.fromkeys(tf.upper() for tf in tfs) if config.tf_names != "as-written" else tfs)


def write_lines(
    found, labels: Sequence[str], scored: Sequence[ScoredMotif], tfs: Sequence[list[str]], config
) -> Iterator[str]:
    """Yields a line for each hit and TF."""
    lengths = np.array([len(one.steps) for one in scored])
    columns = (
        found.sequence.tolist(),
        found.motif.tolist(),
        found.start.tolist(),
        (found.start + lengths[found.motif]).tolist(),
        found.is_reverse.tolist(),
        (-np.log10(found.p_value)).tolist(),
        (found.score / config.steps_per_bit).tolist(),
        found.p_value.tolist(),
    )
    for sequence, motif, start, end, is_reverse, score, bits, p_value in zip(*columns, strict=True):
        rest = (
            f"\t{scored[motif].motif.name}\t{start}\t{end}\t{'-' if is_reverse else '+'}"
            f"\t{score:.4f}\t{bits:.2f}\t{p_value:.3e}\n"
        )
        for tf in tfs[motif]:
            yield f"{labels[sequence]}\t{tf}{rest}"
