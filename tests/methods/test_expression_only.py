"""Networks from expression alone: the same bits however they are made, and better than chance."""

import anndata
import numpy as np
import pandas as pd
import pytest
from grnjax.baselines.unsupervised import METHODS, Method
from grnjax.tasks.unsupervised import infer_unsupervised, judge_scores, load_genes, score_genes
from sklearn.metrics import roc_auc_score

from grnjax.baselines.boosting import GRNBoost2Config
from grnjax.baselines.correlation import CorrelationConfig
from grnjax.baselines.forests import GENIE3Config
from grnjax.baselines.pidc import PIDCConfig
from grnjax.data.expression import DataConfig
from grnjax.errors import (
    CheckpointError,
    ConfigError,
    ExpressionFormatError,
    GeneMismatchError,
    NonFiniteError,
)
from grnjax.tasks import unsupervised

AS_IT_IS = DataConfig(normalise="never", scaled=True)
TARGETS_A_BLOCK = 10
QUICK = {"genie3": GENIE3Config(trees=20), "grnboost2": GRNBoost2Config(rounds=30)}


@pytest.fixture(scope="module")
def planted():
    """Expression [cell, gene] in which each of 30 targets follows two of 6 TFs, and those edges."""
    rng = np.random.default_rng(0)
    tfs, targets = [f"TF{i}" for i in range(6)], [f"G{i:02d}" for i in range(30)]
    activity = rng.normal(size=(240, 6))
    edges, columns = [], []
    for target in targets:
        causes = rng.choice(6, size=2, replace=False)
        edges += [(tfs[cause], target) for cause in causes]
        columns.append(activity[:, causes] @ rng.choice([-1, 1], 2) + rng.normal(size=240))
    values = np.concatenate([activity, np.stack(columns, axis=1)], axis=1).astype(np.float32)
    cells = [f"cell{i}" for i in range(240)]
    table = pd.DataFrame(values, index=cells, columns=[*tfs, *targets])
    return table, tfs, pd.DataFrame(edges, columns=["tf", "target"])


def as_anndata(table):
    return anndata.AnnData(
        table.to_numpy(), obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns)
    )


def rank(table, tfs, method, **settings):
    return infer_unsupervised(as_anndata(table), tfs, method, data=AS_IT_IS, **settings)


@pytest.fixture
def stepwise(monkeypatch):
    """A method of 10 targets a block, that fails when it has made so many blocks."""

    class Counter:
        made, fails_after = 0, None

        def score_targets(self, genes, targets, config, *, seed):
            if self.made == self.fails_after:
                raise KeyboardInterrupt
            self.made += 1
            scores = METHODS["pearson"].score_targets(genes, targets, config, seed=seed)
            noise = [np.random.default_rng([seed, target]).random() for target in targets]
            return (scores * noise).astype(np.float32)

    counter = Counter()
    method = Method(counter.score_targets, CorrelationConfig(), TARGETS_A_BLOCK)
    monkeypatch.setitem(METHODS, "stepwise", method)
    return counter


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_planted_network_is_found_far_above_chance(planted, method):
    table, tfs, truth = planted
    edges = rank(table, tfs, method, config=QUICK.get(method))
    assert list(edges) == ["tf", "target", "importance"]
    assert (np.diff(edges["importance"]) <= 0).all() and edges["importance"].min() > 0
    importance = edges.set_index(["tf", "target"])["importance"]
    pairs = pd.MultiIndex.from_product([tfs, [name for name in table if name not in tfs]])
    is_true = pairs.isin(pd.MultiIndex.from_frame(truth))
    assert roc_auc_score(is_true, importance.reindex(pairs).fillna(0)) > 0.9


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_order_of_genes_and_of_cells_does_not_matter(planted, method):
    table, tfs, _ = planted
    rng = np.random.default_rng(1)
    table = table.iloc[:80, :20]
    moved = table.iloc[rng.permutation(80), rng.permutation(20)]
    settings = {"seed": 3, "config": QUICK.get(method)}
    edges = rank(table, tfs, method, **settings)
    again = rank(moved, tfs[::-1], method, **settings)
    pd.testing.assert_frame_equal(again, edges, check_exact=True)


def test_a_run_cut_off_goes_on_to_the_same_bits(planted, stepwise, tmp_path):
    table, tfs, _ = planted
    whole = rank(table, tfs, "stepwise", seed=2, folder=tmp_path / "whole")
    assert stepwise.made == 4
    stepwise.made, stepwise.fails_after = 0, 2
    with pytest.raises(KeyboardInterrupt):
        rank(table, tfs, "stepwise", seed=2, folder=tmp_path / "cut")
    assert len(list((tmp_path / "cut/checkpoints/stepwise").iterdir())) == 2
    stepwise.made, stepwise.fails_after = 0, None
    resumed = rank(table, tfs, "stepwise", seed=2, folder=tmp_path / "cut")
    assert stepwise.made == 2
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    files = [sorted((tmp_path / run).rglob("*.block")) for run in ("whole", "cut")]
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(*files, strict=True)] == [True] * 4
    pd.testing.assert_frame_equal(rank(table, tfs, "stepwise", seed=2), whole, check_exact=True)


