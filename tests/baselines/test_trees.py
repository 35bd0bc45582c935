"""Trees, GRNBoost2 and GENIE3 against scikit-learn, planted regulators, and any cut into blocks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeRegressor

from grnjax.baselines import boosting, forests
from grnjax.baselines.boosting import GRNBoost2Config
from grnjax.baselines.exact_cuts import Presorted, cuts_after
from grnjax.baselines.forests import GENIE3Config
from grnjax.baselines.trees import NO_CUT, Plan, grow_trees
from grnjax.types import GeneTable

CELLS, TFS, TARGETS = 110, 12, 14
CONSTANT, UNMEASURED = 15, 17
FEW_TREES = GENIE3Config(trees=30)
SLACK = 0.02  # of rank correlation

grow = jax.jit(grow_trees, static_argnames=("depth", "tfs"))


@pytest.fixture(scope="module")
def planted():
    """Genes of which each target follows two TFs, and those edges [tf, gene]; every gene has
    zeros; one is constant, one was not measured."""
    rng = np.random.default_rng(3)
    activity = rng.normal(size=(CELLS, TFS))
    edges = np.zeros((TFS, TFS + TARGETS), bool)
    for target in range(TFS, TFS + TARGETS):
        edges[rng.choice(TFS, 2, replace=False), target] = True
    noise = 0.7 * rng.normal(size=(CELLS, TARGETS))
    expression = np.concatenate([activity, activity @ edges[:, TFS:] + noise], axis=1)
    expression = np.maximum(expression + 0.7, 0)
    expression[:, CONSTANT] = 2
    expression[:, UNMEASURED] = 0
    places = np.arange(TFS + TARGETS)
    names = np.array([f"G{place:02d}" for place in places])
    table = GeneTable(names, places < TFS, expression.astype(np.float32), places != UNMEASURED)
    return table, edges


@pytest.fixture(scope="module")
def boosted_by_rule(planted):
    """By each rule to stop, and with bins: settings, and the scores of all genes by two seeds."""
    genes, _ = planted
    targets, results = np.arange(len(genes.names)), {}
    for name, config in {
        "same-cells": GRNBoost2Config(improvement="same-cells"),
        "new-cells": GRNBoost2Config(improvement="new-cells"),
        "binned": GRNBoost2Config(improvement="same-cells", cuts="binned"),
        "binned, on an accelerator": GRNBoost2Config(improvement="same-cells", cuts="binned"),
    }.items():
        with pytest.MonkeyPatch.context() as patch:
            backend = "gpu" if name.endswith("accelerator") else "cpu"
            patch.setattr(jax, "default_backend", lambda backend=backend: backend)
            scores = [boosting.score_targets(genes, targets, config, seed=seed) for seed in (0, 1)]
        results[name] = config, scores
    return results


@pytest.fixture(params=["same-cells", "new-cells", "binned", "binned, on an accelerator"])
def boosted(request, boosted_by_rule, monkeypatch):
    if request.param.endswith("accelerator"):
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    return boosted_by_rule[request.param]


@pytest.fixture(scope="module")
def forest_scores(planted):
    return forests.score_targets(planted[0], np.arange(TFS + TARGETS), FEW_TREES, seed=0)


class Arboreto:
    """Its rule to stop, with the out-of-bag improvement as scikit-learn had it before 1.3, or has
    it since."""

    def __init__(self, target, improvement):
        self.target, self.improvement = target, improvement
        self.predicted, self.improved = np.full(len(target), target.mean()), []

    def __call__(self, number, model, state):
        outside, predicted = ~state["sample_mask"], state["raw_predictions"][:, 0].copy()
        before, after = (
            np.mean((self.target - values)[outside] ** 2) for values in (self.predicted, predicted)
        )
        self.predicted = predicted
        now = model.oob_improvement_[number]
        self.improved.append(before - after if self.improvement == "same-cells" else now)
        return number >= 24 and np.mean(self.improved[-25:]) < 0


def peer_boosting(genes, target, improvement, seed):
    """Scores of all TFs for one target by scikit-learn in arboreto's setting."""
    values = genes.expression[:, target].astype(float)
    model = GradientBoostingRegressor(
        learning_rate=0.01, n_estimators=5000, max_features=0.1, subsample=0.9, random_state=seed
    )
    candidates = genes.tfs[genes.tfs != target]
    model.fit(genes.expression[:, candidates], values, monitor=Arboreto(values, improvement))
    scores = np.zeros(len(genes.names))
    scores[candidates] = model.feature_importances_ * len(model.estimators_)
    return scores[genes.tfs]


def rank_correlation(one, other):
    return spearmanr(one.ravel(), other.ravel()).statistic


