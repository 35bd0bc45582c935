import dataclasses

import numpy as np
import pytest

from grnjax.evidence.types import GeneBlock
from grnjax.models.gene_kernels import fit_kernel, fit_kernels

GENES = 60
KINDS = ("rbf", "linear", "cosine", "proximity")


def make_block(name, values, kernels, covered=None):
    covered = np.ones(len(values), bool) if covered is None else covered
    values = np.where(covered[:, None], values, 0).astype(np.float32)
    return GeneBlock(name, values, covered, kernels)


@pytest.fixture(scope="module")
def blocks():
    """Numbers, sparse hits and positions; the last two lack some genes."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(GENES, 7)) * rng.uniform(0.5, 20, size=7) + 3
    hits = rng.random((GENES, 40)) < 0.3
    positions = np.stack([rng.integers(3, size=GENES), rng.uniform(0, 8, size=GENES)], axis=1)
    return [
        make_block("numbers", numbers, ("rbf", "linear")),
        make_block("hits", hits, ("cosine",), rng.random(GENES) < 0.8),
        make_block("positions", positions, ("proximity",), rng.random(GENES) < 0.7),
    ]


@pytest.fixture(scope="module")
def space(blocks):
    return fit_kernels(blocks)


@pytest.fixture(scope="module")
def weights():
    return np.array([2.0, 0.5, 1.0, 0.3])


def take_genes(block, genes):
    return dataclasses.replace(block, values=block.values[genes], covered=block.covered[genes])


@pytest.mark.parametrize("draw", range(3))
def test_permuting_genes_permutes_kernels_and_coordinates_up_to_a_rotation(
    blocks, space, weights, draw
):
    order = np.random.default_rng(draw).permutation(GENES)
    permuted = fit_kernels([take_genes(block, order) for block in blocks])
    np.testing.assert_allclose(permuted.values, space.among(order), atol=1e-5)
    z, moved = space.locate(weights).z, permuted.locate(weights).z
    np.testing.assert_allclose(moved @ moved.T, (z @ z.T)[np.ix_(order, order)], atol=1e-4)


def test_kernels_are_symmetric_centred_and_of_mean_diagonal_1_where_covered(blocks, space):
    covered = {block.name: block.covered for block in blocks}
    for name, kernel in zip(space.blocks, space.values, strict=True):
        inside = kernel[np.ix_(covered[name], covered[name])]
        np.testing.assert_allclose(inside, inside.T, atol=1e-6)
        np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-6)
        assert np.diag(inside).mean() == pytest.approx(1, abs=1e-6)


def test_a_gene_that_is_not_covered_is_like_no_other_whatever_its_values(blocks, space):
    loud = [
        dataclasses.replace(b, values=np.where(b.covered[:, None], b.values, 2)) for b in blocks
    ]
    np.testing.assert_array_equal(fit_kernels(loud).values, space.values)
    for name, kernel in zip(space.blocks, space.values, strict=True):
        [absent] = [~block.covered for block in blocks if block.name == name]
        assert not kernel[absent].any() and not kernel[:, absent].any()
    assert sum(not block.covered.all() for block in blocks) == 2


def test_a_gene_that_no_source_covers_lies_at_the_centre():
    covered = np.arange(GENES) > 0
    values = np.random.default_rng(2).normal(size=(GENES, 3))
    z = fit_kernels([make_block("a", values, ("rbf",), covered)]).locate(np.ones(1)).z
    assert not z[0].any() and z[1:].any(axis=1).all()


def test_the_parts_of_coordinates_add_up_to_them(space, weights):
    located = space.locate(weights)
    total = sum(located.part(k) for k in range(len(weights)))
    np.testing.assert_allclose(total, located.z, atol=1e-5)
    assert all(np.abs(located.part(k)).max() > 1e-3 for k in range(len(weights)))


def test_a_part_is_zero_where_its_source_has_nothing(blocks, space, weights):
    part = space.locate(weights).part(space.blocks.index("positions"))
    np.testing.assert_array_equal(part.any(axis=1), blocks[2].covered)


def test_products_of_coordinates_are_the_weighted_kernel(space, weights):
    z = space.locate(weights).z
    total = np.tensordot(weights, space.values, axes=1)
    np.testing.assert_allclose(z @ z.T, total / np.diag(total).mean(), atol=1e-3)
    assert (z**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-4)


def test_only_the_proportions_of_the_weights_matter(space, weights):
    z, scaled = space.locate(weights).z, space.locate(5 * weights).z
    np.testing.assert_allclose(scaled @ scaled.T, z @ z.T, atol=1e-5)
    without = space.locate(weights * [1, 1, 1, 0])
    assert not without.part(3).any()


def test_there_are_as_many_coordinates_whatever_the_weights(space):
    shapes = {space.locate(weights).z.shape for weights in np.eye(4)}
    assert shapes == {(GENES, space.dim)}


@pytest.mark.parametrize("most", [1, 7])
def test_fewer_coordinates_are_the_leading_ones(blocks, space, weights, most):
    few, z = fit_kernels(blocks, most), space.locate(weights).z
    leading = few.locate(weights)
    assert few.dim == most and leading.z.shape == (GENES, most)
    np.testing.assert_allclose(leading.z, z[:, -most:], atol=1e-6)
    best = np.linalg.eigvalsh((z @ z.T).astype(np.float64))[-most:]
    np.testing.assert_allclose((leading.z**2).sum(axis=0), best, rtol=1e-3)
    np.testing.assert_allclose(sum(map(leading.part, range(4))), leading.z, atol=1e-5)
    np.testing.assert_allclose(few.extend(weights, blocks), leading.z, atol=1e-4)


def test_extending_to_the_genes_of_the_run_gives_their_coordinates(blocks, space, weights):
    np.testing.assert_allclose(space.extend(weights, blocks), space.locate(weights).z, atol=1e-4)


def test_a_new_gene_with_the_values_of_another_gets_its_coordinates(blocks, space, weights):
    twins = np.array([7, 7, 30, 2])
    new = [take_genes(block, twins) for block in reversed(blocks)]
    np.testing.assert_allclose(
        space.extend(weights, new), space.locate(weights).z[twins], atol=1e-4
    )


def test_a_new_gene_does_not_depend_on_the_others_and_may_be_covered_by_nothing(
    blocks, space, weights
):
    rng = np.random.default_rng(3)
    new = [make_block(b.name, rng.normal(size=(5, b.values.shape[1])), b.kernels) for b in blocks]
    together = space.extend(weights, new)
    alone = space.extend(weights, [take_genes(block, np.array([4])) for block in new])
    np.testing.assert_allclose(alone[0], together[4], atol=1e-5)
    hidden = [dataclasses.replace(block, covered=np.zeros(5, bool)) for block in new]
    assert together.any(axis=1).all() and not space.extend(weights, hidden).any()


@pytest.mark.parametrize("kind", ["rbf", "linear"])
def test_units_of_a_column_do_not_matter(blocks, kind):
    numbers = blocks[0]
    other = dataclasses.replace(numbers, values=numbers.values * [1, -9, 1, 0.1, 1, 1, 50] + 4)
    expected = fit_kernels([dataclasses.replace(numbers, kernels=(kind,))]).values
    other = fit_kernels([dataclasses.replace(other, kernels=(kind,))]).values
    np.testing.assert_allclose(other, expected, atol=1e-5)


def test_the_size_of_a_row_does_not_matter_to_a_cosine(blocks):
    hits = blocks[1]
    size = np.random.default_rng(4).uniform(0.1, 9, size=(GENES, 1))
    scaled = fit_kernels([dataclasses.replace(hits, values=hits.values * size)]).values
    np.testing.assert_allclose(scaled, fit_kernels([hits]).values, atol=1e-5)


def test_a_gaussian_falls_with_distance():
    line = make_block("line", np.linspace(0, 1, GENES)[:, None], ("rbf",))
    [kernel] = fit_kernels([line]).values
    middle = GENES // 2
    assert (np.diff(kernel[middle, middle:] - kernel[:, middle:].mean(axis=0)) < 0).all()


def test_neighbours_lie_within_a_megabase_on_the_same_chromosome():
    rows = [[1, 5.0], [1, 5.25], [1, 5.75], [1, 7.0], [2, 5.0]]
    kernel = fit_kernel(make_block("here", np.array(rows), ("proximity",)), "proximity")
    raw = kernel.compare(kernel.reference, np.ones(5, bool)) * kernel.scale
    # centring adds the same to a row and a column, and cancels in differences of differences
    expected = np.eye(5)
    expected[0, 1] = expected[1, 0] = 0.75
    expected[1, 2] = expected[2, 1] = 0.5
    expected[0, 2] = expected[2, 0] = 0.25
    centre = np.eye(5) - 1 / 5
    np.testing.assert_allclose(raw, centre @ expected @ centre, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("genes", [1, 2])
def test_a_source_that_covers_next_to_nothing_gives_finite_kernels(kind, genes):
    values = np.random.default_rng(5).normal(size=(GENES, 2))
    covered = np.arange(GENES) < genes
    space = fit_kernels([make_block("little", values, (kind,), covered)])
    assert np.isfinite(space.values).all() and np.isfinite(space.locate(np.ones(1)).z).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_says_the_same_of_all_genes_says_nothing(kind):
    same = np.tile([1.7, 0.3], (GENES, 1))
    space = fit_kernels([make_block("same", same, (kind,))])
    np.testing.assert_allclose(space.values, 0, atol=1e-3)
    assert np.isfinite(space.locate(np.ones(1)).z).all()
