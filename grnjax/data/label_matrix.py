"""Labels of TF-target pairs as a block with one row a TF and one column a gene."""

import dataclasses

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from grnjax.types import GeneTable, LabelledPairs


@dataclasses.dataclass(frozen=True, eq=False)
class LabelMatrix:
    """Train labels as a dense block over label TFs and all genes."""

    tfs: np.ndarray  # [tf] gene index of each row
    labels: Float[np.ndarray, "tf gene"]
    observed: Float[np.ndarray, "tf gene"]  # 1 where the pair is a train pair

    @property
    def prevalence(self) -> float:
        """Share of positives among the train pairs."""
        return float(self.labels.sum() / max(self.observed.sum(), 1))

    @property
    def residuals(self) -> Float[np.ndarray, "tf gene"]:
        """Labels of train pairs minus the TF's share of positives; 0 elsewhere."""
        rate = self.labels.sum(axis=1) / np.maximum(self.observed.sum(axis=1), 1)
        return (self.labels - rate[:, None]) * self.observed


def label_matrix(pairs: LabelledPairs, tfs: np.ndarray, genes: int) -> LabelMatrix:
    """The train pairs as a matrix with one row for each of `tfs` (gene indices)."""
    labels = np.zeros((len(tfs), genes), np.float32)
    observed = np.zeros_like(labels)
    at = places_of(pairs, tfs, genes)
    labels[at] = pairs.labels
    observed[at] = 1
    return LabelMatrix(np.asarray(tfs), labels, observed)


def places_of(
    pairs: LabelledPairs, tfs: np.ndarray, genes: int
) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
    """Row and column of each pair in a [tf, gene] block."""
    rows = row_of_tf(tfs, genes)[pairs.pairs[:, 0]]
    if (rows < 0).any():
        raise ValueError(f"{(rows < 0).sum()} of {len(pairs)} pairs have a TF that is no row")
    return rows, pairs.pairs[:, 1]


def row_of_tf(tfs: np.ndarray, genes: int) -> np.ndarray:
    """Row of each gene index in a [tf, gene] block; -1 for a gene that is no row."""
    row = np.full(genes, -1)
    row[tfs] = np.arange(len(tfs))
    return row


def locate_edges(edges: pd.DataFrame, genes: GeneTable) -> tuple[np.ndarray, np.ndarray]:
    """Where each edge of a table stands in a [tf, gene] block: the row of its TF, and its target.

    Args:
        edges: columns tf and target, names of the genes.
    """
    place = pd.Series(np.arange(len(genes.names)), genes.names)
    row = row_of_tf(genes.tfs, len(genes.names))
    return row[place[edges["tf"]].to_numpy()], place[edges["target"]].to_numpy()
