"""Images of pairs are histograms; networks over them know which gene is the TF."""

import dataclasses
import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from grnjax.data.expression_bins import bin_genes, list_neighbours
from grnjax.errors import ConfigError
from grnjax.models.cnnc import CNNC, CNNCConfig, Convolution, ImageTowerConfig
from grnjax.models.deepdrim import DeepDRIM, DeepDRIMConfig, list_images
from grnjax.models.pair_images import count_cells, draw_images
from grnjax.types import GeneBatch, PairBatch

pytestmark = pytest.mark.usefixtures("compile_quickly")
SMALL = ImageTowerConfig(channels=(2, 3))
PAIRS = np.array([[0, 1], [1, 0], [3, 3], [2, 5], [4, 2]], np.int32)


@pytest.fixture(scope="module")
def expression():
    """Sixty cells by seven genes, with ties, zeros, and a gene that does not vary."""
    rng = np.random.default_rng(0)
    x = np.round(rng.gamma(1.0, 2.0, (60, 7)), 1) * (rng.random((60, 7)) > 0.3)
    x[:, 3] = 2.5
    return x


@pytest.fixture(scope="module")
def bins(expression):
    return jnp.asarray(bin_genes(expression), jnp.int32)


def histogram(expression, tf, target):
    logs = np.log10(expression + 0.01)
    return np.histogram2d(logs[:, tf], logs[:, target], bins=32)[0].T


@pytest.mark.slow
def test_an_image_is_the_histogram_made_by_hand(expression, bins):
    counts, images = count_cells(bins, jnp.asarray(PAIRS)), draw_images(bins, jnp.asarray(PAIRS))
    for pair, count, image in zip(PAIRS, counts, images):
        wanted = histogram(expression, *pair)
        np.testing.assert_array_equal(count, wanted)
        np.testing.assert_allclose(image, (np.log10(wanted / 60 + 1e-4) + 4) / 4, atol=1e-6)
    assert images.min() == 0 and images.max() <= 1.0001


@pytest.mark.slow
def test_counting_some_pairs_at_a_time_counts_the_same(bins):
    alone, together = (count_cells(bins, jnp.asarray(PAIRS), at_once=size) for size in (1, 2))
    np.testing.assert_array_equal(alone, together)


def test_the_roles_of_a_pair_are_swapped_by_transposing_its_image(bins):
    images = draw_images(bins, jnp.asarray(PAIRS))
    np.testing.assert_array_equal(images[0], images[1].T)
    assert (images[0] != images[1]).any()


def test_the_order_of_cells_is_not_seen(expression, bins):
    order = np.random.default_rng(1).permutation(60)
    shuffled = jnp.asarray(bin_genes(expression[order]), jnp.int32)
    np.testing.assert_array_equal(
        count_cells(shuffled, jnp.asarray(PAIRS)), count_cells(bins, jnp.asarray(PAIRS))
    )


def test_a_gene_without_expression_has_an_empty_image(bins):
    images = draw_images(bins.at[5].set(-1), jnp.asarray(PAIRS))
    assert not images[3].any() and images[0].any()


@pytest.mark.parametrize("form", [scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_bins_of_sparse_expression_are_the_same(expression, form, monkeypatch):
    monkeypatch.setattr("grnjax.data.expression_bins.GENES_AT_ONCE", 3)
    np.testing.assert_array_equal(bin_genes(form(expression)), bin_genes(expression))


@pytest.mark.parametrize("wrong", [-0.5, np.nan, np.inf])
def test_what_has_no_log_is_refused(expression, wrong):
    changed = expression.copy()
    changed[3, 2] = wrong
    with pytest.raises(ConfigError, match="images of pairs are of logs, and 1 values .* such as"):
        bin_genes(changed)


def test_neighbours_are_the_genes_of_the_largest_covariance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)) * np.arange(1, 7)
    found = list_neighbours(x, 2)
    covariance = np.cov(x.T)
    for gene, chosen in enumerate(found):
        others = sorted(set(range(6)) - {gene}, key=lambda n: -covariance[gene, n])
        assert chosen.tolist() == others[:2]
    by_size = list_neighbours(-x * [1, -1, 1, -1, 1, -1], 5, absolute=True)
    np.testing.assert_array_equal(by_size, list_neighbours(x, 5, absolute=True))


