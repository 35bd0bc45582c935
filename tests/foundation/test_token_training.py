"""Masked-expression training of the four models: what is hidden, learned, frozen and resumed."""

import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.foundation.masking import choose_tokens, gather_chosen, replace_chosen
from grnjax.foundation.token_objectives import TRAININGS
from grnjax.foundation.token_training import HiddenBatch
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.freezing import FROZEN, thaw
from grnjax.training.loop import fit, make_trainer
from grnjax.training.step import fresh_state, train_step
from tests.devices import simulate_devices
from tests.foundation.hidden_cells import ON_DEVICES, make_fit
from tests.training.logs import Killed, Lines

pytestmark = pytest.mark.usefixtures("compile_quickly")
FREEZE = {
    "geneformer": ("embeddings", "layer_0"),
    "scbert": ("token_emb", "performer/layer_0"),
    "scfoundation": ("pos_emb", "token_emb", "encoder"),
    "scgpt": ("genes", "values", "layer_[0]"),
}
NAMES = tuple(TRAININGS)


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def case(name):
    """Objective, data and test cells, layers frozen by name."""
    objective, *arrays = make_fit(name, freeze=FREEZE[name])
    return objective, *jax.tree.map(jnp.asarray, arrays)


@pytest.fixture(scope="module")
def straight(case):
    return fit(make_trainer(case[0]), case[1], seed=0, name="m")


def leaves(tree):
    return {
        jax.tree_util.keystr(path): np.asarray(x)
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
    }


@pytest.mark.slow
def test_frozen_arrays_and_buffers_stay_bit_for_bit_and_all_others_move(case, straight):
    objective, data, _ = case
    start, found = leaves(data.start), leaves(thaw(straight.variables))
    frozen = {f"['params']{path}" for path in leaves(straight.variables[FROZEN])}
    buffers = {path for path in found if path.startswith("['buffers']")}
    assert found.keys() == start.keys() and frozen and frozen < found.keys()
    assert bool(buffers) == ("buffers" in data.start)
    same = {path for path in found if np.array_equal(found[path], start[path])}
    unread = {path for path in same - frozen - buffers if is_unread(path)}
    assert frozen | buffers | unread == same


def is_unread(path):
    """Parameters without a part in the loss: the head of classes, and the vector of padding."""
    return "classes" in path or "['pad']" in path


@pytest.mark.slow
def test_it_learns(case, straight):
    objective, data, test = case
    judge = jax.jit(objective.judge)
    losses = []
    for variables in (data.start, thaw(straight.variables)):
        total, count = judge(variables, data._replace(start=None), test)
        losses.append(float(total.sum() / count.sum()))
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_a_resumed_fit_equals_an_uninterrupted_one_bit_for_bit(case, straight, tmp_path):
    trainer, data, log = make_trainer(case[0]), case[1], Lines()
    with pytest.raises(Killed):
        fit(trainer, data, seed=0, name="m", store=CheckpointStore(tmp_path / "m"), log=Lines(3))
    resumed = fit(trainer, data, seed=0, name="m", store=CheckpointStore(tmp_path / "m"), log=log)
    assert 0 < log.started[0] < 6
    assert resumed.best_score == straight.best_score
    jax.tree.map(np.testing.assert_array_equal, resumed.variables, straight.variables)


@pytest.mark.slow
def test_a_hidden_token_or_value_enters_no_prediction(case, name):
    """Of held-out cells: what stands at hidden places is changed, and the model sees the same."""
    objective, data, test = case
    cells = objective.take(data, test.cells)
    before = objective.hide(cells, test.is_hidden, None)
    is_hidden = test.is_hidden
    if name == "scfoundation":
        places = np.minimum(np.asarray(cells.tokens), objective.model.places - 1)
        is_hidden = np.take_along_axis(is_hidden, places, axis=1) & cells.is_real
    assert is_hidden.any()
    if cells.values is None:
        changed = cells._replace(tokens=jnp.where(is_hidden, 3, cells.tokens))
    else:
        changed = cells._replace(values=jnp.where(is_hidden, 0.7, cells.values))
    after = objective.hide(changed, test.is_hidden, None)
    if name == "scfoundation":  # what stands at places that the encoder does not read is no matter
        before, after = ((x[0], jnp.where(x[2], x[1], 0), x[2]) for x in (before, after))
    jax.tree.map(np.testing.assert_array_equal, before, after)


@pytest.mark.slow
def test_only_genes_are_hidden_and_their_share(case, name):
    objective, data, test = case
    cells = objective.take(data, test.cells)
    hidden = np.asarray(test.is_hidden)
    if name == "scfoundation":
        filled = np.asarray(objective.fill(cells))
        assert not hidden[:, objective.model.genes :].any()
        detected = filled[:, : objective.model.genes] > 0
        own = hidden[:, : objective.model.genes]
        counts = (own & detected).sum(axis=1)
        np.testing.assert_array_equal(
            counts, np.round(np.float32(0.3) * detected.sum(axis=1, dtype=np.float32))
        )
        return
    eligible = np.asarray(objective.find_eligible(cells))
    assert not hidden[~eligible].any()
    shares = np.float32(objective.config.masked_shares)
    possible = np.maximum(np.round(shares * eligible.sum(axis=1)[:, None]), 1)
    assert (hidden.sum(axis=1)[:, None] == possible).any(axis=1).all()
    if name == "geneformer":
        assert not np.isin(np.asarray(cells.tokens)[hidden], objective.special).any()