def varying(genes):
    return np.flatnonzero(np.ptp(genes.expression, axis=0) > 0)


# One tree


@pytest.mark.slow
def test_a_tree_that_tries_all_tfs_is_that_of_scikit_learn(planted):
    genes, _ = planted
    candidates, targets = genes.expression[:, :TFS], genes.expression[:, TFS:15]
    plan = Plan(depth=2, cells=CELLS, tfs=TFS, bag=90, tried=TFS, slots=TFS)
    draw = Presorted(candidates).draw(0, 0, plan)
    allowed = jnp.ones((len(draw.tried), targets.shape[1]), bool)
    predicted, gains = grow(jnp.asarray(targets), draw, allowed, depth=2, tfs=TFS)
    inside = draw.in_bag > 0
    assert inside.sum() == 90
    for column, target in enumerate(targets.T):
        tree = DecisionTreeRegressor(max_depth=2).fit(candidates[inside], target[inside])
        expected = tree.predict(candidates[inside])
        np.testing.assert_allclose(predicted[inside, column], expected, rtol=1e-4)
        lowered = 90 * tree.tree_.compute_feature_importances(normalize=False)
        np.testing.assert_allclose(gains[:, column], lowered, rtol=1e-3, atol=1e-2)


@pytest.mark.slow
def test_a_node_without_an_allowed_cut_predicts_its_mean(planted):
    genes, _ = planted
    plan = Plan(depth=2, cells=CELLS, tfs=TFS, bag=100, tried=3, slots=3)
    draw = Presorted(genes.expression[:, :TFS]).draw(0, 0, plan)
    targets = jnp.asarray(genes.expression[:, TFS:15])
    allowed = np.ones((plan.nodes * plan.slots, 3), bool)
    allowed[:3, 1] = False  # the root of the second target
    allowed[3:, 2] = False  # both nodes below the root of the third
    predicted, gains = map(np.asarray, grow(targets, draw, allowed, depth=2, tfs=TFS))
    np.testing.assert_allclose(predicted[:, 1], draw.in_bag @ targets[:, 1] / 100, rtol=1e-5)
    assert not gains[:, 1].any()
    assert len(np.unique(predicted[:, 2].round(4))) == 2 < len(np.unique(predicted[:, 0].round(4)))


def test_cuts_lie_between_values_that_differ():
    near = np.nextafter(np.float32(3), np.float32(4))
    values = np.array([[0, 0, 1, 3, near]], np.float32).T
    assert cuts_after(values)[:, 0].tolist() == [NO_CUT, 0.5, 2, 3, NO_CUT]


def test_each_tf_is_tried_as_often_as_any_other():
    plan = Plan(depth=3, cells=CELLS, tfs=TFS, bag=99, tried=4, slots=5)
    tried = np.stack([plan.draw_tfs(7, number).reshape(7, 5) for number in range(30)])
    assert all(len(set(slots)) == 5 for slots in tried.reshape(-1, 5))
    for node in range(7):
        assert (np.bincount(tried[:, node, :4].ravel(), minlength=TFS) == 10).all()
    assert not np.array_equal(tried[0], plan.draw_tfs(8, 0).reshape(7, 5))


# GRNBoost2


@pytest.mark.slow
def test_grnboost2_agrees_with_scikit_learn_as_well_as_that_does_with_itself(planted, boosted):
    genes, _ = planted
    config, ours = boosted
    targets = varying(genes)
    theirs = [
        np.stack([peer_boosting(genes, t, config.improvement, 1000 * s + t) for t in targets], 1)
        for s in (1, 2)
    ]
    among_them = rank_correlation(*theirs)
    for scores in ours:
        for other in theirs:
            assert rank_correlation(scores[:, targets], other) > among_them - SLACK
    rounds = [scores.sum(axis=0).mean() for scores in (ours[0][:, targets], *theirs)]
    assert rounds[0] == pytest.approx(np.mean(rounds[1:]), rel=0.15)


@pytest.mark.slow
def test_grnboost2_finds_planted_regulators(planted, boosted):
    genes, edges = planted
    targets = np.setdiff1d(np.arange(TFS, TFS + TARGETS), (CONSTANT, UNMEASURED))
    least = {"same-cells": 0.95, "new-cells": 0.85}[boosted[0].improvement]
    for scores in boosted[1]:
        assert roc_auc_score(edges[:, targets].ravel(), scores[:, targets].ravel()) > least


