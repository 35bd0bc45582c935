"""Features of TF-target pairs, on one scale: what sources say, and attention over other TFs."""

import numpy as np
from jaxtyping import Float

from grnjax.data.blocks.evidence import TfSimilarity
from grnjax.data.label_matrix import LabelMatrix

MOST = 8.0  # standard deviations


def standardise_pairs(values: Float[np.ndarray, "tf gene"]) -> Float[np.ndarray, "tf gene"]:
    """The values with mean 0 and deviation 1 over all pairs, clipped at 8; float32.

    A feature that is the same everywhere becomes zeros.
    """
    mean, spread = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    scaled = (values - mean) / (spread if spread > 1e-9 else np.inf)
    return np.clip(scaled, -MOST, MOST).astype(np.float32)


def attend_to_tfs(
    similarity: TfSimilarity, train: LabelMatrix
) -> Float[np.ndarray, "tf gene"]:
    """What the train labels of similar TFs say of a pair (flagship, section 4).

    sum over i' != i of s(i, i') (y_i'j - p_i'), with s centred for each TF. The TF's own row is
    left out, so that no label feeds its own prediction. Only TFs with train pairs speak.
    """
    seen = train.observed.any(axis=1)
    others = seen[None, :] & ~np.eye(len(seen), dtype=bool)  # [tf, tf]
    s = np.where(others, similarity.values, 0).astype(np.float64)
    mean = s.sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    s = np.where(others, s - mean[:, None], 0)
    rate = train.labels.sum(axis=1) / np.maximum(train.observed.sum(axis=1), 1)
    residual = (train.labels - rate[:, None]) * train.observed
    return standardise_pairs(s @ residual)
