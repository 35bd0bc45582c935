"""Features of genes and of TF-target pairs, computed from expression."""

import numpy as np
from jaxtyping import Float

from grnjax.types import GeneTable

RIDGE = 0.1


def standardise(expression: Float[np.ndarray, "cell gene"]) -> Float[np.ndarray, "cell gene"]:
    """Each gene with mean 0 and population deviation 1 over cells; a constant gene gets zeros."""
    if not len(expression):
        return np.zeros(expression.shape, np.float32)
    centred = expression - expression.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    constant = deviation <= 1e-8 * np.maximum(1, np.abs(expression).max(axis=0, initial=0))
    return np.where(constant, 0, centred / np.where(constant, 1, deviation)).astype(np.float32)


def correlation(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """Pearson r of every TF with every gene; 0 for a gene that is constant or not measured."""
    z = standardise(genes.expression)
    return z[:, tfs].T @ z / np.float32(max(len(z), 1))


def joint_regression(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene"]:
    """Ridge coefficients of each gene's standardised profile on all TFs together, itself left out.

    A TF that only shares a cell type with the target keeps its correlation but loses its
    coefficient to the TF that acts: the direct part of co-expression.
    """
    marginal = correlation(genes, tfs).astype(np.float64)
    among = marginal[:, tfs] + RIDGE * np.eye(len(tfs))
    coefficients = np.linalg.solve(among, marginal)
    precision = np.linalg.inv(among)  # column j over -precision[j, j]: TF j on all other TFs
    coefficients[:, tfs] = -precision / np.diag(precision)
    coefficients[np.arange(len(tfs)), tfs] = 0
    return coefficients.astype(np.float32)


def principal_components(genes: GeneTable, count: int) -> Float[np.ndarray, "gene component"]:
    """Each gene's leading components of the standardised gene x cell matrix, mean square 1.

    A change of basis that keeps most of the similarity between profiles and loses most of their
    noise; genes that are not measured are zeros. A component's largest entry is positive, which
    settles the sign that the decomposition leaves open.
    """
    profiles = standardise(genes.expression[:, genes.measured]).T.astype(np.float64)
    left, singular, _ = np.linalg.svd(profiles, full_matrices=False)
    scores = left[:, :count] * singular[:count]
    largest = np.take_along_axis(scores, np.abs(scores).argmax(axis=0)[None], axis=0)
    scores *= np.where(largest < 0, -1, 1)
    components = np.zeros((len(genes.names), scores.shape[1]), np.float32)
    components[genes.measured] = scores / max(np.sqrt(np.mean(scores**2)), 1e-12)
    return components


def expression_statistics(genes: GeneTable) -> Float[np.ndarray, "gene statistic"]:
    """What standardising loses: mean, deviation, detection rate, log mean and root detection.

    Each has mean 0 and deviation 1 over the measured genes; genes that are not measured are zeros.
    Where batches are told apart, the deviation is that within them.
    """
    x = genes.expression[:, genes.measured].astype(np.float64)
    mean, detection = x.mean(axis=0), (genes.as_measured[:, genes.measured] > 0).mean(axis=0)
    raw = np.stack(
        [mean, x.std(axis=0), detection, np.log1p(np.abs(mean)), np.sqrt(detection)], axis=1
    )
    spread = raw.std(axis=0)
    statistics = np.zeros((len(genes.names), raw.shape[1]), np.float32)
    statistics[genes.measured] = (raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    return statistics


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
