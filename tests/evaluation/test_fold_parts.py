"""Parts of a fit are cut when they are asked for, and are those that were once made at once."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from grnjax.data.candidates import has_known_targets, list_candidates
from grnjax.evaluation.splits import cross_fit_folds
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.types import Dataset, GeneTable, LabelledPairs


def draw_candidates(tfs: int, genes: int, share: float = 0.05) -> LabelledPairs:
    """Candidates of the first genes with every gene, some of them known."""
    rng = np.random.default_rng(0)
    names = np.array([f"g{i:05d}" for i in range(genes)])
    table = GeneTable(names, np.arange(genes) < tfs, np.zeros((0, genes)), np.zeros(genes, bool))
    edges = np.argwhere(rng.random((tfs, genes)) < share).astype(np.int32)
    edges = edges[edges[:, 0] != edges[:, 1]]
    return list_candidates(Dataset(table, LabelledPairs(edges, np.ones(len(edges), "f4")), {}))


@pytest.fixture(scope="module")
def many():
    return draw_candidates(20, 2_000)


def test_folds_do_not_depend_on_the_order_of_the_pairs(many):
    """Sorted pairs are dealt to a TF at a time, others by one sort of all."""
    sorted_folds = cross_fit_folds(many, 5, seed=7)
    shuffle = np.random.default_rng(1).permutation(len(many))
    np.testing.assert_array_equal(
        cross_fit_folds(many.take(shuffle), 5, seed=7), sorted_folds[shuffle]
    )


def test_a_part_is_what_its_fold_leaves_and_the_inner_folds_say(many):
    folds = assign_folds(many, CrossFitConfig(repeats=2), seed=3)
    fold = next(x for x in folds if (x.repeat, x.fold) == (1, 2))
    seen = many.take(~fold.held_out & has_known_targets(many))
    inner = cross_fit_folds(seen, 8, seed=fold.part.seed)
    split = fold.part.split
    np.testing.assert_array_equal(split.train.pairs, seen.take(inner > 0).pairs)
    np.testing.assert_array_equal(split.validation.labels, seen.take(inner == 0).labels)
    np.testing.assert_array_equal(split.test.pairs, many.take(fold.held_out).pairs)
    replaced = dataclasses.replace(split, test=split.validation)
    assert replaced.test is not split.test and len(replaced.train) == len(split.train)


@pytest.mark.parametrize("most", [3_000, 10**9])
def test_the_weight_of_what_is_thinned_out_is_known_before_the_part_is_cut(many, most):
    config = CrossFitConfig(repeats=1, folds=3, most_train_pairs=most)
    whole = assign_folds(many, dataclasses.replace(config, most_train_pairs=10**9), seed=3)
    for fold, full in zip(assign_folds(many, config, seed=3), whole, strict=True):
        train, every = fold.part.split.train, full.part.split.train
        unlabelled = len(train) - train.labels.sum()
        assert len(train) == min(most, len(every))
        assert fold.part.negative_weight * unlabelled == pytest.approx(
            len(every) - every.labels.sum()
        )


def test_folds_of_many_repeats_take_no_more_memory_than_those_of_one(many):
    def peak(repeats: int) -> int:
        tracemalloc.start()
        folds = list(assign_folds(many, CrossFitConfig(repeats=repeats), seed=0))
        assert len(folds) == 5 * repeats
        found = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return found

    assert peak(20) < peak(1) + 100 * 2_000  # about a kilobyte for each of 95 more fits
