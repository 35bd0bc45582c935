"""GRN-Transformer: nothing masked is seen, maps are of genes, planted regulators are learned."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from grnjax.methods.grn_transformer import (
    GRNTransformerMethod,
    find_consistent,
    infer_networks,
    place_maps,
    standardise_nonzero,
)
from grnjax.methods.method import Problem
from grnjax.models.grn_transformer import GRNTransformer, GRNTransformerConfig, correct_products
from grnjax.training.axial_masking import AxialMaskingConfig
from grnjax.training.recorder import FitRecorder
from grnjax.types import Dataset, GeneTable, LabelledPairs, Part, Split

TFS, GENES = 4, 16
SMALL = GRNTransformerConfig(value_widths=(8, 4), flag_width=4, layers=2, heads=2, feed_forward=8)
NONE = LabelledPairs(np.empty((0, 2), np.int32), np.empty(0, np.float32))


@pytest.fixture(scope="module")
def values():
    """Values of six cells and ten genes, which of them are 0, and two networks."""
    rng = np.random.default_rng(0)
    value = rng.normal(size=(6, 10)).astype(np.float32)
    networks = rng.random((2, 10, 10)).astype(np.float32)
    return value, rng.random((6, 10)) < 0.3, networks


@pytest.fixture(scope="module")
def model(values):
    value, is_zero, networks = values
    module = GRNTransformer(SMALL)
    nothing = np.zeros(value.shape, bool)
    inputs = map(jnp.asarray, (value, is_zero, nothing, networks))
    variables = module.init(jax.random.key(0), *inputs)
    return lambda *inputs: module.apply(variables, *map(jnp.asarray, inputs))


def test_a_masked_value_enters_nowhere(model, values):
    value, is_zero, networks = values
    masked = np.zeros(value.shape, bool)
    masked[2, 3] = True
    other, flag = value.copy(), is_zero.copy()
    other[2, 3], flag[2, 3] = 9.0, ~flag[2, 3]
    found, maps = model(value, is_zero, masked, networks)
    again, same = model(other, flag, masked, networks)
    assert np.array_equal(found, again) and np.array_equal(maps, same)
    assert not np.allclose(found, model(other, flag, ~masked & False, networks)[0])


def test_maps_are_shares_of_other_genes_and_follow_their_order(model, values):
    value, is_zero, networks = values
    nothing = np.zeros(value.shape, bool)
    found, maps = model(value, is_zero, nothing, networks)
    assert maps.shape == (2, 2, 10, 10) and np.allclose(maps.sum(axis=-1), 1, atol=1e-6)
    assert not np.diagonal(maps, axis1=-2, axis2=-1).any()
    order = np.random.default_rng(1).permutation(10)
    moved = networks[:, order][:, :, order]
    other, mapped = model(value[:, order], is_zero[:, order], nothing, moved)
    assert np.allclose(other, found[:, order], atol=1e-5)
    assert np.allclose(mapped, maps[..., order, :][..., order], atol=1e-6)
    turned = model(value[::-1], is_zero[::-1], nothing, networks)[1]
    assert np.allclose(turned, maps, atol=1e-6), "cells have no order"


def test_a_network_draws_attention(model, values):
    value, is_zero, networks = values
    nothing = np.zeros(value.shape, bool)
    known = networks.copy()
    known[:, 4, 7] += 5
    before, after = (model(value, is_zero, nothing, x)[1] for x in (networks, known))
    assert (after[..., 4, 7] > before[..., 4, 7]).all()


def test_the_product_of_rows_and_columns_is_taken_out():
    row, column = np.array([1.0, 2, 3]), np.array([0.5, 1, 4])
    assert np.allclose(correct_products(jnp.asarray(np.outer(row, column))), 0, atol=1e-6)


def test_published_sizes_have_so_many_numbers():
    config, genes = GRNTransformerConfig(), 7
    assert config.width == 64
    inputs = np.zeros((2, genes)), np.zeros((2, genes), bool), np.zeros((2, genes), bool)
    shapes = jax.eval_shape(
        GRNTransformer(config).init, jax.random.key(0), *inputs, np.zeros((5, genes, genes))
    )
    cells = (64 + 64) + (64 * 32 + 32) + (32 + 32) + 64
    layer = 2 * (3 * 64 * 64 + 64 * 64 + 64) + 2 * (64 * 64 + 64) + 3 * 2 * 64 + 5 + 4
    assert sum(x.size for x in jax.tree.leaves(shapes)) == cells + 5 * layer + 2 * 64 + 65


def test_values_are_standardised_over_those_that_are_not_0():
    expression = np.array([[0, 1.0], [2, 1], [4, 1]])
    scaled = standardise_nonzero(expression, expression == 0)
    assert np.allclose(scaled, [[0, 0], [-1, 0], [1, 0]])
    wide = np.zeros((1_000, 1))
    wide[:900, 0], wide[0, 0] = 1.0, 1e6
    assert standardise_nonzero(wide, wide == 0).max() == 20


def test_features_stand_at_their_pairs():
    maps = np.arange(2 * 1 * 3 * 3, dtype=np.float32).reshape(2, 1, 3, 3)
    varying, tfs = np.array([0, 2, 3]), np.array([1, 3])
    features = place_maps(maps, varying, tfs, 5)
    assert features.shape == (2, 5, 4)
    assert not features[0].any(), "a TF that does not vary"
    assert features[1, 2, 0] == maps[0, 0, 1, 2], "gene 2 reads of TF 3"
    assert not features[1, [1, 4]].any()


def test_pairs_that_forests_deny_are_left_out():
    rng = np.random.default_rng(0)
    labels = np.repeat([1.0, 0.0], 50)
    shares = np.clip(labels * 0.8 + 0.1 + 0.02 * rng.normal(size=(10, 100)), 0, 1)
    shares[:, 0], shares[:, 99] = 0.1, 0.9
    kept = find_consistent(shares, labels)
    assert not kept[[0, 99]].any() and kept.mean() > 0.8


@pytest.fixture(scope="module")
def planted():
    """Twelve targets each of one of four TFs; of every pair one half is for training."""
    rng = np.random.default_rng(0)
    tfs = rng.normal(2, 1, size=(200, TFS))
    targets = tfs[:, np.arange(GENES - TFS) % TFS] + 0.3 * rng.normal(size=(200, GENES - TFS))
    expression = np.concatenate([tfs, targets, np.ones((200, 1))], axis=1)
    expression = np.maximum(expression, 0).astype(np.float32)
    names = np.array([f"G{i:02d}" for i in range(GENES + 1)])
    genes = GeneTable(names, np.arange(GENES + 1) < TFS, expression, np.ones(GENES + 1, bool))
    pairs = np.array([(tf, gene) for tf in range(TFS) for gene in range(TFS, GENES)], np.int32)
    labels = (pairs[:, 0] == (pairs[:, 1] - TFS) % TFS).astype(np.float32)
    train = np.isin(pairs[:, 1], range(TFS, TFS + 8))
    every = LabelledPairs(pairs, labels)
    split = Split(every.take(train), NONE, every.take(~train), "target-disjoint", 0)
    part = Part(split, "draw0-model-seed0", 0)
    problem = Problem(
        dataset=Dataset(genes, every, {}), parts=(part,), tfs=genes.tfs, trainable=genes.tfs
    )
    return problem, part


@pytest.mark.slow
def test_planted_regulators_are_learned_and_a_run_resumes(planted, tmp_path):
    problem, part = planted
    training = AxialMaskingConfig(epochs=20, batch_size=16, evaluate_every=10)
    method = GRNTransformerMethod(
        model=SMALL, training=training, networks=("pearson", "precision"), trees=30
    )
    found = []
    for folder in (None, tmp_path, tmp_path):  # the second time it is read back
        with FitRecorder(folder, 1, 20, "") as recorder:
            [fit] = method.fit_all(problem, [part], recorder)
        found.append(fit.scores(part.split.test))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[1], found[2])
    assert roc_auc_score(part.split.test.labels, found[0]) > 0.9
    with FitRecorder(tmp_path, 1, 20, "") as recorder:
        other = dataclasses.replace(part, name="draw0-expression-permuted-seed0")
        permuted = method.controls()["expression-permuted"](problem, 0)
        [control] = method.fit_all(permuted, [other], recorder)
    assert not np.array_equal(control.features, fit.features), "a control has a fit of its own"


@pytest.mark.slow
def test_networks_are_those_of_their_names(planted):
    genes = planted[0].dataset.genes.take(np.arange(GENES))
    names = ("pearson", "spearman", "covariance", "precision", "pidc")
    networks = infer_networks(genes, names)
    assert networks.shape == (5, GENES, GENES) and np.allclose(networks.max(axis=(1, 2)), 1)
    assert not np.diagonal(networks, axis1=1, axis2=2).any()
    r = np.abs(np.corrcoef(genes.expression, rowvar=False)) - np.eye(GENES)
    assert np.allclose(networks[0], r / r.max(), atol=1e-5)
