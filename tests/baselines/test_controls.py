import logging
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from grnjax.baselines.controls import (
    best_on_validation,
    degree_product,
    identity_model,
    nearest_tf_profile,
    scores_at,
    target_rate,
    tf_rate,
    trivial_rows,
)
from grnjax.baselines.correlation import absolute_pearson
from grnjax.baselines.factors import FactorRidge, fit_factor_model
from grnjax.data.beeline import read_folder
from grnjax.data.genes import build_dataset
from grnjax.data.label_matrix import label_matrix
from grnjax.data.split_files import read_splits
from grnjax.evaluation.metrics import swap_concordance
from grnjax.evaluation.splits import draw_split
from grnjax.types import Dataset, GeneTable, LabelledPairs, Split

GENES = 150
TFS = np.sort(np.random.default_rng(0).permutation(GENES)[:18])
A, B, C, *_, LAST = TFS  # three TFs and the last one
UNMEASURED = np.setdiff1d(np.arange(GENES), TFS)[0]
ADDITIVE = ["TF rate", "target rate", "degree product", "additive logistic"]
CHOSEN = ["ID-only rank 4", "ID-only ensemble", "co-expressed targets"]  # on validation


@pytest.fixture(scope="module")
def genes():
    """Expression in three programmes; one gene is not measured."""
    rng = np.random.default_rng(0)
    programme = np.arange(GENES) % 3
    values = rng.normal(size=(90, 3))[:, programme] + rng.normal(size=(90, GENES))
    values[:, UNMEASURED] = 0
    is_tf = np.isin(np.arange(GENES), TFS)
    names = np.array([f"G{i:03d}" for i in range(GENES)])
    return GeneTable(names, is_tf, values.astype(np.float32), np.arange(GENES) != UNMEASURED)


@pytest.fixture(scope="module")
def split():
    """Each TF prefers one programme, some TFs and some targets have more edges than others."""
    rng = np.random.default_rng(1)
    prefers = (np.arange(len(TFS)) % 3)[:, None] == np.arange(GENES) % 3
    bias = 1.5 * rng.normal(size=(len(TFS), 1)) + 1.5 * rng.normal(size=GENES)
    logits = 4 * prefers - 3 + bias
    row, target = np.nonzero(rng.random(logits.shape) < 1 / (1 + np.exp(-logits)))
    edges = np.stack([TFS[row], target], axis=1)
    return draw_split("standard", edges, GENES, 0)


@pytest.fixture(scope="module")
def rows(genes, split):
    return trivial_rows(genes, split.train, split.validation, TFS)


def judge(scores, pairs):
    """AUROC and average precision on the pairs."""
    at = scores_at(scores, pairs, TFS)
    return roc_auc_score(pairs.labels, at), average_precision_score(pairs.labels, at)


@pytest.mark.slow
def test_every_row_scores_every_tf_with_every_gene(rows):
    assert list(rows) == [
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
    ]
    for name, scores in rows.items():
        assert scores.shape == (len(TFS), GENES), name
        assert np.isfinite(scores).all(), name


def test_every_row_but_the_correlation_knows_more_than_chance(rows, split):
    for name, scores in rows.items():
        if name not in ("absolute Pearson", "Adamic-Adar"):  # TFs here share no neighbours
            assert judge(scores, split.test)[0] > 0.58, name


def test_additive_rows_score_exactly_one_half_in_swap_concordance_and_factors_do_not(rows, split):
    swaps = {
        name: swap_concordance(
            split.test.pairs, split.test.labels, scores_at(scores, split.test, TFS)
        )["micro"]
        for name, scores in rows.items()
    }
    for name in ADDITIVE:
        assert swaps[name] == 0.5, name
    for name in [*CHOSEN, "nearest TF profile", "linear expression"]:
        assert swaps[name] > 0.6, name


def test_held_out_labels_reach_no_row_but_those_that_choose_on_them(genes, split, rows):
    rng = np.random.default_rng(2)
    other = LabelledPairs(split.validation.pairs, rng.permutation(split.validation.labels))
    again = trivial_rows(genes, split.train, other, TFS)
    for name in rows:
        if name not in CHOSEN:
            np.testing.assert_array_equal(rows[name], again[name], err_msg=name)


def test_validation_chooses_by_average_precision(split):
    matrix = label_matrix(split.train, TFS, GENES)
    truth = label_matrix(split.validation, TFS, GENES).labels
    fits = [truth * 0.1, -truth, truth]
    assert best_on_validation(fits, matrix, split.validation)[-1] == 1


