"""scRegNet scores every candidate by fits that did not train on it."""

from types import SimpleNamespace

import numpy as np

from grnjax.models.scregnet import ScRegNetConfig
from grnjax.tasks import cross_fit_scregnet as module
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.tasks.inputs import InputConfig
from grnjax.training.pair_objective import TrainingConfig


def test_no_model_scores_a_pair_it_trained_on(dataset, candidates, monkeypatch):
    """Fits are replaced by a note of what they were given, scores by the number of the fit."""
    fits = []

    def note(inputs, train, validation, **settings):
        fits.append((train, validation))
        return len(fits)

    def score(trainer, result, inputs, data, pairs, seed):
        given = np.concatenate([part.pairs for part in fits[data - 1]])
        assert not set(map(tuple, given.tolist())) & set(map(tuple, pairs.pairs.tolist()))
        return np.full(len(pairs), float(data))

    monkeypatch.setattr(module, "build_fit_data", note)
    monkeypatch.setattr(module, "score_pairs", score)
    study = SimpleNamespace(fit_all=lambda trainer, jobs: ((None, job.build()) for job in jobs))
    folds = list(assign_folds(candidates, CrossFitConfig(members=2, folds=3), seed=0))
    settings = ScRegNetConfig(), InputConfig(), TrainingConfig()
    fitted = module.cross_fit_scregnet(dataset, candidates, folds, *settings, study, 0, None)
    assert len(fits) == 6 and fitted.worth == [] and fitted.terms == {}
    assert np.isfinite(fitted.logits).all()
    first, second = map(np.unique, fitted.logits)
    assert first.tolist() == [1, 3, 5] and second.tolist() == [2, 4, 6]
