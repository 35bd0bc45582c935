"""GENIE3: how much each TF's expression lowers the variance of a target's in a forest of trees.

Huynh-Thu et al. 2010, PLoS ONE 5:e12776. A forest predicts each target, divided by its standard
deviation, from the other TFs; a TF's score is by how much its cuts lower the variance in a tree,
in the mean over the trees. It is not made to sum to one for each target, so that targets which are
explained well weigh more. Trees grow until their leaves are pure, every node with TFs of its own,
for which scikit-learn's forests are hard to beat; all cores share the targets.
"""

import dataclasses
import math
import os
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from grnjax.config import Positive, Settings
from grnjax.data.expression_features import find_varying
from grnjax.types import GeneTable

TARGETS_A_PROCESS = 4  # at least: starting one takes as long as so many forests


@dataclasses.dataclass(frozen=True, kw_only=True)
class GENIE3Config(Settings):
    """The forest of each target; the defaults are GENIE3's. A node tries sqrt(TFs) of the TFs."""

    trees: Positive = 1000
    forest: Literal["random-forest", "extra-trees"] = "random-forest"
    """Best cuts of trees on resampled cells, or random cuts of trees on all cells."""


def score_targets(
    genes: GeneTable, targets: Int[np.ndarray, " target"], config: GENIE3Config, *, seed: int
) -> Float[np.ndarray, "tf target"]:
    """Importance of every TF for the targets; 0 for self pairs and genes that never vary.

    A forest draws from the seed and the place of its target among the genes sorted by name.
    """
    from joblib import Parallel, delayed

    varies = find_varying(genes)
    rows = np.flatnonzero(varies[genes.tfs])
    tfs = genes.tfs[rows]
    expression = np.ascontiguousarray(genes.expression[:, tfs])
    scores = np.zeros((len(genes.tfs), len(targets)), np.float32)
    columns = [
        column for column, target in enumerate(targets) if varies[target] and np.any(tfs != target)
    ]
    processes = min(os.cpu_count() or 1, math.ceil(len(columns) / TARGETS_A_PROCESS))
    forests = Parallel(n_jobs=max(processes, 1))(
        delayed(score_target)(
            expression[:, tfs != targets[column]],
            genes.expression[:, targets[column]],
            config,
            np.random.SeedSequence([seed, targets[column]]),
        )
        for column in columns
    )
    for column, importance in zip(columns, forests, strict=True):
        scores[rows[tfs != targets[column]], column] = importance
    return scores


def score_target(
    candidates: Float[np.ndarray, "cell tf"],
    target: Float[np.ndarray, " cell"],
    config: GENIE3Config,
    seed: np.random.SeedSequence,
) -> Float[np.ndarray, " tf"]:
    """Importance of the candidate TFs for one target."""
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    forests = {"random-forest": RandomForestRegressor, "extra-trees": ExtraTreesRegressor}
    target = target.astype(np.float64)
    forest = forests[config.forest](
        config.trees, max_features="sqrt", random_state=int(seed.generate_state(1)[0])
    )
    forest.fit(candidates, target / target.std())
    trees = [tree.tree_.compute_feature_importances(normalize=False) for tree in forest]
    return np.mean(trees, axis=0)
