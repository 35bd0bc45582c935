"""Thinned cells: what is left of counts, what S and T say, and what is predicted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.foundation.published_training import ScFoundationTraining
from grnjax.foundation.thinning import thin_cells
from grnjax.foundation.token_objectives import GeneformerObjective
from grnjax.tasks.foundation_training import FoundationStudy, train_model
from tests.foundation.hidden_cells import make_fit
from tests.foundation.small_models import make_model

pytestmark = pytest.mark.usefixtures("compile_quickly")
GENES, CELLS = 30, 400


def make_cells(cells=CELLS, beside=0, rate=60.0):
    """Counts, and the same as values with T and S; of `beside` the list has no gene."""
    counts = np.random.default_rng(0).poisson(rate, (cells, GENES)).astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True) + beside
    depth = np.log10(totals)
    values = np.concatenate([np.log1p(counts / totals * 1e4), depth, depth], axis=1)
    places = np.broadcast_to(np.arange(GENES + 2, dtype=np.int32), values.shape)
    return counts, jnp.float32(values), jnp.asarray(places), jnp.ones(values.shape, bool)


def thin(*cells, share=1.0, least=1000.0, seed=0):
    return np.asarray(
        thin_cells(*cells, jax.random.key(seed), genes=GENES, share=share, least=least), np.float64
    )


def read_counts(values):
    totals = 10 ** values[:, -1:]
    return np.expm1(values[:, :GENES]) * totals / 1e4


@pytest.mark.slow
def test_counts_are_thinned_by_a_share_of_the_cell_and_s_tells_what_is_left():
    counts, *cells = make_cells()
    found = thin(*cells)
    left = read_counts(found)
    np.testing.assert_allclose(left, left.round(), atol=0.02)
    assert (left.round() <= counts).all()
    np.testing.assert_allclose(left.round().sum(axis=1), 10 ** found[:, -1], rtol=1e-5)
    np.testing.assert_array_equal(found[:, -2], np.asarray(cells[0])[:, -2])  # T
    shares = left.sum(axis=1) / counts.sum(axis=1)
    assert abs(shares.mean() - 0.5) < 0.04 and abs(shares.var() - 0.05) < 0.012  # Beta(2, 2)
    spread = (left.round() - shares[:, None] * counts) ** 2
    expected = shares[:, None] * (1 - shares[:, None]) * counts
    assert abs(spread.sum() / expected.sum() - 1) < 0.1  # binomial, less one degree of freedom


@pytest.mark.slow
def test_half_of_the_cells_are_thinned_and_none_of_few_counts():
    _, *cells = make_cells()
    is_same = (thin(*cells, share=0.5) == np.asarray(cells[0], np.float64)).all(axis=1)
    assert abs(is_same.mean() - 0.5) < 0.1
    np.testing.assert_array_equal(thin(*cells, least=1e5), np.asarray(cells[0]))
    np.testing.assert_array_equal(thin(*cells, share=0.0), np.asarray(cells[0]))


@pytest.mark.slow
def test_counts_beside_the_list_are_thinned_with_the_others():
    counts, *cells = make_cells(beside=5000)
    found = thin(*cells)
    left = read_counts(found).sum(axis=1)
    beside = 10 ** found[:, -1] - left
    shares = left / counts.sum(axis=1)
    assert np.abs(beside / 5000 - shares).max() < 0.1


@pytest.mark.slow
def test_padding_stays_as_it_was_and_a_cell_is_never_emptied():
    _, values, places, is_real = make_cells(cells=200, rate=0.4)
    is_real = is_real.at[:, 5:9].set(False)
    found = thin(values, places, is_real, least=0.0)
    np.testing.assert_array_equal(found[:, 5:9], np.asarray(values)[:, 5:9])
    assert (found[:, -1] > 0).all() and np.isfinite(found).all()
    shown = np.asarray(is_real)[:, :GENES] & (np.asarray(values)[:, :GENES] > 0)
    assert ((found[:, :GENES] > 0) & shown).any(axis=1)[shown.any(axis=1)].all()


@pytest.mark.slow
def test_what_is_predicted_is_the_cell_before_and_held_out_cells_are_whole():
    objective, data, test = make_fit("scfoundation", thinned=1.0, masked_zeros=0.5)
    data, test = jax.tree.map(jnp.asarray, (data, test))
    batch = objective.batch(data, (data.train[:8], jnp.ones(8)), jax.random.key(1))
    whole = objective.take(data, data.train[:8])
    jax.tree.map(np.testing.assert_array_equal, batch.cells, whole)
    s = objective.model.genes + 1
    filled = np.asarray(objective.fill(whole))
    assert (np.asarray(batch.inputs[0])[:, s] < filled[:, s]).all()
    np.testing.assert_array_equal(batch.inputs[0][:, s - 1], filled[:, s - 1])
    held = objective.take(data, test.cells)
    shown = objective.hide(held, test.is_hidden, None)[0]
    np.testing.assert_array_equal(shown[:, s], np.asarray(objective.fill(held))[:, s])


@pytest.mark.slow
def test_other_models_see_their_cells_as_they_are():
    objective, data, _ = make_fit("geneformer")
    assert isinstance(objective, GeneformerObjective)
    cells = objective.take(jax.tree.map(jnp.asarray, data), data.train[:4])
    assert objective.alter(cells, jax.random.key(0)) is cells


def test_logs_cannot_be_thinned():
    study = FoundationStudy(training=ScFoundationTraining(), expression="log")
    with pytest.raises(ConfigError, match="--training.thinned=0"):
        train_model("none.h5ad", make_model("scfoundation"), study)
