"""The whole network by one fit: every TF with every gene, judged against all that is known.

This is the "GRN reconstruction" of GT-GRN (Teji et al. 2025). Most known edges are train edges, so
figures over all pairs say how well a fit has learned by heart, and little of what it can predict.
Those over the pairs outside train stand beside them.
"""

import numpy as np
from jaxtyping import Float

from grnjax.data.candidates import list_other_pairs
from grnjax.evaluation.metrics import evaluate_pairs
from grnjax.methods.method import Scorer
from grnjax.types import Dataset, LabelledPairs, Split


def reconstruct(
    dataset: Dataset, tfs: np.ndarray, fit: Scorer
) -> tuple[LabelledPairs, Float[np.ndarray, " pair"]]:
    """Every pair of a TF of the splits with another gene, labelled by the known network; logits."""
    pairs = list_other_pairs(np.empty((0, 2), np.int32), tfs, len(dataset.genes.names))
    is_edge = is_among(pairs, dataset.known.positives)
    every = LabelledPairs(pairs, is_edge.astype(np.float32))
    return every, fit.scores(every)


def judge_reconstruction(
    every: LabelledPairs, scores: Float[np.ndarray, " pair"], split: Split
) -> list[dict]:
    """Metrics `among` all pairs, the train pairs and the pairs outside train.

    The last hold the validation and test pairs, and any that the split leaves out.
    """
    is_train = is_among(every.pairs, split.train.pairs)
    parts = {
        "all pairs": np.ones(len(every), bool),
        "train pairs": is_train,
        "pairs outside train": ~is_train,
    }
    return [
        {"among": name, **evaluate_pairs(every.pairs[at], every.labels[at], scores[at])}
        for name, at in parts.items()
    ]


def is_among(pairs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each pair is one of the others."""
    width = 1 + max(pairs.max(initial=0), others.max(initial=0))
    key, other_key = (x[:, 0].astype(np.int64) * width + x[:, 1] for x in (pairs, others))
    return np.isin(key, other_key)
