"""Unsupervised association of TF and target expression."""

import numpy as np
from jaxtyping import Float

from grnjax.data.blocks.expression import correlation
from grnjax.types import GeneTable


def absolute_pearson(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """|r| of every TF with every gene over cells; 0 for a gene that is constant or not measured."""
    return np.abs(correlation(genes, tfs))
