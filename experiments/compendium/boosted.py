"""Gradient-boosted trees on lists, motifs and cells, and two weights: rows to beat that are fitted.

The trees (LightGBM, 120 of 15 leaves, all else as it comes) see of a TF and a gene in a line: the
rate with every list alike, the TF's lists in other lines, its motif at the gene and how many motifs
there are; and of lines in which something was measured the gene's columns (`Cells`), the motif
times the first of them, and |Pearson|. They learn from every other line with lists, or that has
cells too, whose own lists are left out of what they see of it, like those of the line under test.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression

from experiments.compendium.left_out import FEWEST_TARGETS
from grnjax.baselines.other_lists import occupancy_rate, same_tf
from grnjax.data.compendium.lists import TargetLists
from grnjax.errors import ConfigError

TREES, LEAVES = 120, 15
GENES_A_LINE = 5_000  # at most, drawn once for each line that is learnt from
LISTS = (0, 1)  # the columns that are of lists of targets


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """What was measured in cell lines, over the genes of a set."""

    columns: Mapping[str, np.ndarray]  # line -> [gene, column]
    pearson: Callable[[str, list[str]], np.ndarray]  # line and TFs -> [tf, gene]


def describe(
    lists: TargetLists, motifs: TargetLists, tfs: list[str], line: str, cells: Cells | None
) -> np.ndarray:
    """What is known of each pair: [tf, gene, feature].

    Args:
        lists: without those of the line.
    """
    shape = len(tfs), len(lists.genes)
    motif = same_tf(motifs, tfs)
    found = [occupancy_rate(lists, alike=True), same_tf(lists, tfs)]
    found += [motif, motifs.sum_lists(np.ones(len(motifs)))]
    if cells is not None:
        columns = cells.columns[line].T
        found += [*columns, motif * columns[0], cells.pearson(line, tfs)]
    return np.stack([np.broadcast_to(x, shape) for x in found], axis=-1).astype(np.float32)


def collect(
    lists: TargetLists, motifs: TargetLists, cells: Cells | None, fewest: int = FEWEST_TARGETS
) -> tuple[np.ndarray, np.ndarray]:
    """Features [pair, feature] and labels to learn from, a TF with itself left out.

    Args:
        lists: without those of the line under test.
        fewest: targets of a list that is learnt from.
    """
    features, labels, rng = [], [], np.random.default_rng(0)
    count = min(GENES_A_LINE, len(lists.genes))
    for line, own, others in lists.nested():
        own = own.take(own.counts >= fewest)
        if not len(own) or (cells is not None and line not in cells.columns):
            continue
        tfs = own.tfs.tolist()
        drawn = np.zeros(len(lists.genes), bool)
        drawn[rng.choice(len(drawn), count, replace=False)] = True
        chosen = drawn & (lists.genes[None] != own.tfs[:, None])
        features.append(describe(others, motifs, tfs, line, cells)[chosen])
        labels.append(own.labels[chosen] > 0)
    return np.concatenate(features), np.concatenate(labels)


def boost(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The trees, as what makes logits of features.

    Raises:
        ConfigError: LightGBM is not there.
    """
    try:
        from lightgbm import LGBMClassifier
    except ImportError as problem:
        raise ConfigError(
            "the boosted trees need LightGBM, which is not installed: pip install 'grnjax[bench]'."
        ) from problem
    model = LGBMClassifier(
        n_estimators=TREES,
        num_leaves=LEAVES,
        random_state=0,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        verbose=-1,
    )
    model.fit(features, labels)
    return lambda x: apply(lambda flat: model.predict(flat, raw_score=True), x)


def weigh(features: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Logistic regression on log(1 + rate) and same, as what makes logits of features."""

    def choose(x: np.ndarray) -> np.ndarray:
        return np.stack([np.log1p(x[..., 0]), x[..., 1]], axis=-1)

    model = LogisticRegression(C=1e4).fit(choose(features), labels)
    return lambda x: apply(model.decision_function, choose(x))


def apply(score: Callable[[np.ndarray], np.ndarray], features: np.ndarray) -> np.ndarray:
    """Scores [tf, gene] of features [tf, gene, feature]."""
    flat = features.reshape(-1, features.shape[-1])
    return np.asarray(score(flat), np.float64).reshape(features.shape[:-1])
