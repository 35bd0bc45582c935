import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.data.canonical import order_rows
from grnjax.data.gene_profiles import GeneProfiles
from grnjax.errors import GeneMismatchError, NonFiniteError
from grnjax.models.autoencoder import AutoencoderConfig
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.expression_embedding import (
    EmbeddingObjective,
    EmbeddingTrainingConfig,
    embed_expression,
    encode,
    hold_out,
    kl_weight,
)
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder, Job
from grnjax.training.step import keep_better

GENES, CELLS, RANK = 150, 80, 3
MODEL = AutoencoderConfig(dim=6, widths=(32, 16))
CONFIG = EmbeddingTrainingConfig(
    epochs=60, batch_size=32, learning_rate=3e-3, warm_up=10, patience=4, checkpoint_seconds=0.0
)
FREE = dataclasses.replace(CONFIG, kl_weight=0.01)  # can learn noise by heart
TRAINER = make_trainer(EmbeddingObjective(MODEL, CONFIG))


def standard(values):
    values = values - values.mean(axis=1, keepdims=True)
    return (values / values.std(axis=1, keepdims=True)).astype(np.float32)


def make_profiles(values, uncovered=()):
    covered = ~np.isin(np.arange(len(values)), uncovered)
    return GeneProfiles(np.where(covered[:, None], values, 0).astype(np.float32), covered)


@pytest.fixture(scope="module")
def loadings():
    return np.random.default_rng(0).normal(size=(GENES, RANK))


@pytest.fixture(scope="module")
def planted(loadings):
    """Genes of three programmes with noise; genes 5 and 9 are one, gene 7 was not measured."""
    rng = np.random.default_rng(1)
    values = loadings @ rng.normal(size=(RANK, CELLS)) + 0.7 * rng.normal(size=(GENES, CELLS))
    values = standard(values)
    values[9] = values[5]
    return make_profiles(values, uncovered=[7])


@pytest.fixture(scope="module")
def noise():
    values = standard(np.random.default_rng(2).normal(size=(GENES, CELLS)))
    return make_profiles(values, uncovered=[7])


@pytest.fixture(scope="module")
def embedded(planted):
    return embed_expression(planted, MODEL, CONFIG, seed=0)


def read_off(vectors, loadings):
    """Share of the planted loadings of some genes that a linear map fitted to others explains."""
    inputs, half = np.c_[vectors, np.ones(len(vectors))], len(vectors) // 2
    weights = np.linalg.lstsq(inputs[:half], loadings[:half], rcond=None)[0]
    missed = loadings[half:] - inputs[half:] @ weights
    return 1 - (missed**2).sum() / (loadings[half:] ** 2).sum()


@pytest.mark.slow
@pytest.mark.parametrize("variational", [True, False])
def test_planted_programmes_are_recovered_and_from_noise_nothing_is(
    planted, noise, loadings, variational
):
    model = dataclasses.replace(MODEL, variational=variational)
    found = embed_expression(planted, model, CONFIG, seed=0)
    nothing = embed_expression(noise, model, CONFIG, seed=0)
    known = np.flatnonzero(planted.covered)
    assert found.held_out > 0.4 and nothing.held_out < 0.1
    assert read_off(found.vectors[known], loadings[known]) > 0.6
    assert read_off(nothing.vectors[known], loadings[known]) < 0.1
    drawn = np.random.default_rng(3).normal(size=found.vectors[known].shape)
    assert read_off(drawn, loadings[known]) < 0.1


@pytest.mark.slow
def test_permuting_genes_permutes_the_vectors_bit_for_bit(planted, embedded):
    order = np.random.default_rng(0).permutation(GENES)
    permuted = GeneProfiles(planted.values[order], planted.covered[order])
    other = embed_expression(permuted, MODEL, CONFIG, seed=0)
    np.testing.assert_array_equal(other.vectors, embedded.vectors[order])
    np.testing.assert_array_equal(other.covered, embedded.covered[order])
    reseeded = embed_expression(planted, MODEL, CONFIG, seed=1)
    assert not np.array_equal(reseeded.vectors, embedded.vectors)


