"""Known edges judge a ranking by expression alone, and never change it."""

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.expression import DataConfig
from grnjax.methods.expression_only import PearsonMethod, score_genes
from grnjax.tasks.expression_ranking import judge_scores, rank_pairs
from grnjax.tasks.inputs import load_genes_and_edges
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.types import GeneTable


@pytest.fixture(scope="module")
def rank(small_set):
    """Ranks the small set by correlation."""

    def run(known=None):
        files = small_set.arguments
        return grnjax.infer(
            files[0],
            known,
            method="pearson",
            tfs=small_set.tfs,
            config=InferenceConfig(folds=3),
        )

    return run


def test_pairs_stand_by_falling_score_ties_by_name_and_none_without_one():
    genes = GeneTable(
        np.array(["A", "B", "C"]), np.array([True, False, True]), np.zeros((1, 3)), np.ones(3, bool)
    )
    edges = rank_pairs(genes, np.array([[0, 0.5, 0.2], [0.5, 0.9, 0]]))
    rows = [("C", "B", 0.9), ("A", "B", 0.5), ("C", "A", 0.5), ("A", "C", 0.2)]
    assert list(edges.itertuples(index=False, name=None)) == rows


def test_known_edges_are_marked_and_change_no_score(rank, small_set):
    without, judged = rank(), rank(small_set.known)
    assert list(without.edges) == ["tf", "target", "importance"] and without.rows == []
    columns = list(without.edges)
    pd.testing.assert_frame_equal(judged.edges[columns], without.edges, check_exact=True)
    known = set(small_set.known.itertuples(index=False, name=None))
    pairs = judged.edges[["tf", "target"]].itertuples(index=False, name=None)
    assert [status == "known" for status in judged.edges["status"]] == [x in known for x in pairs]
    assert {row["draw"] for row in judged.rows} == {0, 1, 2}
    assert {"pearson", "TF rate"} <= {row["method"] for row in judged.rows}
    for network in (without, judged):
        assert network.method == "pearson" and network.calibration == {}
        assert set(network.edges["tf"]) <= set(network.genes.names)


@pytest.mark.slow
def test_known_edges_judge_the_ranking_beside_the_trivial_rows(dataset, small_set):
    expression, tfs = small_set.arguments[0], small_set.tfs
    read, _ = load_genes_and_edges(PearsonMethod(), expression, None, tfs, DataConfig())
    genes = read.genes
    assert len(genes.names) == len(dataset.genes.names) - len(small_set.unmeasured)
    scores = score_genes(genes, "pearson", seed=0)
    rows = pd.DataFrame(judge_scores(dataset, genes, scores, "pearson", seed=0))
    assert {"pearson", "additive logistic", "linear expression"} <= set(rows["method"])
    of = rows.set_index(["method", "draw"])[["auroc", "average_precision", "swap_micro"]]
    ours, row = of.loc["pearson"], of.loc["absolute Pearson"]
    pd.testing.assert_frame_equal(ours, row, atol=2e-3, rtol=0)
    assert len(ours) == 5
