"""Motif files: the same motifs in every format, complexes, and what is refused."""

import gzip
import json

import numpy as np
import pytest

from grnjax.errors import SequenceFormatError
from grnjax.evidence.motif_models import LONGEST, read_motif_models

COUNTS = {"A": [4, 0, 1], "C": [0, 8, 1], "G": [4, 0, 1], "T": [0, 0, 5]}


def as_json(name="FOS::JUN", **more):
    return json.dumps([{"id": "MA1.1", "name": name, **COUNTS, **more}])


JASPAR = ">MA1.1 FOS::JUN\n" + "".join(
    f"{base} [ {' '.join(map(str, row))} ]\n" for base, row in COUNTS.items()
)
RAW = ">MA1.1\tFOS::JUN\n" + "".join(f"{' '.join(map(str, r))}\n" for r in COUNTS.values())
MEME = """MEME version 4

ALPHABET= ACGT
strands: + -
Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF MA1.1 FOS::JUN
letter-probability matrix: alength= 4 w= 3 nsites= 8 E= 0
0.5 0 0.5 0
0 1.0 0 0
0.125 0.125 0.125 0.625
URL http://example.org
"""
NO_WIDTH = MEME.replace("w= 3 ", "")


def write(tmp_path, content):
    path = tmp_path / "motifs"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("content", [as_json(), JASPAR, RAW, MEME, NO_WIDTH])
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_gives_the_same_motif(tmp_path, content, packed):
    path = write(tmp_path, gzip.compress(content.encode()) if packed else content)
    [motif] = read_motif_models(path)
    assert motif.name == "MA1.1" and motif.tfs == ("FOS", "JUN")
    np.testing.assert_array_equal(motif.counts, np.array([COUNTS[base] for base in "ACGT"]).T)


def test_family_class_and_complexes_are_told(tmp_path, caplog):
    path = write(tmp_path, as_json(family=["Fos-related", "Jun-related"], cls=["bZIP"]))
    with caplog.at_level("INFO", "grnjax"):
        [motif] = read_motif_models(path)
    assert motif.family == "Fos-related; Jun-related" and motif.tf_class == "bZIP"
    assert "1 of complexes (FOS::JUN) count for each of their TFs" in caplog.text


def test_order_of_motifs_and_of_rows_does_not_matter(tmp_path):
    second = JASPAR.replace("MA1.1 FOS::JUN", "MA0.1 SP1")
    shuffled = "\n".join([second.split("\n")[0], *sorted(second.split("\n")[1:5])[::-1]])
    found = read_motif_models(write(tmp_path, JASPAR + shuffled))
    assert [motif.name for motif in found] == ["MA0.1", "MA1.1"]
    np.testing.assert_array_equal(found[0].counts, found[1].counts)


def test_variants_have_the_tf_without_the_number(tmp_path):
    [motif] = read_motif_models(write(tmp_path, as_json("RORA(var.2)")))
    assert motif.tfs == ("RORA",)


LONG = {base: [1] * (LONGEST + 1) for base in "ACGT"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not MEME|nor MEME"),
        ("tf\ttarget\nA\tB\n", "neither JASPAR"),
        ("[", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no motif"),
        ("[3]", "entry 1 is no motif"),
        ('[{"name": "A"}]', "no counts"),
        (as_json(A=[1, 2]), "no counts of equal length"),
        (as_json(A=[1, 2, "x"]), "no counts"),
        (as_json(A=[-1, 0, 1]), "below 0"),
        (as_json(A=[float("nan"), 0, 1]), "missing"),
        (json.dumps([{"id": "M", "name": "A", **dict.fromkeys("ACGT", [0])}]), "none"),
        (json.dumps([{"id": "M", "name": "A", **LONG}]), "positions"),
        (as_json("A\x1b[2J"), "control characters"),
        (json.dumps(json.loads(as_json()) * 2), "more than once"),
        (JASPAR.replace("[ 4 0 1 ]", "[ 4 0 ]"), "not equally many"),
        (JASPAR.replace("[ 4 0 1 ]", "[ 4 zero 1 ]"), "is not a count"),
        (JASPAR + "1 2 3\n", "more than four rows"),
        (JASPAR.replace("G [", "C ["), "A, C, G and T, are expected"),
        (">MA1 A\nA [1]\n", "four rows"),
        (MEME.replace("ACGT", "ACDEFGHIKLMNPQRSTVWY"), "not that of DNA"),
        (MEME.replace("w= 3", "w= 4"), "3 of its 4 rows"),
        (MEME.replace("0 1.0 0 0", "0 1.0 0"), "3 probabilities"),
        (MEME.replace("w= 3", "w= x"), "no numbers"),
        (gzip.compress(JASPAR.encode(), mtime=0)[:-9], "truncated|damaged"),
        (gzip.compress(b"[" + b" " * 60_000_000 + b"]", mtime=0), "inflate"),
        (b"\x80\x04\x95ab", "pickle"),
        (b">M \xff\xfe\nA [1]\n", "not a text"),
    ],
)
def test_what_is_no_motif_is_one_sentence(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(SequenceFormatError, match=message) as caught:
        read_motif_models(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
