"""The language model learns a planted structure, resumes bit for bit, and makes vectors of it."""

import dataclasses

import jax
import numpy as np
import pytest

from grnjax.errors import NonFiniteError
from grnjax.graphs.walks import InferredNetwork, WalkConfig, build_walk_graph
from grnjax.models.walk_model import WalkModelConfig
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.loop import make_trainer
from grnjax.training.recorder import FitRecorder, Job
from grnjax.training.walk_training import (
    WalkObjective,
    WalkTrainingConfig,
    fit_walks,
    prepare_walks,
)
from grnjax.training.walk_vectors import embed_genes
from tests.training.logs import Killed, Lines

GROUPS, SIZE = 4, 8
GENES = GROUPS * SIZE + 2
LONELY = [5, 20]  # in no network
CONFIG = WalkTrainingConfig(
    walks=WalkConfig(length=6),
    model=WalkModelConfig(layers=1, heads=2, width=16, feed_forward=16),
    walks_a_node=100,
    batch_size=32,
    learning_rate=5e-3,
    evaluate_every=50,
    held_out_walks=256,
    patience=3,
    checkpoint_seconds=0.0,
)


@pytest.fixture(scope="module")
def groups():
    """The group of each gene; the two without edges have one of their own."""
    members = np.setdiff1d(np.arange(GENES), LONELY)
    groups = np.full(GENES, -1)
    groups[np.random.default_rng(0).permutation(members)] = np.repeat(np.arange(GROUPS), SIZE)
    return groups


@pytest.fixture(scope="module")
def graph(groups):
    """Two networks, whose edges join genes of one group alone."""
    rng = np.random.default_rng(1)
    alike = np.triu(groups[:, None] == groups, 1) & (groups >= 0)
    networks = []
    for _ in range(2):
        edges = np.argwhere(alike & (rng.random(alike.shape) < 0.6))
        networks.append(InferredNetwork(edges, rng.uniform(0.2, 1, len(edges)).astype(np.float32)))
    return build_walk_graph(networks, GENES)


@pytest.fixture(scope="module")
def straight(graph, tmp_path_factory):
    """A fit from its start to its end, and its log and checkpoints."""
    store, log = CheckpointStore(tmp_path_factory.mktemp("straight")), Lines()
    return fit_walks(graph, GENES, CONFIG, seed=0, store=store, log=log), log, store


def assert_same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other)):
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


@pytest.fixture(scope="module")
def trainer(graph):
    return make_trainer(WalkObjective(CONFIG, GENES, CONFIG.count_epochs(len(graph.starts))))


@pytest.fixture(scope="module")
def start(trainer):
    """The state before the first step."""
    return jax.device_get(trainer.start(jax.random.key(0), None))


@pytest.mark.slow
def test_the_held_out_loss_falls_below_the_unigram_entropy(straight):
    """Who knows the group of a hidden gene, by its neighbours, loses a quarter of the choices."""
    fit, log, _ = straight
    assert np.log(GROUPS * SIZE) - 0.2 < fit.unigram_entropy <= np.log(GROUPS * SIZE)
    assert -fit.result.best_score < fit.unigram_entropy - 0.8
    losses = [line["held_out_loss"] for line in log.metrics]
    assert -fit.result.best_score == min(losses)
    assert fit.result.best_epoch == 1 + int(np.argmin(losses))
    assert [line["epoch"] for line in log.metrics] == list(range(1, fit.result.epochs + 1))


@pytest.mark.slow
def test_where_a_walk_says_nothing_the_held_out_loss_stays_at_the_entropy():
    """On a complete graph neighbours tell nothing of a hidden gene but that it is another one."""
    genes = 40
    edges = np.argwhere(np.triu(np.ones((genes, genes)), 1))
    network = InferredNetwork(edges, np.ones(len(edges), np.float32))
    config = dataclasses.replace(CONFIG, walks_a_node=200, held_out_walks=2048)
    fit = fit_walks(build_walk_graph([network], genes), genes, config, seed=0)
    assert -fit.result.best_score > fit.unigram_entropy - 0.06


