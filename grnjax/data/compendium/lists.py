"""Target lists of TFs in cells over the genes of a run, a bit a gene, and lists left out.

Which genes a list could have named is its universe: the genes that were looked at, where the
source tells them, else those that its lists name. What is left out takes what it named along, so
that labels of a cell type under test do not even say which genes there are to list.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, UInt8

from grnjax.data.compendium.aliases import name_cell_type, name_cell_types, name_tf
from grnjax.data.names import list_names, match_names
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.progress import logger

AT_ONCE = 2_000  # lists that are unpacked at a time


@dataclasses.dataclass(frozen=True, eq=False)
class TargetLists:
    """Target lists of TFs in cells, over the genes of the run; one a TF, cell type and source."""

    genes: np.ndarray  # [gene] str
    tfs: np.ndarray  # [list] str, by `name_tf`
    cells: np.ndarray  # [list] str, by `name_cell_type`
    bits: UInt8[np.ndarray, "list byte"]  # the genes that are listed, packed
    source: Int[np.ndarray, " list"]  # which of the universes
    universes: Bool[np.ndarray, "source gene"]  # the genes that were looked at
    is_told: Bool[np.ndarray, " source"]  # or else it is those that the lists name
    carried: Bool[np.ndarray, " list"]  # whether of another species, by orthologues

    def __len__(self) -> int:
        return len(self.tfs)

    @property
    def labels(self) -> Float[np.ndarray, "list gene"]:
        """1 where the gene is listed, else 0."""
        return self.unpack(np.arange(len(self))).astype(np.float32)

    @functools.cached_property
    def covered(self) -> Bool[np.ndarray, "source gene"]:
        """The universe of each source, by the lists that are left."""
        found = self.universes & self.is_told[:, None]
        for source in np.flatnonzero(~self.is_told):
            named = np.bitwise_or.reduce(self.bits[self.source == source], axis=0, initial=0)
            found[source] = np.unpackbits(named, count=len(self.genes)).astype(bool)
        return found

    @functools.cached_property
    def counts(self) -> Int[np.ndarray, " list"]:
        """How many genes each list has."""
        return np.bitwise_count(self.bits).sum(axis=1, dtype=np.int64)

    @property
    def share(self) -> Float[np.ndarray, " list"]:
        """The share of the genes of its universe that each list has."""
        return self.counts / np.maximum(self.covered.sum(axis=1), 1)[self.source]

    @functools.cached_property
    def weights(self) -> Float[np.ndarray, " list"]:
        """1 for each TF and cell type, parted among the sources that have a list of it."""
        keys = pd.MultiIndex.from_arrays([self.tfs, self.cells])
        code, _ = keys.factorize()
        return 1 / np.bincount(code, minlength=1)[code]

    @functools.cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """The places of each TF's lists."""
        return pd.Series(np.arange(len(self))).groupby(self.tfs).indices

    def rows_of(self, tf: str) -> Int[np.ndarray, " list"]:
        """The places of a TF's lists, whatever it is called."""
        return self.rows.get(name_tf(tf), np.zeros(0, np.intp))

    def cells_of(self, tf: str) -> list[str]:
        """The cell types in which a TF has a list, sorted."""
        return sorted({*self.cells[self.rows_of(tf)].tolist()})

    def unpack(self, rows: np.ndarray) -> UInt8[np.ndarray, "row gene"]:
        """Some of the lists, a byte a gene."""
        return np.unpackbits(self.bits[rows], axis=1, count=len(self.genes))

    def sum_lists(self, weights: Float[np.ndarray, " list"]) -> Float[np.ndarray, " gene"]:
        """The sum over lists of a weight each, where they have the gene."""
        total = np.zeros(len(self.genes))
        for start in range(0, len(self), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(self)))
            total += weights[rows] @ self.unpack(rows).astype(np.float64)
        return total

    def without(self, *cells: str) -> "TargetLists":
        """The lists of all other cell types than these, whatever they are called."""
        return self.take(~np.isin(self.cells, [name_cell_type(cell) for cell in cells]))

    def without_tfs(self, tfs: Iterable[str]) -> "TargetLists":
        """The lists of all other TFs than these."""
        return self.take(~np.isin(self.tfs, [name_tf(tf) for tf in tfs]))

    def take(self, chosen: np.ndarray) -> "TargetLists":
        """Some of the lists."""
        fields = ("tfs", "cells", "bits", "source", "carried")
        return dataclasses.replace(self, **{name: getattr(self, name)[chosen] for name in fields})

    def nested(self, *test: str) -> Iterator[tuple[str, "TargetLists", "TargetLists"]]:
        """Each cell type but those under test: its name, its lists, and those of all the rest.

        The rest lacks its lists and those of the test cells, so that what is made of it for a row
        of training has seen neither the row's own labels nor those of the test.
        """
        left = self.without(*test)
        for cell in np.unique(left.cells).tolist():
            is_own = left.cells == cell
            yield cell, left.take(is_own), left.take(~is_own)