@pytest.mark.slow
def test_dropout_acts_in_training_alone(name):
    objective, *arrays = make_fit(name, dropout=0.5)
    data, test = jax.tree.map(jnp.asarray, arrays)
    cells = objective.take(data, test.cells)
    inputs = objective.hide(cells, test.is_hidden, None)
    batch = HiddenBatch(cells, inputs, test.is_hidden, jnp.ones(len(test.cells)))
    measure = jax.jit(objective.measure)
    quiet, loud, same, other = (
        np.asarray(measure(data.start, batch, key)[0])
        for key in (None, jax.random.key(0), jax.random.key(0), jax.random.key(1))
    )
    np.testing.assert_array_equal(loud, same)
    assert np.abs(loud - other).max() > 1e-3 < np.abs(loud - quiet).max()


def test_in_training_some_of_the_chosen_are_not_masked():
    chosen = jnp.ones((200, 50), bool)
    masked, other = replace_chosen(chosen, 0.8, 0.1, jax.random.key(0))
    assert not (masked & other).any()
    assert abs(masked.mean() - 0.8) < 0.01 > abs(other.mean() - 0.1)
    masked, other = replace_chosen(chosen, 0.8, 0.1, None)
    assert masked.all() and not other.any()


def test_a_share_is_chosen_exactly_and_never_outside():
    rng = np.random.default_rng(0)
    eligible = jnp.asarray(rng.random((6, 40)) < np.linspace(0, 1, 6)[:, None])
    chosen = choose_tokens(eligible, jnp.full(6, 0.15), jax.random.key(0))
    counts, possible = np.asarray(chosen.sum(axis=1)), np.asarray(eligible.sum(axis=1))
    assert not (chosen & ~eligible).any() and counts[0] == 0
    np.testing.assert_array_equal(counts[1:], np.maximum(np.round(0.15 * possible[1:]), 1))
    places, counted = gather_chosen(chosen, 8)
    for row, own, is_any in zip(np.asarray(chosen), np.asarray(places), np.asarray(counted)):
        assert sorted(own[is_any]) == np.flatnonzero(row).tolist()


@pytest.mark.slow
def test_gradients_of_several_batches_make_one_update():
    objective, data, _ = make_fit("geneformer", accumulate=2, warm_up=0)
    data = jax.tree.map(jnp.asarray, data)

    @jax.jit
    def step(state, data, key):
        batch = objective.batch(data, (data.train[:8], jnp.ones(8)), key)
        return train_step(state, batch, data, key, objective=objective)[0]

    states = [fresh_state(objective, jax.random.key(0), data)]
    for number in range(4):
        states.append(step(states[-1], data, jax.random.key(number)))
    words = [np.asarray(x.parameters["mlm"]["bias"]) for x in states]
    moved = [not np.array_equal(one, two) for one, two in itertools.pairwise(words)]
    assert moved == [False, True, False, True]
    assert objective.updates == -(-objective.steps * objective.config.epochs // 2)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "epochs"])
def test_the_learning_rate_rises_and_falls(schedule):
    objective, _, _ = make_fit(
        "geneformer", schedule=schedule, warm_up=10_000, most_warm_up=0.2, learning_rate=1.0
    )
    rates = np.array([float(objective.rate(jnp.asarray(u))) for u in range(objective.updates)])
    rising = objective.config.count_warm_up(len(rates))
    assert rising == np.ceil(0.2 * (len(rates) - 1)) and rates[0] == 0
    assert (np.diff(rates[: rising + 1]) > 0).all() and (np.diff(rates[rising:]) <= 1e-6).all()
    assert rates.max() <= 1 and (schedule == "constant") == (rates[-1] == 1)
    if schedule == "epochs":
        np.testing.assert_allclose(rates[-1], 0.9 ** (objective.config.epochs - 1), rtol=1e-5)


@pytest.mark.slow
def test_training_on_eight_devices_is_that_on_one(tmp_path):
    """Losses and gradients of two models, with batches whose size the devices do not divide."""
    script, found = Path(__file__).with_name("hidden_cells.py"), []
    for devices in (1, 8):
        path = tmp_path / f"{devices}.npz"
        subprocess.run([sys.executable, script, path], env=simulate_devices(devices), check=True)
        found.append(dict(np.load(path)))
    one, eight = found
    assert one.keys() == eight.keys() and {name.partition(":")[0] for name in one} == {*ON_DEVICES}
    for name, values in one.items():
        assert np.abs(eight[name] - values).max() <= 1e-5 * max(np.abs(values).max(), 1e-3), name
