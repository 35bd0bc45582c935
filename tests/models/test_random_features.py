import dataclasses

import numpy as np
import pytest

from grnjax.evidence.types import GeneBlock
from grnjax.models.gene_kernels import fit_kernels
from grnjax.models.random_features import draw_features

GENES = 150


@pytest.fixture(scope="module")
def blocks():
    """Clustered numbers, sparse hits and positions; the last two lack some genes."""
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(5, 6))
    numbers = centres[rng.integers(5, size=GENES)] + rng.normal(size=(GENES, 6))
    hits = rng.random((GENES, 30)) < 0.3
    positions = np.stack([rng.integers(4, size=GENES), rng.uniform(0, 6, size=GENES)], axis=1)
    hit, placed = rng.random((2, GENES)) < 0.75
    return [
        GeneBlock("numbers", numbers.astype(np.float32), np.ones(GENES, bool), ("rbf", "linear")),
        GeneBlock("hits", (hits * hit[:, None]).astype(np.float32), hit, ("cosine",)),
        GeneBlock(
            "positions", (positions * placed[:, None]).astype(np.float32), placed, ("proximity",)
        ),
    ]


@pytest.fixture(scope="module")
def space(blocks):
    return draw_features(blocks, seed=0)


def test_products_of_features_approach_the_kernels(blocks, space):
    exact = fit_kernels(blocks[:2])  # nearness has no random features
    assert space.blocks == exact.blocks
    products = space.among(np.arange(GENES))
    for product, kernel in zip(products[1:], exact.values[1:], strict=True):
        np.testing.assert_allclose(product, kernel, atol=1e-3)
    gaussian, expected = products[0], exact.values[0]  # the only one left to chance
    assert np.abs(gaussian - expected).mean() < 0.12
    assert np.corrcoef(gaussian.ravel(), expected.ravel())[0, 1] > 0.95


def test_nearness_is_left_out_by_name(blocks, caplog):
    with caplog.at_level("WARNING"):
        assert "positions" not in draw_features(blocks, seed=0).blocks
    assert "positions left out" in caplog.text


def test_columns_keep_their_relative_size_where_they_share_a_scale(blocks):
    loud = blocks[0].values * np.float32([100, 1, 1, 1, 1, 1])
    linear = dataclasses.replace(blocks[0], values=loud, kernels=("linear",))
    shared = dataclasses.replace(linear, has_one_scale=True)
    own = blocks[0].values[:, 0] - blocks[0].values[:, 0].mean()
    by_first = np.outer(own, own)
    every = np.arange(GENES)
    for draw in (lambda b: draw_features(b, seed=0).among(every), lambda b: fit_kernels(b).values):
        apart, together = draw([linear])[0], draw([shared])[0]
        assert np.corrcoef(together.ravel(), by_first.ravel())[0, 1] > 0.999
        assert np.corrcoef(apart.ravel(), by_first.ravel())[0, 1] < 0.9


def test_averaging_over_seeds_brings_the_gaussian_nearer(blocks):
    numbers = [dataclasses.replace(blocks[0], kernels=("rbf",))]
    [exact] = fit_kernels(numbers).values
    products = [draw_features(numbers, seed).among(np.arange(GENES))[0] for seed in range(16)]
    one = np.abs(products[0] - exact).mean()
    assert np.abs(np.mean(products, axis=0) - exact).mean() < one / 2.5


def test_features_are_centred_and_of_mean_square_norm_1_where_covered(blocks, space):
    covered = {block.name: block.covered for block in blocks}
    for name, features in zip(space.blocks, space.features, strict=True):
        inside = features[covered[name]]
        np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-6)
        assert (inside**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)
        assert not features[~covered[name]].any()


def test_values_of_a_gene_that_is_not_covered_do_not_matter(blocks, space):
    loud = [
        dataclasses.replace(b, values=np.where(b.covered[:, None], b.values, np.float32(2)))
        for b in blocks
    ]
    for quiet, other in zip(space.features, draw_features(loud, seed=0).features, strict=True):
        np.testing.assert_array_equal(other, quiet)


def test_coordinates_are_the_weighted_kernels_and_the_sum_of_their_parts(space):
    weights = np.array([2.0, 0.5, 1.0])
    located = space.locate(weights)
    z = located.z
    assert z.shape == (GENES, space.dim) and z.dtype == np.float32
    total = np.tensordot(weights, space.among(np.arange(GENES)), axes=1)
    np.testing.assert_allclose(z @ z.T, total / np.diag(total).mean(), atol=1e-5)
    np.testing.assert_array_equal(sum(located.part(k) for k in range(3)), z)


def test_kernels_between_some_genes_are_those_of_all(space):
    some = np.array([3, 140, 9])
    every = space.among(np.arange(GENES))
    np.testing.assert_allclose(space.among(some), every[:, some[:, None], some], atol=1e-6)


def test_permuting_genes_permutes_the_kernels_that_are_not_left_to_chance(blocks, space):
    order = np.random.default_rng(1).permutation(GENES)
    permuted = [
        dataclasses.replace(b, values=b.values[order], covered=b.covered[order]) for b in blocks
    ]
    np.testing.assert_allclose(
        draw_features(permuted, seed=0).among(np.arange(GENES))[1:],
        space.among(order)[1:],
        atol=1e-3,
    )


def test_one_seed_gives_the_same_bits_and_another_gives_others(blocks, space):
    again, other = draw_features(blocks, seed=0), draw_features(blocks, seed=1)
    for mine, same in zip(space.features, again.features, strict=True):
        np.testing.assert_array_equal(mine, same)
    assert not np.allclose(space.features[0], other.features[0])


@pytest.mark.parametrize("kind", ["rbf", "linear", "cosine"])
def test_a_source_that_covers_one_gene_gives_finite_features(kind):
    values, covered = np.zeros((GENES, 2), np.float32), np.arange(GENES) == 5
    values[5] = 1
    [features] = draw_features([GeneBlock("little", values, covered, (kind,))], seed=0).features
    assert np.isfinite(features).all()
