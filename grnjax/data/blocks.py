"""Feature blocks of genes and of TF-target pairs, computed from expression."""

import numpy as np
from jaxtyping import Float

from grnjax.types import GeneTable

RIDGE = 0.1


def standardise(expression: Float[np.ndarray, "cell gene"]) -> Float[np.ndarray, "cell gene"]:
    """Each gene with mean 0 and population deviation 1 over cells; a constant gene becomes zeros."""
    centred = expression - expression.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    constant = deviation <= 1e-8 * np.maximum(1, np.abs(expression).max(axis=0, initial=0))
    return np.where(constant, 0, centred / np.where(constant, 1, deviation)).astype(np.float32)


def correlation(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """Pearson r of every TF with every gene; 0 for a gene that is constant or not measured."""
    z = standardise(genes.expression)
    return z[:, tfs].T @ z / np.float32(len(z))


def joint_regression(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """Ridge coefficients of each gene's standardised profile on all TFs together, itself left out.

    A TF that only shares a cell type with the target keeps its correlation but loses its
    coefficient to the TF that acts: the direct part of co-expression.
    """
    marginal = correlation(genes, tfs).astype(np.float64)
    among = marginal[:, tfs] + RIDGE * np.eye(len(tfs))
    coefficients = np.linalg.solve(among, marginal)
    for row, gene in enumerate(tfs):  # a TF is no predictor of itself
        others = np.arange(len(tfs)) != row
        coefficients[others, gene] = np.linalg.solve(
            among[np.ix_(others, others)], marginal[others, gene]
        )
        coefficients[row, gene] = 0
    return coefficients.astype(np.float32)


def coexpression_block(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene feature"]:
    """Four pair features: r, |r|, joint coefficient and its size, standardised, clipped at 8.

    All zeros where either gene is not measured.
    """
    r, direct = correlation(genes, tfs), joint_regression(genes, tfs)
    measured = genes.measured[tfs][:, None] & genes.measured[None, :]
    block = np.stack([r, np.abs(r), direct, np.abs(direct)], axis=-1)
    if not measured.any():
        return np.zeros_like(block)
    mean, spread = block[measured].mean(axis=0), block[measured].std(axis=0)
    block = np.clip((block - mean) / np.where(spread > 1e-9, spread, 1), -8, 8)
    return np.where(measured[..., None], block, 0).astype(np.float32)
