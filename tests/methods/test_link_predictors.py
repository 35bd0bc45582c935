"""GENELink, GNNLink and GNE: what their published forms mean, and what the switches put right."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from grnjax.config import parse
from grnjax.errors import ConfigError
from grnjax.evaluation.splits import draw_split
from grnjax.methods.genelink import GENELinkMethod
from grnjax.methods.gne import GNEMethod, sampled_softmax
from grnjax.methods.method import Problem, make_method
from grnjax.methods.pair_models import PairInputConfig
from grnjax.training.keeper import FitResult
from grnjax.training.objective import TrainState
from grnjax.training.recorder import FitRecorder
from grnjax.types import Part
from tests.methods.test_pair_models import NoTraining

NAMES = ("GENELink", "GNNLink", "GNE")


@pytest.fixture(scope="module")
def problem(dataset):
    split = draw_split("standard", dataset.known.positives, len(dataset.genes.names), 0)
    tfs = dataset.genes.tfs
    parts = [Part(split, "one", 3)]
    return Problem(dataset=dataset, parts=parts, tfs=tfs, trainable=tfs)


@pytest.fixture(scope="module")
def make(quick_methods):
    def make(name, **changes):
        items = [f"--{x}" for x in quick_methods[name]]
        method = parse(make_method(name), items, program="test")
        parts = {
            key: dataclasses.replace(getattr(method, key), **value)
            for key, value in changes.items()
        }
        return dataclasses.replace(method, **parts)

    return make


@pytest.fixture(scope="module")
def fits(make, problem):
    """A quick fit of each."""
    made = {}
    for name in NAMES:
        with FitRecorder(None, 1, 2, "test") as recorder:
            [made[name]] = make(name).fit_all(problem, problem.parts, recorder)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_scores_every_test_pair(name, fits, problem):
    test = problem.parts[0].split.test
    scores = fits[name].scores(test)
    assert scores.shape == test.labels.shape and np.isfinite(scores).all()
    assert len(np.unique(scores)) > 1
    order = np.random.default_rng(0).permutation(len(test))
    np.testing.assert_allclose(fits[name].scores(test.take(order)), scores[order], atol=1e-5)


def count(parameters):
    return sum(x.size for x in jax.tree.leaves(parameters))


@pytest.mark.slow
def test_genelink_has_its_published_parameters_but_for_the_unused_ones(problem):
    """448,544 on mDC with its 383 cells; a second matrix a head is never used there."""
    method, recorder = GENELinkMethod(), NoTraining()
    [fit] = method.fit_all(problem, problem.parts, recorder)
    genes = fit.data.genes._replace(nodes=jnp.zeros((len(fit.data.genes.nodes), 383)))
    shapes = jax.eval_shape(
        lambda: method.make_module().init(jax.random.key(0), genes, fit.data.train, train=False)
    )
    unused = 3 * 383 * 128 + 3 * 384 * 64
    assert count(shapes["params"]) + unused == 448_544


def test_the_published_rate_of_genelink_falls_with_every_batch():
    training = GENELinkMethod().training
    rates = -training.schedule_rate(jnp.arange(2_000))
    assert rates[0] == pytest.approx(3e-3) and rates[450] < 0.012 * rates[0]
    assert rates.sum() / rates[0] == pytest.approx(100, rel=1e-3)


def test_the_last_epoch_counts_alone_where_that_is_published():
    training = GENELinkMethod().training
    assert training.first_choice == 0
    assert dataclasses.replace(training, choose="last").first_choice == training.epochs


@pytest.mark.slow
def test_gnnlink_s_loss_and_its_slope_are_those_of_its_formula(make, problem):
    """The root of the mean, over all pairs of genes, of squared errors of train pairs."""
    method = make("GNNLink")
    [fit] = method.fit_all(problem, problem.parts, NoTraining())
    objective = fit.trainer.objective
    parameters, _ = objective.init(jax.random.key(0), fit.data)
    state = TrainState(parameters, {}, *[None] * 10)
    data, genes = fit.data, len(fit.data.genes.nodes) - 1

    def published(parameters):
        scores = objective.model.apply({"params": parameters}, data.genes, data.train, train=False)
        mask = (
            jnp.zeros((genes + 1, genes + 1))
            .at[tuple(data.train.pairs.T)]
            .add(data.train.weights * (scores - data.train.labels) ** 2)
        )
        return jnp.sqrt(mask[:genes, :genes].mean())

    def ours(parameters):
        found = objective.loss(
            state._replace(parameters=parameters), data.train, data, jax.random.key(1)
        )
        return found.loss

    wanted, actual = (jax.jit(jax.value_and_grad(f))(parameters) for f in (published, ours))
    assert actual[0] == pytest.approx(float(wanted[0]), rel=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7), wanted[1], actual[1]
    )


@pytest.mark.slow
def test_gnnlink_ties_what_it_rectifies_and_the_switch_unties_it(make, problem, fits):
    test, fit = problem.parts[0].split.test, fits["GNNLink"]
    open_form = make("GNNLink", model={"rectify": False})
    state = FitResult(fit.result.variables, 0, 0.5, 0)
    products = open_form.make_module().apply(
        state.variables, fit.data.genes, fit.data.validation, train=False
    )
    rectified = fit.method.make_module().apply(
        state.variables, fit.data.genes, fit.data.validation, train=False
    )
    np.testing.assert_allclose(rectified, np.maximum(products, 0), atol=1e-6)
    assert (fit.scores(test) >= 0).all()


def test_a_neighbour_is_named_among_drawn_genes():
    """With all genes drawn it is the softmax over all, and the wanted one counts once."""
    rng = np.random.default_rng(0)
    vectors, table = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    wanted, every = np.array([0, 5, 2, 2]), np.arange(6)
    losses = sampled_softmax(*map(jnp.asarray, (vectors, table, wanted, every)))
    exact = np.exp(vectors @ table.T)
    exact = exact[np.arange(4), wanted] / exact.sum(axis=1)
    np.testing.assert_allclose(np.exp(-np.asarray(losses)), exact, rtol=1e-5)


@pytest.mark.slow
def test_gne_is_trained_on_edges_and_its_regression_on_equal_negatives(fits, make, problem):
    fit, train = fits["GNE"], problem.parts[0].split.train
    weights = np.asarray(fit.data.train.weights)
    assert (np.asarray(fit.data.train.labels)[weights > 0] == 1).all()
    assert weights.sum() == len(train.positives)
    method = dataclasses.replace(make("GNE"), balance=False)
    with FitRecorder(None, 1, 2, "test") as recorder:
        [whole] = method.fit_all(problem, problem.parts, recorder)
    assert roc_auc_score(train.labels, whole.scores(train)) > 0.6
    share = {name: expit(x.scores(train)).mean() for name, x in (("all", whole), ("equal", fit))}
    assert share["all"] == pytest.approx(train.labels.mean(), abs=0.01)
    assert share["equal"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.slow
def test_gne_refuses_how_messages_pass_as_none_do(problem):
    method = GNEMethod(inputs=PairInputConfig(messages="symmetric"))
    with pytest.raises(ConfigError, match="GNE's vectors are trained on edges alone"):
        method.check(problem)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fit_that_is_read_back_has_the_same_scores(name, make, problem, fits, tmp_path):
    scores = []
    for _ in range(2):
        with FitRecorder(tmp_path, 1, 2, "test") as recorder:
            [fit] = make(name).fit_all(problem, problem.parts, recorder)
        scores.append(fit.scores(problem.parts[0].split.test))
    np.testing.assert_array_equal(*scores)
    np.testing.assert_array_equal(scores[0], fits[name].scores(problem.parts[0].split.test))