@pytest.mark.slow
def test_vectors_of_genes_that_walk_together_are_alike(straight, graph, groups):
    variables = straight[0].result.variables
    found = embed_genes(variables, graph, GENES, CONFIG, seed=1)
    assert found.vectors.shape == (GENES, CONFIG.model.width)
    assert np.flatnonzero(~found.in_network).tolist() == LONELY
    rows = np.asarray(variables["params"]["table"])
    np.testing.assert_array_equal(found.vectors[LONELY], rows[LONELY])
    known = found.vectors[found.in_network]
    known = known - known.mean(axis=0)
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    labels = groups[found.in_network]
    alike, cosine = labels[:, None] == labels, known @ known.T
    np.fill_diagonal(cosine, np.nan)
    assert np.nanmean(cosine[alike]) > np.nanmean(cosine[~alike]) + 0.5
    by_row = embed_genes(variables, graph, GENES, dataclasses.replace(CONFIG, vector="row"), seed=1)
    np.testing.assert_array_equal(by_row.vectors, rows[:GENES])


@pytest.mark.slow
def test_vectors_are_a_function_of_the_seed_and_hardly_of_it(straight, graph):
    one, same, other = (
        embed_genes(straight[0].result.variables, graph, GENES, CONFIG, seed=seed).vectors
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2])
def test_a_fit_that_was_killed_ends_bit_for_bit_like_one_that_was_not(
    straight, graph, trainer, start, tmp_path, lines
):
    expected, log, kept = straight
    programs = trainer.chunk._cache_size()
    store, resumed = CheckpointStore(tmp_path), Lines()
    with pytest.raises(Killed):
        fit_walks(graph, GENES, CONFIG, seed=0, store=store, log=Lines(lines))
    epoch = store.steps()[-1]
    assert epoch < expected.result.epochs
    result = fit_walks(graph, GENES, CONFIG, seed=0, store=store, log=resumed)
    assert resumed.started == [epoch]
    np.testing.assert_equal(resumed.metrics, log.metrics[epoch:])
    assert_same_bits(result.result.variables, expected.result.variables)
    assert result.unigram_entropy == expected.unigram_entropy
    assert_same_bits(store.latest(start).state, kept.latest(start).state)
    assert trainer.chunk._cache_size() == programs


@pytest.mark.slow
def test_one_seed_gives_the_same_bits_another_others_and_all_are_one_program(
    straight, graph, trainer
):
    programs = trainer.chunk._cache_size()
    quick = [fit_walks(graph, GENES, CONFIG, seed=seed).result for seed in (0, 1)]
    assert_same_bits(quick[0].variables, straight[0].result.variables)
    tables = [fit.variables["params"]["table"] for fit in quick]
    assert np.abs(tables[0] - tables[1]).max() > 0.01
    assert trainer.chunk._cache_size() == programs


@pytest.mark.slow
def test_a_fit_stops_where_the_held_out_loss_stops_falling(graph, start, tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(0, start._replace(best_score=np.float32(1.0)), {})  # no loss is below -1
    fit = fit_walks(graph, GENES, CONFIG, seed=0, store=store)
    assert (fit.result.epochs, fit.result.best_epoch) == (CONFIG.patience, 0)
    assert fit.result.epochs < CONFIG.count_epochs(len(graph.starts))


@pytest.mark.slow
def test_an_update_that_is_not_finite_ends_the_fit_and_is_not_kept(graph, start, tmp_path):
    """Parameters so large that their squares are infinite."""
    store, huge = CheckpointStore(tmp_path), jax.tree.map(lambda x: x * 1e30, start.parameters)
    store.save(0, start._replace(parameters=huge), {})
    with pytest.raises(NonFiniteError, match="walks: the loss stopped being finite"):
        fit_walks(graph, GENES, CONFIG, seed=0, store=store)
    state = store.latest(start).state
    assert not state.finite and state.stopped and state.step == 0
    assert_same_bits(state.parameters, huge)


@pytest.mark.slow
def test_fits_side_by_side_are_those_alone(straight, graph, trainer):
    jobs = [
        Job(f"fit{seed}", seed, lambda seed=seed: prepare_walks(graph, GENES, CONFIG, seed)[0])
        for seed in (0, 1)
    ]
    beside = dataclasses.replace(trainer, schedule=trainer.schedule._replace(side_by_side=True))
    with FitRecorder(None, 2, trainer.schedule.epochs, "fitting") as recorder:
        results = [result for result, _ in recorder.fit_all(beside, jobs)]
    alone = [straight[0].result, fit_walks(graph, GENES, CONFIG, seed=1).result]
    for one, other in zip(alone, results, strict=True):
        assert one.epochs == other.epochs and one.best_score == pytest.approx(
            other.best_score, rel=2e-2
        )
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=0.05), one.variables, other.variables
        )


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"masked_share": 1.0}, {"warm_up": 0.0}, {"learning_rate": 0.0}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WalkTrainingConfig(**wrong)
