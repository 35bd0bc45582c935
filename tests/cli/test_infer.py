"""What a run of `grnjax infer` leaves behind is complete, consistent and better than chance."""

import hashlib
import json
import re

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import grnjax
from grnjax.cli import COMMANDS
from grnjax.cli.infer import InferCommand, inputs_of
from grnjax.config.fields import walk
from grnjax.data.expression import DataConfig
from grnjax.evaluation.calibration import reliability_error
from grnjax.methods.method import MethodConfig
from grnjax.tasks.record import digest_inputs

TRIVIAL_ROWS = {
    "TF rate",
    "target rate",
    "degree product",
    "Adamic-Adar",
    "nearest TF profile",
    "additive logistic",
    "ID-only rank 4",
    "ID-only ensemble",
    "absolute Pearson",
    "co-expressed targets",
    "linear expression",
}


@pytest.fixture(scope="module")
def edges(inferred):
    return pd.read_csv(inferred / "edges.tsv", sep="\t")


@pytest.fixture(scope="module")
def record(inferred):
    return json.loads((inferred / "run.json").read_text())


@pytest.fixture(scope="module")
def known(small_set):
    """The known edges between measured genes."""
    measured = small_set.counts.index
    return small_set.known[small_set.known[["tf", "target"]].isin(measured).all(axis=1)]


def index_of(frame, tf="TF"):
    return pd.MultiIndex.from_frame(frame[[tf, "target"]])


def test_every_tf_is_paired_once_with_every_other_gene(edges, small_set):
    assert list(edges) == [
        "TF",
        "target",
        "importance",
        "expression_sign",
        "probability",
        "probability_true",
        "spread",
        "low",
        "high",
        "status",
        "unseen",
    ]
    genes = set(small_set.counts.index)
    tfs = genes & set(small_set.tfs)
    expected = {(tf, gene) for tf in tfs for gene in genes if tf != gene}
    assert len(edges) == len(expected)
    assert set(index_of(edges)) == expected


def test_edges_stand_by_falling_importance(edges):
    importance = edges["importance"].to_numpy()
    assert (np.diff(importance) <= 0).all()
    assert len(np.unique(importance)) > len(edges) / 2


def test_probabilities_rise_with_importance(edges):
    probability = edges["probability"].to_numpy()
    assert probability.min() >= 0 and probability.max() <= 1
    assert (np.diff(probability) <= 0).all() and probability[0] > probability[-1]


def test_the_interval_of_a_probability_holds_it(edges):
    assert (edges["low"] <= edges["probability"]).all()
    assert (edges["probability"] <= edges["high"]).all()
    assert (edges["low"] < edges["high"]).mean() > 0.9
    assert edges["low"].min() >= 0 and edges["high"].max() <= 1


def test_unseen_says_of_which_gene_no_edge_is_known(edges, known):
    has_targets = edges["TF"].isin(known["tf"])
    has_regulators = edges["target"].isin(known["target"])
    expected = np.select(
        [has_targets & has_regulators, has_regulators, has_targets], ["no", "TF", "target"], "both"
    )
    assert (edges["unseen"] == expected).all()
    assert set(edges["unseen"]) == {"no", "TF", "target", "both"}
    assert set(edges.loc[edges["unseen"] != "no", "status"]) == {"new"}


def test_two_repeats_disagree_somewhere_and_a_spread_is_never_negative(edges):
    assert edges["spread"].min() >= 0
    assert (edges["spread"] > 0).mean() > 0.9


def test_exactly_the_known_edges_are_called_known(edges, known):
    called = set(index_of(edges[edges["status"] == "known"]))
    assert called == set(index_of(known, "tf"))
    assert set(edges["status"]) == {"known", "new"}


def test_hidden_true_edges_rank_above_pairs_that_are_no_edges(edges, small_set):
    new = edges[edges["status"] == "new"]
    is_true = index_of(new).isin(index_of(small_set.truth, "tf"))
    assert 30 < is_true.sum() < len(new) / 2
    assert roc_auc_score(is_true, new["importance"]) > 0.6


def test_a_tf_without_known_targets_still_tells_targets_apart(edges, small_set):
    scores = edges.loc[edges["TF"] == small_set.silent_tf, "importance"]
    assert scores.nunique() > 0.9 * len(scores)
    assert scores.max() - scores.min() > 0.05


