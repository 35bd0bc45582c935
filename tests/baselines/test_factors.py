import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from grnjax.baselines.factors import FactorRidge, fit_factor_model, gradient_of, logits_of
from grnjax.data.label_matrix import label_matrix, row_of_tf
from grnjax.evaluation.metrics import swap_concordance
from grnjax.types import LabelledPairs

TFS, GENES = 16, 120
HELD_OUT = 0.3


def draw_labels(logits, seed=0):
    """Train pairs as a matrix, and the held-out pairs, of a network drawn from its logits."""
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(np.ones(logits.shape, bool)).astype(np.int32)
    labels = (rng.random(len(pairs)) < 1 / (1 + np.exp(-logits[tuple(pairs.T)]))).astype(np.float32)
    every = LabelledPairs(pairs, labels)
    is_test = rng.random(len(pairs)) < HELD_OUT
    return label_matrix(every.take(~is_test), np.arange(TFS), GENES), every.take(is_test)


def swap_of(scores, test):
    return swap_concordance(test.pairs, test.labels, scores[tuple(test.pairs.T)])


@pytest.fixture(scope="module")
def biases():
    rng = np.random.default_rng(1)
    return 1.5 * rng.normal(size=TFS), 1.5 * rng.normal(size=GENES)


@pytest.fixture(scope="module")
def additive(biases):
    """A network of base rates alone: its train matrix, its test pairs, and the fitted logits."""
    matrix, test = draw_labels(biases[0][:, None] + biases[1])
    return matrix, test, fit_factor_model(matrix, rank=0, ridge=FactorRidge())


def test_the_label_matrix_has_a_row_for_each_tf_and_knows_what_was_observed():
    pairs = LabelledPairs(np.array([[5, 0], [2, 1], [5, 3]]), np.array([1.0, 0.0, 0.0]))
    matrix = label_matrix(pairs, np.array([2, 5]), 6)
    assert np.argwhere(matrix.labels).tolist() == [[1, 0]]
    assert np.argwhere(matrix.observed).tolist() == [[0, 1], [1, 0], [1, 3]]
    assert matrix.prevalence == pytest.approx(1 / 3)
    assert row_of_tf(np.array([2, 5]), 6).tolist() == [-1, -1, 0, -1, -1, 1]


def test_the_additive_model_recovers_planted_base_rates(additive, biases):
    _, _, logits = additive
    assert np.corrcoef(logits.mean(axis=1), biases[0])[0, 1] > 0.9
    assert np.corrcoef(logits.mean(axis=0), biases[1])[0, 1] > 0.75


def test_the_additive_model_is_at_the_optimum_of_its_convex_loss(additive):
    matrix, _, logits = additive
    ridge = FactorRidge()
    weights = np.concatenate([np.full(TFS, ridge.tf_bias), np.full(GENES, ridge.target_bias)])
    base = np.log(matrix.prevalence / (1 - matrix.prevalence))

    def spread(p):
        return base + p[:TFS, None] + p[TFS:]

    def loss(p):
        z = spread(p)
        each = (np.logaddexp(0, z) - matrix.labels * z) * matrix.observed
        slope = (1 / (1 + np.exp(-z)) - matrix.labels) * matrix.observed
        gradient = np.concatenate([slope.sum(axis=1), slope.sum(axis=0)]) + weights * p
        return each.sum() + 0.5 * weights @ p**2, gradient

    optimum = minimize(loss, np.zeros(TFS + GENES), jac=True, method="L-BFGS-B").x
    np.testing.assert_allclose(logits, spread(optimum), atol=0.05)


def test_additive_scores_have_a_swap_concordance_of_exactly_one_half(additive):
    _, test, logits = additive
    swap = swap_of(logits, test)
    assert swap["micro"] == swap["macro"] == 0.5 and swap["quadruples"] > 100
    assert roc_auc_score(test.labels, logits[tuple(test.pairs.T)]) > 0.75


@pytest.mark.slow
def test_factors_find_a_planted_interaction_that_base_rates_cannot():
    rng = np.random.default_rng(2)
    truth = 1.5 * rng.normal(size=(TFS, 3)) @ rng.normal(size=(3, GENES)) - 1
    matrix, test = draw_labels(truth)
    swaps = {
        rank: swap_of(fit_factor_model(matrix, rank=rank, ridge=FactorRidge(factors=3.0)), test)
        for rank in (0, 4)
    }
    assert swaps[0]["micro"] == 0.5
    assert swaps[4]["micro"] > 0.6


@pytest.mark.slow
def test_features_rank_targets_that_have_no_train_pair():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(GENES, 4)).astype(np.float32)
    shared, per_tf = 2 * rng.normal(size=4), rng.normal(size=(TFS, 4))
    matrix, test = draw_labels((shared + per_tf) @ features.T)
    unseen = np.arange(GENES) >= 80
    trained = (matrix.observed > 0) & ~unseen
    train = LabelledPairs(np.argwhere(trained), matrix.labels[trained])
    seen_only = label_matrix(train, np.arange(TFS), GENES)
    fit = {"rank": 0, "target_bias": False}
    ridge = FactorRidge(shared=1.0, per_tf=1.0)
    logits = fit_factor_model(seen_only, ridge=ridge, features=features, **fit)
    kept = test.take(unseen[test.pairs[:, 1]])
    assert roc_auc_score(kept.labels, logits[tuple(kept.pairs.T)]) > 0.85
    assert swap_of(logits, kept)["micro"] > 0.6, "a TF has weights of its own"
    blind = fit_factor_model(seen_only, ridge=ridge, **fit)
    assert (blind == blind[:, :1]).all(), "without features and bias all targets are alike"


@pytest.mark.slow
def test_a_fit_repeats_with_its_seed(additive):
    matrix, _, _ = additive
    one, same, other = (
        fit_factor_model(matrix, rank=4, ridge=FactorRidge(factors=1.0), seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(5)
    shapes = {
        "tf_bias": 3,
        "target_bias": 7,
        "tf_factors": (3, 2),
        "target_factors": (7, 2),
        "shared": 4,
        "per_tf": (3, 4),
    }
    p = {name: jnp.float32(rng.normal(size=shape)) for name, shape in shapes.items()}
    ridge = {name: 0.5 + i for i, name in enumerate(p)}
    labels, observed = (jnp.float32(rng.random((3, 7)) < share) for share in (0.4, 0.8))
    features = jnp.float32(rng.normal(size=(7, 4)))

    def loss(p):
        logits = logits_of(p, features, 0.7)
        each = optax.sigmoid_binary_cross_entropy(logits, labels) * observed
        return each.sum() + sum(ridge[name] * jnp.sum(p[name] ** 2) / 2 for name in p)

    slope = (jax.nn.sigmoid(logits_of(p, features, 0.7)) - labels) * observed
    found, expected = gradient_of(p, slope, features, 0.7, ridge), jax.grad(loss)(p)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
