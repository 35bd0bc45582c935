"""The benchmark runs on any set laid out as the public ones are, and measures nothing twice."""

import dataclasses
import sys

import pytest

from experiments.scregnet import beeline
from experiments.shared import record, studies
from experiments.shared.studies import SCREGNET as MODEL
from grnjax import config as settings
from grnjax.tasks.link_prediction import run_study

NAME = "Perturbed/axolotl/TFs+7"


@pytest.fixture
def run(benchmark_root, tmp_path, monkeypatch):
    """The command with a few epochs; returns the rows in its results file."""
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    fits, brief = [], {"training.epochs": 5, "training.evaluate_every": 5}
    fit = studies.Splits.fit

    def fit_briefly(self, variant, *given):
        fits.append(variant)
        method = settings.replace(variant.method, brief)
        return fit(self, dataclasses.replace(variant, method=method), *given)

    def run_briefly(dataset, splits, config, **options):
        fits.append(config)
        tried = options.get("options") or {}
        options["options"] = {name: settings.replace(x, brief) for name, x in tried.items()}
        config = dataclasses.replace(config, method=settings.replace(config.method, brief))
        return run_study(dataset, splits, config, **options)

    monkeypatch.setattr(beeline, "run_study", run_briefly)
    monkeypatch.setattr(studies.Splits, "fit", fit_briefly)

    def run(*arguments):
        words = ["scregnet_beeline", "--data.root", str(benchmark_root), "--seeds", "0", "1"]
        monkeypatch.setattr(sys, "argv", [*words, *arguments])
        fits.clear()
        beeline.main()
        return record.read_rows("scregnet_beeline"), len(fits)

    return run


@pytest.mark.slow
def test_a_set_of_invented_names_is_measured_once(run):
    arguments = ("--sets", "*/axolotl/*", "--data.split", "Cave")
    rows, fits = run(*arguments)
    assert fits == 5, "one study of ours, and two variants on two samples"
    assert {row["set"] for row in rows} == {NAME} and {row["split"] for row in rows} == {"Cave"}
    methods = {row["method"] for row in rows}
    assert {MODEL, f"{MODEL}, no gene vectors", f"{MODEL}, published form"} <= methods
    assert {"additive logistic", "ID-only rank 4", f"{MODEL}, mean of 2 seeds"} <= methods
    published = [row for row in rows if row["method"] == f"{MODEL}, published form"]
    assert [row["swap_micro"] for row in published] == [0.5, 0.5]  # two samples, additive
    again, fits = run(*arguments)
    assert fits == 0 and again == rows


@pytest.mark.slow
def test_a_set_without_the_split_is_left_out_and_a_network_chooses_its_rule(run, capsys):
    rows, fits = run("--sets", NAME, "--data.split", "scRegNet")
    assert not rows and not fits
    assert "left out, scRegNet has no split of it" in capsys.readouterr().err
    rows, _ = run(
        "--sets", NAME, "--data.split", "draw", "--split.draws", "4", "--split.kind", "balanced"
    )
    assert {row["split"] for row in rows} == {"balanced"} and {row["draw"] for row in rows} == {4}
