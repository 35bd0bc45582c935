"""No pair is scored by a model that trained on it, and every pair is scored once a repeat."""

import dataclasses

import numpy as np
import pytest

from grnjax.errors import ConfigError, SplitError
from grnjax.methods.method import MethodConfig, Problem, Scorer
from grnjax.tasks import cross_fitting as module
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds, cross_fit
from grnjax.types import LabelledPairs

CONFIG = CrossFitConfig(repeats=2, folds=3)


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
    assert [(x.fold, x.repeat) for x in folds] == [(f, m) for f in range(3) for m in (0, 1)]
    for fold in folds:
        held_out = as_set(candidates.take(fold.held_out))
        split = fold.part.split
        train, validation = as_set(split.train), as_set(split.validation)
        assert held_out and train and validation
        assert not held_out & train and not held_out & validation and not train & validation
        assert as_set(split.test) == held_out
        for part in (split.train, split.validation):
            assert 0 < part.labels.sum() < len(part)


def test_every_candidate_is_held_out_once_by_each_repeat(candidates, folds):
    for repeat in range(CONFIG.repeats):
        times = sum(fold.held_out.astype(int) for fold in folds if fold.repeat == repeat)
        assert times.tolist() == [1] * len(candidates)


def test_repeats_hold_out_alike_and_validate_on_other_pairs(folds):
    for first, second in zip(folds[::2], folds[1::2], strict=True):
        np.testing.assert_array_equal(first.held_out, second.held_out)
        assert as_set(first.part.split.validation) != as_set(second.part.split.validation)


def test_every_fold_holds_out_a_share_of_each_tfs_known_edges(candidates, folds):
    for tf in np.unique(candidates.positives[:, 0]):
        is_known = (candidates.pairs[:, 0] == tf) & (candidates.labels > 0)
        counts = [int((fold.held_out & is_known).sum()) for fold in folds[::2]]
        assert max(counts) - min(counts) <= 1


def test_labels_of_the_folds_are_those_of_the_candidates(candidates, folds):
    labels = dict(zip(map(tuple, candidates.pairs.tolist()), candidates.labels))
    for part in (folds[0].part.split.train, folds[0].part.split.validation):
        assert part.labels.tolist() == [labels[pair] for pair in map(tuple, part.pairs.tolist())]


def test_no_fit_learns_that_a_tf_without_known_targets_has_none(dataset, folds, small_set):
    silent = np.flatnonzero(dataset.genes.names == small_set.silent_tf)[0]
    assert dataset.genes.is_tf[silent]
    for fold in folds:
        assert silent not in fold.part.split.train.pairs[:, 0]
    assert not any(silent in fold.part.split.validation.pairs[:, 0] for fold in folds)


def test_another_seed_assigns_other_folds_and_the_same_one_the_same(candidates, folds):
    again = list(assign_folds(candidates, CONFIG, seed=3))
    for one, other in zip(folds, again, strict=True):
        np.testing.assert_array_equal(one.held_out, other.held_out)
        np.testing.assert_array_equal(one.part.split.train.pairs, other.part.split.train.pairs)
    other = next(assign_folds(candidates, CONFIG, seed=4))
    assert (other.held_out != folds[0].held_out).any()


def test_thinned_out_negatives_weigh_as_much_as_all_of_them(candidates, folds):
    config = dataclasses.replace(CONFIG, most_train_pairs=200)
    for full, fold in zip(folds, assign_folds(candidates, config, seed=3), strict=True):
        positives = int(full.part.split.train.labels.sum())
        train, every = fold.part.split.train, full.part.split.train
        assert len(train) == 200 and train.labels.sum() == positives
        assert as_set(train) < as_set(every)
        weight = fold.part.negative_weight * (len(train) - positives)
        assert weight == pytest.approx(len(every) - positives)
        assert full.part.negative_weight == 1


def test_no_room_for_negatives_and_too_few_edges_are_errors(candidates):
    config = dataclasses.replace(CONFIG, most_train_pairs=20)
    with pytest.raises(ConfigError, match="raise --most-train-pairs"):
        list(assign_folds(candidates, config, seed=3))
    few = np.flatnonzero(candidates.labels)[12:]
    labels = candidates.labels.copy()
    labels[few] = 0
    enough = LabelledPairs(candidates.pairs, labels)  # 12 known edges, 8 of them in every fit
    assert all(
        len(fold.part.split.validation.positives) for fold in assign_folds(enough, CONFIG, seed=3)
    )
    labels[np.flatnonzero(labels)[-1]] = 0
    with pytest.raises(SplitError, match="11 known edges in 3 folds leave a fit 7"):
        list(assign_folds(LabelledPairs(candidates.pairs, labels), CONFIG, seed=3))


