import dataclasses

import jax
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from grnjax.errors import ConfigError, NonFiniteError
from grnjax.models.gcn import GCNConfig
from grnjax.models.scregnet import ScRegNet, ScRegNetConfig
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.batches import build_pair_batch
from grnjax.training.loop import check_memory, fit
from grnjax.training.pair_objective import TrainingConfig, make_pair_trainer
from tests.training.logs import Killed, Lines

INIT_KEY, TRAIN_KEY = jax.random.split(jax.random.key(0))  # of seed 0


def kill_after(trainer, chunks):
    """The trainer, killed when it asks for one more chunk than that."""
    left = iter(range(chunks))

    def chunk(*args):
        if next(left, None) is None:
            raise Killed
        return trainer.chunk(*args)

    return dataclasses.replace(trainer, chunk=chunk)


def change(trainer, **settings):
    """The same compiled functions with other settings of the host's loop."""
    return dataclasses.replace(trainer, schedule=trainer.schedule._replace(**settings))


def assert_same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other)):
        assert np.asarray(left).tobytes() == np.asarray(right).tobytes()


def read_state(trainer, data, folder):
    """The whole state at the end of a fit, from its last checkpoint."""
    return CheckpointStore(folder).latest(trainer.start(INIT_KEY, data)).state


@pytest.fixture(scope="module")
def batch_trainer(make_tiny_trainer):
    return make_tiny_trainer(batch_size=64)


@pytest.fixture(scope="module")
def patient_trainer(make_tiny_trainer):
    """Stops after two evaluations without a better one; 48 epochs are ten evaluations."""
    return make_tiny_trainer(patience=2, epochs=48, unseen_share=0.0)


@pytest.fixture(scope="module")
def data(problem):
    return problem.build()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tiny_trainer", "batch_trainer"])
@pytest.mark.parametrize("chunks", [1, 3])
def test_a_fit_that_was_killed_ends_bit_for_bit_like_one_that_was_not(
    request, data, tmp_path, kind, chunks
):
    trainer = request.getfixturevalue(kind)
    straight, resumed = Lines(), Lines()
    stores = [CheckpointStore(tmp_path / name) for name in ("straight", "killed")]
    rarely = change(trainer, checkpoint_seconds=1e9)
    expected = fit(rarely, data, seed=0, name="fit", store=stores[0], log=straight)
    with pytest.raises(Killed):
        fit(kill_after(trainer, chunks), data, seed=0, name="fit", store=stores[1])
    epoch = chunks * trainer.schedule.evaluate_every
    assert stores[1].steps()[-1] == epoch < expected.epochs
    result = fit(trainer, data, seed=0, name="fit", store=stores[1], log=resumed)
    assert resumed.started == [epoch]
    np.testing.assert_equal(resumed.metrics, straight.metrics[chunks:])
    assert_same_bits(result.variables, expected.variables)
    for count in ("best_epoch", "best_score", "epochs"):
        assert getattr(result, count) == getattr(expected, count)
    states = [read_state(trainer, data, store.folder) for store in stores]
    assert_same_bits(*states)
    assert states[0].collections["statistics"]["mean"].any()


@pytest.mark.slow
def test_a_fit_killed_before_its_first_checkpoint_starts_again(tiny_trainer, data, tmp_path):
    rarely = change(tiny_trainer, checkpoint_seconds=1e9)
    expected = fit(rarely, data, seed=0, name="fit")
    store, log = CheckpointStore(tmp_path), Lines()
    with pytest.raises(Killed):
        fit(kill_after(rarely, 3), data, seed=0, name="fit", store=store)
    assert store.steps() == [0]  # the start is kept, so that a later step has one before it
    result = fit(rarely, data, seed=0, name="fit", store=store, log=log)
    assert log.started == [0] and store.steps() == [0, expected.epochs]
    assert_same_bits(result.variables, expected.variables)


def test_a_fit_that_had_ended_is_read_back_and_not_trained(tiny_trainer, data, tmp_path):
    store = CheckpointStore(tmp_path)
    expected = fit(tiny_trainer, data, seed=0, name="fit", store=store)
    result = fit(kill_after(tiny_trainer, 0), data, seed=0, name="fit", store=store)
    assert_same_bits(result.variables, expected.variables)
    assert (result.best_epoch, result.best_score) == (expected.best_epoch, expected.best_score)


