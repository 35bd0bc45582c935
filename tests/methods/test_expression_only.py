"""Networks from expression alone: the same bits however they are made, and better than chance."""

import dataclasses
import typing

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import grnjax
from grnjax.baselines import correlation
from grnjax.baselines.correlation import CorrelationConfig
from grnjax.baselines.forests import GENIE3Config
from grnjax.baselines.pidc import PIDCConfig
from grnjax.config import Settings
from grnjax.data.expression import DataConfig
from grnjax.errors import (
    CheckpointError,
    ConfigError,
    ExpressionFormatError,
    GeneMismatchError,
    NonFiniteError,
)
from grnjax.methods import expression_only
from grnjax.methods.expression_only import (
    ExpressionOnlyMethod,
    GENIE3Method,
    GRNBoost2Method,
    MutualInformationMethod,
    PearsonMethod,
    PIDCMethod,
    SpearmanMethod,
    score_genes,
)
from grnjax.methods.method import MethodConfig, Problem, make_method
from grnjax.tasks.inputs import load_genes_and_edges
from grnjax.training.recorder import FitRecorder
from grnjax.types import LabelledPairs, Part

AS_IT_IS = DataConfig(normalise="never", scaled=True)
METHODS = [
    PearsonMethod(),
    SpearmanMethod(),
    MutualInformationMethod(),
    PIDCMethod(),
    GENIE3Method(trees=20),
    GRNBoost2Method(rounds=30),
]

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name())


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
    """The edges, best first."""
    return grnjax.infer(as_anndata(table), method=method, tfs=tfs, data=AS_IT_IS, **settings).edges


class Counter:
    """Scores blocks of targets, counts them, and fails when it has made so many."""

    made, fails_after = 0, None

    def score_targets(self, genes, targets, settings, *, seed):
        if self.made == self.fails_after:
            raise KeyboardInterrupt
        self.made += 1
        scores = correlation.score_targets(genes, targets, CorrelationConfig(), seed=seed)
        noise = [np.random.default_rng([seed, target]).random() for target in targets]
        return (scores * noise).astype(np.float32)


class Stepwise(ExpressionOnlyMethod):
    """A method of 10 targets a block."""

    TARGETS_A_BLOCK = 10


@pytest.fixture
def stepwise(monkeypatch):
    counter = Counter()
    monkeypatch.setattr(Stepwise, "SCORE", counter.score_targets, raising=False)
    return counter


@pytest.mark.slow
@every_method
def test_a_planted_network_is_found_far_above_chance(planted, method):
    table, tfs, truth = planted
    edges = rank(table, tfs, method)
    assert list(edges) == ["tf", "target", "importance", "expression_sign"]
    assert (np.diff(edges["importance"]) <= 0).all() and edges["importance"].min() > 0
    importance = edges.set_index(["tf", "target"])["importance"]
    pairs = pd.MultiIndex.from_product([tfs, [name for name in table if name not in tfs]])
    is_true = pairs.isin(pd.MultiIndex.from_frame(truth))
    assert roc_auc_score(is_true, importance.reindex(pairs).fillna(0)) > 0.9


