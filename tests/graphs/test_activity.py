"""AUCell: the staircase of its definition, what must not matter, and decoupler's figures."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from grnjax.errors import ConfigError, ExpressionFormatError
from grnjax.graphs.activity import AUCellConfig, count_top, order_ties, score_regulons, weigh_ranks

GOLDEN = Path(__file__).parents[1] / "golden/activity/aucell.npz"
CONFIGS = [
    AUCellConfig(normalisation=normalisation, cut=cut, top_share=share)
    for normalisation in ("ctxcore", "decoupler")
    for cut, share in (("round", 0.05), ("ceil", 0.33))
]


def climb_staircase(row, ties, targets, weights, cut, normalisation):
    """The area under one recovery curve, rank by rank, by the definition."""
    order = sorted(range(len(row)), key=lambda gene: (-row[gene], ties[gene]))
    area = recovered = 0.0
    weight_of = dict(zip(targets, weights, strict=True))
    for gene in order[: cut - 1]:  # the step of rank r reaches to r + 1, up to the cut
        recovered += weight_of.get(gene, 0)
        area += recovered
    if normalisation == "ctxcore":
        return area / (cut * sum(weights))
    return area / sum(cut - k for k in range(1, min(len(targets), cut - 1) + 1))


def make_cells(kind, rng, cells=23, genes=160):
    if kind == "counts":  # full of ties, some cells with fewer genes than the cut
        values = rng.poisson(rng.gamma(0.4, 1.0, genes), (cells, genes)).astype(np.float32)
        values[:3] *= rng.random((3, genes)) < 0.02
        values[3] = 0
        return values
    if kind == "scaled":  # negative values, zeros among them, a cell that is negative everywhere
        values = np.round(rng.normal(size=(cells, genes)), 1).astype(np.float32)
        values[0] = -1 - rng.random(genes).astype(np.float32)
        values[1, values[1] > 0] *= -1
        return values
    return 1 + 1e-12 * rng.random((cells, genes))  # float64 that float32 would tie


@pytest.fixture
def membership():
    rng = np.random.default_rng(3)
    member = sparse.random(160, 11, density=0.12, format="lil", rng=rng)
    member[:, 4] = 0  # of a regulon without genes
    member[:, 7] = rng.random((160, 1)) + 0.1  # and of one with all
    return sparse.csr_array(member)


NAMES = np.array([f"gene{i}" for i in range(160)])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.normalisation}-{c.top_share}")
@pytest.mark.parametrize("kind", ["counts", "scaled", "fine"])
def test_activity_is_the_area_under_the_recovery_curve(kind, config, membership):
    values = make_cells(kind, np.random.default_rng(1))
    cut, ties = count_top(160, config), order_ties(NAMES, 7)
    found = score_regulons(values, NAMES, membership, config, seed=7)
    assert (found[:, 4] == 0).all()
    for regulon in (0, 1, 7, 10):
        targets = np.flatnonzero(membership[:, [regulon]].toarray()[:, 0])
        expected = [
            climb_staircase(row, ties, targets, [1] * len(targets), cut, config.normalisation)
            for row in values
        ]
        np.testing.assert_allclose(found[:, regulon], expected, rtol=1e-6, atol=1e-9)


def test_weights_count_targets_by_what_they_weigh(membership):
    values, config = make_cells("counts", np.random.default_rng(2)), AUCellConfig(weighted=True)
    found = score_regulons(values, NAMES, membership, config, seed=0)
    targets = np.flatnonzero(membership[:, [1]].toarray()[:, 0])
    weights = membership[:, [1]].toarray()[targets, 0]
    ties = order_ties(NAMES, 0)
    expected = [climb_staircase(row, ties, targets, weights, 8, "ctxcore") for row in values]
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-6)
    plain = score_regulons(values, NAMES, membership, seed=0)
    assert np.abs(found[:, 1] - plain[:, 1]).max() > 0.01


def test_decoupler_gives_the_same_without_ties():
    golden = np.load(GOLDEN, allow_pickle=False)
    config = AUCellConfig(normalisation="decoupler", cut="ceil")
    member = sparse.csr_array(golden["member"])
    found = score_regulons(golden["values"], golden["genes"], member, config, seed=0)
    np.testing.assert_allclose(found, golden["activity"], atol=1e-6)
    assert found.max() > 0.1


@pytest.mark.parametrize("kind", ["counts", "scaled"])
def test_the_order_of_genes_and_cells_their_chunks_and_their_form_change_nothing(kind, membership):
    values, rng = make_cells(kind, np.random.default_rng(4)), np.random.default_rng(5)
    expected = score_regulons(values, NAMES, membership, seed=3)
    genes, cells = rng.permutation(160), rng.permutation(len(values))
    shuffled = sparse.csr_matrix(values[cells][:, genes])
    for at_once in (1, 700, 10**6):
        found = score_regulons(shuffled, NAMES[genes], membership[genes], seed=3, at_once=at_once)
        np.testing.assert_array_equal(found, expected[cells])
    alone = score_regulons(values[5:6], NAMES, membership, seed=3)
    np.testing.assert_array_equal(alone[0], expected[5])


@pytest.mark.parametrize("kind", ["counts", "scaled"])
def test_jax_counts_the_same(kind, membership):
    values = make_cells(kind, np.random.default_rng(6))
    host, device = (
        score_regulons(sparse.csr_array(values), NAMES, membership, seed=1, on_device=on_device)
        for on_device in (False, True)
    )
    np.testing.assert_allclose(device, host, rtol=1e-6)


def test_the_seed_alone_decides_ties(membership):
    values = make_cells("counts", np.random.default_rng(8))
    one, same, other = (score_regulons(values, NAMES, membership, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    apart = np.random.default_rng(0).permuted(np.tile(np.arange(160.0), (4, 1)), axis=1)
    one, other = (score_regulons(apart, NAMES, membership, seed=s) for s in (1, 2))
    np.testing.assert_array_equal(one, other)


def test_integers_and_explicit_zeros_are_as_floats_and_absent_ones(membership):
    values = make_cells("counts", np.random.default_rng(9))
    stored = sparse.csr_array(np.where(values == 0, -1, values))
    stored.data[stored.data == -1] = 0
    assert stored.nnz == values.size
    expected = score_regulons(values, NAMES, membership, seed=0)
    for same in (stored, values.astype(np.int64), -0.0 + values.astype(np.float64)):
        np.testing.assert_array_equal(score_regulons(same, NAMES, membership, seed=0), expected)


def test_every_rank_above_the_cut_is_taken_once():
    values = make_cells("scaled", np.random.default_rng(10), genes=40)
    for cut in (2, 9, 40, 41):
        ranked = weigh_ranks(values, np.random.default_rng(0).permutation(40), cut).toarray()
        taken = -np.sort(-ranked, axis=1)[:, : cut - 1]
        np.testing.assert_array_equal(taken, np.tile(cut - np.arange(1.0, cut), (len(values), 1)))


def test_what_has_no_ranks_is_refused(membership):
    values = make_cells("counts", np.random.default_rng(0))
    values[2, 3] = np.nan
    with pytest.raises(ExpressionFormatError, match="1 values are missing"):
        score_regulons(values, NAMES, membership, seed=0)
    with pytest.raises(ConfigError, match="0.05 of 20 genes are 1 ranks"):
        count_top(20, AUCellConfig())
    with pytest.raises(ConfigError, match="no weights"):
        AUCellConfig(weighted=True, normalisation="decoupler")
    assert count_top(20_000, AUCellConfig()) == 1000
    assert [count_top(50, AUCellConfig(cut=cut)) for cut in ("round", "ceil")] == [2, 3]