def test_genes_without_expression_are_left_out_and_reported(edges, record, small_set):
    assert not set(small_set.unmeasured) & {*edges["TF"], *edges["target"]}
    assert record["data"]["unknown_genes"] == {"count": 2, "first": ["G50", "TF04"]}
    assert record["data"]["tfs_not_found"] == {"count": 1, "first": ["TF04"]}


def test_ranked_edges_are_what_beeline_reads(inferred, edges):
    ranked = pd.read_csv(inferred / "rankedEdges.csv", sep="\t")
    assert list(ranked) == ["Gene1", "Gene2", "EdgeWeight"]
    expected = edges[["TF", "target", "importance"]].set_axis(list(ranked), axis=1)
    pd.testing.assert_frame_equal(ranked, expected)


def test_the_h5ad_holds_the_same_network_with_tfs_in_rows(inferred, edges, small_set):
    table = anndata.read_h5ad(inferred / "network.h5ad")
    tf, target = (table.var_names.get_indexer(edges[role]) for role in ("TF", "target"))
    for key, column in (("grn", "importance"), ("grn_probability", "probability")):
        matrix = table.varp[key].toarray()
        np.testing.assert_allclose(matrix[tf, target], edges[column], rtol=1e-6)
        assert np.count_nonzero(matrix) == len(edges)
    is_tf = table.var_names.isin(small_set.tfs)
    assert (table.var["is_tf"] == is_tf).all()
    assert not table.varp["grn"].toarray()[~is_tf].any()
    assert table.var["measured"].all() and "G50" not in table.var_names
    assert {"config", "inputs", "versions", "device"} <= set(table.uns["grn"])


def test_the_record_names_settings_inputs_and_machine(record, small_set):
    assert record["command"] == "infer" and record["seed"] == 5
    assert record["method"] == "kernel-factor"
    assert record["config"]["repeats"] == 2
    method = record["config"]["method"]
    assert method["class"] == "KernelFactorMethod" and method["training"]["steps"] == 60
    files = {"expression": "expression.csv", "network": "network.csv", "tfs": "tfs.txt"}
    for role, name in files.items():
        content = (small_set.folder / name).read_bytes()
        assert record["inputs"][role] == hashlib.sha256(content).hexdigest()
    assert {"python", "jax", "numpy", "grnjax"} <= set(record["versions"])
    assert record["device"]["backend"] and record["device"]["count"] >= 1
    assert record["seconds"] > 0


def test_the_record_judges_every_fold_beside_the_trivial_rows(record, small_set, known):
    rows = pd.DataFrame(record["metrics"]["rows"])
    assert set(rows["method"]) == {"kernel-factor", *TRIVIAL_ROWS}
    assert (rows.groupby("method")["draw"].agg(set) == {0, 1, 2}).all()
    assert rows["auroc"].between(0, 1).all()
    told = known["tf"].nunique() * (len(small_set.counts) - 1)
    assert (rows.groupby("method")["pairs"].sum() == told).all()
    assert (rows.groupby("method")["positives"].sum() == len(known)).all()


def test_the_reliability_error_is_out_of_sample_and_small(record, edges, small_set):
    calibration = record["metrics"]["calibration"]
    told = edges[edges["TF"] != small_set.silent_tf]
    share = (told["status"] == "known").mean()
    assert calibration["prevalence_known"] == pytest.approx(share)
    assert calibration["prevalence_assumed"] == pytest.approx(share)
    assert calibration["pairs_of_tfs_without_known_targets"] == len(edges) - len(told)
    in_sample = reliability_error(told["probability"], told["status"] == "known")
    assert calibration["reliability_error"] != pytest.approx(in_sample, abs=1e-9)
    assert calibration["reliability_error"] < 0.1


