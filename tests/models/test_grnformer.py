"""What GRNFormer may see, and what it makes of networks."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.sampling import Neighbours, build_regulon_graph, draw_neighbours
from grnjax.models import attention
from grnjax.models.grnformer import CellBatch, GRNFormer, GRNFormerConfig
from grnjax.models.masked_expression import MaskedExpressionConfig
from grnjax.models.structure_encoder import NetworkEncoder, StructureConfig
from grnjax.models.topology_adapter import AdapterConfig

GENES, CELLS, REGULONS = 24, 3, 4
SMALL = GRNFormerConfig(
    backbone=MaskedExpressionConfig(width=16, heads=2, layers=2, feed_forward=16),
    structure=StructureConfig(fan_out=GENES),
)


def vary(structure=None, adapter=None):
    """The settings with others of structure and adapter."""
    return dataclasses.replace(
        SMALL,
        structure=dataclasses.replace(SMALL.structure, **(structure or {})),
        adapter=AdapterConfig(**(adapter or {})),
    )


@pytest.fixture(scope="module")
def edges():
    """TFs 0..3 with targets among the first 16 genes; the others have no edge."""
    rng = np.random.default_rng(0)
    regulon = np.repeat(np.arange(REGULONS), 5)
    target = np.concatenate([rng.choice(np.arange(4, 16), 5, False) for _ in range(REGULONS)])
    return np.stack([regulon, target], axis=1), regulon


@pytest.fixture(scope="module")
def batch(edges):
    rng = np.random.default_rng(1)
    graph = build_regulon_graph(*edges, GENES)
    values = rng.poisson(1.0, (CELLS, GENES)) * rng.random((CELLS, GENES))
    active = jnp.array([[1, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    draws = [
        draw_neighbours(graph, kept[:, graph.regulon], None, GENES, jax.random.key(0))
        for kept in (active, jnp.ones_like(active))
    ]
    return CellBatch(
        values=jnp.float32(values),
        genes=jnp.arange(GENES),
        is_masked=jnp.asarray(rng.random((CELLS, GENES)) < 0.3),
        is_real=jnp.ones((CELLS, GENES), bool),
        cell=draws[0],
        cell_type=draws[1],
        keys=jnp.arange(16),
    )


def init(config, batch):
    model = GRNFormer(config, GENES)
    return model, model.init(jax.random.key(0), batch, train=False)


EVERY = [
    {},
    {"structure": {"encoder": "GCN"}},
    {"structure": {"encoder": "GIN"}},
    {"structure": {"networks": "cell"}},
    {"structure": {"networks": "none"}},
    {"structure": {"networks": "constant"}},
    {"adapter": {"keys": "regulated"}},
    {"adapter": {"place": "after"}},
]


@pytest.fixture(scope="module", params=EVERY, ids=str)
def fitted(request, batch):
    config = vary(**request.param)
    wanted = config.structure.networks
    has = {"cell": ("cell", "both"), "cell_type": ("type", "both")}
    missing = {scale: None for scale, of in has.items() if wanted not in of}
    batch = batch._replace(**missing)
    model, variables = init(config, batch)
    return jax.jit(functools.partial(model.apply, train=False)), variables, batch


@pytest.mark.slow
def test_a_masked_value_enters_no_prediction(fitted):
    predict, variables, batch = fitted
    before = predict(variables, batch)
    changed = batch._replace(values=jnp.where(batch.is_masked, 7.0, batch.values))
    np.testing.assert_array_equal(before, predict(variables, changed))


@pytest.mark.slow
def test_no_gradient_leads_from_a_prediction_to_a_masked_value(fitted):
    predict, variables, batch = fitted

    def total(values):
        return predict(variables, batch._replace(values=values)).sum()

    gradient = jax.jit(jax.grad(total))(batch.values)
    assert not gradient[batch.is_masked].any()
    assert gradient[~batch.is_masked].any()


def permute(batch, order):
    """The same cells with their genes in another order."""
    place = np.argsort(order)

    def move(neighbours):
        if neighbours is None:
            return None
        genes = jnp.asarray(place)[neighbours.genes]
        return Neighbours(*(x[:, order] for x in (genes, neighbours.is_drawn, neighbours.degree)))

    return CellBatch(
        batch.values[:, order],
        batch.genes[order],
        batch.is_masked[:, order],
        batch.is_real[:, order],
        move(batch.cell),
        move(batch.cell_type),
        jnp.asarray(place)[batch.keys],
    )


@pytest.mark.slow
def test_genes_in_another_order_have_the_same_predictions(fitted):
    predict, variables, batch = fitted
    order = np.random.default_rng(2).permutation(GENES)
    before = predict(variables, batch)
    after = predict(variables, permute(batch, order))
    np.testing.assert_allclose(after, before[:, order], atol=2e-6)


def pad(batch, count):
    """The same cells with tokens behind that stand for nothing."""

    def widen(x, value):
        width = [(0, 0), (0, count)] + [(0, 0)] * (x.ndim - 2)
        return jnp.pad(x, width, constant_values=value)

    def of(neighbours):
        return neighbours and Neighbours(*(widen(x, 0) for x in neighbours))

    return CellBatch(
        widen(batch.values, 9.0),
        jnp.pad(batch.genes, (0, count)),
        widen(batch.is_masked, False),
        widen(batch.is_real, False),
        of(batch.cell),
        of(batch.cell_type),
        jnp.concatenate([batch.keys, jnp.arange(GENES, GENES + count)]),
    )


@pytest.mark.slow
def test_padding_changes_nothing(fitted):
    predict, variables, batch = fitted
    before = predict(variables, batch)
    after = predict(variables, pad(batch, 6))
    np.testing.assert_allclose(after[:, :GENES], before, atol=2e-6)


@pytest.mark.slow
def test_with_beta_0_after_the_last_layer_it_is_the_backbone_bit_for_bit(batch):
    model, variables = init(vary(adapter={"place": "after", "beta": 0.0}), batch)
    alone = GRNFormer(vary(structure={"networks": "none"}), GENES)
    backbone = {"params": {"backbone": variables["params"]["backbone"]}}
    np.testing.assert_array_equal(
        model.apply(variables, batch, train=False), alone.apply(backbone, batch, train=False)
    )


@pytest.mark.slow
def test_in_the_place_of_the_last_layer_that_layer_has_no_parameters(batch):
    _, variables = init(SMALL, batch)
    assert set(variables["params"]["backbone"]) & {"layer_0", "layer_1"} == {"layer_0"}


@pytest.mark.slow
def test_networks_reach_the_predictions(batch):
    model, variables = init(SMALL, batch)
    other = batch._replace(cell=jax.tree.map(lambda x: x[::-1], batch.cell))
    before, after = (model.apply(variables, b, train=False) for b in (batch, other))
    assert np.abs(before - after)[0].max() > 1e-4  # its network is another
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)  # the same


@pytest.mark.slow
def test_dropout_is_on_in_training_alone(batch):
    model, variables = init(SMALL, batch)
    outputs = [
        model.apply(variables, batch, train=True, rngs={"dropout": jax.random.key(seed)})
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()


@pytest.mark.slow
def test_keys_are_genes_with_an_edge_or_no_regulator(batch):
    """The last cell has no edge in its own network, and is asked for that alone."""
    config = vary(adapter={"keys": "regulated"}, structure={"networks": "cell"})
    batch = batch._replace(cell_type=None)
    model, variables = init(config, batch)
    _, found = model.apply(variables, batch, train=False, mutable=["intermediates"])
    received = found["intermediates"]["adapter"]["attention"][0]
    assert received.shape == (CELLS, len(batch.keys) + 1)
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-6)
    has_edge = np.asarray(batch.cell.degree[:, batch.keys]) > 0
    np.testing.assert_array_equal(np.asarray(received[:, :-1]) > 0, has_edge)
    np.testing.assert_allclose(received[-1, -1], 1, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["SAGE", "GCN", "GIN"])
def test_encoders_equal_their_equations_on_the_whole_network(batch, encoder):
    config = StructureConfig(encoder=encoder, layers=1, fan_out=GENES)
    x = jnp.float32(np.random.default_rng(4).normal(size=(CELLS, GENES, 8)))
    layer = NetworkEncoder(config)
    variables = layer.init(jax.random.key(0), x, batch.cell)
    p = jax.tree.map(np.asarray, variables["params"])
    adjacency = np.zeros((CELLS, GENES, GENES), np.float32)
    for cell, gene, turn in np.argwhere(np.asarray(batch.cell.is_drawn)):
        adjacency[cell, gene, int(batch.cell.genes[cell, gene, turn])] += 1
    degree = adjacency.sum(axis=2, keepdims=True)
    if encoder == "SAGE":
        mean = adjacency @ np.asarray(x) / np.maximum(degree, 1)
        expected = x @ p["layer_0_own"]["kernel"] + p["layer_0_own"]["bias"]
        expected += mean @ p["layer_0_neighbours"]["kernel"]
    elif encoder == "GCN":
        looped = adjacency + np.eye(GENES)
        scaled = looped / np.sqrt((degree + 1) * np.swapaxes(degree + 1, 1, 2))
        expected = scaled @ (np.asarray(x) @ p["layer_0"]["kernel"]) + p["layer_0_bias"]
    else:
        mixed = (1 + p["layer_0_epsilon"]) * x + adjacency @ np.asarray(x)
        inner = jax.nn.gelu(mixed @ p["layer_0_inner"]["kernel"] + p["layer_0_inner"]["bias"])
        expected = inner @ p["layer_0_outer"]["kernel"] + p["layer_0_outer"]["bias"]
    np.testing.assert_allclose(layer.apply(variables, x, batch.cell), expected, atol=1e-5)


@pytest.mark.slow
def test_attention_in_blocks_is_attention(monkeypatch):
    rng = np.random.default_rng(5)
    q, k, v = (jnp.float32(rng.normal(size=(2, n, 2, 4))) for n in (11, 7, 7))
    is_key = jnp.asarray(rng.random((2, 7)) < 0.7).at[:, 0].set(True)

    def run(q):
        return attention.attend(q, k, v, is_key)

    whole, whole_gradient = run(q), jax.grad(lambda q: (run(q) ** 2).sum())(q)
    monkeypatch.setattr(attention, "SCORES_AT_ONCE", 28)  # four queries
    np.testing.assert_allclose(run(q), whole, atol=1e-6)
    by_jax = jax.nn.dot_product_attention(q, k, v, mask=is_key[:, None, None])
    np.testing.assert_allclose(whole, by_jax, atol=1e-6)
    gradient = jax.grad(lambda q: (run(q) ** 2).sum())(q)
    np.testing.assert_allclose(gradient, whole_gradient, atol=1e-5)
    np.testing.assert_allclose(
        jnp.einsum("cqhk->ck", weights(q, k, is_key)) / (11 * 2),
        attention.mean_attention(q, k, is_key, jnp.ones((2, 11), bool)),
        atol=1e-6,
    )


def weights(q, k, is_key):
    """Softmax of scores, by the equation."""
    scores = jnp.einsum("cqhd,ckhd->cqhk", q, k) / 2
    return jax.nn.softmax(jnp.where(is_key[:, None, None], scores, -jnp.inf))


@pytest.mark.slow
def test_recomputed_layers_give_the_same(batch):
    model, variables = init(SMALL, batch)
    again = dataclasses.replace(SMALL, backbone=dataclasses.replace(SMALL.backbone, recompute=True))
    np.testing.assert_allclose(
        GRNFormer(again, GENES).apply(variables, batch, train=False),
        model.apply(variables, batch, train=False),
        atol=1e-6,
    )


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width 10 cannot be divided among 4 heads"):
        MaskedExpressionConfig(width=10)
