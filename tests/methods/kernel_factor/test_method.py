"""The kernel-informed factor model scores every candidate by fits that did not train on it."""

import dataclasses
import json

import numpy as np
import pytest

from grnjax.data.candidates import has_known_targets
from grnjax.errors import ConfigError
from grnjax.evidence.gather import gather_evidence
from grnjax.methods.kernel_factor.explanation import FIXED
from grnjax.methods.kernel_factor.method import KernelFactorMethod
from grnjax.methods.method import Problem
from grnjax.tasks.cross_fitting import CrossFitConfig, assign_folds, cross_fit
from grnjax.training.factor_ensemble import EnsembleConfig
from grnjax.training.kernel_weights import KernelWeightConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import LabelledPairs

METHOD = KernelFactorMethod(
    training=EnsembleConfig(steps=60), kernels=KernelWeightConfig(episodes=4)
)
CONFIG = CrossFitConfig(repeats=2, folds=3)
INNER = METHOD.model.members


@pytest.fixture(scope="module")
def folds(candidates):
    return list(assign_folds(candidates, CONFIG, seed=3))


@pytest.fixture(scope="module")
def evidence(dataset):
    return gather_evidence(dataset)


@pytest.fixture(scope="module")
def run(dataset, candidates, folds, evidence):
    """Cross-fits with some arguments replaced."""

    def fit(*, folder=None, folds=folds, candidates=candidates, **options):
        parts = [fold.part for fold in folds]
        problem = Problem(
            dataset=dataset,
            parts=parts,
            tfs=dataset.genes.tfs,
            trainable=np.unique(candidates.positives[:, 0]),
            evidence=evidence,
            seed=3,
        )
        with FitRecorder(folder, len(folds), 1, "fitting") as recorder:
            return cross_fit(METHOD, problem, candidates, folds, recorder, **options)

    return fit


@pytest.fixture(scope="module")
def fitted(run):
    return run(explain=True)


def test_every_candidate_has_a_logit_by_each_member_of_each_ensemble(fitted, candidates):
    assert fitted.logits.shape == (CONFIG.repeats * INNER, len(candidates))
    assert np.isfinite(fitted.logits).all()
    assert len({row.tobytes() for row in fitted.logits}) == CONFIG.repeats * INNER


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
    split = folds[0].part.split
    hidden = LabelledPairs(split.test.pairs, turned[here])

    def turn(fold):
        split = dataclasses.replace(fold.part.split, test=hidden)
        return dataclasses.replace(fold, part=dataclasses.replace(fold.part, split=split))

    same_fold = [turn(fold) for fold in folds if fold.fold == 0]
    again = run(folds=same_fold, candidates=LabelledPairs(candidates.pairs, turned))
    np.testing.assert_array_equal(again.logits[:, here], fitted.logits[:, here])
    assert np.isnan(again.logits[:, ~here]).all()


@pytest.mark.slow
def test_a_tf_with_one_known_edge_has_a_low_rate_in_every_fold(run, candidates):
    """As an unseen one it would have the average rate in all folds, or in one of them."""
    tf = np.unique(candidates.positives[:, 0])[0]
    own = np.flatnonzero((candidates.pairs[:, 0] == tf) & (candidates.labels > 0))
    labels = candidates.labels.copy()
    labels[own[1:]] = 0
    few = LabelledPairs(candidates.pairs, labels)
    folds = list(assign_folds(few, CONFIG, seed=3))
    found = run(folds=folds, candidates=few, explain=True)
    is_own = few.pairs[:, 0] == tf
    for fold in folds:
        assert (found.terms["TF bias"][is_own & fold.held_out] < 0).all()


def test_what_blocks_are_worth_is_measured_once_a_fold(fitted, run, evidence):
    names = {block.name for item in evidence for block in (*item.genes, *item.pairs)}
    names |= {f"nearest genes: {count}" for count in KernelFactorMethod().model.neighbours}
    assert {row["name"] for row in fitted.worth} == names
    assert sorted(row["draw"] for row in fitted.worth) == sorted([0, 1, 2] * len(names))
    without = run()
    assert without.worth == fitted.worth and without.terms == {}
    np.testing.assert_array_equal(without.logits, fitted.logits)


def test_another_seed_gives_other_logits(fitted, run, folds):
    part = dataclasses.replace(folds[0].part, seed=folds[0].part.seed + 1)
    again = run(folds=[dataclasses.replace(folds[0], part=part)])
    here = folds[0].held_out
    assert (again.logits[:INNER, here] != fitted.logits[:INNER, here]).any()


@pytest.mark.slow
def test_a_run_folder_keeps_the_snapshots_and_gives_the_fits_back(
    fitted, run, tmp_path, monkeypatch
):
    first = run(folder=tmp_path)
    np.testing.assert_array_equal(first.logits, fitted.logits)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    names = [f"repeat{repeat}-fold{fold}" for fold in range(3) for repeat in range(2)]
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


def test_without_any_evidence_it_is_refused_with_the_way_out(dataset):
    problem = Problem(dataset=dataset, parts=(), tfs=dataset.genes.tfs, trainable=dataset.genes.tfs)
    with pytest.raises(ConfigError, match=r"needs expression or other evidence.*--method=scRegNet"):
        METHOD.check(problem)


def test_its_settings_are_those_of_the_fit_and_stay_its_own():
    assert METHOD.name() == "kernel-factor" and METHOD.engine is None
    assert METHOD.GIVES == {"probabilities", "terms"} and "evidence" in METHOD.READS
    assert set(METHOD.controls()) == {"evidence-permuted", "labels-rewired"}
