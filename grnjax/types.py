"""The few types every room shares, and the words for the axes of their arrays.

Axis words: cell gene node edge pair token head dim layer. Orientation is fixed: expression is
`[cell, gene]`, an adjacency `[tf, target]`, graph senders are TFs and receivers are targets.
"""

import abc
import dataclasses
from typing import Any, Literal, NamedTuple

import jraph
import numpy as np
import pandas as pd
from beartype import beartype
from jaxtyping import Array, Bool, Float, Int, Int32, jaxtyped

SplitProtocol = Literal["corrected", "as-published"]
"""Whether balanced splits keep the train pairs that their published rule puts among the test pairs,
labelled 0 (as-published), or not."""

AnyArray = Array | np.ndarray
"""An array of a batch, which is made on the host and moves to a device as a whole."""

CONFIDENT = 0.5
"""The probability from which on an edge counts as confident."""

shapes = jaxtyped(typechecker=beartype)
"""Checks the array annotations of a function when it is called (or traced)."""


class Moments(NamedTuple):
    """What is known of each gene's values over all cells."""

    mean: Float[np.ndarray, " gene"]  # float64, as is the next
    deviation: Float[np.ndarray, " gene"]  # of the population of cells
    detected: Float[np.ndarray, " gene"]  # share of the cells with a value above 0
    least: Float[np.ndarray, " gene"]
    largest: Float[np.ndarray, " gene"]


class StreamedExpression(abc.ABC):
    """Expression [cell, gene] that stays in its file, and is read in chunks of cells.

    Moments, correlations and components are found chunk by chunk, and `[:, genes]` reads these
    genes alone, where they fit in memory. Whatever else asks it for single cells, as it would an
    array, has all of it written out (`to_dense`), which is said.
    """

    shape: tuple[int, int]
    ndim, dtype = 2, np.dtype(np.float32)

    @property
    @abc.abstractmethod
    def digest(self) -> str:
        """SHA-256 of what the values follow from, whatever the chunks."""

    @abc.abstractmethod
    def moments(self) -> Moments:
        """Of each gene."""

    @abc.abstractmethod
    def correlate(self, tfs: np.ndarray, *, keep: bool = True) -> Float[np.ndarray, "tf gene"]:
        """Pearson r of these genes with every gene; 0 for one that is constant. float32.

        Args:
            keep: whether the answer is kept in memory, as the same may be asked for again.
        """

    @abc.abstractmethod
    def find_components(self, count: int) -> Float[np.ndarray, "gene component"]:
        """Scores of the leading principal components of standardised genes, float64."""

    @abc.abstractmethod
    def take(self, order: np.ndarray, axis: int) -> "StreamedExpression":
        """The genes at `order`, which may repeat; -1 for zeros. The axis must be 1."""

    @abc.abstractmethod
    def read_genes(self, genes: Int[np.ndarray, " some"]) -> Float[np.ndarray, "cell some"]:
        """The values of some genes, each once, in memory."""

    @abc.abstractmethod
    def to_dense(self) -> Float[np.ndarray, "cell gene"]:
        """All values in memory, which is said; refused where there is not enough."""

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """How many values there are, zeros too."""
        return self.shape[0] * self.shape[1]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self.to_dense(), dtype)

    def __getitem__(self, index) -> Any:
        match index:
            case (slice(start=None, stop=None, step=None), np.ndarray(ndim=1) as genes):
                genes = np.arange(self.shape[1])[genes]
                chosen, place = np.unique(genes, return_inverse=True)
                found = self.read_genes(chosen)
                return found if np.array_equal(genes, chosen) else found[:, place]
        return self.to_dense()[index]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.to_dense(), name)


@dataclasses.dataclass(frozen=True, eq=False)
class CellBatches:
    """The batch of each cell, and expression as it was before batches were centred."""

    of_cell: Int[np.ndarray, " cell"]  # 0 and up, in the order in which they first stand
    as_measured: Float[np.ndarray, "cell gene"]


