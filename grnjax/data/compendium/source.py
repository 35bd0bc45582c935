"""One source of target lists, with where it is from and its licence, in memory and as one file.

A file holds names as they were given. What they are called here is decided when it is read, so
that a name that the table of aliases learns later counts for old files too.
"""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from grnjax.data.compendium.aliases import name_cell_types, name_tf
from grnjax.data.compendium.lists import (
    TargetLists,
    make_lists,
    merge_rows,
    pack_pairs,
    place_bits,
)
from grnjax.data.names import check_genes, list_names
from grnjax.data.safe_arrays import read_npz
from grnjax.errors import EdgeFormatError
from grnjax.storage.files import digest_json, replace_whole

Kind = Literal["binding", "footprints", "motifs"]
SUFFIX = ".npz"
TEXTS = ("genes", "tf_names", "cell_names")
NUMBERS = ("tfs", "cells", "bits")
FORM = 1  # of the file


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """What a source is, and where it is from."""

    name: str
    title: str
    origin: str
    licence: str
    species: str
    kind: Kind = "binding"
    """What put a gene on a list: binding (ChIP-seq), footprints or motifs alone."""
    universe: Literal["told", "named"] = "named"
    """Whether the source tells which genes were looked at, or only those that it lists."""
    carried_from: str = ""
    """The species that it is of, where orthologues carried it over; empty for its own."""


