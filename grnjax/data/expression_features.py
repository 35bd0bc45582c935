"""Features of genes and of TF-target pairs, computed from expression.

Large tables are worked through by blocks of genes, so that nothing of twice their size is made.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from grnjax.types import GeneTable

RIDGE = 0.1
AT_ONCE = 2**22  # numbers of a block
MOST_EXACT = 2_000_000
"""Expression values, cells times genes, up to which all principal components are computed and the
leading ones kept; of more, the leading ones alone are found (`leading_scores`)."""


def gene_blocks(expression: Float[np.ndarray, "cell gene"]) -> Iterator[slice]:
    """Genes of so many that `AT_ONCE` values are in a block; all where there are not more."""
    cells, genes = expression.shape
    width = genes if expression.size <= AT_ONCE else max(AT_ONCE // cells, 1)
    return (slice(first, first + width) for first in range(0, genes, max(width, 1)))


def standardise(expression: Float[np.ndarray, "cell gene"]) -> Float[np.ndarray, "cell gene"]:
    """Each gene with mean 0 and population deviation 1 over cells; a constant gene gets zeros."""
    if not len(expression):
        return np.zeros(expression.shape, np.float32)
    if expression.size <= AT_ONCE:
        return standardise_block(expression)
    found = np.empty(expression.shape, np.float32)
    for block in gene_blocks(expression):
        found[:, block] = standardise_block(expression[:, block])
    return found


def standardise_block(expression: Float[np.ndarray, "cell gene"]) -> Float[np.ndarray, "cell gene"]:
    """The same of some genes at once."""
    centred = expression - expression.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    constant = deviation <= 1e-8 * np.maximum(1, np.abs(expression).max(axis=0, initial=0))
    return np.where(constant, 0, centred / np.where(constant, 1, deviation)).astype(np.float32)


def correlation(
    genes: GeneTable, tfs: np.ndarray, *, keep: bool = True
) -> Float[np.ndarray, "tf gene"]:
    """Pearson r of every TF with every gene; 0 for a gene that is constant or not measured.

    Args:
        keep: of cells in a file, whether the answer is kept, as the same may be asked for again.
    """
    if genes.stream is not None:
        return genes.stream.correlate(tfs, keep=keep)
    z = standardise(genes.expression)
    return z[:, tfs].T @ z / np.float32(max(len(z), 1))


def joint_regression(
    genes: GeneTable, tfs: np.ndarray, r: Float[np.ndarray, "tf gene"] | None = None
) -> Float[np.ndarray, "tf gene"]:
    """Ridge coefficients of each gene's standardised profile on all TFs together, itself left out.

    A TF that only shares a cell type with the target keeps its correlation but loses its
    coefficient to the TF that acts: the direct part of co-expression.

    Args:
        r: the correlations, if they are at hand.
    """
    marginal = (correlation(genes, tfs) if r is None else r).astype(np.float64)
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
    settles the sign that the decomposition leaves open. Of more than `MOST_EXACT` values the
    leading components are found by a randomised decomposition, always with the same random numbers.
    """
    if genes.stream is not None:
        scores = genes.stream.find_components(count)[genes.measured]
    elif genes.expression.size > MOST_EXACT:
        profiles = standardise(genes.expression).T  # of genes that are not measured, too: no copy
        scores = leading_scores(profiles, count)[genes.measured]
    else:
        profiles = standardise(genes.expression[:, genes.measured]).T.astype(np.float64)
        left, singular, _ = np.linalg.svd(profiles, full_matrices=False)
        scores = left[:, :count] * singular[:count]
    largest = np.take_along_axis(scores, np.abs(scores).argmax(axis=0)[None], axis=0)
    scores *= np.where(largest < 0, -1, 1)
    components = np.zeros((len(genes.names), scores.shape[1]), np.float32)
    components[genes.measured] = scores / max(np.sqrt(np.mean(scores**2)), 1e-12)
    return components


def leading_scores(
    profiles: Float[np.ndarray, "gene cell"], count: int
) -> Float[np.ndarray, "gene component"]:
    """Scores of the leading components: Halko, Martinsson and Tropp (2011), algorithm 4.4.

    Seven power iterations, orthonormal after each, and ten components more than are asked for;
    float32 products, float64 decompositions.
    """
    from sklearn.utils.extmath import randomized_svd

    count = min(count, *profiles.shape)
    left, singular, _ = randomized_svd(
        profiles, count, n_oversamples=10, n_iter=7, power_iteration_normalizer="QR", random_state=0
    )
    return left.astype(np.float64) * singular


