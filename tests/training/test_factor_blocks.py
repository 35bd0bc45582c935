"""Training on blocks of genes: the same loss by parts, every gene as often, and as good a model."""

import itertools

import jax
import numpy as np
import pytest

from grnjax.evaluation.metrics import binary_metrics
from grnjax.models.kernel_factor import KernelFactorConfig, PairGrid
from grnjax.training.factor_blocks import (
    BlockConfig,
    BlockPlan,
    deal_genes,
    take_genes,
    train_on_blocks,
)
from grnjax.training.factor_ensemble import EnsembleConfig, score_members, train_members

TFS, GENES, DIM = 12, 90, 6
MODEL = KernelFactorConfig(
    ranks=(3,), factor_ridges=(2.0,), factor_map_ridges=(2.0,), bias_map_ridges=(2.0,), copies=1
)
CONFIG = EnsembleConfig(steps=60, evaluate_every=60)


@pytest.fixture(scope="module")
def problem():
    """Labels by two coordinates of the genes, a third of the pairs hidden."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(GENES, DIM)).astype(np.float32) / np.sqrt(DIM)
    logits = 6 * rng.normal(size=(TFS, 2)) @ z[:, :2].T - 1
    labels = (rng.random((TFS, GENES)) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    observed = (rng.random((TFS, GENES)) < 0.67).astype(np.float32)
    features = rng.normal(size=(2, TFS, GENES)).astype(np.float32)
    ones = np.ones(TFS, np.float32), np.ones(GENES, np.float32)
    return PairGrid(z, features[:1], features[1:], *ones, np.float32(-1)), labels, observed


def judge(members, problem) -> float:
    grid, labels, observed = problem
    hidden = observed == 0
    logits = np.asarray(score_members(members, grid)).mean(axis=0)
    return binary_metrics(labels[hidden], logits[hidden])["auroc"]


def train(problem, plan, seed=0):
    grid, labels, observed = problem
    *_, members = train_on_blocks(MODEL, CONFIG, plan, grid, labels * observed, observed, seed=seed)
    return jax.tree.map(np.asarray, members)


@pytest.fixture(scope="module")
def by_blocks(problem):
    return train(problem, BlockPlan(30, 90, 2))


def test_every_gene_comes_once_an_epoch_and_the_order_depends_on_the_seed_alone():
    plan = BlockPlan(40, 9, 2)
    dealt = list(deal_genes(100, plan, 3))
    assert len(dealt) == 18 and all(len(np.unique(genes)) == 40 for genes in dealt)
    assert all((np.diff(genes) > 0).all() for genes in dealt)
    count = np.bincount(np.concatenate(dealt), minlength=100)
    assert count.max() - count.min() <= 1
    again, other = deal_genes(100, plan, 3), deal_genes(100, plan, 4)
    assert all((a == b).all() for a, b in zip(dealt, again, strict=True))
    assert any((a != b).any() for a, b in zip(dealt, other, strict=True))


@pytest.mark.slow
def test_a_block_of_all_genes_is_a_step_on_all_pairs(problem):
    grid, labels, observed = problem
    config = EnsembleConfig(steps=1, evaluate_every=1)
    one = train_members(MODEL, config, grid, labels, observed, 5)
    [other] = train_on_blocks(MODEL, config, BlockPlan(GENES, 1, 1), grid, labels, observed, seed=5)
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values[0], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_blocks_teach_what_all_pairs_do(problem, by_blocks):
    grid, labels, observed = problem
    whole = train_members(MODEL, CONFIG, grid, labels * observed, observed, 0)
    whole = {name: values[-1] for name, values in whole.items()}
    expected = judge(whole, problem)
    assert expected > 0.8 and judge(by_blocks, problem) > expected - 0.01


def test_one_seed_gives_the_same_bits_and_pairs_outside_train_reach_nothing(problem, by_blocks):
    grid, labels, observed = problem
    turned = np.where(observed > 0, labels, 1 - labels)
    again = train((grid, turned, observed), BlockPlan(30, 90, 2))
    for name, values in by_blocks.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_the_grid_of_some_genes_scores_them_as_the_whole_one_does(problem, by_blocks):
    grid = problem[0]
    genes = np.array([3, 50, 51])
    part = {k: x[:, genes] if k.startswith("target") else x for k, x in by_blocks.items()}
    np.testing.assert_allclose(
        score_members(part, take_genes(grid, genes)),
        score_members(by_blocks, grid)[:, :, genes],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("tfs", "genes", "blocks", "steps"),
    [(300, 2_000, 3, 240), (300, 5_000, 6, 240), (1_500, 20_000, 32, 768)],
)
def test_steps_grow_with_the_blocks_up_to_a_number_of_them(tfs, genes, blocks, steps):
    plan = BlockConfig().plan(tfs, genes, steps=240, snapshots=8)
    assert plan.genes == -(-genes // blocks) and plan.steps == steps
    assert len(list(itertools.islice(deal_genes(genes, plan, 0), 5))) == 5
