"""Every pair of a TF and a gene is scored once, and train pairs are told from the others."""

import numpy as np
import pytest

from grnjax.data.candidates import list_split_tfs
from grnjax.methods.method import Problem, Scorer
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.reconstruction import is_among, judge_reconstruction, reconstruct
from grnjax.tasks.split_fits import SplitConfig, draw_splits
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Part


class Oracle(Scorer):
    """Two members whose mean score of a pair is known from the numbers of its ends."""

    def logits(self, pairs):
        known = pairs.pairs[:, 0] * 1000.0 + pairs.pairs[:, 1]
        return np.stack([known - 1, known + 1])


@pytest.fixture(scope="module")
def split(dataset):
    [split] = draw_splits(dataset, SplitConfig())
    return split


def as_set(pairs):
    return set(map(tuple, pairs.tolist()))


@pytest.fixture(scope="module")
def tfs(split):
    return list_split_tfs([split])


def test_every_pair_of_a_tf_of_the_split_is_scored_once(dataset, tfs):
    every, scores = reconstruct(dataset, tfs, Oracle())
    genes = len(dataset.genes.names)
    assert len(every) == len(as_set(every.pairs)) == len(tfs) * (genes - 1)
    np.testing.assert_array_equal(scores, every.pairs[:, 0] * 1000.0 + every.pairs[:, 1])
    assert as_set(every.positives) == as_set(dataset.known.positives)


@pytest.mark.slow
def test_the_figures_are_those_of_a_fit_on_its_own_pairs(dataset, split, tfs):
    """A pair has the score that it has among test pairs, and the parts do not overlap."""
    method = ScRegNetMethod(
        model=ScRegNetConfig(mlp_widths=(8,), identity_rank=2),
        inputs=InputConfig(components=4),
        training=TrainingConfig(epochs=10),
    )
    part = Part(split, "model", 0)
    problem = Problem(dataset=dataset, parts=[part], tfs=tfs, trainable=tfs)
    with FitRecorder(None, 1, 10, "fitting") as recorder:
        [fit] = method.fit_all(problem, [part], recorder)
    every, scores = reconstruct(dataset, tfs, fit)
    assert fit.size < len(every)
    place = {pair: i for i, pair in enumerate(map(tuple, every.pairs.tolist()))}
    at = [place[pair] for pair in map(tuple, split.test.pairs.tolist())]
    np.testing.assert_allclose(scores[at], fit.scores(split.test), rtol=1e-5, atol=1e-6)
    every_row, train_row, other_row = judge_reconstruction(every, scores, split)
    assert [row["among"] for row in (every_row, train_row, other_row)] == [
        "all pairs",
        "train pairs",
        "pairs outside train",
    ]
    assert train_row["pairs"] == len(split.train)
    assert train_row["positives"] == len(split.train.positives)
    for key in ("pairs", "positives"):
        assert every_row[key] == train_row[key] + other_row[key]


def test_knowing_train_edges_by_heart_says_nothing_of_the_other_pairs(dataset, split, tfs):
    every, _ = reconstruct(dataset, tfs, Oracle())
    by_heart = is_among(every.pairs, split.train.positives).astype(np.float32)
    figures = {row["among"]: row for row in judge_reconstruction(every, by_heart, split)}
    assert figures["train pairs"]["auroc"] == 1
    assert figures["pairs outside train"]["auroc"] == 0.5
    assert figures["all pairs"]["average_precision"] > 0.5


def test_a_pair_the_other_way_round_is_another_pair():
    pairs = np.array([[0, 5], [5, 0], [3, 2]])
    assert is_among(pairs, np.array([[5, 0], [9, 9]])).tolist() == [False, True, False]