@dataclasses.dataclass(frozen=True, eq=False)
class GeneTable:
    """The genes of a run in their canonical order, and what was measured of them.

    Genes stand sorted by name and cells by content, so that the order of a file never reaches a
    model; of cells that stay in their file, it reaches what draws cells, as boosted trees do. A
    gene without expression keeps its column, filled with zeros and marked in `measured`. Where
    batches are told apart, `expression` has the same mean of a gene in each of them
    (`data.batches.centre_batches`), and `as_measured` is what detection and ranks are read from.
    """

    names: np.ndarray  # [gene] str, sorted, unique
    is_tf: Bool[np.ndarray, " gene"]
    expression: Float[np.ndarray, "cell gene"] | StreamedExpression
    """float32, log scale unless the user said otherwise."""
    measured: Bool[np.ndarray, " gene"]
    cells: pd.DataFrame | None = None  # names of the cells, the index, and what is known of them
    batches: CellBatches | None = None  # two or more; None where all cells are taken as one

    @property
    def stream(self) -> StreamedExpression | None:
        """Expression that is read in chunks; None where it is in memory."""
        return self.expression if isinstance(self.expression, StreamedExpression) else None

    @property
    def in_memory(self) -> Float[np.ndarray, "cell gene"]:
        """Expression as an array, written out if it is a stream."""
        return np.asarray(self.expression)

    @property
    def as_measured(self) -> Float[np.ndarray, "cell gene"] | StreamedExpression:
        """Expression with its differences between batches."""
        return self.expression if self.batches is None else self.batches.as_measured

    def with_profiles(self, order: Int[np.ndarray, " gene"]) -> "GeneTable":
        """The table where each gene has the expression of the one at its place in `order`."""
        batches = self.batches
        if batches is not None:
            as_measured = batches.as_measured.take(order, axis=1)
            batches = dataclasses.replace(batches, as_measured=as_measured)
        return dataclasses.replace(
            self, expression=self.expression.take(order, axis=1), batches=batches
        )

    def take(self, genes: Int[np.ndarray, " some"]) -> "GeneTable":
        """The table of some genes, in this order; expression in memory."""
        batches = self.batches
        if batches is not None:
            batches = dataclasses.replace(batches, as_measured=batches.as_measured[:, genes])
        return dataclasses.replace(
            self,
            names=self.names[genes],
            is_tf=self.is_tf[genes],
            expression=self.in_memory[:, genes],
            measured=self.measured[genes],
            batches=batches,
        )

    @property
    def tfs(self) -> Int32[np.ndarray, " tf"]:
        """Indices of the transcription factors, ascending."""
        return np.flatnonzero(self.is_tf).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledPairs:
    """TF-target pairs as gene indices, each with a label: 1 regulated, 0 not."""

    pairs: Int32[np.ndarray, "pair 2"]  # column 0 the TF, column 1 the target
    labels: Float[np.ndarray, " pair"]  # float32, 0 or 1

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> Int32[np.ndarray, "edge 2"]:
        """The pairs labelled 1."""
        return self.pairs[self.labels > 0]

    def take(self, index: np.ndarray | slice) -> "LabelledPairs":
        """The pairs at `index` (positions, a mask or a slice), in that order."""
        return LabelledPairs(self.pairs[index], self.labels[index])


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Train, validation and test pairs of one draw: disjoint, but for two published oddities."""

    train: LabelledPairs
    validation: LabelledPairs
    test: LabelledPairs
    kind: str  # a SplitKind, "published", or one of the OVERLAPPING_KINDS (evaluation/splits.py)
    draw: int  # the seed of the draw; the sample number of a published file


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """The pairs of one fit: a fold of cross-fitting, or a draw of a split, with a seed."""

    split: Split  # its test pairs are those to be scored
    name: str  # in a run folder
    seed: int  # of whatever the fit draws
    negative_weight: float = 1.0  # of a train pair labelled 0, where others were left out

    @property
    def is_disjoint(self) -> bool:
        """Whether validation pairs have a TF or a target without train pairs."""
        return self.split.kind.endswith("-disjoint")


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """The candidates that one fit of a repeat must not see, and what it learns from."""

    repeat: int
    fold: int
    of_pair: Int[np.ndarray, " candidate"]  # the fold of every candidate; one array for all folds
    part: Part  # whose test pairs are those of this fold

    @property
    def held_out(self) -> Bool[np.ndarray, " candidate"]:
        """Mask of the candidates of this fold."""
        return self.of_pair == self.fold


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """What a task works on: genes, labelled pairs, and the notes gathered while reading."""

    genes: GeneTable
    known: LabelledPairs  # every labelled pair of the network; label 1 where it has no labels
    report: dict  # counts and names, ready for run.json


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledCells:
    """Cells in the order of their barcodes and genes by name, whatever the order of the file."""

    expression: Float[np.ndarray, "cell gene"]  # float32, log scale
    genes: np.ndarray  # [gene] str, sorted, unique
    types: np.ndarray  # [cell] str


class GeneBatch(NamedTuple):
    """What a model sees of the genes; one padding node stands last."""

    nodes: Float[AnyArray, "node dim"]  # standardised expression; zeros where not measured
    measured: Float[AnyArray, " node"]  # 1 where `nodes` was measured
    embedding: Float[AnyArray, "node dim2"]  # frozen vectors, width 0 without a table
    seen: Float[AnyArray, "node 2"]  # 1 where the gene has train pairs as TF, as target
    tfs: Int[AnyArray, " tf"]  # every gene that stands first in a pair, ascending
    graph: jraph.GraphsTuple  # message-passing edges; `edges` holds their weights [edge]


class PairBatch(NamedTuple):
    """Pairs to score or to learn from; padding pairs point at the padding node and weigh 0."""

    pairs: Int[AnyArray, "pair 2"]
    features: Float[AnyArray, "pair feature"]  # co-expression of the pair, width 0 if unused
    topology: Float[
        AnyArray, "pair feature2"
    ]  # what train edges say of the pair, width 0 if unused
    labels: Float[AnyArray, " pair"]
    weights: Float[AnyArray, " pair"]
    fold: Int[AnyArray, " pair"]  # which fold supervises the pair when folds are edge-disjoint
