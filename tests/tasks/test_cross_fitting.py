"""No pair is scored by a model that trained on it, and every pair is scored once a member."""

import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError, SplitError
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.types import LabelledPairs

CONFIG = CrossFitConfig(members=2, folds=3)


@pytest.fixture(scope="module")
def folds(candidates):
    return list(assign_folds(candidates, CONFIG, seed=3))


def as_set(pairs: LabelledPairs) -> set:
    return set(map(tuple, pairs.pairs.tolist()))


def test_candidates_are_every_tf_with_every_other_gene(dataset, candidates, small_set):
    names = dataset.genes.names[candidates.pairs].tolist()
    expected = [(t, g) for t in small_set.tfs for g in sorted(small_set.genes) if t != g]
    assert list(map(tuple, names)) == sorted(expected)
    known = {tuple(pair) for pair, label in zip(names, candidates.labels) if label}
    assert known == set(small_set.known.itertuples(index=False, name=None))


def test_what_a_fit_is_scored_on_it_has_not_seen(candidates, folds):
    assert [(x.fold, x.member) for x in folds] == [(f, m) for f in range(3) for m in (0, 1)]
    for fold in folds:
        held_out = as_set(candidates.take(fold.held_out))
        train, validation = as_set(fold.train), as_set(fold.validation)
        assert held_out and train and validation
        assert not held_out & train and not held_out & validation and not train & validation
        for part in (fold.train, fold.validation):
            assert 0 < part.labels.sum() < len(part)


def test_every_candidate_is_held_out_once_by_each_member(candidates, folds):
    for member in range(CONFIG.members):
        times = sum(fold.held_out.astype(int) for fold in folds if fold.member == member)
        assert times.tolist() == [1] * len(candidates)


def test_members_hold_out_alike_and_validate_on_other_pairs(folds):
    for first, second in zip(folds[::2], folds[1::2], strict=True):
        np.testing.assert_array_equal(first.held_out, second.held_out)
        assert as_set(first.validation) != as_set(second.validation)


def test_every_fold_holds_out_a_share_of_each_tfs_known_edges(candidates, folds):
    for tf in np.unique(candidates.positives[:, 0]):
        is_known = (candidates.pairs[:, 0] == tf) & (candidates.labels > 0)
        counts = [int((fold.held_out & is_known).sum()) for fold in folds[::2]]
        assert max(counts) - min(counts) <= 1


def test_labels_of_the_folds_are_those_of_the_candidates(candidates, folds):
    labels = dict(zip(map(tuple, candidates.pairs.tolist()), candidates.labels))
    for part in (folds[0].train, folds[0].validation):
        assert part.labels.tolist() == [labels[pair] for pair in map(tuple, part.pairs.tolist())]


def test_no_fit_learns_that_a_tf_without_known_targets_has_none(dataset, folds, small_set):
    silent = np.flatnonzero(dataset.genes.names == small_set.silent_tf)[0]
    assert dataset.genes.is_tf[silent]
    for fold in folds:
        assert silent not in fold.train.pairs[:, 0]
    assert not any(silent in fold.validation.pairs[:, 0] for fold in folds)


def test_another_seed_deals_anew_and_the_same_one_does_not(candidates, folds):
    again = list(assign_folds(candidates, CONFIG, seed=3))
    for one, other in zip(folds, again, strict=True):
        np.testing.assert_array_equal(one.held_out, other.held_out)
        np.testing.assert_array_equal(one.train.pairs, other.train.pairs)
    other = next(assign_folds(candidates, CONFIG, seed=4))
    assert (other.held_out != folds[0].held_out).any()


def test_thinned_out_negatives_weigh_as_much_as_all_of_them(candidates, folds):
    config = dataclasses.replace(CONFIG, most_train_pairs=200)
    for full, fold in zip(folds, assign_folds(candidates, config, seed=3), strict=True):
        positives = int(full.train.labels.sum())
        assert len(fold.train) == 200 and fold.train.labels.sum() == positives
        assert as_set(fold.train) < as_set(full.train)
        weight = fold.negative_weight * (len(fold.train) - positives)
        assert weight == pytest.approx(len(full.train) - positives)
        assert full.negative_weight == 1


def test_no_room_for_negatives_and_too_few_edges_are_errors(candidates):
    config = dataclasses.replace(CONFIG, most_train_pairs=20)
    with pytest.raises(ConfigError, match="raise --most-train-pairs"):
        list(assign_folds(candidates, config, seed=3))
    few = np.flatnonzero(candidates.labels)[12:]
    labels = candidates.labels.copy()
    labels[few] = 0
    enough = LabelledPairs(candidates.pairs, labels)  # 12 known edges, 8 of them in every fit
    assert all(len(fold.validation.positives) for fold in assign_folds(enough, CONFIG, seed=3))
    labels[np.flatnonzero(labels)[-1]] = 0
    with pytest.raises(SplitError, match="11 known edges in 3 folds leave a fit 7"):
        list(assign_folds(LabelledPairs(candidates.pairs, labels), CONFIG, seed=3))


def test_a_network_of_all_pairs_leaves_nothing_to_rank(candidates):
    everything = LabelledPairs(candidates.pairs, np.ones_like(candidates.labels))
    with pytest.raises(SplitError, match="0 other pairs of their TFs in 3 folds"):
        list(assign_folds(everything, CONFIG, seed=3))


@pytest.mark.parametrize("setting", [{"members": 0}, {"folds": 1}])
def test_settings_that_deal_nothing_are_refused(setting):
    with pytest.raises(ValueError, match="must be at least"):
        CrossFitConfig(**setting)