def expression_statistics(genes: GeneTable) -> Float[np.ndarray, "gene statistic"]:
    """What standardising loses: mean, deviation, detection rate, log mean and root detection.

    Each has mean 0 and deviation 1 over the measured genes; genes that are not measured are zeros.
    Where batches are told apart, the deviation is that within them.
    """
    mean, deviation, detection = find_statistics(genes)
    raw = np.stack([mean, deviation, detection, np.log1p(np.abs(mean)), np.sqrt(detection)], axis=1)
    spread = raw.std(axis=0)
    statistics = np.zeros((len(genes.names), raw.shape[1]), np.float32)
    statistics[genes.measured] = (raw - raw.mean(axis=0)) / np.where(spread > 1e-9, spread, 1)
    return statistics


def find_statistics(genes: GeneTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, deviation and detection rate of the measured genes, float64."""
    if genes.stream is not None:
        moments = genes.stream.moments()
        mean, deviation, detection = moments.mean, moments.deviation, moments.detected
        return mean[genes.measured], deviation[genes.measured], detection[genes.measured]
    x, as_measured, found = genes.expression, genes.as_measured, []
    for block in gene_blocks(x):
        of = np.arange(x.shape[1])[block][genes.measured[block]]
        values, seen = x[:, of].astype(np.float64), as_measured[:, of] > 0
        found.append((values.mean(axis=0), values.std(axis=0), seen.mean(axis=0)))
    mean, deviation, detection = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return mean, deviation, detection


def find_varying(genes: GeneTable) -> Bool[np.ndarray, " gene"]:
    """Mask of the genes that were measured and are not the same in all cells."""
    if not len(genes.expression):
        return np.zeros(len(genes.names), bool)
    if genes.stream is not None:
        moments = genes.stream.moments()
        return genes.measured & (moments.largest > moments.least)
    return genes.measured & (np.ptp(genes.expression, axis=0) > 0)


def find_silent(genes: GeneTable) -> Bool[np.ndarray, " gene"]:
    """Mask of the genes that are 0 in every cell."""
    if genes.stream is not None:
        moments = genes.stream.moments()
        return (moments.least == 0) & (moments.largest == 0)
    return ~genes.expression.any(axis=0)


def coexpression_block(genes: GeneTable, tfs: np.ndarray) -> Float[np.ndarray, "tf gene feature"]:
    """Four pair features: r, |r|, joint coefficient and its size, standardised, clipped at 8.

    All zeros where either gene is not measured.
    """
    r = correlation(genes, tfs)
    direct = joint_regression(genes, tfs, r)
    measured = genes.measured[tfs][:, None] & genes.measured[None, :]
    if r.size > AT_ONCE:
        return standardise_features((r, np.abs(r), direct, np.abs(direct)), measured)
    block = np.stack([r, np.abs(r), direct, np.abs(direct)], axis=-1)
    if not measured.any():
        return np.zeros_like(block)
    mean, spread = block[measured].mean(axis=0), block[measured].std(axis=0)
    block = np.clip((block - mean) / np.where(spread > 1e-9, spread, 1), -8, 8)
    return np.where(measured[..., None], block, 0).astype(np.float32)


def standardise_features(
    features: tuple[Float[np.ndarray, "tf gene"], ...], measured: Bool[np.ndarray, "tf gene"]
) -> Float[np.ndarray, "tf gene feature"]:
    """The same for large blocks: one feature after the other, sums in float64."""
    found = np.zeros((len(features), *measured.shape), np.float32)
    count = max(int(np.count_nonzero(measured)), 1)
    for values, scaled in zip(features, found, strict=True):
        mean = np.sum(values, where=measured, dtype=np.float64) / count
        of_row = [
            np.sum((row - mean) ** 2, where=kept, dtype=np.float64)
            for row, kept in zip(values, measured, strict=True)
        ]
        spread = np.sqrt(np.sum(of_row) / count)
        np.clip(
            (values - np.float32(mean)) / np.float32(spread if spread > 1e-9 else 1), -8, 8, scaled
        )
        scaled[~measured] = 0
    return np.moveaxis(found, 0, -1)