@dataclasses.dataclass(frozen=True, eq=False)
class ListSource:
    """Lists of one source, under the names that it gives; several may be of one TF and cell."""

    about: About
    genes: np.ndarray  # [gene] str, sorted: its universe
    tfs: np.ndarray  # [list] str
    cells: np.ndarray  # [list] str
    bits: UInt8[np.ndarray, "list byte"]

    @functools.cached_property
    def lists(self) -> TargetLists:
        """One list a TF and cell type by the names that they have here."""
        names, place = np.unique(self.tfs, return_inverse=True)
        tfs = np.array([name_tf(str(tf)) for tf in names], dtype=str)[place]
        merged = merge_rows(tfs, name_cell_types(self.cells), self.bits)
        is_told, is_carried = self.about.universe == "told", bool(self.about.carried_from)
        return make_lists(self.genes, *merged, is_told=is_told, is_carried=is_carried)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that the lists say, by which a model names what it was trained on."""
        parts = [self.genes, self.tfs, self.cells]
        texts = [hashlib.sha256("\n".join(part).encode()).hexdigest() for part in parts]
        bits = hashlib.sha256(np.ascontiguousarray(self.bits).tobytes()).hexdigest()
        return digest_json({"about": dataclasses.asdict(self.about), "parts": [*texts, bits]})

    def carry(self, orthologues: dict[str, str], species: str) -> "ListSource":
        """The lists over the one-to-one orthologues in another species, and marked as such.

        TFs without an orthologue are left out, and genes from the universe.

        Args:
            orthologues: from a gene of its species to that of the other one.
        """
        there = {gene.upper(): other.upper() for gene, other in orthologues.items()}
        known = [gene for gene in self.genes.tolist() if gene.upper() in there]
        known.sort(key=lambda gene: there[gene.upper()])
        places = np.searchsorted(self.genes, known) if known else np.zeros(0, np.intp)
        tfs = np.array([there.get(name_tf(tf), "") for tf in self.tfs.tolist()], dtype=str)
        is_kept = tfs != ""
        return ListSource(
            about=dataclasses.replace(self.about, species=species, carried_from=self.about.species),
            genes=np.array([there[gene.upper()] for gene in known], dtype=str),
            tfs=tfs[is_kept],
            cells=self.cells[is_kept],
            bits=place_bits(self.bits[is_kept], places),
        )


def make_source(
    edges: pd.DataFrame, about: About, *, universe: list[str] | None = None
) -> ListSource:
    """A source of a table, a list for each TF and cell that the table names.

    Args:
        edges: columns `tf`, `cell`, `target`; `label` 0 marks a gene looked at that is none.
        universe: the genes that were looked at; by default those that the table names.

    Raises:
        EdgeFormatError: no target, or more names than a universe has.
    """
    about = dataclasses.replace(about, universe="named" if universe is None else "told")
    code, names = pd.factorize(edges["target"].astype(str))
    upper = np.array([name.upper() for name in names], dtype=str)
    genes = np.unique(upper if universe is None else [gene.upper() for gene in universe])
    check_genes(genes.tolist(), about.name, EdgeFormatError)
    is_listed = np.ones(len(edges), bool) if "label" not in edges else edges["label"] > 0
    is_listed = np.asarray(is_listed, bool)
    named = np.zeros(len(names), bool)
    named[code[is_listed]] = True
    strange = np.setdiff1d(upper[named], genes)
    if not named.any() or len(strange):
        raise EdgeFormatError(
            f"{about.name}: {is_listed.sum():,} targets, of which {len(strange):,} genes "
            f"({list_names(strange) or 'none'}) are not among the {len(genes):,} that were looked "
            "at; give a table with targets and, in --universe, all genes that it may list."
        )
    place = np.searchsorted(genes, upper)[code[is_listed]]
    listed = edges[is_listed]
    sides = [pd.factorize(listed[side].astype(str), sort=True) for side in ("tf", "cell")]
    rows, of_list = np.unique(
        sides[0][0].astype(np.int64) * len(sides[1][1]) + sides[1][0], return_inverse=True
    )
    tf, cell = np.divmod(rows, len(sides[1][1]))
    tfs, cells = (np.array(names, dtype=str)[at] for (_, names), at in zip(sides, (tf, cell)))
    return ListSource(about, genes, tfs, cells, pack_pairs(of_list, place, len(rows), len(genes)))


def write_source(source: ListSource, path: str | Path) -> None:
    """Writes a source as one file, whole or not at all."""
    tf_names, tfs = np.unique(source.tfs, return_inverse=True)
    cell_names, cells = np.unique(source.cells, return_inverse=True)
    about = {"form": FORM, "digest": source.digest, **dataclasses.asdict(source.about)}
    texts = {"genes": source.genes, "tf_names": tf_names, "cell_names": cell_names}
    arrays = {name: encode("\n".join(text)) for name, text in texts.items()}
    arrays["about"] = encode(json.dumps(about, sort_keys=True))
    numbers = {"tfs": tfs.astype(np.int32), "cells": cells.astype(np.int32), "bits": source.bits}
    with replace_whole(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays, **numbers)


def read_source(path: str | Path) -> ListSource:
    """Reads what `write_source` wrote.

    Raises:
        EdgeFormatError: it is damaged, or something else.
    """
    about, *arrays = read_npz(path, ("about", *TEXTS, *NUMBERS), EdgeFormatError)
    try:
        told = json.loads(decode(about))
        if told.pop("form") != FORM:
            raise ValueError("its form is another one")
        digest, facts = told.pop("digest"), About(**told)
        if facts.kind not in get_args(Kind) or not all(
            isinstance(value, str) for value in told.values()
        ):
            raise ValueError("what it says of itself")
        genes, tf_names, cell_names = (np.array(decode(x).split("\n")) for x in arrays[:3])
        tfs, cells, bits = arrays[3:]
        if bits.dtype != np.uint8 or bits.shape != (len(tfs), -(-len(genes) // 8)):
            raise ValueError("the shape of its lists")
        if tfs.shape != cells.shape or min(tfs.min(initial=0), cells.min(initial=0)) < 0:
            raise ValueError("its names")
        source = ListSource(facts, genes, tf_names[tfs], cell_names[cells], bits)
        found = source.digest
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
        raise EdgeFormatError(
            f"{path}: this is no file of lists that grnjax wrote ({problem}); remove it, and add "
            "the table again with grnjax data compendium add."
        ) from problem
    if found != digest:
        raise EdgeFormatError(
            f"{path}: the lists are not as they were written (SHA-256 {found[:12]} where "
            f"{str(digest)[:12]} is expected); remove the file, and add the table again."
        )
    return source


def encode(text: str) -> UInt8[np.ndarray, " byte"]:
    """Text as an array of bytes, which needs no letters of four bytes each."""
    return np.frombuffer(text.encode(), np.uint8)


def decode(array: np.ndarray) -> str:
    """The text of such an array."""
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError("its text is no bytes")
    return array.tobytes().decode()
