import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, logit

from grnjax.data.label_matrix import LabelMatrix
from grnjax.training.kernel_weights import (
    KernelWeightConfig,
    _learn,
    episode_loss,
    learn_kernel_weights,
    solve_systems,
)

TFS, GENES = 20, 120
CONFIG = KernelWeightConfig()
NOISE, PLANTED = 0, 1


@pytest.fixture(scope="module")
def kernels():
    """Linear kernels, mean diagonal 1, of three blocks; labels depend on the second alone."""
    x = np.random.default_rng(0).normal(size=(3, GENES, 5)).astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    values = x @ x.transpose(0, 2, 1)
    return values / np.diagonal(values, axis1=1, axis2=2).mean(axis=1)[:, None, None]


@pytest.fixture(scope="module")
def train():
    rng = np.random.default_rng(0)
    planted = rng.normal(size=(3, GENES, 5))[PLANTED]
    logits = rng.normal(size=(TFS, 1)) + rng.normal(size=(TFS, 2)) @ planted[:, :2].T
    observed = (rng.random((TFS, GENES)) < 0.8).astype(np.float32)
    labels = (rng.random((TFS, GENES)) < expit(logits)).astype(np.float32) * observed
    return LabelMatrix(np.arange(TFS), labels, observed)


@pytest.fixture(scope="module")
def weights(kernels, train):
    return learn_kernel_weights(kernels, train, CONFIG, seed=0)


def test_the_kernel_that_drives_the_labels_gets_the_weight(weights):
    assert weights.mean() == pytest.approx(1, abs=1e-6) and (weights > 0).all()
    shares = weights / weights.sum()
    assert shares[PLANTED] > 0.8 and shares[NOISE] < 0.1


def test_without_labels_that_follow_a_kernel_none_gets_most_of_the_weight(kernels, train):
    order = np.random.default_rng(1).permutation(GENES)
    permuted = LabelMatrix(train.tfs, train.labels[:, order], train.observed[:, order])
    shares = learn_kernel_weights(kernels, permuted, CONFIG, seed=0) / 3
    assert shares[PLANTED] < 0.6


def test_without_episodes_all_weights_are_equal(kernels, train):
    none = dataclasses.replace(CONFIG, episodes=0)
    np.testing.assert_array_equal(learn_kernel_weights(kernels, train, none, seed=0), 1)


def test_too_few_genes_for_an_episode_leave_all_weights_equal(kernels, train):
    few = LabelMatrix(train.tfs, train.labels[:, :3], train.observed[:, :3])
    np.testing.assert_array_equal(learn_kernel_weights(kernels[:, :3, :3], few, CONFIG, 0), 1)


def test_the_order_of_kernels_does_not_matter(kernels, train, weights):
    other = learn_kernel_weights(kernels[[2, 0, 1]], train, CONFIG, seed=0)
    np.testing.assert_allclose(other, weights[[2, 0, 1]], rtol=1e-3)


def test_pairs_that_were_not_observed_do_not_matter(kernels, train, weights):
    labels = np.where(train.observed > 0, train.labels, 1)
    other = learn_kernel_weights(kernels, dataclasses.replace(train, labels=labels), CONFIG, seed=0)
    np.testing.assert_array_equal(other, weights)


def test_one_seed_gives_the_same_bits_another_gives_others_and_both_are_one_program(
    kernels, train, weights
):
    programs = _learn._cache_size()
    np.testing.assert_array_equal(learn_kernel_weights(kernels, train, CONFIG, 0), weights)
    other = learn_kernel_weights(kernels, train, CONFIG, seed=1)
    assert not np.array_equal(other, weights)
    assert _learn._cache_size() == programs


@pytest.mark.slow
def test_the_loss_of_an_episode_is_that_of_the_equations(kernels, train):
    hidden, context = np.arange(30), np.arange(30, GENES)
    theta, ridge = np.array([0.3, -0.2, 1.0]), 4.0
    parameters = {"kernel": theta, "ridge": np.log(ridge)}
    loss = episode_loss(
        kernels, train.labels, train.observed, hidden, context, parameters, components=12
    )

    y, seen = train.labels[:, context].astype(float), train.observed[:, context].astype(float)
    p = (y.sum(axis=1) + 0.5) / (seen.sum(axis=1) + 1)
    deviation = np.sqrt(p * (1 - p))
    residual = seen * (y - p[:, None]) / deviation[:, None]
    unit = residual / np.linalg.norm(residual, axis=1, keepdims=True)
    mu, c = np.linalg.eigh(0.7 * unit @ unit.T + 0.2 + 0.1 * np.eye(TFS))
    kernel = np.tensordot(np.exp(theta) / np.exp(theta).sum(), kernels.astype(float), axes=1)
    logits = np.repeat(logit(p)[:, None], len(hidden), axis=1)
    for m in range(TFS - 12, TFS):
        among = mu[m] * kernel[np.ix_(context, context)] + ridge * np.eye(len(context))
        alpha = np.linalg.solve(among, residual.T @ c[:, m])
        across = mu[m] * kernel[np.ix_(hidden, context)] @ alpha
        logits += np.outer(c[:, m] / deviation, across)
    each = np.logaddexp(0, logits) - train.labels[:, hidden] * logits
    told = train.observed[:, hidden]
    assert loss == pytest.approx((each * told).sum() / told.sum(), rel=1e-4)


@pytest.mark.slow
def test_solutions_and_gradients_of_the_systems_are_those_of_solving_each_by_itself():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(30, 12)).astype(np.float32)
    right = rng.normal(size=(3, 30)).astype(np.float32)
    given = half @ half.T, jnp.float32(2.0), jnp.array([0.5, 1.0, 4.0]), right

    def one_by_one(matrix, ridge, strengths, right):
        matrix = (matrix + matrix.T) / 2  # the gradient of a symmetric matrix is symmetric
        systems = strengths[:, None, None] * matrix + ridge * jnp.eye(len(matrix))
        return jnp.linalg.solve(systems, right[..., None])[..., 0]

    np.testing.assert_allclose(solve_systems(*given), one_by_one(*given), atol=1e-5)
    ours, theirs = (
        jax.grad(lambda *x, solve=solve: jnp.sum(jnp.sin(solve(*x))), argnums=(0, 1, 2, 3))(*given)
        for solve in (solve_systems, one_by_one)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_a_tf_without_train_pairs_does_no_harm(kernels, train):
    observed = train.observed.copy()
    observed[3] = 0
    silent = LabelMatrix(train.tfs, train.labels * observed, observed)
    shares = learn_kernel_weights(kernels, silent, CONFIG, seed=0) / 3
    assert shares[PLANTED] > 0.8


@pytest.mark.parametrize(
    "wrong", [{"episodes": -1}, {"genes_an_episode": 7}, {"tf_components": 0}, {"ridge": 0.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        KernelWeightConfig(**wrong)
