"""What a source says of genes, of TF-target pairs and of TFs, by name and with its provenance."""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from grnjax.types import StreamedExpression

Kernel = Literal["rbf", "linear", "cosine", "proximity"]
"""How two genes are compared by the values of a block: by a Gaussian of their distance, by the
product of their standardised values, by the cosine of their rows, or by proximity: by how near they
lie, where a block has two columns, the number of the chromosome and the place on it."""


@dataclasses.dataclass(frozen=True, eq=False)
class GeneBlock:
    """Values of genes, and the kernels that compare genes by them."""

    name: str
    values: Float[np.ndarray, "gene dim"]  # float32; zeros where the source has nothing
    covered: Bool[np.ndarray, " gene"]  # whether the source has something of the gene
    kernels: tuple[Kernel, ...]
    has_one_scale: bool = False  # columns keep their relative size, as principal components do


@dataclasses.dataclass(frozen=True, eq=False)
class PairBlock:
    """One number for each TF and gene, 0 where the source has none."""

    name: str
    values: Float[np.ndarray, "tf gene"]  # float32


@dataclasses.dataclass(frozen=True, eq=False)
class TfSimilarity:
    """How alike two TFs are; symmetric, 0 on the diagonal."""

    name: str
    values: Float[np.ndarray, "tf tf"]  # float32


@dataclasses.dataclass(frozen=True, eq=False)
class Profiles:
    """Genes over the cells of the run, by which a gene's nearest ones are found."""

    values: Float[np.ndarray, "cell gene"] | StreamedExpression
    """As they were read; zeros where not measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """All that was taken from one source, in the gene and TF order of the run."""

    name: str
    kind: str  # a kind of `catalogue.READERS`, expression, or one of your own
    report: dict  # source, what was found (`coverage.py`) and what not: ready for run.json
    genes: tuple[GeneBlock, ...] = ()
    pairs: tuple[PairBlock, ...] = ()
    similarities: tuple[TfSimilarity, ...] = ()
    profiles: Profiles | None = None

    def __post_init__(self):
        object.__setattr__(self, "report", {**self.report, "kind": self.kind})
