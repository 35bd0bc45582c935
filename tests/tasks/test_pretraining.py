"""Cells with planted networks: what is judged, what controls keep and lose."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from grnjax.baselines.network_controls import rewire_networks, shuffle_cells
from grnjax.errors import ConfigError, GeneMismatchError
from grnjax.graphs.cell_networks import CellNetworks
from grnjax.models.grnformer import GRNFormerConfig
from grnjax.models.masked_expression import MaskedExpressionConfig
from grnjax.models.structure_encoder import StructureConfig
from grnjax.tasks.pretraining import (
    PretrainingConfig,
    build_cell_data,
    choose_tokens,
    count_most_edges,
    measure_attention,
    pretrain,
)
from grnjax.training.masked_expression import MaskedTrainingConfig

CELLS, REGULONS, GENES = 240, 6, 60
CONFIG = PretrainingConfig(
    training=MaskedTrainingConfig(
        model=GRNFormerConfig(
            backbone=MaskedExpressionConfig(width=16, heads=2, layers=2, feed_forward=16),
            structure=StructureConfig(fan_out=8),
        ),
        masked_zeros=0.3,
        epochs=40,
        learning_rate=5e-3,
    ),
    tokens=50,
)


@pytest.fixture(scope="module")
def cells():
    """Expression, gene names and networks: targets are expressed where their regulon is on."""
    rng = np.random.default_rng(0)
    genes = np.array([f"G{i:02d}" for i in range(GENES)])
    regulon = np.repeat(np.arange(REGULONS), 7)
    target = np.concatenate([rng.choice(np.arange(8, 50), 7, False) for _ in range(REGULONS)])
    edges = pd.DataFrame({"tf": genes[regulon], "target": genes[target], "regulon": regulon})
    types = rng.integers(3, size=CELLS)
    on = rng.random((3, REGULONS)) < 0.5
    active = rng.random((CELLS, REGULONS)) < np.where(on, 0.9, 0.1)[types]
    is_on = np.zeros((CELLS, GENES), bool)
    np.logical_or.at(is_on, (slice(None), target), active[:, regulon])
    chance = np.where(is_on, 0.9, 0.15)
    expression = (rng.random((CELLS, GENES)) < chance) * rng.uniform(1, 2, (CELLS, GENES))
    expression[:, 55:] = 0
    names = np.array(["b", "a", "c"])[types]
    return np.float32(expression), genes, CellNetworks.of(edges, active, names)


@pytest.fixture(scope="module")
def fitted(cells):
    return pretrain(*cells, CONFIG, seed=0)


@pytest.mark.slow
def test_the_networks_of_types_are_of_regulons_in_enough_cells(cells):
    networks = cells[2]
    for row, name in enumerate(["a", "b", "c"]):
        assert name
        share = networks.active[networks.cell_type == row].mean(axis=0)
        np.testing.assert_array_equal(networks.type_active[row], share >= 0.3)


@pytest.mark.parametrize("tokens", [12, 30])
def test_the_largest_network_is_counted_between_tokens(cells, tokens):
    expression, genes, networks = cells
    data, _ = build_cell_data(expression, genes, np.arange(tokens), networks, CONFIG, 0)
    is_token = networks.edges[["tf", "target"]].isin(set(genes[:tokens])).all(axis=1)
    is_token &= networks.edges["tf"] != networks.edges["target"]
    regulons = networks.edges["regulon"][is_token]
    sizes = [
        regulons.isin(np.flatnonzero(active)).sum()
        for active in (*networks.active, *networks.type_active)
    ]
    assert count_most_edges(data) == max(sizes)


@pytest.mark.slow
def test_it_predicts_more_than_the_means(fitted):
    loss = {row["model"]: row["masked_loss"] for row in fitted.rows}
    assert loss["gene mean in type"] < loss["gene mean"]
    assert loss["GRNFormer"] < loss["gene mean in type"]
    explained = {row["model"]: row["explained"] for row in fitted.rows}
    assert explained["gene mean"] == 0
    np.testing.assert_allclose(explained["GRNFormer"], 1 - loss["GRNFormer"] / loss["gene mean"])


@pytest.mark.slow
def test_cells_are_trained_on_or_judged_on(fitted):
    parts = [fitted.data.train, fitted.data.validation.cells, fitted.test.cells]
    assert sorted(np.concatenate(parts).tolist()) == list(range(CELLS))


@pytest.mark.slow
def test_sparse_expression_is_the_same(cells, fitted):
    expression, genes, networks = cells
    config = dataclasses.replace(CONFIG, training=dataclasses.replace(CONFIG.training, epochs=1))
    losses = [
        pretrain(x, genes, networks, config, seed=0).rows[0]["masked_loss"]
        for x in (expression, sparse.csr_matrix(expression))
    ]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_tokens_are_expressed_genes_first_those_with_edges(cells):
    expression, genes, networks = cells
    tokens, report = choose_tokens(expression, genes, networks, 50)
    ends = set(networks.edges["tf"]) | set(networks.edges["target"])
    assert ends <= set(genes[tokens]) and len(tokens) == 50
    assert not (tokens >= 55).any()
    assert report["genes_without_expression"] == 5 and report["tokens_with_edges"] == len(ends)
    few, report = choose_tokens(expression, genes, networks, 20)
    assert set(genes[few]) <= ends
    assert 0 < report["edges_between_tokens"] < report["edges"]


@pytest.mark.slow
def test_rewired_networks_keep_every_degree_and_few_edges(cells):
    networks = cells[2]
    rewired = rewire_networks(networks, seed=0)
    for column in ("tf", "target", "regulon"):
        old, new = (x.edges[column].value_counts().sort_index() for x in (networks, rewired))
        pd.testing.assert_series_equal(old, new)
    assert (rewired.edges["tf"] != rewired.edges["target"]).all()
    both = networks.edges.merge(rewired.edges)
    assert len(both) < 0.5 * len(networks.edges)
    again = rewire_networks(networks, seed=0)
    pd.testing.assert_frame_equal(rewired.edges, again.edges)


@pytest.mark.slow
def test_shuffled_cells_have_each_others_networks(cells):
    networks = cells[2]
    shuffled = shuffle_cells(networks, seed=0)
    assert sorted(map(tuple, shuffled.active)) == sorted(map(tuple, networks.active))
    assert (shuffled.active != networks.active).any(axis=1).mean() > 0.5
    assert shuffled.type_active is networks.type_active


@pytest.mark.slow
def test_attention_on_tfs_is_a_ratio_of_means(fitted):
    given = fitted.objective, fitted.data, fitted.test
    found = measure_attention(*given, fitted.result.variables)
    tfs, tokens = REGULONS, len(fitted.genes)
    total = tfs * found["tf"] + (tokens - tfs) * found["other"]
    np.testing.assert_allclose(total, 1, rtol=1e-4)
    assert found["ratio"] == pytest.approx(found["tf"] / found["other"])
    untrained, _ = fitted.objective.init(jax.random.key(5), fitted.data)
    assert measure_attention(*given, {"params": untrained})["ratio"] != found["ratio"]


@pytest.mark.slow
def test_networks_of_what_is_shown_see_no_hidden_value(cells):
    """Changing hidden values of cells changes neither their networks nor what is predicted."""
    expression, genes, networks = cells
    training = dataclasses.replace(CONFIG.training, networks_from="shown", epochs=2)
    config = dataclasses.replace(CONFIG, training=training)
    fitted = pretrain(expression, genes, networks, config, seed=0)
    objective, data, test = fitted.objective, fitted.data, fitted.test
    active = np.asarray(objective.find_active(data, test.cells, test.is_masked))
    full = networks.active[np.asarray(test.cells)]
    assert abs(active.mean() - full.mean()) < 0.15 and 0.05 < (active != full).mean() < 0.45
    hidden = jnp.zeros(data.expression.shape, bool).at[test.cells].set(test.is_masked)
    changed = jnp.where(hidden, 9.0, data.expression)
    values = data.shown.values.at[:, data.shown.place].set(changed)
    other = data._replace(expression=changed, shown=data.shown._replace(values=values))
    key = jax.random.key(0)
    before, after = (
        objective.show(d, test.cells, test.is_masked, key, train=True) for d in (data, other)
    )
    jax.tree.map(np.testing.assert_array_equal, before.cell, after.cell)
    values = jnp.where(test.is_masked, 0, after.values)
    np.testing.assert_array_equal(jnp.where(test.is_masked, 0, before.values), values)


@pytest.mark.slow
def test_networks_of_other_genes_are_refused(cells):
    expression, genes, networks = cells
    with pytest.raises(GeneMismatchError, match="none of 42 edges"):
        pretrain(expression, np.char.add("X", genes), networks, CONFIG, seed=0)


@pytest.mark.slow
def test_too_few_cells_are_refused(cells):
    expression, genes, networks = cells
    few = dataclasses.replace(
        networks, active=networks.active[:3], cell_type=networks.cell_type[:3]
    )
    with pytest.raises(ConfigError, match="3 cells are too few"):
        pretrain(expression[:3], genes, few, CONFIG, seed=0)