@pytest.mark.slow
def test_a_gene_is_never_its_own_regulator_and_what_never_varies_scores_0(
    planted, boosted, forest_scores
):
    genes, _ = planted
    assert not np.array_equal(*boosted[1])  # seeds matter
    for scores in (boosted[1][0], forest_scores):
        assert not scores[np.arange(TFS), np.arange(TFS)].any()
        assert not scores[:, [CONSTANT, UNMEASURED]].any()
        assert (scores >= 0).all() and scores[:, varying(genes)].any(axis=0).all()


@pytest.mark.slow
def test_importances_of_a_target_sum_to_its_number_of_trees(planted):
    genes, _ = planted
    config = GRNBoost2Config(rounds=7, window=7)  # regrouped once, ended within a group
    scores = boosting.score_targets(genes, np.arange(TFS, TFS + 3), config, seed=0)
    np.testing.assert_allclose(scores.sum(axis=0), 7, rtol=1e-5)


@pytest.mark.slow
def test_improvement_on_new_cells_ends_sooner(boosted_by_rule):
    """Why there is a setting: the difference of two draws of cells hides what a round brings."""
    rounds = {
        name: scores[0][:, 20:26].sum(axis=0).mean()
        for name, (_, scores) in boosted_by_rule.items()
    }
    assert rounds["new-cells"] < 60 < 120 < rounds["same-cells"]


@pytest.mark.slow
def test_scores_do_not_depend_on_the_block(planted, boosted, monkeypatch):
    genes, _ = planted
    config, (scores, _) = boosted
    some = np.array([21, 4, CONSTANT, 25, 0])
    np.testing.assert_array_equal(
        boosting.score_targets(genes, some, config, seed=0), scores[:, some]
    )
    monkeypatch.setattr(boosting, "REGROUP_EVERY", 2)
    np.testing.assert_array_equal(
        boosting.score_targets(genes, some, config, seed=0), scores[:, some]
    )


@pytest.mark.parametrize(
    "wrong", [{"tf_share": 0}, {"bag_share": 1}, {"learning_rate": 0}, {"rounds": 0}, {"depth": 9}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        GRNBoost2Config(**wrong)


# GENIE3


@pytest.mark.slow
def test_genie3_is_the_mean_decrease_of_variance_of_scikit_learns_trees(planted, forest_scores):
    genes, _ = planted
    targets, config = np.arange(18, 24), dataclasses.replace(FEW_TREES, trees=100)

    def score_by_peer(seed):
        scores = []
        for target in genes.expression[:, targets].T.astype(float):
            forest = RandomForestRegressor(100, max_features="sqrt", random_state=seed)
            forest.fit(genes.expression[:, :TFS], target)
            trees = [tree.tree_.compute_feature_importances(normalize=False) for tree in forest]
            scores.append(np.mean(trees, axis=0) / target.var())
        return np.stack(scores, axis=1)

    ours, theirs = forests.score_targets(genes, targets, config, seed=0), score_by_peer(0)
    assert rank_correlation(ours, theirs) > rank_correlation(theirs, score_by_peer(1)) - SLACK
    np.testing.assert_allclose(ours.sum(axis=0), theirs.sum(axis=0), rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("forest", ["random-forest", "extra-trees"])
def test_genie3_finds_planted_regulators_whatever_the_scale(planted, forest):
    genes, edges = planted
    targets, config = np.array([18, 19, 20]), dataclasses.replace(FEW_TREES, forest=forest)
    scores = forests.score_targets(genes, targets, config, seed=0)
    assert roc_auc_score(edges[:, targets].ravel(), scores.ravel()) > 0.9
    scaled = dataclasses.replace(genes, expression=4 * genes.expression)
    np.testing.assert_allclose(
        forests.score_targets(scaled, targets, config, seed=0), scores, rtol=1e-6
    )


@pytest.mark.slow
def test_genie3_does_not_depend_on_the_block(planted, forest_scores):
    some = np.array([21, 4, CONSTANT])
    np.testing.assert_array_equal(
        forests.score_targets(planted[0], some, FEW_TREES, seed=0), forest_scores[:, some]
    )
    other = forests.score_targets(planted[0], some, FEW_TREES, seed=1)
    assert not np.array_equal(other, forest_scores[:, some])


# Both


@pytest.mark.slow
@pytest.mark.parametrize("method, config", [(boosting, GRNBoost2Config()), (forests, FEW_TREES)])
def test_without_a_tf_that_varies_all_scores_are_0(planted, method, config):
    genes, _ = planted
    silent = dataclasses.replace(genes, is_tf=np.arange(len(genes.names)) == CONSTANT)
    assert not method.score_targets(silent, np.array([3, CONSTANT]), config, seed=0).any()
    alone = dataclasses.replace(genes, is_tf=np.arange(len(genes.names)) == 3)
    assert not method.score_targets(alone, np.array([3]), config, seed=0).any()
