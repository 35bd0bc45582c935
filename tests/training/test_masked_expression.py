"""GRNFormer learns hidden values from networks, sees none of them, and resumes bit for bit."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.structure_encoder import StructureConfig
from grnjax.storage.checkpoints import CheckpointStore
from grnjax.training.loop import fit, make_trainer
from grnjax.training.masked_expression import draw_masks
from tests.devices import simulate_devices
from tests.training.logs import Killed, Lines
from tests.training.masked_cells import CONFIG, make_data, make_objective


@pytest.fixture(scope="module")
def data():
    return make_data()


def change(**settings):
    """The settings with others, of the structure where they are its own."""
    own = {f.name for f in dataclasses.fields(StructureConfig)} & set(settings)
    structure = dataclasses.replace(
        CONFIG.model.structure, **{name: settings.pop(name) for name in own}
    )
    model = dataclasses.replace(CONFIG.model, structure=structure)
    return dataclasses.replace(CONFIG, model=model, **settings)


@pytest.fixture(scope="module")
def straight(data):
    return fit(make_trainer(make_objective()), data, seed=0, name="masked")


@pytest.mark.slow
def test_it_learns_more_than_the_mean_of_each_gene(data, straight):
    is_masked = np.asarray(data.validation.is_masked)
    values = np.asarray(data.expression[data.validation.cells])
    mean = np.asarray(data.expression[data.train]).mean(axis=0)
    by_mean = ((values - mean) ** 2)[is_masked].mean()
    assert -straight.best_score < 0.8 * by_mean


@pytest.mark.slow
def test_networks_of_cells_say_what_is_hidden(data, straight):
    """With the networks of other cells the loss is higher."""
    trainer = make_trainer(make_objective())
    turned = data._replace(active=jnp.roll(data.active, 7, axis=0))
    objective, variables = trainer.objective, straight.variables
    judge = jax.jit(objective.judge)
    losses = [
        jnp.mean(judge(variables, d, d.validation)[d.validation.is_masked]) for d in (data, turned)
    ]
    np.testing.assert_allclose(losses[0], -straight.best_score, rtol=1e-5)
    assert losses[1] > 1.02 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("networks", ["none", "cell", "type", "both", "constant"])
def test_a_hidden_value_enters_neither_tokens_nor_links(data, networks):
    """Of a training batch, perturbed networks and all; the mask is held fixed."""
    objective = make_objective(change(networks=networks))
    cells = data.train[:8]
    is_masked = draw_masks(data.expression[cells], CONFIG, jax.random.key(1))
    key = jax.random.key(2)
    variables, _ = objective.init(jax.random.key(0), data)
    model = objective.make_model(data)

    def predict(expression):
        shown = objective.show(
            data._replace(expression=expression), cells, is_masked, key, train=True
        )
        rngs = {"dropout": key}
        return np.asarray(model.apply({"params": variables}, shown, train=True, rngs=rngs))

    hidden = jnp.zeros(data.expression.shape, bool).at[cells].set(is_masked)
    for value in (0.0, 5.0):
        changed = jnp.where(hidden, value, data.expression)
        np.testing.assert_array_equal(predict(changed), predict(data.expression))


@pytest.mark.slow
def test_edges_are_perturbed_in_training_alone(data):
    objective = make_objective()
    cells = data.train[:8]
    is_masked = jnp.zeros((8, data.expression.shape[1]), bool)

    def degrees(train, seed=0, **settings):
        one = make_objective(change(**settings)) if settings else objective
        shown = one.show(data, cells, is_masked, jax.random.key(seed), train=train)
        return np.asarray(shown.cell.degree), np.asarray(shown.cell_type.degree)

    for trained, other, plain in zip(
        degrees(True), degrees(True, seed=1), degrees(False), strict=True
    ):
        assert (trained.sum(axis=1) == plain.sum(axis=1)).all()
        assert (trained != plain).any() and (trained != other).any()
    np.testing.assert_array_equal(degrees(False), degrees(False, seed=1))
    np.testing.assert_array_equal(degrees(True, perturbation="none"), degrees(False))
    is_zero = np.asarray(data.expression[cells]) == 0
    assert (degrees(True)[0] <= degrees(False)[0])[is_zero].all()
    gained = degrees(True, perturbation="random")[0] > degrees(False)[0]
    assert gained[is_zero].any()


def test_masks_have_their_shares():
    values = jnp.asarray(np.random.default_rng(0).random((200, 300)) < 0.2).astype(jnp.float32)
    detected = np.asarray(values) > 0
    config = dataclasses.replace(CONFIG, masked_zeros=0.03)
    is_masked = np.asarray(draw_masks(values, config, jax.random.key(0)))
    assert abs(is_masked[detected].mean() - 0.3) < 0.01
    assert abs(is_masked[~detected].mean() - 0.03) < 0.005


@pytest.mark.slow
def test_a_resumed_fit_equals_an_uninterrupted_one_bit_for_bit(data, straight, tmp_path):
    trainer = make_trainer(make_objective())
    with pytest.raises(Killed):
        fit(trainer, data, seed=0, name="m", store=CheckpointStore(tmp_path / "fit"), log=Lines(13))
    log = Lines()
    resumed = fit(trainer, data, seed=0, name="m", store=CheckpointStore(tmp_path / "fit"), log=log)
    assert log.started[0] > 0
    assert resumed.best_score == straight.best_score
    jax.tree.map(np.testing.assert_array_equal, resumed.variables, straight.variables)


@pytest.mark.slow
def test_a_fit_on_eight_devices_is_that_on_one(tmp_path):
    """Losses and gradients, with batches whose size the devices do not divide."""
    script, found = Path(__file__).with_name("masked_cells.py"), []
    for devices in (1, 8):
        path = tmp_path / f"{devices}.npz"
        subprocess.run([sys.executable, script, path], env=simulate_devices(devices), check=True)
        found.append(dict(np.load(path)))
    one, eight = found
    assert one.keys() == eight.keys() and len({float(one[f"loss {i}"]) for i in range(3)}) == 3
    for name, values in one.items():
        assert np.abs(eight[name] - values).max() <= 1e-5 * np.abs(values).max(), name
