"""FASTA in pieces: what is read, whatever the size of blocks, and what is refused."""

import gzip

import numpy as np
import pandas as pd
import pytest

from grnjax.data import fasta
from grnjax.data.fasta import LONGEST_PEAK, cut_peaks, read_pieces
from grnjax.errors import GeneMismatchError, SequenceFormatError


def join(pieces):
    """Sequences as lists of codes by name; pieces must follow one another."""
    whole = {}
    for piece in pieces:
        assert piece.start == len(whole.setdefault(piece.name, []))
        whole[piece.name] += piece.codes.tolist()
    return whole


def write(tmp_path, content, name="x.fa"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_bases_are_numbered_and_anything_else_is_unknown(tmp_path):
    path = write(tmp_path, ">a first one\nACGT\nacgu\n\n>b\nNRY-\n>c\n>d\nA")
    assert join(read_pieces(path)) == {
        "a": [0, 1, 2, 3, 0, 1, 2, 3],
        "b": [4, 4, 4, 4],
        "c": [],
        "d": [0],
    }


def test_lower_case_can_be_masked(tmp_path):
    path = write(tmp_path, ">a\nACgt\n")
    assert join(read_pieces(path, case="mask")) == {"a": [0, 1, 4, 4]}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_neither_blocks_nor_line_ends_matter(tmp_path, monkeypatch, size, end):
    text = ">long name here\nACGTA\nCG\n>b\n\n>c 2\nNNTT\nG\n"
    expected = {"long": [0, 1, 2, 3, 0, 1, 2], "b": [], "c": [4, 4, 3, 3, 2]}
    path = write(tmp_path, text.replace("\n", end))
    monkeypatch.setattr(fasta, "MEGABYTE", size)
    assert join(read_pieces(path)) == expected


def test_gzip_is_known_by_content_and_progress_is_told(tmp_path):
    packed = gzip.compress(b">a\nACGT\n>b\nTT\n")
    path, told = write(tmp_path, packed, "x.txt"), []
    assert join(read_pieces(path, advance=told.append)) == {"a": [0, 1, 2, 3], "b": [3, 3]}
    assert told[-1] == len(packed)


def test_a_repeated_name_is_left_out_and_said(tmp_path, caplog):
    path = write(tmp_path, ">a\nAC\n>a\nGGG\n>b\nT\n")
    with caplog.at_level("WARNING", "grnjax"):
        assert join(read_pieces(path)) == {"a": [0, 1], "b": [3]}
    assert "1 sequences under names that stood there before" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("@r1\nACGT\n+\nIIII\n", "not FASTA"),
        ("ACGT\n", "not FASTA"),
        (">a\nMKLEF\n", "which no DNA has"),
        (">a\nAC>b\n", "which no DNA has"),
        (">\nACGT\n", "without a name"),
        (">a\x1b[31m\nACGT\n", "control characters"),
        (">" + "a" * 70_000 + "\nA\n", "header of more than"),
        (gzip.compress(b">a\nACGT\n" * 99, mtime=0)[:-9], "truncated or damaged"),
        (gzip.compress(b">a\n" + b"A" * 60_000_000, mtime=0), "inflate to more than"),
        (b"\x80\x04\x95ab", "pickle"),
        (b"\x1aA'C\xff\x00\x00", "binary"),
    ],
)
def test_what_is_no_dna_is_one_sentence(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(SequenceFormatError, match=message) as caught:
        join(read_pieces(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def bed(*rows):
    return pd.DataFrame(rows, columns=["chromosome", "start", "end"])


@pytest.mark.parametrize("size", [4, 1000])
def test_peaks_are_cut_wherever_pieces_end(tmp_path, monkeypatch, size):
    rng = np.random.default_rng(0)
    genome = {name: "".join(rng.choice(list("ACGTN"), 90)) for name in ("chr1", "chr2", "chrM")}
    text = "".join(f">{name}\n{bases[:50]}\n{bases[50:]}\n" for name, bases in genome.items())
    path = write(tmp_path, text)
    places = [("chr2", 3, 41), ("chr1", 0, 90), ("chr1", 10, 20), ("chr1", 12, 20), ("chr2", 3, 41)]
    places += [("chrM", 89, 90)]
    monkeypatch.setattr(fasta, "MEGABYTE", size)
    cut = join(cut_peaks(read_pieces(path), bed(*places), "peaks"))
    assert cut == {f"{c}_{a}_{b}": ["ACGTN".index(x) for x in genome[c][a:b]] for c, a, b in places}


def test_chromosomes_meet_and_missing_peaks_are_named(tmp_path, caplog):
    path = write(tmp_path, ">1\nACGTACGT\n>MT\nTTTT\n")
    peaks = bed(("chr1", 0, 4), ("chr1", 6, 9), ("chr7", 0, 4), ("chrM", 1, 3))
    with caplog.at_level("WARNING", "grnjax"):
        cut = join(cut_peaks(read_pieces(path), peaks, "p.bed"))
    assert cut == {"chr1_0_4": [0, 1, 2, 3], "chrM_1_3": [3, 3]}
    assert "1 as chr1" in caplog.text
    assert "1 of 4 peaks lie on chromosomes that the genome does not have" in caplog.text
    assert "1 of 4 peaks end beyond their chromosome" in caplog.text and "chr1_6_9" in caplog.text


def test_a_genome_without_the_peaks_and_endless_peaks_are_refused(tmp_path):
    path = write(tmp_path, ">scaffold1\nACGT\n")
    with pytest.raises(GeneMismatchError, match="none of its 1 peaks .*assembly"):
        join(cut_peaks(read_pieces(path), bed(("chr1", 0, 4)), "p.bed"))
    with pytest.raises(SequenceFormatError, match="longer than"):
        join(cut_peaks(read_pieces(path), bed(("chr1", 0, LONGEST_PEAK + 1)), "p.bed"))
