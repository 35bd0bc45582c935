"""The search: the published space, and the same trials however often it is cut off."""

import math
import sys

import pytest

from experiments.shared import record
from grnjax import config as settings
from grnjax.models.gat import GATConfig
from grnjax.models.gcn import GCNConfig

sweep = pytest.importorskip("experiments.scregnet.sweep", reason="the extra sweep is not installed")
NAME = "Perturbed/axolotl/TFs+7"


def draw_configs(count=60, **chosen):
    """Settings at random from the space."""
    import optuna

    search = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    config = sweep.Config(**chosen)
    return [sweep.suggest(search.ask(), config) for _ in range(count)]


@pytest.mark.parametrize("encoder", ["GCN", "GraphSAGE", "GAT"])
def test_the_space_is_the_published_one(encoder):
    drawn = [variant.method for variant in draw_configs(encoder=encoder)]
    widths = [x.model.encoder.widths for x in drawn] + [x.model.mlp_widths for x in drawn]
    assert {len(w) for w in widths} == {1, 2, 3, 4, 5, 6}
    assert all(4 <= width <= 256 for w in widths for width in w)
    assert all(0.1 <= x.model.dropout <= 0.8 for x in drawn)
    training = [x.training for x in drawn]
    assert all(32 <= t.batch_size <= 256 and t.epochs == 300 for t in training)
    assert all(1e-5 <= t.learning_rate <= 1e-2 for t in training)
    assert all(1e-7 <= t.weight_decay <= 1e-4 for t in training)
    optimizers = {"adam"} if encoder == "GAT" else {"adam", "rmsprop", "sgd"}
    assert {t.optimizer for t in training} == optimizers
    if encoder == "GAT":
        assert all(isinstance(x.model.encoder, GATConfig) for x in drawn)
        assert {h for x in drawn for h in x.model.encoder.heads} == set(range(1, 9))
    else:
        assert all(x.model.encoder.dropout == x.model.dropout for x in drawn)


def test_test_pairs_are_the_objective_only_where_that_is_asked_for():
    assert not draw_configs(1)[0].reference_selection
    assert draw_configs(1, reference_selection=True)[0].reference_selection


@pytest.mark.slow
def test_a_trial_is_worth_its_validation_score(benchmark_root):
    loaded = sweep.load_set(NAME, sweep.DataConfig(root=str(benchmark_root)))
    split = loaded.standard_splits((0,))[0]
    config = sweep.Config(once=True)
    small = {"method.model.encoder": GCNConfig(widths=(4,)), "method.model.mlp_widths": (4,)}
    small["method.training.epochs"] = 10
    tried = settings.replace(draw_configs(1, once=True)[0], small)
    score, [row] = sweep.run_trial(loaded, split, tried, config, 0)
    assert score != row["auroc"] and row["pairs"] == len(split.test)
    reference = settings.replace(tried, {"reference_selection": True})
    score, [row] = sweep.run_trial(loaded, split, reference, config, 0)
    assert score == pytest.approx(row["auroc"], abs=1e-5)


class CutOff(Exception):
    """Stands for a process that ends in the middle of a trial."""


@pytest.mark.slow
def test_a_search_that_was_cut_off_ends_as_if_it_had_not_been(
    benchmark_root, tmp_path, monkeypatch, capsys
):
    def run_trial(loaded, split, tried, config, number):
        nonlocal cut_at
        if number == cut_at:
            cut_at = None
            raise CutOff
        score = -abs(math.log10(tried.method.training.learning_rate) + 3)
        return score, [{"method": f"trial {number}", "draw": 0, "seed": 0, "auroc": score}]

    def search(folder):
        monkeypatch.setattr(record, "RESULTS", tmp_path / folder)
        arguments = ["--data.root", str(benchmark_root), "--set", NAME, "--trials", "14"]
        monkeypatch.setattr(sys, "argv", ["sweep", *arguments, "--out", str(tmp_path / folder)])
        sweep.main()
        rows = record.ResultsFile("scregnet_sweep").rows
        return [(row["trial"], row["objective"], row["parameters"]) for row in rows]

    monkeypatch.setattr(sweep, "run_trial", run_trial)
    cut_at = None
    straight, printed = search("straight"), capsys.readouterr().out
    cut_at = 12
    with pytest.raises(CutOff):
        search("cut")
    assert search("cut") == straight
    assert capsys.readouterr().out == printed
    assert [number for number, _, _ in straight] == list(range(14))
    best = max(straight, key=lambda row: row[1])[2]
    assert f'"learning_rate": {best["rate"]}' in printed
