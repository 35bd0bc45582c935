import jax
import numpy as np
import optax
import pytest

from grnjax.models.kernel_factor import (
    KernelFactorConfig,
    PairGrid,
    member_ridges,
    pair_logits,
    ridge_penalty,
)
from grnjax.training.factor_ensemble import (
    EnsembleConfig,
    _train,
    hide_identities,
    score_members,
    train_members,
)

TFS, GENES, DIM = 12, 60, 8
NEW_TF, NEW_TARGET = 4, 17
MODEL = KernelFactorConfig(
    ranks=(2, 5),
    factor_ridges=(5.0, 8.0),
    factor_map_ridges=(5.0, 10.0),
    bias_map_ridges=(4.0, 6.0),
    copies=1,
)
CONFIG = EnsembleConfig(steps=40, evaluate_every=10)
FACTORS = ("tf_factors", "target_factors", "factor_map")


@pytest.fixture(scope="module")
def problem():
    """A grid with a TF and a target that have no train pairs, labels, and what is observed."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(GENES, DIM)).astype(np.float32) / np.sqrt(DIM)
    logits = rng.normal(size=(TFS, 1)) + 4 * rng.normal(size=(TFS, 2)) @ z[:, :2].T
    observed = (rng.random((TFS, GENES)) < 0.7).astype(np.float32)
    observed[NEW_TF], observed[:, NEW_TARGET] = 0, 0
    labels = (rng.random((TFS, GENES)) < 1 / (1 + np.exp(-logits))).astype(np.float32) * observed
    features = rng.normal(size=(3, TFS, GENES)).astype(np.float32)
    known_tf = observed.any(axis=1).astype(np.float32)
    known_target = observed.any(axis=0).astype(np.float32)
    grid = PairGrid(z, features[:2], features[2:], known_tf, known_target, np.float32(-0.4))
    return grid, labels, observed


@pytest.fixture(scope="module")
def snapshots(problem):
    return train_members(MODEL, CONFIG, *problem, seed=0)


def take_snapshot(snapshots, place):
    return {name: values[place] for name, values in snapshots.items()}


def test_there_is_a_snapshot_of_every_member_at_each_interval(snapshots):
    assert CONFIG.snapshots == 4
    assert {values.shape[:2] for values in snapshots.values()} == {(4, MODEL.members)}


@pytest.mark.slow
def test_training_lowers_the_loss_of_every_member(problem, snapshots):
    grid, labels, observed = problem

    def losses_at(place):
        members = take_snapshot(snapshots, place)
        each = optax.sigmoid_binary_cross_entropy(score_members(members, grid), labels)
        penalty = jax.vmap(ridge_penalty)(members, member_ridges(MODEL))
        return np.asarray((each * observed).sum(axis=(1, 2)) + penalty)

    assert (losses_at(3) < losses_at(0)).all()


def test_a_member_of_lower_rank_keeps_its_other_factors_at_zero(snapshots):
    for name in FACTORS:
        used = np.asarray(snapshots[name]).any(axis=2)  # [snapshot, member, rank]
        np.testing.assert_array_equal(used.sum(axis=2), [[2, 5]] * 4)
        assert used[:, 0, :2].all()


def test_pairs_that_were_not_observed_do_not_matter(problem, snapshots):
    grid, labels, observed = problem
    other = train_members(MODEL, CONFIG, grid, np.where(observed > 0, labels, 1), observed, seed=0)
    for name, values in snapshots.items():
        np.testing.assert_array_equal(other[name], values)


def test_one_seed_gives_the_same_bits_another_gives_others_and_both_are_one_program(
    problem, snapshots
):
    programs = _train._cache_size()
    again = train_members(MODEL, CONFIG, *problem, seed=0)
    other = train_members(MODEL, CONFIG, *problem, seed=1)
    for name, values in snapshots.items():
        np.testing.assert_array_equal(again[name], values)
        assert not np.array_equal(other[name], values)
    assert _train._cache_size() == programs


def test_the_ridge_alone_moves_identities_of_what_was_not_seen(snapshots):
    for name, place in (("tf_factors", NEW_TF), ("target_factors", NEW_TARGET)):
        sizes = np.linalg.norm(snapshots[name], axis=3)  # [snapshot, member, tf or target]
        assert (sizes[-1, :, place] < 0.1).all()  # of 0.4 and more
    for name, place in (("tf_bias", NEW_TF), ("per_tf", NEW_TF), ("target_bias", NEW_TARGET)):
        assert not np.asarray(snapshots[name])[:, :, place].any()


@pytest.mark.slow
def test_scores_of_members_are_those_of_the_model(problem, snapshots):
    members = take_snapshot(snapshots, 2)
    scores = score_members(members, problem[0])
    for place, score in enumerate(scores):
        one = {name: values[place] for name, values in members.items()}
        np.testing.assert_allclose(score, pair_logits(one, problem[0]), atol=1e-5)


@pytest.mark.slow
def test_a_step_hides_a_share_of_the_identities_or_none(problem):
    grid, _, _ = problem
    config = EnsembleConfig(hidden_targets=0.5, hidden_tfs=0.25)
    shown = hide_identities(grid, config, jax.random.key(0), 0)
    np.testing.assert_array_equal(shown[0], grid.known_tf)
    np.testing.assert_array_equal(shown[1], grid.known_target)
    keys = jax.random.split(jax.random.key(1), 200)
    tfs, targets = jax.vmap(lambda key: hide_identities(grid, config, key, 1))(keys)
    known_tf, known_target = grid.known_tf > 0, grid.known_target > 0
    assert not tfs[:, ~known_tf].any() and not targets[:, ~known_target].any()
    assert tfs[:, known_tf].mean() == pytest.approx(0.75, abs=0.03)
    assert targets[:, known_target].mean() == pytest.approx(0.5, abs=0.03)
    assert tfs[:, known_tf].any(axis=0).all() and not tfs[:, known_tf].all(axis=0).any()


@pytest.mark.parametrize(
    "wrong",
    [{"evaluate_every": 0}, {"steps": 10}, {"learning_rate": 0.0}, {"hidden_targets": 1.0}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        EnsembleConfig(**wrong)