@pytest.mark.slow
def test_trees_find_it_by_meta_cells_too(planted):
    table, tfs, truth = planted
    method = GRNBoost2Method(rounds=30, meta_cells=len(table) // 2)
    importance = rank(table, tfs, method).set_index(["tf", "target"])["importance"]
    pairs = pd.MultiIndex.from_product([tfs, [name for name in table if name not in tfs]])
    is_true = pairs.isin(pd.MultiIndex.from_frame(truth))
    assert roc_auc_score(is_true, importance.reindex(pairs).fillna(0)) > 0.85
    with pytest.raises(ConfigError, match="10 to .* meta-cells"):
        rank(table, tfs, GRNBoost2Method(meta_cells=len(table)))


@pytest.mark.slow
@every_method
def test_the_order_of_genes_and_of_cells_does_not_matter(planted, method):
    table, tfs, _ = planted
    rng = np.random.default_rng(1)
    table = table.iloc[:80, :20]
    moved = table.iloc[rng.permutation(80), rng.permutation(20)]
    edges = rank(table, tfs, method, seed=3)
    again = rank(moved, tfs[::-1], method, seed=3)
    pd.testing.assert_frame_equal(again, edges, check_exact=True)


def test_a_run_cut_off_goes_on_to_the_same_bits(planted, stepwise, tmp_path):
    table, tfs, _ = planted
    whole = rank(table, tfs, Stepwise(), seed=2, folder=tmp_path / "whole")
    assert stepwise.made == 4
    stepwise.made, stepwise.fails_after = 0, 2
    with pytest.raises(KeyboardInterrupt):
        rank(table, tfs, Stepwise(), seed=2, folder=tmp_path / "cut")
    assert len(list((tmp_path / "cut/checkpoints/Stepwise").iterdir())) == 2
    stepwise.made, stepwise.fails_after = 0, None
    resumed = rank(table, tfs, Stepwise(), seed=2, folder=tmp_path / "cut")
    assert stepwise.made == 2
    pd.testing.assert_frame_equal(resumed, whole, check_exact=True)
    files = [sorted((tmp_path / run).rglob("*.block")) for run in ("whole", "cut")]
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(*files, strict=True)] == [True] * 4
    pd.testing.assert_frame_equal(rank(table, tfs, Stepwise(), seed=2), whole, check_exact=True)


