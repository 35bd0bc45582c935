"""Features of TF-target pairs, on one scale: what sources say, and attention over other TFs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from grnjax.data.label_matrix import LabelMatrix
from grnjax.evidence.types import TfSimilarity

MOST = 8.0  # standard deviations


class PairScale(NamedTuple):
    """Mean and deviation of a feature over all pairs of a run."""

    mean: float
    spread: float


def measure_scale(values: Float[np.ndarray, "tf gene"]) -> PairScale:
    """The scale of a feature; an infinite deviation where it is the same everywhere."""
    mean, spread = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return PairScale(float(mean), float(spread) if spread > 1e-9 else np.inf)


def standardise_pairs(
    values: Float[np.ndarray, "tf gene"], scale: PairScale
) -> Float[np.ndarray, "tf gene"]:
    """The values as deviations from the mean, clipped at 8; float32."""
    scaled = (values - scale.mean) / scale.spread
    return np.clip(scaled, -MOST, MOST).astype(np.float32)


def attend_to_tfs(similarity: TfSimilarity, train: LabelMatrix) -> Float[np.ndarray, "tf gene"]:
    """What the train labels of similar TFs say of a pair.

    sum over i' != i of s(i, i') (y_i'j - p_i'), with s centred for each TF. The TF's own row is
    left out, so that no label feeds its own prediction. Only TFs with train pairs count.
    """
    seen = train.observed.any(axis=1)
    others = seen[None, :] & ~np.eye(len(seen), dtype=bool)  # [tf, tf]
    s = np.where(others, similarity.values, 0).astype(np.float64)
    mean = s.sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    s = np.where(others, s - mean[:, None], 0)
    values = s @ train.residuals
    return standardise_pairs(values, measure_scale(values))
