"""The scorer learns from cell types that it is not asked about, and says which it has seen."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from grnjax.errors import CheckpointError, ConfigError
from grnjax.evaluation.metrics import binary_metrics
from grnjax.methods.compendium.pretraining import (
    FOLDER,
    ScorerConfig,
    make_rows,
    place_everything,
    read_scorer,
    train_compendium,
)
from grnjax.methods.compendium.scoring import LearntScore, LookUp, choose_score
from grnjax.training.list_ranking import ListTrainingConfig

from .planted import make_compendium, make_lists, make_rule, take_labels

QUICK = ScorerConfig(
    training=ListTrainingConfig(epochs=60, evaluate_every=20, learning_rate=0.02),
    members=2,
    fewest_targets=10,
)


@pytest.fixture(scope="module")
def edges():
    return make_lists(make_rule())


@pytest.fixture(scope="module")
def trained(edges, tmp_path_factory):
    """A scorer that has not seen K562."""
    folder = tmp_path_factory.mktemp("scorer")
    compendium = make_compendium(edges)
    return train_compendium(folder, without=("K-562",), compendium=compendium, config=QUICK)


def measure(compendium, edges, score):
    """Mean AUROC of the networks of K562, by lists of other cells."""
    lists, _ = place_everything(compendium.without("K562"), "human")
    tfs, labels = take_labels(edges, "K562", lists.genes)
    rows = zip(labels, score(lists, tfs), strict=True)
    return np.mean([binary_metrics(y, x)["auroc"] for y, x in rows])


def test_it_ranks_cells_it_has_not_seen_better_than_the_look_up(edges, trained):
    compendium = make_compendium(edges)
    _, motifs = place_everything(compendium.without("K562"), "human")
    scorer = read_scorer(trained)
    learnt = measure(compendium, edges, LearntScore(scorer, motifs))
    assert learnt > measure(compendium, edges, LookUp()) + 0.02
    assert "K562" not in scorer.cells and "HEPG2" in scorer.cells
    assert scorer.about["compendium"] == compendium.without("K562").digest


@pytest.mark.slow
def test_labels_that_are_left_out_change_nothing_of_it(edges, trained, tmp_path):
    other = edges[(edges["cell"] != "K562") | (edges["target"] < "GENE3")]
    assert len(other) < len(edges)
    compendium = make_compendium(other)
    again = train_compendium(tmp_path, without=("K562",), compendium=compendium, config=QUICK)
    ours, theirs = read_scorer(trained), read_scorer(again)
    assert ours.about == theirs.about
    for one, two in zip(*(jax.tree.leaves(x.members) for x in (ours, theirs)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_rows_of_training_have_not_seen_their_own_cell_type(edges):
    changed = edges[(edges["cell"] != "MCF7") | (edges["target"] > "GENE15")]
    config = dataclasses.replace(QUICK, fewest_targets=1)
    kinds = [place_everything(make_compendium(x), "human") for x in (edges, changed)]
    ours, theirs = (make_rows(*x, config, seed=0) for x in kinds)
    own = ours.cells == "MCF7"
    assert (ours.labels[own] != theirs.labels[own]).any()
    np.testing.assert_array_equal(ours.pairs[own], theirs.pairs[own])
    assert (ours.pairs[~own] != theirs.pairs[~own]).any()


def test_a_checkpoint_that_saw_the_cells_is_refused(trained):
    assert isinstance(choose_score(str(trained), "auto", ("K562",), None), LearntScore)
    with pytest.raises(ConfigError, match=r"lists of HEPG2.*grnjax pretrain --without HEPG2"):
        choose_score(str(trained), "auto", ("hHEP",), None)


def test_no_checkpoint_and_one_of_other_features_are_refused(trained, tmp_path):
    with pytest.raises(CheckpointError, match="no trained scorer"):
        read_scorer(tmp_path)
    [manifest] = (trained / FOLDER).glob("*/manifest.json")
    damaged = tmp_path / FOLDER / "1"
    damaged.mkdir(parents=True)
    text = json.loads(manifest.read_text())
    (damaged / "manifest.json").write_text(json.dumps(text))
    with pytest.raises(CheckpointError):
        read_scorer(tmp_path)


def test_few_cell_types_are_refused(edges, tmp_path):
    few = make_compendium(edges[edges["cell"].isin(["K562", "MCF7"])])
    with pytest.raises(ConfigError, match="2 cell types have lists"):
        train_compendium(tmp_path, compendium=few, config=QUICK)