@pytest.mark.slow
def test_equal_profiles_have_equal_vectors_and_a_gene_without_one_has_zeros(embedded):
    np.testing.assert_array_equal(embedded.vectors[5], embedded.vectors[9])
    assert not np.array_equal(embedded.vectors[5], embedded.vectors[6])
    assert not embedded.vectors[7].any() and not embedded.covered[7]
    assert embedded.vectors[embedded.covered].any(axis=1).all()


@pytest.mark.slow
def test_the_fit_stops_when_held_out_values_get_worse_and_takes_the_best(noise, tmp_path):
    """Noise can only be learned by heart, so they get worse from the start."""
    store = CheckpointStore(tmp_path)
    found = embed_expression(noise, MODEL, FREE, seed=0, store=store)
    assert found.epochs == found.best_epoch + FREE.patience * FREE.evaluate_every < FREE.epochs
    assert found.best_epoch >= FREE.warm_up

    order = np.flatnonzero(noise.covered)
    order = order[order_rows(noise.values[order])]
    data = hold_out(noise.values[order], FREE, seed=0)
    last = store.latest(TRAINER.start(jax.random.key(0), data)).state
    best_vectors = encode(last.best_parameters, data, model=MODEL)
    np.testing.assert_array_equal(found.vectors[order], best_vectors)
    assert not np.array_equal(encode(last.parameters, data, model=MODEL), best_vectors)


@pytest.mark.slow
def test_the_best_parameters_since_the_warm_up_are_kept():
    """Warm-up ends at epoch 10; evaluations every 5 epochs, the 4th without a better one stops."""
    scores = {5: 0.9, 10: 0.1, 15: 0.3, 20: 0.2, 25: 0.3, 30: 0.0, 35: 0.2, 40: 0.1}
    data, schedule = hold_out(np.ones((12, 12), np.float32), CONFIG, seed=0), TRAINER.schedule
    state = TRAINER.start(jax.random.key(0), data)
    state = state._replace(parameters=jnp.float32(0), best_parameters=jnp.float32(0))
    for epoch, score in scores.items():
        state = state._replace(epoch=jnp.int32(epoch), parameters=jnp.float32(epoch))
        state = keep_better(state, jnp.float32(score), schedule)
        assert bool(state.stopped) == (epoch >= 35)
    assert state.best_epoch == state.best_parameters == 15
    assert state.best_score == np.float32(0.3)
    ended = state._replace(epoch=jnp.int32(15), finite=jnp.zeros((), bool))
    assert keep_better(ended, jnp.float32(0.9), schedule).stopped


@pytest.fixture
def held(planted):
    """The arrays of a fit, and the same with other values where genes and cells are held out."""
    data = hold_out(planted.values[planted.covered], CONFIG, seed=0)
    block = jnp.outer(data.is_hidden_gene, data.is_hidden_cell)
    return data, data._replace(profiles=data.profiles + 5 * block)


@pytest.mark.slow
def test_held_out_are_the_shares_of_genes_and_cells_that_were_asked_for(held):
    data, _ = held
    assert data.is_hidden_gene.sum() == round(0.2 * (GENES - 1))
    assert data.is_hidden_cell.sum() == round(0.1 * CELLS)
    np.testing.assert_array_equal(np.flatnonzero(data.is_hidden_gene), data.hidden_genes)


@pytest.mark.slow
def test_what_is_held_out_changes_the_score_and_nothing_that_is_learned(held):
    data, other = held
    key = jax.random.key(0)
    start = TRAINER.start(key, data)
    (one, scores), (two, others) = (TRAINER.chunk(start, d, key) for d in (data, other))
    jax.tree.map(np.testing.assert_array_equal, one.parameters, two.parameters)
    assert scores["loss"] == others["loss"]
    assert scores["held_out"] > others["held_out"]


@pytest.mark.slow
def test_vectors_do_not_depend_on_held_out_cells(held):
    data, _ = held
    changed = data._replace(profiles=data.profiles + 5 * data.is_hidden_cell)
    parameters = TRAINER.start(jax.random.key(0), data).parameters
    vectors = [encode(parameters, d, model=MODEL) for d in (data, changed)]
    np.testing.assert_array_equal(*vectors)