def test_a_network_of_all_pairs_leaves_nothing_to_rank(candidates):
    everything = LabelledPairs(candidates.pairs, np.ones_like(candidates.labels))
    with pytest.raises(SplitError, match="0 other pairs of their TFs in 3 folds"):
        list(assign_folds(everything, CONFIG, seed=3))


@pytest.mark.parametrize("setting", [{"repeats": 0}, {"folds": 1}])
def test_settings_that_hold_nothing_out_are_refused(setting):
    with pytest.raises(ValueError, match="must be at least"):
        CrossFitConfig(**setting)


@dataclasses.dataclass(frozen=True, eq=False)
class Number(Scorer):
    """Two members that score any pair by the number of their fit, 100 apart, and explain it."""

    number: int

    def logits(self, pairs):
        return np.full((2, len(pairs)), [[self.number], [self.number + 100]], np.float32)

    def terms(self, pairs):
        return {"half": self.scores(pairs) / 2, "other half": self.scores(pairs) / 2}

    def worth(self, pairs, *, seed):
        return [{"name": "source", "pairs": len(pairs), "seed": seed}]


class Numbering(MethodConfig):
    """A method whose fits are numbers, in the order of the parts that are asked for."""

    GIVES = frozenset({"terms"})

    def fit_all(self, problem, parts, recorder, *, mesh=None):
        yield from map(Number, range(len(parts)))


class Silent(Numbering):
    """The same without reasons."""

    GIVES = frozenset()


@pytest.fixture(scope="module")
def run(dataset, candidates, folds):
    def fit(method=None, folds=folds, **options):
        parts = [fold.part for fold in folds]
        tfs = dataset.genes.tfs
        problem = Problem(dataset=dataset, parts=parts, tfs=tfs, trainable=tfs)
        return cross_fit(method or Numbering(), problem, candidates, folds, None, **options)

    return fit


def test_each_candidate_has_the_logits_of_the_fits_that_held_it_out(run, candidates, folds):
    """One row a member of each repeat; the fits are asked for fold by fold."""
    found = run(explain=True)
    assert found.logits.shape == (4, len(candidates)) and found.logits.dtype == np.float32
    for number, fold in enumerate(folds):
        rows = found.logits[2 * fold.repeat : 2 * fold.repeat + 2, fold.held_out]
        np.testing.assert_array_equal(rows, np.repeat([[number], [number + 100]], rows.shape[1], 1))
    total = sum(found.terms.values())
    np.testing.assert_allclose(total, found.logits.mean(axis=0), rtol=1e-6)


def test_sources_are_judged_once_a_fold_on_pairs_of_tfs_with_labels(run, candidates, folds):
    known = np.isin(candidates.pairs[:, 0], candidates.positives[:, 0])
    expected = [
        {"draw": x.fold, "name": "source", "pairs": int((x.held_out & known).sum()), "seed": x.fold}
        for x in folds
        if x.repeat == 0
    ]
    assert run().worth == expected and run().terms == {}


def test_too_many_candidates_are_not_explained(run, monkeypatch, caplog, folds):
    monkeypatch.setattr(module, "MOST_EXPLAINED", 100)
    monkeypatch.setattr(module.logger, "propagate", True)
    with pytest.raises(ConfigError, match="632 candidates are too many for --explain, .* to 100;"):
        run(explain=True)
    assert run(folds=folds[:1]).worth == []
    assert "632 candidates: what each source is worth is not measured above 100" in caplog.text


def test_a_method_without_terms_explains_nothing(run, monkeypatch, caplog):
    with pytest.raises(ConfigError, match="Silent has no terms to explain its scores"):
        run(Silent(), explain=True)
    monkeypatch.setattr(module, "MOST_EXPLAINED", 100)
    monkeypatch.setattr(module.logger, "propagate", True)
    run(Silent())
    assert "worth" not in caplog.text


def test_a_tf_whose_known_edges_are_all_held_out_keeps_its_other_pairs_in_train(candidates):
    """Without them it would count as unseen there, and get the average rate of all TFs."""
    tf = candidates.positives[0, 0]
    own = candidates.pairs[:, 0] == tf
    labels = np.where(own & (np.cumsum(own & (candidates.labels > 0)) > 1), 0, candidates.labels)
    few = LabelledPairs(candidates.pairs, labels)
    assert (labels[own] > 0).sum() == 1
    for fold in assign_folds(few, CONFIG, seed=3):
        train, of_tf = fold.part.split.train, fold.part.split.train.pairs[:, 0] == tf
        assert of_tf.any() and (train.labels[of_tf] > 0).sum() <= 1


def test_a_repeat_is_called_in_a_run_folder_as_it_is_asked_to_be(candidates, folds):
    assert [fold.part.name for fold in folds[:2]] == ["repeat0-fold0", "repeat1-fold0"]
    old = next(assign_folds(candidates, CONFIG, seed=3, name="member"))
    assert old.part.name == "member0-fold0" and old.part.seed == folds[0].part.seed
