"""Lists that are kept aside choose the epoch, and no step is taken on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.training.list_ranking import ListData, ListObjective, ListTrainingConfig
from grnjax.training.loop import fit, make_trainer

CONFIG = ListTrainingConfig(epochs=20, evaluate_every=20, batch_size=4, learning_rate=0.03)
TRAINER = make_trainer(ListObjective(CONFIG, (0,)))


def make_data(seed=0, flip_aside=False):
    """Twelve lists whose labels follow the second column, where the look-up has the first."""
    rng = np.random.default_rng(seed)
    pairs, tfs = rng.normal(size=(12, 60, 3)), rng.normal(size=(12, 1))
    labels = (pairs[..., 1] + 0.5 * rng.normal(size=(12, 60)) > 0.8).astype(np.float32)
    aside = np.arange(12) >= 9
    if flip_aside:
        labels[aside] = 1 - labels[aside]
    arrays = pairs.astype(np.float32), tfs.astype(np.float32), labels
    offsets = np.full(12, -1.3, np.float32)
    return ListData(*map(jnp.asarray, arrays), jnp.asarray(offsets), jnp.asarray(aside))


@pytest.mark.slow
def test_it_learns_which_column_counts():
    data = make_data()
    result = fit(TRAINER, data, seed=0, name="lists")
    fresh = TRAINER.objective.init(jax.random.key(0), data)[0]
    state = TRAINER.start(jax.random.key(0), data)
    before, _ = TRAINER.objective.evaluate(state, data, jax.random.key(0))
    assert result.best_score > float(before) + 0.2
    assert jax.tree.structure(fresh) == jax.tree.structure(result.variables["params"])


@pytest.mark.slow
def test_no_step_is_taken_on_lists_kept_aside():
    one, other = (fit(TRAINER, make_data(flip_aside=x), seed=0, name="x") for x in (False, True))
    assert one.best_score > 0.5 > other.best_score
    for ours, theirs in zip(*(jax.tree.leaves(x.variables) for x in (one, other)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
