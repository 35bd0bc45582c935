import functools

import jax
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.models.gcn import GCN, GCNConfig

NODES, DIM = 10, 4
CONFIG = GCNConfig(widths=(7, 5, 3), dropout=0.5)
GCN_OF_CONFIG = GCN(CONFIG)


@jax.jit
def encode(variables, nodes, graph):
    return GCN_OF_CONFIG.apply(variables, nodes, graph, train=False)


@pytest.fixture(scope="module")
def edges():
    rng = np.random.default_rng(0)
    pairs = np.argwhere(np.triu(rng.random((NODES, NODES)) < 0.4, k=1))
    return rng.permutation(pairs)


@pytest.fixture(scope="module")
def nodes():
    values = np.random.default_rng(1).normal(size=(NODES + 1, DIM)).astype(np.float32)
    values[NODES] = 0
    return values


@pytest.fixture(scope="module")
def variables(nodes, edges):
    """Random parameters, biases too, under the names that the module gives them."""
    start = functools.partial(GCN_OF_CONFIG.init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), nodes, build(edges))
    widths = zip((DIM, *CONFIG.widths), CONFIG.widths)
    layers = {f"layer_{i}": draw_layer(*width) for i, width in enumerate(widths)}
    assert jax.tree.map(np.shape, layers) == jax.tree.map(np.shape, shapes["params"])
    return {"params": layers}


def draw_layer(wide, narrow):
    rng = np.random.default_rng(wide)
    kernel, bias = rng.normal(size=(wide, narrow)), rng.normal(size=narrow)
    return {"linear": {"kernel": np.float32(kernel / 2)}, "bias": np.float32(bias / 2)}


def build(edges):
    return build_graph(edges, NODES, symmetric=False, self_loops=True)


def encode_dense(variables, nodes, edges):
    """H_l = ReLU(Ahat H_{l-1} W_l + b_l), the last layer without ReLU, in float64."""
    adjacency = np.eye(NODES)
    adjacency[tuple(edges.T)] = 1
    scale = adjacency.sum(axis=0) ** -0.5
    normalised = (scale[:, None] * adjacency * scale).T
    x = nodes[:NODES].astype(np.float64)
    layers = len(CONFIG.widths)
    for layer in range(layers):
        parameters = variables["params"][f"layer_{layer}"]
        x = normalised @ x @ parameters["linear"]["kernel"] + parameters["bias"]
        x = np.maximum(x, 0) if layer < layers - 1 else x
    return x


def test_it_equals_its_dense_formula(variables, nodes, edges):
    result = encode(variables, nodes, build(edges))[:NODES]
    np.testing.assert_allclose(result, encode_dense(variables, nodes, edges), atol=1e-5)
    assert (result < 0).any(), "the last layer is linear"


@pytest.mark.slow
def test_dropout_is_random_in_training_only_and_spares_the_last_layer(variables, nodes, edges):
    graph = build(edges)

    def run(model, variables, train, seed=0):
        apply = jax.jit(model.apply, static_argnames="train")
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(apply(variables, nodes, graph, train=train, rngs=rngs))

    one, same, other = (run(GCN_OF_CONFIG, variables, True, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)
    single = GCN(GCNConfig(widths=(3,), dropout=0.9))
    shallow = {"params": {"layer_0": draw_layer(DIM, 3)}}
    np.testing.assert_array_equal(run(single, shallow, True), run(single, shallow, False))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"widths": ()}, "widths cannot be empty: it takes one or more values"),
        ({"widths": (8, 0)}, "each of widths must be at least 1, got 0"),
        ({"dropout": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GCNConfig(**settings)