@pytest.mark.slow
def test_the_weight_of_the_divergence_rises_in_a_line_and_pulls_codes_in(planted, embedded):
    config = dataclasses.replace(CONFIG, kl_weight=0.5, warm_up=20)
    weights = [float(kl_weight(jnp.int32(epoch), config)) for epoch in (0, 5, 20, 300)]
    np.testing.assert_allclose(weights, [0, 0.125, 0.5, 0.5])
    free = embed_expression(planted, MODEL, FREE, seed=0)
    assert np.abs(embedded.vectors).mean() < 0.8 * np.abs(free.vectors).mean()


class Interrupted(Exception):
    """Stands for a kill."""


class KillingLog:
    """Stops a fit after so many evaluations."""

    def __init__(self, after):
        self.left = after

    def start(self, epoch):
        self.began = epoch

    def write(self, metrics):
        self.left -= 1
        if not self.left:
            raise Interrupted


@pytest.mark.slow
def test_a_resumed_fit_ends_with_the_same_bits_and_one_program_serves_all(
    planted, embedded, tmp_path
):
    programs = TRAINER.chunk._cache_size()
    store = CheckpointStore(tmp_path)
    with pytest.raises(Interrupted):
        embed_expression(planted, MODEL, CONFIG, seed=0, store=store, log=KillingLog(after=4))
    log = KillingLog(after=1_000)
    resumed = embed_expression(planted, MODEL, CONFIG, seed=0, store=store, log=log)
    assert 0 < log.began < embedded.epochs
    np.testing.assert_array_equal(resumed.vectors, embedded.vectors)
    assert (resumed.best_epoch, resumed.held_out) == (embedded.best_epoch, embedded.held_out)
    assert TRAINER.chunk._cache_size() == programs


@pytest.mark.slow
def test_fits_side_by_side_are_those_alone(planted, noise):
    """Of two data sets whose fits stop at different epochs."""
    data = [hold_out(p.values[p.covered], CONFIG, seed) for seed, p in enumerate((planted, noise))]
    jobs = [Job(f"fit{seed}", seed, lambda seed=seed: data[seed]) for seed in (0, 1)]
    results = []
    for side_by_side in (False, True):
        schedule = TRAINER.schedule._replace(side_by_side=side_by_side)
        trainer = dataclasses.replace(TRAINER, schedule=schedule)
        with FitRecorder(None, 2, CONFIG.epochs, "fitting") as recorder:
            results.append([result for result, _ in recorder.fit_all(trainer, jobs)])
    for alone, beside in zip(*results, strict=True):
        assert (alone.best_epoch, alone.epochs) == (beside.best_epoch, beside.epochs)
        assert alone.best_score == pytest.approx(beside.best_score, rel=1e-3)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-2, atol=1e-3),
            alone.variables,
            beside.variables,
        )
    assert len({result.epochs for result in results[0]}) == 2


@pytest.mark.slow
def test_genes_that_fill_a_batch_up_change_neither_loss_nor_gradient(held):
    data, objective = held[0], EmbeddingObjective(MODEL, CONFIG)
    key = jax.random.key(0)
    state = TRAINER.start(key, data)
    genes, weights = objective.divide(data, key, state.epoch)
    batch = objective.batch(data, (genes[0], weights[0]), key)

    def differentiate(batch):
        def loss(parameters):
            return objective.loss(state._replace(parameters=parameters), batch, data, key).loss

        return jax.value_and_grad(loss)(state.parameters)

    padded = objective.pad_batch(batch, data, parts=7)
    assert len(padded.weights) == 35
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6),
        differentiate(batch),
        differentiate(padded),
    )


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_fit(planted):
    values = planted.values.copy()
    values[0, 0] = np.inf
    with pytest.raises(NonFiniteError, match="expression embedding: the loss stopped"):
        embed_expression(GeneProfiles(values, planted.covered), MODEL, CONFIG, seed=0)


@pytest.mark.slow
def test_a_set_too_small_to_hold_anything_out_is_refused(planted):
    few = GeneProfiles(planted.values, planted.covered & (np.arange(GENES) < 9))
    with pytest.raises(GeneMismatchError, match="8 genes that vary over 80 cells"):
        embed_expression(few, MODEL, CONFIG, seed=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"warm_up": 400},
        {"learning_rate": 0.0},
        {"kl_weight": -1.0},
        {"held_out_cells": 0.0},
        {"held_out_genes": 1.0},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        EmbeddingTrainingConfig(**wrong)