def test_rates_are_the_log_odds_of_shrunk_shares():
    pairs = np.array([[1, 0], [1, 2], [1, 3], [4, 0], [4, 2]])
    train = label_matrix(LabelledPairs(pairs, np.array([1.0, 1, 0, 0, 0])), np.array([1, 4]), 6)
    share = 2 / 5  # positives among the train pairs
    odds = [(2 + share) / (2 - share), share / (3 - share)]  # of (k + share) / (n + 1)
    np.testing.assert_allclose(tf_rate(train)[:, 0], np.log(odds), rtol=1e-5)
    by_target = target_rate(train)
    assert (by_target == by_target[0]).all()
    assert by_target[0, 0] == pytest.approx(np.log((1 + share) / (2 - share)), rel=1e-5)
    assert by_target[0, 5] == pytest.approx(np.log(share / (1 - share)), rel=1e-5)


def test_the_degree_of_a_gene_counts_its_edges_in_both_roles():
    tfs, pairs = np.array([1, 4]), np.array([[1, 0], [1, 4], [4, 1], [4, 2]])
    train = label_matrix(LabelledPairs(pairs, np.array([1.0, 1, 1, 0])), tfs, 6)
    degree = np.array([1, 3, 0, 0, 2, 0])  # of TF 1: two targets and one regulator
    expected = np.log1p(degree[tfs])[:, None] + np.log1p(degree)
    np.testing.assert_allclose(degree_product(train), expected, rtol=1e-6)


def test_the_nearest_profile_says_what_similar_tfs_regulate():
    """The first two TFs share their targets; of the first, gene 30 is no train pair."""
    labels = np.zeros((3, GENES), np.float32)
    labels[:2, 20:30] = labels[2, 40:50] = labels[1, 30] = 1
    observed = np.ones((3, GENES), bool)
    observed[0, [30, 31, 45]] = False
    train = LabelledPairs(
        np.stack([TFS[np.nonzero(observed)[0]], np.nonzero(observed)[1]], axis=1), labels[observed]
    )
    matrix = label_matrix(train, TFS[:3], GENES)
    scores, _, of_the_third = nearest_tf_profile(matrix)
    assert scores[30] > scores[31] + 1
    assert scores[45] <= scores[31], "a TF of other targets has no say"
    np.testing.assert_allclose(of_the_third, tf_rate(matrix)[2])  # nor have its own labels


def test_a_network_without_expression_has_no_row_of_it(genes, split, caplog):
    nothing = np.zeros((0, GENES), np.float32), np.zeros(GENES, bool)
    empty = GeneTable(genes.names, genes.is_tf, *nothing)
    with caplog.at_level(logging.INFO, logger="grnjax"):
        rows = trivial_rows(empty, split.train, split.validation, TFS)
    expressed = {"absolute Pearson", "co-expressed targets", "linear expression"}
    assert not expressed & rows.keys() and len(rows) == 8
    assert "no row that needs it" in caplog.text


def test_absolute_pearson_is_the_size_of_the_correlation(genes):
    scores = absolute_pearson(genes, TFS)
    for gene in range(0, GENES, 7):
        if gene != UNMEASURED:
            r = np.corrcoef(genes.expression[:, C], genes.expression[:, gene])[0, 1]
            assert scores[2, gene] == pytest.approx(abs(r), abs=1e-5)
    assert not scores[:, UNMEASURED].any()


def test_scores_are_looked_up_by_gene_and_not_by_row():
    block = np.arange(len(TFS) * GENES, dtype=float).reshape(len(TFS), GENES)
    pairs = LabelledPairs(np.array([[LAST, 2], [A, 59], [B, 0]]), np.zeros(3))
    expected = [block[-1, 2], block[0, 59], block[1, 0]]
    assert scores_at(block, pairs, TFS).tolist() == expected


@pytest.fixture(scope="module")
def published() -> tuple[Dataset, Split]:
    """The genes of hESC TFs+500 and the split of them that scRegNet published."""
    data = os.environ.get("GRNJAX_DATA")
    if not data:
        pytest.skip("GRNJAX_DATA is not set: no real data")
    where = "Specific/hESC/TFs+500"
    beeline = read_folder(Path(data) / "beeline_labels" / where)
    dataset = build_dataset(
        None, beeline.edges, tfs=beeline.tfs, universe=beeline.genes, source="hESC"
    )
    return dataset, read_splits(Path(data) / "beeline_splits/scRegNet" / where, beeline, dataset)


@pytest.mark.slow
def test_identity_rows_get_the_published_figures_on_the_published_split(published):
    """scregnet.md section 10: .885 / .620 and .886 / .628, where scRegNet has .89 / .62."""
    dataset, split = published
    tfs = np.unique(split.train.pairs[:, 0])
    matrix = label_matrix(split.train, tfs, len(dataset.genes.names))
    additive = fit_factor_model(matrix, rank=0, ridge=FactorRidge())
    rank_4 = identity_model(matrix, split.validation)
    for scores, auroc, average_precision in ((additive, 0.885, 0.620), (rank_4, 0.886, 0.628)):
        at = scores_at(scores, split.test, tfs)
        assert roc_auc_score(split.test.labels, at) == pytest.approx(auroc, abs=0.005)
        found = average_precision_score(split.test.labels, at)
        assert found == pytest.approx(average_precision, abs=0.01)