def test_the_images_of_a_pair_are_its_own_and_those_with_neighbours():
    neighbours = jnp.array([[2, 3], [4, 5], [0, 0], [0, 0], [0, 0], [0, 0]])
    [images] = list_images(jnp.array([[0, 1]]), neighbours).tolist()
    assert images == [[0, 1], [0, 0], [1, 1], [0, 2], [0, 3], [4, 1], [5, 1]]


@pytest.mark.parametrize("padded", [True, False])
def test_the_convolution_is_the_usual_one(padded):
    x = jax.random.normal(jax.random.key(0), (2, 6, 5, 3))
    ours = Convolution(4, padded)
    parameters = ours.init(jax.random.key(1), x)
    usual = nn.Conv(4, (3, 3), padding="SAME" if padded else "VALID")
    np.testing.assert_allclose(ours.apply(parameters, x), usual.apply(parameters, x), atol=1e-5)


def gene_batch(nodes):
    blank = np.zeros(len(nodes), np.float32)
    none = np.zeros((len(nodes), 0), np.float32)
    return GeneBatch(nodes, blank, none, np.zeros((len(nodes), 2)), np.arange(6), None)


def pair_batch(pairs):
    blank = np.zeros(len(pairs), np.float32)
    none = np.zeros((len(pairs), 0), np.float32)
    return PairBatch(pairs, none, none, blank, blank, blank.astype(int))


def count_parameters(module, columns):
    shapes = jax.eval_shape(
        lambda: module.init(
            jax.random.key(0), gene_batch(jnp.zeros((7, columns))), pair_batch(PAIRS), train=False
        )
    )
    return sum(x.size for x in jax.tree.leaves(shapes["params"]))


def test_the_networks_have_the_parameters_of_their_published_layers():
    """Six convolutions, 512 numbers of an image, and the dense layers after them."""
    widths = [1, 32, 32, 64, 64, 128, 128]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(widths))
    dense = 512 * 512 + 512
    assert count_parameters(CNNC(CNNCConfig()), 60) == convolutions + dense + 513
    joined = 23 * 512 * 512 + 512 + 512 * 128 + 128 + 129
    deep = DeepDRIM(DeepDRIMConfig())
    assert count_parameters(deep, 70) == 2 * (convolutions + dense) + joined


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CNNC", "DeepDRIM"])
def test_scores_know_which_gene_is_the_tf_and_not_where_a_pair_stands(name, expression, bins):
    nodes = np.asarray(bins, np.float32)
    if name == "CNNC":
        module = CNNC(CNNCConfig(tower=SMALL, width=8))
    else:
        config = DeepDRIMConfig(tower=SMALL, width=8, widths=(8,), neighbours=2)
        module = DeepDRIM(config)
        nodes = np.concatenate([nodes, list_neighbours(expression, 2)], axis=1)
    genes = gene_batch(nodes)
    start = jax.jit(functools.partial(module.init, train=False))
    apply = jax.jit(functools.partial(module.apply, train=False))
    parameters = start(jax.random.key(0), genes, pair_batch(PAIRS))

    def score(pairs, genes=genes):
        return apply(parameters, genes, pair_batch(pairs))

    scores = score(PAIRS)
    assert scores[0] != scores[1]
    np.testing.assert_allclose(score(PAIRS[::-1]), scores[::-1], rtol=1e-4, atol=1e-6)
    order = np.array([3, 0, 5, 1, 2, 4, 6])  # genes called otherwise
    place = np.argsort(order)
    moved = nodes[order]
    if name == "DeepDRIM":
        moved[:, -2:] = place[moved[:, -2:].astype(int)]
    renamed = score(place[PAIRS].astype(np.int32), gene_batch(moved.astype(np.float32)))
    np.testing.assert_allclose(renamed, scores, rtol=1e-4, atol=1e-6)


def test_settings_of_the_published_networks_are_the_defaults():
    assert dataclasses.asdict(CNNCConfig().tower) == {"channels": (32, 64, 128), "dropout": 0.25}
    assert DeepDRIMConfig().neighbours == 10 and DeepDRIMConfig().widths == (512, 128)
