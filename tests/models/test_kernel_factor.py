import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.models.kernel_factor import (
    KernelFactorConfig,
    PairGrid,
    member_ridges,
    pair_logits,
    ridge_penalty,
    start_members,
)

TFS, GENES, DIM, FEATURES, ATTENTION, RANK = 5, 12, 4, 3, 2, 3
NEIGHBOURS = 2
NEW_TF, NEW_TARGET = 1, 7
CONFIG = KernelFactorConfig(
    ranks=(2, 5),
    factor_ridges=(5.0, 8.0),
    factor_map_ridges=(3.0, 10.0),
    bias_map_ridges=(4.0, 6.0),
    tf_bias_ridge=0.1,
    target_bias_ridge=1.0,
    shared_ridge=20.0,
    per_tf_ridge=50.0,
    neighbour_ridge=7.0,
    neighbour_tf_ridge=9.0,
    copies=3,
)
PER_TF = ("tf_bias", "tf_factors", "per_tf", "neighbours_per_tf")
PER_TARGET = ("target_bias", "target_factors")


@pytest.fixture(scope="module")
def grid():
    rng = np.random.default_rng(0)
    return PairGrid(
        z=rng.normal(size=(GENES, DIM)).astype(np.float32),
        features=rng.normal(size=(FEATURES, TFS, GENES)).astype(np.float32),
        attention=rng.normal(size=(ATTENTION, TFS, GENES)).astype(np.float32),
        known_tf=(np.arange(TFS) != NEW_TF).astype(np.float32),
        known_target=(np.arange(GENES) != NEW_TARGET).astype(np.float32),
        base=np.float32(-1.3),
        neighbours=rng.normal(size=(NEIGHBOURS, TFS, GENES)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def parameters():
    rng = np.random.default_rng(1)
    shapes = {
        "tf_bias": (TFS,),
        "target_bias": (GENES,),
        "tf_factors": (TFS, RANK),
        "target_factors": (GENES, RANK),
        "bias_map": (DIM,),
        "factor_map": (DIM, RANK),
        "shared": (FEATURES + ATTENTION,),
        "per_tf": (TFS, FEATURES + ATTENTION),
        "neighbours": (NEIGHBOURS,),
        "neighbours_per_tf": (TFS, NEIGHBOURS),
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_logits_are_those_of_the_equation(parameters, grid):
    p = parameters
    x = np.concatenate([grid.features, grid.attention])
    expected = np.empty((TFS, GENES))
    for i, j in itertools.product(range(TFS), range(GENES)):
        tf_known, target_known = i != NEW_TF, j != NEW_TARGET
        own = tf_known * p["tf_factors"][i]
        identity = target_known * p["target_factors"][j]
        gamma = p["shared"] + tf_known * p["per_tf"][i]
        told = np.array([1] * FEATURES + [target_known] * ATTENTION)
        expected[i, j] = (
            grid.base
            + tf_known * p["tf_bias"][i]
            + target_known * p["target_bias"][j]
            + p["bias_map"] @ grid.z[j]
            + own @ (identity + grid.z[j] @ p["factor_map"])
            + (gamma * told) @ x[:, i, j]
            + (p["neighbours"] + tf_known * p["neighbours_per_tf"][i]) @ grid.neighbours[:, i, j]
        )
    np.testing.assert_allclose(pair_logits(parameters, grid), expected, atol=1e-4)


def test_permuting_tfs_and_genes_permutes_logits(parameters, grid):
    rng = np.random.default_rng(2)
    tf, gene = rng.permutation(TFS), rng.permutation(GENES)
    moved = grid._replace(
        z=grid.z[gene],
        features=grid.features[:, tf][:, :, gene],
        attention=grid.attention[:, tf][:, :, gene],
        neighbours=grid.neighbours[:, tf][:, :, gene],
        known_tf=grid.known_tf[tf],
        known_target=grid.known_target[gene],
    )
    order = dict.fromkeys(PER_TF, tf) | dict.fromkeys(PER_TARGET, gene)
    p = {name: v[order[name]] if name in order else v for name, v in parameters.items()}
    expected = pair_logits(parameters, grid)[np.ix_(tf, gene)]
    np.testing.assert_allclose(pair_logits(p, moved), expected, atol=1e-5)


def test_rotating_coordinates_and_their_maps_changes_nothing(parameters, grid):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(DIM, DIM)))
    turned = {name: turn.T @ parameters[name] for name in ("bias_map", "factor_map")}
    logits = pair_logits(parameters | turned, grid._replace(z=grid.z @ turn))
    np.testing.assert_allclose(logits, pair_logits(parameters, grid), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "new"), [(PER_TF, np.s_[NEW_TF]), (PER_TARGET, np.s_[:, NEW_TARGET])]
)
def test_what_was_not_seen_in_training_has_no_identity(parameters, grid, names, new):
    def total(p):
        return jnp.abs(pair_logits(p, grid)[new]).sum()

    slopes = jax.grad(total)(parameters)
    place = new if names == PER_TF else new[1]
    assert not any(slopes[name][place].any() for name in names)
    features_speak = ("bias_map", "shared") if names == PER_TF else ("factor_map", "per_tf")
    assert all(slopes[name].any() for name in features_speak)