@pytest.mark.parametrize("change", ["seed", "expression", "tfs"])
def test_blocks_of_another_run_are_refused(planted, stepwise, tmp_path, change):
    table, tfs, _ = planted
    rank(table, tfs, "stepwise", seed=2, folder=tmp_path)
    other = {"table": table, "tfs": tfs, "seed": 2}
    other |= {
        "seed": {"seed": 4},
        "expression": {"table": table * 2},
        "tfs": {"tfs": tfs[:5]},
    }[change]
    with pytest.raises(CheckpointError, match=r"000000\.block was computed from other"):
        rank(other["table"], other["tfs"], "stepwise", seed=other["seed"], folder=tmp_path)


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "renamed"])
def test_damaged_blocks_are_refused_by_name(planted, stepwise, tmp_path, damage):
    table, tfs, _ = planted
    rank(table, tfs, "stepwise", folder=tmp_path)
    path = tmp_path / "checkpoints/stepwise/000010.block"
    raw = bytearray(path.read_bytes())
    if damage == "renamed":
        raw = path.with_name("000020.block").read_bytes()
    elif damage == "bit":
        raw[len(raw) // 2] ^= 4
    else:
        raw = raw[: len(raw) // 2 if damage == "cut" else 0]
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"000010\.block"):
        rank(table, tfs, "stepwise", folder=tmp_path)


def test_every_gene_may_regulate_where_no_list_is_given(planted):
    table = planted[0].iloc[:60, :9]
    edges = rank(table, None, "spearman")
    assert len(edges) == 9 * 8
    assert set(edges["tf"]) == set(edges["target"]) == set(table)
    one = rank(table, ["TF3", "unheard of"], "spearman")
    expected = edges[edges["tf"] == "TF3"].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, expected)


def test_genes_that_do_not_vary_are_counted_named_and_not_ranked(planted, caplog):
    table, tfs, _ = planted
    table = table.iloc[:60, :12].abs().assign(G03=0.0, G01=2.0, TF5=0.0)
    genes, report = load_genes(as_anndata(table), tfs, AS_IT_IS)
    assert report["without_expression"] == {"count": 2, "first": ["G03", "TF5"]}
    assert report["constant"] == {"count": 1, "first": ["G01"]}
    assert "1 genes of the same expression in every cell, not ranked: G01" in caplog.text
    edges = rank(table, tfs, "pearson")
    named = set(edges["tf"]) | set(edges["target"])
    assert named == set(table) - {"G03", "G01", "TF5"}
    assert score_genes(genes, "pearson", seed=0).shape == (6, 12)


def test_the_settings_of_a_method_are_used_and_those_of_another_refused(planted):
    table = planted[0].iloc[:60, :9]
    default = rank(table, None, "pidc")
    equal = rank(table, None, "pidc", config=PIDCConfig(states="equal-width", bins=3))
    assert not default.equals(equal)
    with pytest.raises(ConfigError, match="pidc takes settings of the class PIDCConfig, not Corr"):
        rank(table, None, "pidc", config=CorrelationConfig())
    with pytest.raises(ConfigError, match="spearman has no settings"):
        rank(table, None, "spearman", config=CorrelationConfig())
    with pytest.raises(ConfigError, match="no method 'grnboost3'; choose one of pearson"):
        rank(table, None, "grnboost3")


def test_what_cannot_be_ranked_is_refused_in_a_sentence(planted, monkeypatch, tmp_path):
    table, tfs, _ = planted
    with pytest.raises(GeneMismatchError, match="0 are among"):
        rank(table, ["nobody", "else"], "pearson")
    with pytest.raises(GeneMismatchError, match="a network needs a TF and a target"):
        rank(table.assign(TF1=1.0), ["TF1"], "pearson")
    table.to_csv(tmp_path / "expression.csv")
    with pytest.raises(ExpressionFormatError, match="tells the genes from the cells"):
        infer_unsupervised(tmp_path / "expression.csv", None, "pearson", data=AS_IT_IS)
    monkeypatch.setattr(unsupervised, "MOST_PAIRS", 100)
    with pytest.raises(ConfigError, match="6 TFs and 36 targets make 216 pairs"):
        rank(table, tfs, "pearson")


def test_scores_that_are_not_finite_are_refused(planted, monkeypatch):
    def broken(genes, targets, config, *, seed):
        return np.where(targets == 3, np.nan, 1.0) * np.ones((len(genes.tfs), 1), np.float32)

    monkeypatch.setitem(METHODS, "broken", Method(broken, CorrelationConfig()))
    with pytest.raises(NonFiniteError, match=r"1 targets \(G03\)"):
        rank(planted[0], None, "broken")


@pytest.mark.slow
def test_known_edges_judge_the_ranking_beside_the_trivial_rows(dataset, small_set):
    expression, tfs = small_set.arguments[0], small_set.tfs
    genes, _ = load_genes(expression, tfs, DataConfig())
    assert len(genes.names) == len(dataset.genes.names) - len(small_set.unmeasured)
    scores = score_genes(genes, "pearson", seed=0)
    rows = pd.DataFrame(judge_scores(dataset, genes, scores, "pearson", seed=0))
    assert {"pearson", "additive logistic", "linear expression"} <= set(rows["method"])
    of = rows.set_index(["method", "draw"])[["auroc", "average_precision", "swap_micro"]]
    ours, row = of.loc["pearson"], of.loc["absolute Pearson"]
    pd.testing.assert_frame_equal(ours, row, atol=2e-3, rtol=0)
    assert len(ours) == 5
