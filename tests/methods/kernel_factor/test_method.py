"""The kernel-informed factor model scores every candidate by fits that did not train on it."""

import dataclasses
import json

import numpy as np
import pytest

from grnjax.data.candidates import has_known_targets
from grnjax.errors import ConfigError
from grnjax.evidence.gather import gather_evidence
from grnjax.methods.kernel_factor.explanation import FIXED
from grnjax.methods.kernel_factor.fit import KernelFactorSettings
from grnjax.tasks import cross_fit_kernel_factor as module
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import LabelledPairs

SETTINGS = KernelFactorSettings(
    training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
)
CONFIG = CrossFitConfig(members=2, folds=3)
INNER = SETTINGS.model.members


@pytest.fixture(scope="module")
def folds(candidates):
    return list(assign_folds(candidates, CONFIG, seed=3))


@pytest.fixture(scope="module")
def evidence(dataset):
    return gather_evidence(dataset)


@pytest.fixture(scope="module")
def run(dataset, candidates, folds, evidence):
    """Cross-fits with some arguments replaced."""

    def cross_fit(*, folder=None, seed=3, folds=folds, candidates=candidates, **options):
        with FitRecorder(folder, len(folds), 1, "fitting") as recorder:
            return module.cross_fit_kernel_factor(
                dataset, candidates, folds, SETTINGS, recorder, seed, evidence, **options
            )

    return cross_fit


@pytest.fixture(scope="module")
def fitted(run):
    return run(explain=True)


def test_every_candidate_has_a_logit_by_each_member_of_each_ensemble(fitted, candidates):
    assert fitted.logits.shape == (CONFIG.members * INNER, len(candidates))
    assert np.isfinite(fitted.logits).all()
    assert len({row.tobytes() for row in fitted.logits}) == CONFIG.members * INNER


def test_the_terms_add_up_to_the_mean_logit(fitted, dataset, candidates, small_set):
    total = sum(values.astype(np.float64) for values in fitted.terms.values())
    np.testing.assert_allclose(total, fitted.logits.mean(axis=0), rtol=0, atol=1e-5)
    assert tuple(fitted.terms)[:4] == FIXED
    is_silent = dataset.genes.names[candidates.pairs[:, 0]] == small_set.silent_tf
    assert not fitted.terms["TF bias"][is_silent].any() and is_silent.any()
    assert fitted.logits.mean(axis=0)[is_silent].std() > 0.05


def test_labels_of_a_fold_change_no_score_of_it(fitted, run, candidates, folds):
    """All labels of the first fold are turned over; what other folds learn from it may change."""
    here = folds[0].held_out
    is_turned = here & has_known_targets(candidates)
    turned = np.where(is_turned, 1 - candidates.labels, candidates.labels)
    hidden = LabelledPairs(folds[0].hidden.pairs, turned[here])
    same_fold = [dataclasses.replace(x, hidden=hidden) for x in folds if x.fold == 0]
    told = run(folds=same_fold, candidates=LabelledPairs(candidates.pairs, turned))
    np.testing.assert_array_equal(told.logits[:, here], fitted.logits[:, here])
    assert np.isnan(told.logits[:, ~here]).all()


def test_a_tf_with_one_known_edge_is_unseen_in_every_fold(run, candidates):
    """Else its pairs beside that edge would be scored without its rate, and all others with it."""
    tf = np.unique(candidates.positives[:, 0])[0]
    own = np.flatnonzero((candidates.pairs[:, 0] == tf) & (candidates.labels > 0))
    labels = candidates.labels.copy()
    labels[own[1:]] = 0
    few = LabelledPairs(candidates.pairs, labels)
    found = run(folds=list(assign_folds(few, CONFIG, seed=3)), candidates=few, explain=True)
    is_own = few.pairs[:, 0] == tf
    assert tf not in found.trainable and len(found.trainable) > 1
    for term in ("TF bias", "identity"):
        assert not found.terms[term][is_own].any() and found.terms[term][~is_own].any()


def test_what_blocks_are_worth_is_measured_once_a_fold(fitted, run, evidence):
    names = {block.name for item in evidence for block in (*item.genes, *item.pairs)}
    assert {row["name"] for row in fitted.worth} == names
    assert sorted(row["draw"] for row in fitted.worth) == sorted([0, 1, 2] * len(names))
    without = run()
    assert without.worth == fitted.worth and without.terms == {}
    np.testing.assert_array_equal(without.logits, fitted.logits)


def test_another_seed_gives_other_logits(fitted, run, folds):
    again = run(seed=4, folds=folds[:1])
    here = folds[0].held_out
    assert (again.logits[:INNER, here] != fitted.logits[:INNER, here]).any()


def test_a_run_folder_tells_the_snapshots_and_gives_the_fits_back(
    fitted, run, tmp_path, monkeypatch
):
    first = run(folder=tmp_path)
    np.testing.assert_array_equal(first.logits, fitted.logits)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    names = [f"member{member}-fold{fold}" for fold in range(3) for member in range(2)]
    assert [(x["fit"], x["epoch"]) for x in lines] == [(n, e) for n in names for e in (30, 60)]
    by_fit = {name: [line for line in lines if line["fit"] == name] for name in names}
    for own in by_fit.values():
        best = max(own, key=lambda line: line["validation"])
        assert {line["best_epoch"] for line in own} == {best["epoch"]}

    def learn(*args):
        raise AssertionError("a fit that had ended is made again")

    monkeypatch.setattr("grnjax.methods.kernel_factor.fit.learn_kernel_factor", learn)
    again = run(folder=tmp_path, explain=True)
    np.testing.assert_array_equal(again.logits, fitted.logits)
    assert again.worth == fitted.worth
    for name, values in fitted.terms.items():
        np.testing.assert_array_equal(again.terms[name], values)


def test_too_many_candidates_are_not_explained(run, monkeypatch, caplog, folds):
    monkeypatch.setattr(module, "MOST_EXPLAINED", 100)
    monkeypatch.setattr(module.logger, "propagate", True)
    with pytest.raises(ConfigError, match="632 candidates are too many for --explain, .* to 100;"):
        run(explain=True)
    assert run(folds=folds[:1]).worth == []
    assert "632 candidates: what each block is worth is not measured above 100" in caplog.text