@pytest.mark.parametrize("change", ["seed", "expression", "tfs"])
def test_blocks_of_another_run_are_refused(planted, stepwise, tmp_path, change):
    table, tfs, _ = planted
    rank(table, tfs, Stepwise(), seed=2, folder=tmp_path)
    other = {"table": table, "tfs": tfs, "seed": 2}
    other |= {
        "seed": {"seed": 4},
        "expression": {"table": table * 2},
        "tfs": {"tfs": tfs[:5]},
    }[change]
    with pytest.raises(ConfigError, match=r"holds another run"):
        rank(other["table"], other["tfs"], Stepwise(), seed=other["seed"], folder=tmp_path)


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "renamed"])
def test_damaged_blocks_are_refused_by_name(planted, stepwise, tmp_path, damage):
    table, tfs, _ = planted
    rank(table, tfs, Stepwise(), folder=tmp_path)
    path = tmp_path / "checkpoints/Stepwise/000010.block"
    raw = bytearray(path.read_bytes())
    if damage == "renamed":
        raw = path.with_name("000020.block").read_bytes()
    elif damage == "bit":
        raw[len(raw) // 2] ^= 4
    else:
        raw = raw[: len(raw) // 2 if damage == "cut" else 0]
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"000010\.block"):
        rank(table, tfs, Stepwise(), folder=tmp_path)


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
    dataset, _ = load_genes_and_edges(PearsonMethod(), as_anndata(table), None, tfs, AS_IT_IS)
    report = dataset.report
    assert report["without_expression"] == {"count": 2, "first": ["G03", "TF5"]}
    assert report["constant"] == {"count": 1, "first": ["G01"]}
    assert "1 genes of the same expression in every cell, not ranked: G01" in caplog.text
    edges = rank(table, tfs, "pearson")
    named = set(edges["tf"]) | set(edges["target"])
    assert named == set(table) - {"G03", "G01", "TF5"}
    assert score_genes(dataset.genes, "pearson", seed=0).shape == (6, 12)


def test_the_settings_of_a_method_are_used(planted):
    table = planted[0].iloc[:60, :9]
    default = rank(table, None, "pidc")
    pd.testing.assert_frame_equal(rank(table, None, PIDCMethod()), default)
    equal = rank(table, None, PIDCMethod(states="equal-width", bins=3))
    assert not default.equals(equal)


def test_what_scores_a_block_is_given_the_methods_own_settings():
    assert GENIE3Method(trees=7).settings == GENIE3Config(trees=7)
    assert PIDCMethod(bins=3).settings == PIDCConfig(bins=3)
    assert SpearmanMethod().settings == CorrelationConfig(coefficient="spearman")
    assert PearsonMethod().settings == CorrelationConfig(coefficient="pearson")


def test_what_cannot_be_ranked_is_refused_in_a_sentence(planted, monkeypatch, tmp_path):
    table, tfs, _ = planted
    with pytest.raises(GeneMismatchError, match="0 are among"):
        rank(table, ["nobody", "else"], "pearson")
    with pytest.raises(GeneMismatchError, match="a network needs a TF and a target"):
        rank(table.assign(TF1=1.0), ["TF1"], "pearson")
    table.to_csv(tmp_path / "expression.csv")
    with pytest.raises(ExpressionFormatError, match="shows which axis holds the genes"):
        grnjax.infer(tmp_path / "expression.csv", method="pearson", data=AS_IT_IS)
    with pytest.raises(ConfigError, match="no method 'grnboost3'; choose one of"):
        rank(table, None, "grnboost3")
    monkeypatch.setattr(expression_only, "MOST_PAIRS", 100)
    with pytest.raises(ConfigError, match="6 TFs and 36 targets make 216 pairs"):
        rank(table, tfs, "pearson")


def test_scores_that_are_not_finite_are_refused(planted, monkeypatch):
    def broken(genes, targets, config, *, seed):
        return np.where(targets == 3, np.nan, 1.0) * np.ones((len(genes.tfs), 1), np.float32)

    monkeypatch.setattr(Stepwise, "SCORE", staticmethod(broken), raising=False)
    with pytest.raises(NonFiniteError, match=r"1 targets \(G03\)"):
        rank(planted[0], None, Stepwise())


@pytest.fixture
def problem(dataset):
    """Of half of the TFs, as in a split that leaves the others out."""
    tfs = dataset.genes.tfs[::2]
    part = Part(None, "any", 0)
    return Problem(dataset=dataset, parts=[part] * 3, tfs=tfs, trainable=tfs, seed=1)


def test_one_scorer_serves_all_parts_and_scores_the_pairs_of_the_problem(problem):
    genes = problem.dataset.genes
    with FitRecorder(None, 0, 0, "") as recorder:
        fits = list(PearsonMethod().fit_all(problem, problem.parts, recorder))
    assert len(fits) == 3
    pairs = [(tf, gene) for tf in problem.tfs for gene in range(5, 9) if tf != gene]
    pairs = LabelledPairs(np.array(pairs, np.int32), np.zeros(len(pairs), np.float32))
    matrix = score_genes(genes, "pearson", seed=1)
    expected = matrix[np.searchsorted(genes.tfs, pairs.pairs[:, 0]), pairs.pairs[:, 1]]
    for fit in fits:
        assert fit.logits(pairs).shape == (1, len(pairs))
        np.testing.assert_allclose(fit.scores(pairs), expected, rtol=1e-6)


def test_a_data_set_without_expression_is_refused_by_each(problem):
    genes = dataclasses.replace(
        problem.dataset.genes, measured=np.zeros_like(problem.dataset.genes.measured)
    )
    nothing = dataclasses.replace(problem.dataset, genes=genes)
    for method in METHODS:
        with pytest.raises(ConfigError, match=f"{method.name()} ranks by expression, and there"):
            method.check(dataclasses.replace(problem, dataset=nothing))
        method.check(problem)


def test_all_of_the_table_that_learn_from_no_edge_are_tested_here():
    silent = [x for x in MethodConfig.NAMED if "labels" not in make_method(x).READS]
    others = ("enhancer", "compendium", "regdiffusion")  # which read other files, or train
    silent = [x for x in silent if x not in others]
    assert [method.name() for method in METHODS] == silent
    assert set(silent) == set(typing.get_args(expression_only.ExpressionOnlyName))


def test_no_setting_or_step_of_a_method_hides_one_of_what_all_methods_have():
    """Methods are settings of their own and `MethodConfig` at once."""
    shared = {name for name in vars(MethodConfig) if not name.startswith("_") and name.islower()}
    for method in METHODS:
        for kind in type(method).__mro__:
            if not issubclass(kind, MethodConfig) and kind is not Settings:
                assert not shared & set(vars(kind)), kind
