"""Batches of cells: what differs between them makes no edge, and their names do not matter."""

import anndata
import numpy as np
import pandas as pd
import pytest

import grnjax
from grnjax.baselines import correlation, information
from grnjax.config.fields import subclasses
from grnjax.data.batches import centre_batches, split_batches, take_cells
from grnjax.data.expression_features import expression_statistics
from grnjax.errors import ConfigError
from grnjax.methods.expression_only import ExpressionOnlyMethod
from grnjax.methods.method import MethodConfig
from grnjax.types import GeneTable

METHODS = ("pearson", "spearman", "mutual-information", "pidc", "genie3", "grnboost2")
SMALL = {"genie3": {"trees": 30}, "grnboost2": {"rounds": 40}, "pidc": {"states": "equal-width"}}
SMALL["mutual-information"] = {"states": "equal-width"}
TRUE, FALSE = ("TF1", "G1"), ("TF2", "G2")
CELLS = 240


def draw_cells(shift=3.0, seed=0):
    """Cells of two batches: TF1 acts on G1 in both; TF2 and G2 are only both higher in the second.

    Counts, many of them 0, and six genes that go with nothing.
    """
    rng = np.random.default_rng(seed)
    batch = np.repeat(["one", "two"], CELLS // 2)
    log = rng.normal(0.5, 0.3, size=(CELLS, 10))
    log[:, 0] += rng.normal(0, 0.8, CELLS)
    log[:, 2] += 0.9 * (log[:, 0] - 0.5)
    log[np.ix_(batch == "two", [1, 3])] += shift / 2
    names = ["TF1", "TF2", "G1", "G2", *(f"N{k}" for k in range(6))]
    adata = anndata.AnnData(np.log1p(rng.poisson(np.exp(log))).astype(np.float32))
    adata.var_names, adata.obs_names = names, [f"cell{k}" for k in range(CELLS)]
    adata.obs["batch"], adata.obs["all"] = batch, "same"
    return adata


def infer(adata, method="pearson", **settings):
    chosen = MethodConfig.find(method)(**SMALL.get(method, {}))
    return grnjax.infer(adata, method=chosen, tfs=["TF1", "TF2"], **settings)


def importance(network):
    return network.edges.set_index(["tf", "target"])["importance"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_what_two_batches_share_is_an_edge_only_where_they_are_not_told_apart(method):
    adata = draw_cells()
    pooled, within = (
        importance(infer(adata, method)),
        importance(infer(adata, method, batch="batch")),
    )
    others = [pair for pair in within.index if pair not in (TRUE, FALSE)]
    assert pooled.idxmax() == FALSE and within.idxmax() == TRUE
    assert within.get(FALSE, 0) <= within[others].max()  # among pairs that are nothing


@pytest.mark.slow
def test_neither_the_order_of_cells_nor_the_names_of_batches_matter():
    adata, rng = draw_cells(), np.random.default_rng(1)
    other = adata[rng.permutation(CELLS)].copy()
    other.obs["batch"] = other.obs["batch"].map({"one": "z", "two": "a"})
    for method in ("spearman", "mutual-information", "grnboost2"):
        wanted, found = (infer(x, method, batch="batch").edges for x in (adata, other))
        pd.testing.assert_frame_equal(wanted, found, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_one_batch_is_none_to_the_last_bit(method, caplog):
    adata = draw_cells()
    alone, told = (infer(adata, method, **x).edges for x in ({}, {"batch": "all"}))
    pd.testing.assert_frame_equal(alone, told, check_exact=True)
    assert "all cells have one value of .obs column 'all'" in caplog.text


def test_mean_and_detection_stay_and_differences_between_batches_go():
    adata = draw_cells()
    x, batch = adata.X, adata.obs["batch"].to_numpy()
    names = adata.var_names.to_numpy(str)
    table = GeneTable(names, np.ones(10, bool), x, np.ones(10, bool))
    centred = centre_batches(table, batch)
    for part in ("one", "two"):
        np.testing.assert_allclose(
            centred.expression[batch == part].mean(axis=0), x.mean(axis=0), atol=1e-5
        )
    assert centred.as_measured is x and centred.batches.of_cell.max() == 1
    before, after = expression_statistics(table), expression_statistics(centred)
    np.testing.assert_allclose(after[:, [0, 2, 4]], before[:, [0, 2, 4]], atol=1e-5)
    assert after[3, 1] < before[3, 1]  # the deviation of what differs between the batches
    one = take_cells(centred, batch == "one")
    assert one.batches is None and np.array_equal(one.expression, x[batch == "one"])
    assert [len(part.expression) for part in split_batches(centred)] == [CELLS // 2] * 2


def test_a_gene_that_is_constant_in_each_batch_does_not_vary():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    x[:20, 1], x[20:, 1] = 1.1, -1.1
    table = GeneTable(np.array(["A", "B", "C"]), np.ones(3, bool), x, np.ones(3, bool))
    centred = centre_batches(table, np.repeat(["x", "y"], 20))
    assert np.ptp(centred.expression[:, 1]) == 0
    for config, score in (
        (correlation.CorrelationConfig(coefficient="spearman"), correlation.score_targets),
        (information.MutualInformationConfig(), information.score_targets),
    ):
        assert not score(centred, np.arange(3), config, seed=0)[:, 1].any()


def test_ranks_are_those_of_each_batch():
    """A gene that is any rising function of another, one a batch, has a rank correlation of 1."""
    rng, batch = np.random.default_rng(0), np.repeat([0, 1], 50)
    a = rng.normal(size=100)
    b = np.where(batch == 0, np.exp(a), 50 + 9 * a)
    x = np.stack([a, b], axis=1).astype(np.float32)
    table = centre_batches(
        GeneTable(np.array(["A", "B"]), np.ones(2, bool), x, np.ones(2, bool)), batch
    )
    config = correlation.CorrelationConfig(coefficient="spearman")
    assert correlation.score_targets(table, np.arange(2), config, seed=0)[0, 1] == pytest.approx(1)


def test_a_column_that_names_no_batches_is_told_in_one_sentence(caplog):
    adata = draw_cells()
    adata.obs["small"] = np.arange(CELLS) // 6
    adata.obs["small"] = adata.obs["small"].astype(str)
    with pytest.raises(
        ConfigError, match=r"all 40 values of .obs column 'small' have fewer than 10"
    ):
        infer(adata, batch="small")
    with pytest.raises(ConfigError, match=r"no column 'donr' for batch;"):
        infer(adata, batch="donr")
    adata.obs["some"] = adata.obs["batch"].where(np.arange(CELLS) > 4)
    adata.obs.iloc[-3:, adata.obs.columns.get_loc("some")] = "third"
    network = infer(adata, batch="some")
    assert "5 of 240 cells without a value of 'some'" in caplog.text
    assert "1 of 3 values of .obs column 'some', of fewer than 10 cells: third 3" in caplog.text
    assert len(network.genes.expression) == CELLS - 8


def test_a_run_folder_knows_its_batches(tmp_path):
    adata = draw_cells()
    first = infer(adata, "mutual-information", batch="batch", folder=tmp_path / "run")
    again = infer(adata, "mutual-information", batch="batch", folder=tmp_path / "run")
    pd.testing.assert_frame_equal(first.edges, again.edges, check_exact=True)
    with pytest.raises(ConfigError, match="another run"):
        infer(adata, "mutual-information", folder=tmp_path / "run")


def test_every_method_that_reads_expression_alone_is_among_these():
    assert {cls.name() for cls in subclasses(ExpressionOnlyMethod)} >= set(METHODS)
