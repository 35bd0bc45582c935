"""Trivial rows of perturbations are what their names say, on changes that are known by formula."""

import numpy as np
import pytest

from grnjax.baselines import perturbation_rows as rows
from grnjax.baselines.network_effects import place_network, rewire_weights
from grnjax.evaluation.perturbation_figures import score_profiles

GENES = np.array([f"G{i}" for i in range(12)])


@pytest.fixture(scope="module")
def known():
    """Singles of six genes and some doubles; doubles are sums; a perturbed gene goes to 0."""
    rng = np.random.default_rng(0)
    control = rng.uniform(1, 2, 12)
    singles = rng.normal(size=(6, 12))
    singles[np.arange(6), np.arange(6)] = -control[:6]
    perturbed = [(f"G{i}",) for i in range(6)] + [("G0", "G1"), ("G2", "G3")]
    changes = np.concatenate([singles, [singles[0] + singles[1], singles[2] + singles[3]]])
    changes[6, :2], changes[7, 2:4] = -control[:2], -control[2:4]
    return rows.KnownChanges(perturbed, changes, GENES, control)


def test_no_change_mean_shift_and_sums(known):
    wanted = [("G4", "G5"), ("G4", "G9")]
    assert not rows.predict_no_change(known, wanted).any()
    np.testing.assert_allclose(rows.predict_shift(known, wanted)[1], known.changes.mean(axis=0))
    found = rows.predict_sum(known, wanted)
    np.testing.assert_allclose(found[0], known.changes[4] + known.changes[5])
    np.testing.assert_allclose(found[1], known.changes[4] + known.changes[:6].mean(axis=0))


def test_the_perturbed_gene_itself_goes_as_it_mostly_went(known):
    found = rows.predict_own_gene(known, [("G9",), ("absent",)])
    np.testing.assert_allclose(found[0, 9], -known.control[9], rtol=1e-6)
    others = np.arange(12) != 9
    np.testing.assert_allclose(found[0, others], known.shift[others])
    np.testing.assert_allclose(found[1], known.shift)


def test_the_nearest_perturbation_is_copied_and_none_means_the_mean(known):
    likeness = np.array([[0, 0.5, 0, 0, 0, 0, 0, 0.5], np.zeros(8)])
    found = rows.predict_nearest(known, [("G9",), ("G8",)], likeness)
    np.testing.assert_allclose(found[0], (known.changes[1] + known.changes[7]) / 2)
    np.testing.assert_allclose(found[1], known.shift)


def test_ridge_on_perturbed_genes_recovers_singles_from_doubles(known):
    fewer = known._replace(perturbed=known.perturbed[1:], changes=known.changes[1:])
    truth = known.changes[0]  # G0 is seen in a double alone
    errors = {
        f: np.mean((f(fewer, [("G0",)])[0] - truth) ** 2)
        for f in (rows.predict_own_and_genes, rows.predict_own_gene)
    }
    assert errors[rows.predict_own_and_genes] < errors[rows.predict_own_gene]


def test_the_linear_model_learns_a_linear_map():
    rng = np.random.default_rng(1)
    vectors, weights = rng.normal(size=(40, 3)), rng.normal(size=(3, 40))
    genes = np.array([f"G{i}" for i in range(40)])
    changes = vectors[:30] @ weights
    perturbed = [(str(gene),) for gene in genes[:30]]
    known = rows.KnownChanges(perturbed, changes, genes, np.ones(40))
    wanted = [(str(gene),) for gene in genes[30:]]
    found = rows.predict_linear(known, wanted, vectors=vectors)
    truth = vectors[30:] @ weights
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.95
    shifted = rows.predict_linear(known, [("absent",)], vectors=vectors)
    np.testing.assert_allclose(shifted[0], known.shift, atol=1e-6)


def test_a_network_says_what_it_knows_and_nothing_where_its_signs_are_wrong(known):
    """Targets of unseen genes move with their regulator; a network of wrong signs is left out."""
    effects = np.zeros((12, 12))
    control, changes = np.full(12, 2.0), np.zeros((6, 12))
    for gene in range(6):
        effects[gene, (gene + 6) % 12] = 0.5
        changes[gene, gene], changes[gene, gene + 6] = -2.0, -1.0
    told = rows.KnownChanges([(f"G{i}",) for i in range(5)], changes[:5], GENES, control)
    names = GENES.tolist()
    found = rows.predict_by_network(told, [("G5",)], effects, names)[0]
    assert found[11] < -0.8 and found[5] == pytest.approx(-2.0)
    wrong = rows.predict_by_network(told, [("G5",)], -effects, names)[0]
    np.testing.assert_allclose(wrong, rows.predict_own_and_genes(told, [("G5",)])[0], atol=1e-9)


def test_rewiring_keeps_degrees_and_weights_and_makes_no_loops():
    import pandas as pd

    rng = np.random.default_rng(0)
    pairs = [(a, b) for a in range(5) for b in range(12) if a != b and rng.random() < 0.5]
    weights = rng.normal(size=len(pairs))
    edges = pd.DataFrame(
        {"tf": [f"g{a}" for a, _ in pairs], "target": [GENES[b] for _, b in pairs]}
    )
    edges["weight"] = weights
    table, tfs = place_network(edges, GENES, 1000)  # joined in upper case
    moved = rewire_weights(table, tfs, seed=1)
    assert (moved != table).any() and not moved[np.arange(5), tfs].any()
    np.testing.assert_array_equal((moved != 0).sum(axis=0), (table != 0).sum(axis=0))
    np.testing.assert_allclose(np.sort(moved, axis=1), np.sort(table, axis=1))
    few, _ = place_network(edges, GENES, 3)
    assert np.sort(np.abs(few[few != 0])) == pytest.approx(np.sort(np.abs(weights))[-3:])


def test_figures_of_a_perfect_of_a_constant_and_of_a_mean_prediction():
    rng = np.random.default_rng(0)
    true, shift = rng.normal(size=(9, 30)), rng.normal(size=30)
    common = {"shift": shift, "others": true, "place": np.arange(9)}
    common["most_changed"] = np.tile(np.arange(5), (9, 1))
    perfect = score_profiles(true, true, **common)
    assert perfect["pcc_delta"] == pytest.approx(1) and not perfect["rank"].any()
    assert not perfect["mse"].any() and not perfect["wrong_direction_de"].any()
    mean = score_profiles(np.tile(shift, (9, 1)), true, **common)
    assert not mean["pcc_beyond_shift"].any() and mean["rank"] == pytest.approx(0.5)
    opposite = score_profiles(2 * shift - true, true, **common)
    assert opposite["pcc_beyond_shift"] == pytest.approx(-1)
    assert opposite["rank"].mean() > 0.9