@pytest.mark.slow
def test_all_fits_of_a_run_share_one_compilation(tiny_trainer, problem, tmp_path):
    store = CheckpointStore(tmp_path)
    for seed, split in enumerate(problem.splits):
        fit(tiny_trainer, problem.build(split), seed=seed, name="fit")
    with pytest.raises(Killed):
        fit(kill_after(tiny_trainer, 1), problem.build(), seed=0, name="fit", store=store)
    fit(tiny_trainer, problem.build(), seed=0, name="fit", store=store)
    assert tiny_trainer.chunk._cache_size() == tiny_trainer.start._cache_size() == 1


def test_what_cannot_fit_into_the_memory_is_refused_by_its_numbers(tiny_trainer, data, monkeypatch):
    """Twice the state: before an update and after it."""
    state = jax.eval_shape(tiny_trainer.start, jax.random.key(0), data)
    needed = 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    monkeypatch.setattr("grnjax.training.loop.find_memory", lambda devices: needed)
    check_memory(tiny_trainer, jax.random.key(0), data)
    monkeypatch.setattr("grnjax.training.loop.find_memory", lambda devices: needed - 1)
    with pytest.raises(ConfigError, match=r"has [0-9,]+ parameters.* GiB at least, of which"):
        fit(tiny_trainer, data, seed=0, name="fit")


