"""A pair model learns from train pairs alone, and its fits share shapes; scores come in blocks."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.evaluation.splits import draw_split
from grnjax.methods import pair_models
from grnjax.methods.method import Problem
from grnjax.methods.pair_models import PairInputConfig, PairMethod, PairScorer, make_method_trainer
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds, cross_fit
from grnjax.training.keeper import FitResult
from grnjax.training.pair_objective import TrainingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Part

SMALL = ScRegNetMethod(
    model=ScRegNetConfig(mlp_widths=(8,), identity_rank=2),
    inputs=InputConfig(components=4),
    training=TrainingConfig(epochs=10),
)


class NoTraining:
    """Stands for a recorder: keeps names and data of the fits, which end before they start."""

    def __init__(self):
        self.names, self.data = [], []

    def fit_all(self, trainer, jobs):
        for job in jobs:
            self.names.append(job.name)
            self.data.append(job.build())
            yield FitResult({}, 0, 0.5, 0), self.data[-1]


@pytest.fixture(scope="module")
def split(dataset):
    return draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)


def make_problem(dataset, parts, **fields):
    tfs = dataset.genes.tfs
    return Problem(dataset=dataset, parts=parts, tfs=tfs, trainable=tfs, **fields)


def as_set(pairs):
    return set(map(tuple, np.asarray(pairs).tolist()))


def pairs_in(batch):
    return as_set(batch.pairs[np.asarray(batch.weights) > 0])


def test_no_model_scores_a_pair_it_trained_on(dataset, candidates, monkeypatch):
    """Fits are replaced by a note of what they were given, scores by the number of the fit."""
    fits = []

    def note(inputs, train, validation, **settings):
        fits.append((train, validation))
        return len(fits)

    def score(self, pairs):
        given = np.concatenate([part.pairs for part in fits[self.data - 1]])
        assert not as_set(given) & as_set(pairs.pairs)
        return np.full((1, len(pairs)), float(self.data))

    monkeypatch.setattr(pair_models, "build_fit_data", note)
    monkeypatch.setattr(PairScorer, "logits", score)
    recorder = SimpleNamespace(fit_all=lambda trainer, jobs: ((None, job.build()) for job in jobs))
    folds = list(assign_folds(candidates, CrossFitConfig(repeats=2, folds=3), seed=0))
    problem = make_problem(dataset, [fold.part for fold in folds])
    fitted = cross_fit(ScRegNetMethod(), problem, candidates, folds, recorder)
    assert len(fits) == 6 and fitted.worth == [] and fitted.terms == {}
    assert np.isfinite(fitted.logits).all()
    first, second = map(np.unique, fitted.logits)
    assert first.tolist() == [1, 3, 5] and second.tolist() == [2, 4, 6]


def test_a_fit_has_the_pairs_the_name_and_the_seed_of_its_part(dataset, split):
    parts = [Part(split, "one", 3), Part(split, "other", 4)]
    recorder = NoTraining()
    fits = list(SMALL.fit_all(make_problem(dataset, parts), parts, recorder))
    assert recorder.names == ["one", "other"] and [fit.seed for fit in fits] == [3, 4]
    for data in recorder.data:
        assert pairs_in(data.train) == as_set(split.train.pairs)
        assert pairs_in(data.validation) == as_set(split.validation.pairs)


def test_every_fit_of_a_run_has_the_same_shapes_whichever_are_asked_for(dataset):
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    splits = [draw_split("both-disjoint", edges, genes, draw) for draw in (0, 1, 2)]
    assert len({len(split.train) for split in splits}) > 1
    parts = [Part(split, f"draw{split.draw}", 0) for split in splits]
    recorder, problem = NoTraining(), make_problem(dataset, parts)
    sizes = [fit.size for part in parts for fit in SMALL.fit_all(problem, [part], recorder)]
    shapes = {str(jax.tree.map(np.shape, data)) for data in recorder.data}
    assert len(shapes) == len(set(sizes)) == 1


def test_negatives_weigh_by_the_setting_and_by_how_many_a_part_left_out(dataset, split):
    method = dataclasses.replace(SMALL, inputs=InputConfig(components=4, negative_weight=0.5))
    part, recorder = Part(split, "thinned", 0, negative_weight=3.0), NoTraining()
    list(method.fit_all(make_problem(dataset, [part]), [part], recorder))
    [batch] = [data.train for data in recorder.data]
    weights, labels = np.asarray(batch.weights), np.asarray(batch.labels)
    assert set(weights[(labels == 0) & (weights > 0)].tolist()) == {1.5}
    assert set(weights[labels == 1].tolist()) == {1.0}


def test_pairs_outside_train_can_be_weak_negatives(dataset):
    edges, genes = dataset.known.positives, len(dataset.genes.names)
    split = draw_split("balanced", edges, genes, 0, tfs=dataset.genes.tfs)
    method = dataclasses.replace(SMALL, inputs=InputConfig(components=4, unlabelled_weight=0.25))
    part, recorder = Part(split, "weak", 0), NoTraining()
    problem = make_problem(dataset, [part])
    method.check(problem)
    list(method.fit_all(problem, [part], recorder))
    weights = np.asarray(recorder.data[0].train.weights)
    every = len(dataset.genes.tfs) * (genes - 1)
    assert (weights == 0.25).sum() == every - len(split.train) > len(split.train)


def test_weak_negatives_that_are_held_out_are_refused(dataset, split):
    method = dataclasses.replace(SMALL, inputs=InputConfig(unlabelled_weight=0.1))
    with pytest.raises(ConfigError, match=r"unlabelled-weight 0\.1: in a standard split .* held"):
        method.check(make_problem(dataset, [Part(split, "any", 0)]))


@pytest.mark.slow
def test_pairs_are_scored_in_blocks_and_each_as_it_is_alone(dataset, split, candidates):
    """A block size that divides nothing: every pair has its own score once."""
    part = Part(split, "one", 0)
    problem = make_problem(dataset, [part])
    with FitRecorder(None, 1, 10, "fitting") as recorder:
        [fit] = SMALL.fit_all(problem, [part], recorder)
    assert fit.size == max(len(split.validation), len(split.test)) < len(candidates)
    whole = fit.logits(candidates)
    assert whole.shape == (1, len(candidates)) and np.isfinite(whole).all()
    small = dataclasses.replace(fit, size=37)
    np.testing.assert_allclose(small.logits(candidates), whole, rtol=1e-5, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(candidates))
    moved = fit.logits(candidates.take(order))
    np.testing.assert_allclose(moved[0], whole[0, order], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fit.scores(candidates), whole[0])


def test_no_more_pairs_are_scored_at_once_than_memory_has_room_for(dataset, split, monkeypatch):
    monkeypatch.setattr(pair_models, "SCORED_AT_ONCE", 50)
    part = Part(split, "one", 0)
    [fit] = SMALL.fit_all(make_problem(dataset, [part]), [part], NoTraining())
    assert fit.size == 50


def test_one_trainer_serves_all_fits_of_equal_models_and_training():
    trainer = make_method_trainer(SMALL, None)
    inputs = InputConfig(components=3, negative_weight=0.5)
    for same in ({}, {"inputs": inputs}):
        assert make_method_trainer(dataclasses.replace(SMALL, **same), None) is trainer
    model = dataclasses.replace(SMALL.model, identity_rank=3)
    for other in ({"training": TrainingConfig(epochs=11)}, {"model": model}):
        assert make_method_trainer(dataclasses.replace(SMALL, **other), None) is not trainer


def test_a_method_that_leaves_something_out_says_which_one_it_is(dataset):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Forgetful(PairMethod):
        pass

    for forgotten in (
        lambda: Forgetful().make_module(),
        lambda: Forgetful().make_inputs(make_problem(dataset, ()), None),
        lambda: Forgetful().transfer(None, None),
    ):
        with pytest.raises(NotImplementedError, match="Forgetful does not say"):
            forgotten()


@pytest.mark.parametrize(
    "setting", [{"negative_weight": 0}, {"negative_weight": 1.5}, {"unlabelled_weight": -0.1}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match="must be"):
        PairInputConfig(**setting)
