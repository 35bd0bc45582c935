"""Hostile text files: bombs, names that write on the terminal, rankings of nothing."""

import gzip
from pathlib import Path

import h5py

from tests.faults.hostile import (
    GENES,
    convert,
    hostile,
    infer,
    write_counts,
)
from tests.faults.hostile_hdf5 import rewrite, write_h5ad


def write_gzip(path: Path, head: bytes, block: bytes, times: int) -> Path:
    """A gzip file with a block that repeats, which takes next to nothing."""
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(head)
        for _ in range(times):
            file.write(block)
    return path


@hostile("gzip inflate to more than", "gzip of one long name")
def build_long_name(folder):
    return infer(write_gzip(folder / "name.csv.gz", b",", b"A" * (1 << 20), 900))


@hostile("gzip inflate to more than", "gzip of zeros")
def build_long_matrix(folder):
    head = ("," + ",".join(GENES) + "\n").encode()
    row = ("c" + ",0" * len(GENES) + "\n").encode()
    return infer(write_gzip(folder / "zeros.csv.gz", head, row * 40_000, 900))


@hostile("gzip inflate to more than", "gzip of edges")
def build_long_network(folder):
    return convert(write_gzip(folder / "edges.tsv.gz", b"TF\ttarget\n", b"A\tB\n" * 250_000, 900))


@hostile("gzip inflate to more than", "gzip of TFs")
def build_long_tfs(folder):
    tfs = write_gzip(folder / "tfs.txt.gz", b"", b"A\n" * 500_000, 900)
    words = [write_counts(folder), "--tfs", tfs, "--method", "pearson", "--out", folder / "run"]
    return ["infer", *map(str, words)]


@hostile("lines", "gzip of short lines")
def build_short_lines(folder):
    return convert(write_gzip(folder / "edges.tsv.gz", b"TF\ttarget\n", b"A\tB\n" * 250_000, 14))


@hostile("field larger|too long|characters", "line of 40 MB")
def build_long_line(folder):
    path = folder / "line.csv"
    path.write_bytes(b"," + b"A" * 40_000_000 + b"\nc1,1\n")
    return infer(path)


@hostile("control|escape", "escape sequence in a name")
def build_escape(folder):
    path = folder / "ansi.tsv"
    path.write_bytes(b"TF\ttarget\nGENE1\x1b[31mRED\x1b]0;pwn\x07\tGENE2\nGENE0\tGENE1\n")
    return convert(path)


@hostile("control", "bell and turned text in a name")
def build_bell(folder):
    path = folder / "bell.tsv"
    path.write_text("TF\ttarget\nGENE1\x07\u202e\tGENE2\nGENE0\tGENE1\n", encoding="utf-8")
    return convert(path)


@hostile("control", "newline in a name")
def build_newline(folder):
    path = folder / "newline.tsv"
    path.write_text('TF\ttarget\n"GENE1\nGENE5"\tGENE2\nGENE0\tGENE1\n')
    return convert(path)


@hostile("NUL", "NUL in a name")
def build_nul(folder):
    path = folder / "nul.tsv"
    path.write_bytes(b"TF\ttarget\nA\0B\tC\n")
    return convert(path)


@hostile("row 1 has no tf", "blank name")
def build_blank(folder):
    path = folder / "blank.tsv"
    path.write_text("TF\ttarget\n \tGENE2\nGENE0\tGENE1\n")
    return convert(path)


@hostile("control", "escape sequence in a gene of AnnData")
def build_escaped_gene(folder):
    path = write_h5ad(folder / "escape.h5ad")
    with h5py.File(path, "r+") as file:
        names = [*GENES[:-1], "GENE\x1b[31m"]
        rewrite(file, "var/_index", names, dtype=h5py.string_dtype())
    return infer(path)


@hostile("equal|no pair|nothing", "ranking of equal scores")
def build_ties(folder):
    path = folder / "ties.csv"
    cells = [f"c{i}" + f",{i + 3}" * 12 for i in range(6)]
    path.write_text("\n".join(["," + ",".join(GENES), *cells]) + "\n")
    words = infer(path)
    words[words.index("pearson")] = "mutual-information"
    return words