def test_seeds_differ_and_repeat(tiny_trainer, data):
    one, same, other = (
        fit(tiny_trainer, data, seed=seed, name="fit").variables for seed in (1, 1, 2)
    )
    assert_same_bits(one, same)
    kernels = [np.asarray(v["params"]["message"]["kernel"]) for v in (one, other)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01


def test_every_evaluation_is_logged_once_and_the_best_one_is_kept(tiny_trainer, data):
    log = Lines()
    result = fit(tiny_trainer, data, seed=0, name="fit", log=log)
    assert [line["epoch"] for line in log.metrics] == [5, 10, 15, 20, 25]
    assert result.epochs == 25
    scores = [line["average_precision"] for line in log.metrics]
    assert result.best_score == max(scores)
    assert result.best_epoch == 5 * (1 + int(np.argmax(scores)))
    logits = tiny_trainer.score(result.variables, data.genes, data.validation, TRAIN_KEY)
    real = data.validation.weights > 0
    truth, predicted = data.validation.labels[real], np.asarray(logits)[real]
    best = log.metrics[int(np.argmax(scores))]
    assert best["average_precision"] == pytest.approx(
        average_precision_score(truth, predicted), abs=1e-6
    )
    assert best["auroc"] == pytest.approx(roc_auc_score(truth, predicted), abs=1e-6)


@pytest.mark.slow
def test_a_model_that_gets_worse_keeps_its_best_epoch_and_stops(patient_trainer, data):
    """It is judged on the reverse of what it learns, so the first evaluation is its best."""
    against = data._replace(validation=data.train._replace(labels=1 - data.train.labels))
    log = Lines()
    result = fit(patient_trainer, against, seed=0, name="fit", log=log)
    scores = [line["average_precision"] for line in log.metrics]
    assert len(scores) == 3 and scores[0] > max(scores[1:])
    assert (result.best_epoch, result.epochs) == (5, 15)
    after_one, _ = patient_trainer.chunk(
        patient_trainer.start(INIT_KEY, against), against, TRAIN_KEY
    )
    assert_same_bits(result.variables["params"], after_one.parameters)
    assert_same_bits(result.variables["statistics"], after_one.collections["statistics"])


@pytest.mark.slow
def test_a_model_that_gets_better_uses_all_its_epochs(patient_trainer, data):
    """It is judged on what it learns; 48 epochs are rounded up to ten evaluations of five."""
    towards = data._replace(validation=data.train)
    result = fit(patient_trainer, towards, seed=0, name="fit")
    assert result.epochs <= 50 and result.best_epoch >= 30
    if result.epochs < 50:
        assert result.epochs == result.best_epoch + 2 * 5


@pytest.mark.slow
def test_validation_labels_choose_the_epoch_and_train_nothing(tiny_trainer, data, tmp_path):
    flipped = data._replace(validation=data.validation._replace(labels=1 - data.validation.labels))
    trainer, ends = change(tiny_trainer, checkpoint_seconds=1e9), []
    for name, given in (("one", data), ("other", flipped)):
        fit(trainer, given, seed=0, name="fit", store=CheckpointStore(tmp_path / name))
        ends.append(read_state(tiny_trainer, given, tmp_path / name))
    assert_same_bits(ends[0].parameters, ends[1].parameters)
    assert ends[0].best_epoch != ends[1].best_epoch


def test_labels_and_features_of_padding_train_nothing(tiny_trainer, data):
    padding = data.train.weights == 0
    assert padding.any()
    noisy = data.train._replace(
        labels=np.where(padding, 1 - data.train.labels, data.train.labels),
        features=np.where(padding[:, None], 7.0, data.train.features).astype(np.float32),
    )
    one, other = (
        fit(tiny_trainer, data._replace(train=train), seed=0, name="fit").variables
        for train in (data.train, noisy)
    )
    assert_same_bits(one, other)


def break_a_feature(data):
    nodes = data.genes.nodes.copy()
    nodes[3, 0] = np.nan
    return data._replace(genes=data.genes._replace(nodes=nodes))


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["a NaN in the input", "a huge learning rate"])
def test_a_loss_that_is_not_finite_stops_the_fit_with_the_last_good_state_kept(
    tiny_trainer, make_tiny_trainer, data, tmp_path, reason
):
    trainer, given = tiny_trainer, break_a_feature(data)
    if reason == "a huge learning rate":
        trainer, given = make_tiny_trainer(learning_rate=1e30, optimizer="rmsprop"), data
    store = CheckpointStore(tmp_path)
    rate = f"{trainer.schedule.learning_rate:g}".replace("+", r"\+")
    message = rf"^draw0-seed1: the loss stopped being finite by epoch 5, .*\(now {rate}\) and .*"
    with pytest.raises(NonFiniteError, match=message):
        fit(trainer, given, seed=0, name="draw0-seed1", store=store)
    state = read_state(trainer, given, tmp_path)
    assert not state.finite and state.stopped
    kept = state.parameters, state.collections, state.optimizer, state.best_parameters
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(kept))
    assert int(state.step) < 5
    with pytest.raises(NonFiniteError, match=message):  # and it is not trained again
        fit(kill_after(trainer, 0), given, seed=0, name="draw0-seed1", store=store)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"edge_folds": 1}, "0 or at least 2, got 1"),
        ({"edge_folds": -2}, "0 or at least 2, got -2"),
        ({"unseen_share": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**settings)


@pytest.mark.slow
def test_scregnet_learns_the_network_and_not_shuffled_labels(problem):
    config = ScRegNetConfig(encoder=GCNConfig(widths=(16, 16)), mlp_widths=(16,), identity_rank=2)
    trainer = make_pair_trainer(ScRegNet(config), TrainingConfig(epochs=100, unseen_share=0.0))
    aurocs = {}
    for name in ("true", "shuffled"):
        aurocs[name] = []
        for split in problem.splits:
            if name == "shuffled":
                split = shuffle_labels(split)
            data = problem.build(split)
            result = fit(trainer, data, seed=0, name="fit")
            test = build_pair_batch(problem.inputs, split.test, len(split.test))
            logits = trainer.score(result.variables, data.genes, test, TRAIN_KEY)
            aurocs[name].append(roc_auc_score(split.test.labels, logits))
    assert np.mean(aurocs["true"]) > 0.7
    assert np.mean(aurocs["true"]) > np.mean(aurocs["shuffled"]) + 0.12


def shuffle_labels(split):
    """The split with its train and validation labels permuted."""
    rng = np.random.default_rng(0)
    shuffled = {
        part: dataclasses.replace(pairs, labels=rng.permutation(pairs.labels))
        for part, pairs in (("train", split.train), ("validation", split.validation))
    }
    return dataclasses.replace(split, **shuffled)