def tabulate_lists(
    edges: pd.DataFrame, names: np.ndarray, *, source: str = "lists", fewest: int = 1
) -> TargetLists:
    """The lists of a table, one a TF and cell type, in the order of their names.

    Lists of one TF under several names of a cell type become one, which has all their targets. All
    genes of the run count as looked at.

    Args:
        edges: columns `tf`, `cell`, `target`; `label` 0 marks a target that is none.
        names: the genes of the run.
        fewest: a list with fewer of them is left out.

    Raises:
        ConfigError: a column is missing.
        GeneMismatchError: no list has so many.
    """
    missing = {"tf", "cell", "target"} - set(edges)
    if missing:
        raise ConfigError(
            f"{source}: no column {', '.join(sorted(missing))} in the table of lists."
        )
    if "label" in edges:
        edges = edges[edges["label"] > 0]
    targets = edges["target"].unique()
    place = match_names(targets.tolist(), names.tolist())
    position = pd.Series(place.positions, targets)[edges["target"]].to_numpy()
    tf_code, tfs = pd.factorize(edges["tf"].astype(str))
    tfs = np.array([name_tf(tf) for tf in tfs], dtype=str)[tf_code]
    keys = pd.MultiIndex.from_arrays([tfs, name_cell_types(edges["cell"].astype(str))])
    code, found = keys.factorize(sort=True)
    bits = pack_pairs(code[position >= 0], position[position >= 0], len(found), len(names))
    of_tf, of_cell = (found.get_level_values(i).to_numpy(str) for i in range(2))
    lists = make_lists(names, of_tf, of_cell, bits)
    is_kept = lists.counts >= fewest
    if not is_kept.any():
        raise GeneMismatchError(
            f"{source}: none of its {len(found):,} lists has {fewest:,} of the {len(names):,} "
            f"genes of the run ({list_names(names)}); its targets are {list_names(targets)}."
        )
    if not is_kept.all():
        logger.info(
            f"{source}: {(~is_kept).sum():,} of {len(found):,} lists have fewer than {fewest:,} of "
            "the genes of the run, and are left out"
        )
    return lists.take(is_kept)


def make_lists(
    genes: np.ndarray,
    tfs: np.ndarray,
    cells: np.ndarray,
    bits: np.ndarray,
    *,
    is_told: bool = True,
    is_carried: bool = False,
) -> TargetLists:
    """Lists of one source, whose universe is all these genes or, not told, what its lists name."""
    return TargetLists(
        genes=genes,
        tfs=tfs,
        cells=cells,
        bits=bits,
        source=np.zeros(len(tfs), np.int32),
        universes=np.ones((1, len(genes)), bool),
        is_told=np.array([is_told]),
        carried=np.full(len(tfs), is_carried),
    )


def join_lists(parts: Sequence[TargetLists]) -> TargetLists:
    """Lists of several sources over the same genes."""
    offsets = np.cumsum([0, *(len(part.universes) for part in parts)])
    source = [part.source + offset for part, offset in zip(parts, offsets, strict=False)]
    fields = ("tfs", "cells", "bits", "universes", "is_told", "carried")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in fields}
    return TargetLists(genes=parts[0].genes, source=np.concatenate(source), **joined)


def pack_pairs(
    rows: np.ndarray, columns: np.ndarray, lists: int, genes: int
) -> UInt8[np.ndarray, "list byte"]:
    """Bits of lists from the places of their genes."""
    bits = np.zeros((lists, -(-genes // 8)), np.uint8)
    np.bitwise_or.at(bits, (rows, columns // 8), (128 >> (columns % 8)).astype(np.uint8))
    return bits


def place_bits(
    bits: UInt8[np.ndarray, "list byte"], places: Int[np.ndarray, " gene"]
) -> UInt8[np.ndarray, "list byte"]:
    """The bits over other genes, whose places among the old ones these are, -1 for none."""
    placed = np.zeros((len(bits), -(-len(places) // 8)), np.uint8)
    for start in range(0, len(bits), AT_ONCE):
        labels = np.unpackbits(bits[start : start + AT_ONCE], axis=1)
        chosen = labels[:, np.maximum(places, 0)] * (places >= 0).astype(np.uint8)
        placed[start : start + AT_ONCE] = np.packbits(chosen, axis=1)
    return placed


def merge_rows(
    tfs: np.ndarray, cells: np.ndarray, bits: UInt8[np.ndarray, "list byte"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One list a TF and cell type, with all the targets of those that are one; by their names."""
    if not len(tfs):
        return tfs, cells, bits
    code, found = pd.MultiIndex.from_arrays([tfs, cells]).factorize(sort=True)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(found)))
    merged = np.bitwise_or.reduceat(bits[order], starts, axis=0)
    of_tf, of_cell = (found.get_level_values(i).to_numpy(str) for i in range(2))
    return of_tf, of_cell, merged