def test_train_labels_say_nothing_of_a_target_without_any(parameters, grid):
    loud = grid._replace(attention=grid.attention + 100)
    difference = np.abs(pair_logits(parameters, loud) - pair_logits(parameters, grid))
    assert not difference[:, NEW_TARGET].any()
    assert np.delete(difference, NEW_TARGET, axis=1).all()


def test_a_pair_that_nothing_is_known_of_gets_the_prevalence(parameters, grid):
    silent = grid._replace(z=0 * grid.z, features=0 * grid.features, neighbours=0 * grid.neighbours)
    assert pair_logits(parameters, silent)[NEW_TF, NEW_TARGET] == grid.base


@pytest.fixture(scope="module")
def starts(grid):
    return jax.jit(start_members, static_argnums=0)(CONFIG, grid, jax.random.key(0))


def test_members_of_lower_rank_lack_the_other_factors(starts):
    for name in ("tf_factors", "target_factors", "factor_map"):
        used = starts[name].any(axis=1)  # [member, rank]
        np.testing.assert_array_equal(used.sum(axis=1), [2, 2, 2, 5, 5, 5])
        assert used[:, :2].all()


def test_members_differ_and_start_without_biases_and_weights(starts):
    for name, values in starts.items():
        is_drawn = name in ("tf_factors", "target_factors", "factor_map")
        assert bool(values.any()) == is_drawn
        if is_drawn:
            pairs = itertools.combinations(values, 2)
            assert not any(np.array_equal(one, other) for one, other in pairs)


def test_the_penalty_of_a_member_is_half_of_its_ridges_times_the_squares(starts, parameters):
    ridges = member_ridges(CONFIG)
    assert ridges.keys() == starts.keys() == parameters.keys()
    for member, kind in enumerate([0, 0, 0, 1, 1, 1]):
        stated = {
            "tf_bias": 0.1,
            "target_bias": 1.0,
            "tf_factors": (5.0, 8.0)[kind],
            "target_factors": (5.0, 8.0)[kind],
            "factor_map": (3.0, 10.0)[kind],
            "bias_map": (4.0, 6.0)[kind],
            "shared": 20.0,
            "per_tf": 50.0,
            "neighbours": 7.0,
            "neighbours_per_tf": 9.0,
        }
        own = {name: values[member] for name, values in ridges.items()}
        squares = {name: (values**2).sum() for name, values in parameters.items()}
        expected = sum(0.5 * stated[name] * square for name, square in squares.items())
        assert ridge_penalty(parameters, own) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ranks": ()},
        {"ranks": (8,)},
        {"ranks": (0, 4)},
        {"factor_ridges": (5.0, 0.0)},
        {"copies": 0},
        {"per_tf_ridge": -1.0},
        {"tf_bias_ridge": 0.0},
    ],
)
def test_impossible_members_are_refused(wrong):
    with pytest.raises(ValueError):
        dataclasses.replace(CONFIG, **wrong)
