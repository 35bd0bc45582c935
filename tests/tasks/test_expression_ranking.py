"""Known edges judge a ranking by expression alone, and never change it."""

import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.data.candidates import Listing
from grnjax.tasks.expression_ranking import name_status, rank_pairs, score_candidates
from grnjax.tasks.network_inference import InferenceConfig
from grnjax.types import GeneTable


@pytest.fixture(scope="module")
def rank(small_set):
    """Ranks the small set by correlation."""

    def run(known=None, folds=5):
        files, config = small_set.arguments, InferenceConfig(folds=folds)
        return grnjax.infer(files[0], known, method="pearson", tfs=small_set.tfs, config=config)

    return run


def test_pairs_stand_by_falling_score_ties_by_name_and_none_without_one():
    genes = GeneTable(
        np.array(["A", "B", "C"]), np.array([True, False, True]), np.zeros((1, 3)), np.ones(3, bool)
    )
    edges = rank_pairs(genes, np.array([[0, 0.5, 0.2], [0.5, 0.9, 0]]))
    rows = [("C", "B", 0.9), ("A", "B", 0.5), ("C", "A", 0.5), ("A", "C", 0.2)]
    assert list(edges.itertuples(index=False, name=None)) == rows
    best = rank_pairs(genes, np.array([[0, 0.5, 0.2], [0.5, 0.9, 0]]), Listing(top=2))
    assert list(best.itertuples(index=False, name=None)) == rows[:2]


@pytest.mark.slow
def test_known_edges_are_marked_and_change_no_score(rank, small_set):
    without, judged = rank(), rank(small_set.known, folds=3)
    assert list(without.edges) == ["tf", "target", "importance", "expression_sign"]
    assert without.rows == []
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
def test_known_edges_judge_the_ranking_beside_the_trivial_rows(rank, dataset, small_set):
    network = rank(small_set.known)
    assert network.edges["target"].nunique() <= len(dataset.genes.names) - len(small_set.unmeasured)
    rows = pd.DataFrame(network.rows)
    assert {"pearson", "additive logistic", "linear expression"} <= set(rows["method"])
    of = rows.set_index(["method", "draw"])[["auroc", "average_precision", "swap_micro"]]
    ours, row = of.loc["pearson"], of.loc["absolute Pearson"]
    pd.testing.assert_frame_equal(ours, row, atol=2e-3, rtol=0)
    assert len(ours) == 5


def test_a_candidate_of_a_gene_that_was_not_scored_has_score_0(dataset, candidates, small_set):
    """The scores are of the measured genes, the candidates of all that are known."""
    genes = dataset.genes
    kept = np.flatnonzero(genes.measured)
    scored = GeneTable(
        genes.names[kept], genes.is_tf[kept], genes.expression[:, kept], genes.measured[kept]
    )
    scores = np.random.default_rng(0).random((len(scored.tfs), len(kept))) + 1
    found = score_candidates(scores, scored, candidates, dataset)
    table = pd.DataFrame(scores, scored.names[scored.tfs], scored.names)
    table = table.reindex(index=small_set.tfs, columns=small_set.genes).fillna(0)
    tf, target = genes.names[candidates.pairs].T
    expected = [table.loc[pair] for pair in zip(tf, target, strict=True)]
    np.testing.assert_array_equal(found, expected)
    assert (found == 0).sum() > 0 and set(small_set.unmeasured) & set(target)


def test_an_edge_is_known_by_the_names_of_its_ends(dataset, small_set):
    known = small_set.known.iloc[:3]
    turned = known.rename(columns={"tf": "target", "target": "tf"})[["tf", "target"]]
    turned = turned[~turned.apply(tuple, axis=1).isin(small_set.known.apply(tuple, axis=1))]
    status = name_status(pd.concat([known, turned]), dataset)
    assert status.tolist() == ["known"] * 3 + ["new"] * len(turned) and len(turned)
