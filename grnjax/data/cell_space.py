"""Cells by what tells them apart: principal components of variable genes, and groups by these."""

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from grnjax.data.expression_features import standardise


def project(
    expression: Float[np.ndarray, "cell gene"], *, genes: int, components: int
) -> Float[np.ndarray, "cell component"]:
    """The cells in principal components of the genes that vary most; signs are settled."""
    variance = expression.var(axis=0, dtype=np.float64)
    order = np.lexsort((np.arange(len(variance)), -variance))[:genes]
    chosen = np.sort(order[variance[order] > 0])
    z = standardise(expression[:, chosen]).astype(np.float64)
    values, vectors = np.linalg.eigh(z.T @ z)
    kept = np.argsort(-values, kind="stable")[: min(components, *z.shape)]
    vectors = vectors[:, kept]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return z @ (vectors * np.where(largest < 0, -1, 1))


def cluster(
    space: Float[np.ndarray, "cell component"], count: int, rng: np.random.Generator, *, starts: int
) -> np.ndarray:
    """The number of each cell's cluster, from 0: the tightest of some runs of k-means."""
    from sklearn.cluster import KMeans

    model = KMeans(count, n_init=starts, random_state=int(rng.integers(2**31)))
    with threadpool_limits(1):  # threads add up in an order of their own
        return model.fit_predict(space)
