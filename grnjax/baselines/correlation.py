"""Unsupervised association of TF and target expression."""

import numpy as np
from jaxtyping import Float


def standardise(expression: Float[np.ndarray, "cell gene"]) -> Float[np.ndarray, "cell gene"]:
    """Each gene with mean 0 and population deviation 1 over cells; a constant gene becomes zeros."""
    centred = expression - expression.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    constant = deviation <= 1e-8 * np.maximum(1, np.abs(expression).max(axis=0))
    return np.where(constant, 0, centred / np.where(constant, 1, deviation)).astype(np.float32)


def absolute_pearson(
    expression: Float[np.ndarray, "cell gene"], tfs: np.ndarray
) -> Float[np.ndarray, "tf gene"]:
    """|r| of every TF with every gene over cells; 0 for a gene that is constant or not measured."""
    z = standardise(expression)
    return np.abs(z[:, tfs].T @ z / len(z))