def test_python_gives_the_ranking_of_the_command_line(edges, small_set):
    from grnjax.config import replace

    counts = small_set.counts.sample(frac=1, random_state=3).T
    data = anndata.AnnData(counts.astype(np.float32))
    settings = {
        "repeats": 2,
        "folds": 3,
        "method.training.steps": 60,
        "method.kernels.episodes": 4,
    }
    network = grnjax.infer(
        data,
        small_set.known.sample(frac=1, random_state=4),
        tfs=small_set.tfs[::-1],
        config=replace(grnjax.InferenceConfig(), settings),
        seed=5,
    )
    ours = network.edges.rename(columns={"tf": "TF"})
    floats = ["importance", "probability", "spread", "low", "high"]
    assert (index_of(ours) == index_of(edges)).all()
    assert (ours[["status", "unseen"]] == edges[["status", "unseen"]]).all(axis=None)
    np.testing.assert_array_equal(ours[floats].astype("f4"), edges[floats].astype("f4"))


def test_an_embedding_with_other_content_is_another_input(tmp_path):
    path = tmp_path / "table.h5ad"
    command = InferCommand(data=DataConfig(embedding=f"{path}:X_model"))
    digests = []
    for content in (b"one", b"two"):
        path.write_bytes(content)
        digests.append(digest_inputs(inputs_of(command))["embedding"])
    assert digests[0] != digests[1]


@pytest.mark.slow
def test_without_arguments_the_embedded_set_is_ranked(cli, quick_factors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    size = {"genes": 60, "tfs": 8, "master-regulators": 3, "cells": 80, "tfs-per-programme": 3}
    small = [f"--embedded.simulator.{name}={value}" for name, value in size.items()]
    outcome = cli("infer", *small, "--repeats=1", "--folds=3", *quick_factors)
    assert outcome.status == 0, outcome.err
    record = json.loads((tmp_path / "grnjax-run" / "run.json").read_text())
    assert {row["method"] for row in record["metrics"]["hidden_rows"]} == {
        "kernel-factor",
        *TRIVIAL_ROWS,
    }
    assert "hidden true edges" in outcome.out and "held-out known edges" in outcome.out
    assert f"{8 * 59} ranked pairs in grnjax-run/" in outcome.out
    assert len(outcome.out.strip().splitlines()) <= 25
    assert max(map(len, outcome.out.splitlines())) <= 100
    assert set(record["evidence"]) == {"expression", "motifs"}
    hidden, known = (record["metrics"][key][0]["positives"] for key in ("hidden_rows", "rows"))
    assert 0 < hidden < known


@pytest.mark.slow
def test_scregnet_ranks_the_same_pairs_by_other_scores(cli, edges, small_set, tmp_path):
    settings = ["--method=scRegNet", "--repeats=1", "--folds=2", "--method.training.epochs=10"]
    outcome = cli("infer", *small_set.arguments, *settings, "--out", tmp_path / "run")
    assert outcome.status == 0, outcome.err
    theirs = pd.read_csv(tmp_path / "run" / "edges.tsv", sep="\t")
    assert list(theirs) == list(edges) and set(index_of(theirs)) == set(index_of(edges))
    assert (theirs["low"] == theirs["high"]).all()  # one repeat
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["method"] == "scRegNet"
    assert (record["evidence"], record["blocks"], record["label_overlap"]) == ({}, [], [])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["infer", "train", "transfer"])
@pytest.mark.parametrize("name", MethodConfig.NAMED)
def test_help_shows_the_settings_of_one_method(cli, command, name):
    outcome = cli(command, f"--method={name}", "--help-all")
    assert outcome.status == 0 and outcome.out.startswith(f"usage: grnjax {command}")
    lines = [line for line in outcome.out.splitlines() if re.match(r"\W{2}--\w", line)]
    flags = re.findall(r"--(method\.[a-z0-9.-]+)(?=[ ,]|$)", "\n".join(lines))
    assert set(flags) == {
        flag.replace("--", "method.", 1)
        for setting in walk(MethodConfig.find(name)())
        for flag in setting.flags
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_fits_60_lines(cli, command):
    lines = cli(command, "--help").out.splitlines()
    assert 3 < len(lines) <= 60 and max(map(len, lines)) <= 100


def test_the_first_help_shows_main_flags_and_leads_to_all_of_them(cli):
    short, everything = (cli("infer", flag).out for flag in ("--help", "--help-all"))
    flags = ("EXPRESSION", "--network", "--by", "--evidence", "--method=NAME", "--verbose")
    assert all(flag in short for flag in flags) and "--help-all" in short
    assert "--data.layer" in everything and "--data.layer" not in short
    assert cli("infer", "--help", "all").out == everything
