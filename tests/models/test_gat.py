import dataclasses

import jax
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.models.gat import GAT, GATConfig

NODES, DIM = 8, 4
EDGES = np.array([[0, 3], [1, 3], [1, 4], [2, 3], [3, 5], [5, 6], [0, 6], [2, 5]])
ISOLATED = [0, 1, 2, 7]  # without a regulator
CONFIG = GATConfig(widths=(5, 3), heads=(3, 2), slope=0.3)


@pytest.fixture(scope="module")
def nodes():
    values = np.random.default_rng(1).normal(size=(NODES + 1, DIM)).astype(np.float32)
    values[NODES] = 9  # what stands in the padding node must not matter
    return values


def build(self_loops=True, weights=None):
    return build_graph(EDGES, NODES, symmetric=False, self_loops=self_loops, weights=weights)


def draw_variables(config):
    rng = np.random.default_rng(2)
    parameters, wide = {}, DIM
    for layer, shape in enumerate(zip(config.heads, config.widths)):
        heads, width = shape
        drawn = {"linear": (wide, heads * width), "receiver": shape, "sender": shape, "bias": shape}
        drawn = {name: rng.normal(size=s).astype(np.float32) for name, s in drawn.items()}
        parameters[f"layer_{layer}"] = drawn | {"linear": {"kernel": drawn["linear"]}}
        wide = width * heads if config.reduction == "concatenate" else width
    return {"params": parameters}


def encode(config, nodes, graph):
    variables = draw_variables(config)
    run = jax.jit(lambda x, graph: GAT(config).apply(variables, x, graph, train=False))
    return np.asarray(run(nodes, graph))[:NODES]


def encode_dense(config, nodes):
    """The published form, with a matrix of all genes by all genes, in float64."""
    adjacency = np.zeros((NODES, NODES))  # [receiver, sender]
    adjacency[EDGES[:, 1], EDGES[:, 0]] = 1
    if config.isolated == "itself":
        adjacency[ISOLATED, ISOLATED] = 1

    def bend(x):
        return np.where(x > 0, x, config.slope * x)

    x = nodes[:NODES].astype(np.float64)
    for layer, (heads, width) in enumerate(zip(config.heads, config.widths)):
        parameters = draw_variables(config)["params"][f"layer_{layer}"]
        vectors = []
        for head in range(heads):
            columns = slice(head * width, (head + 1) * width)
            values = x @ parameters["linear"]["kernel"][:, columns]
            scores = bend(
                (values @ parameters["receiver"][head])[:, None]
                + values @ parameters["sender"][head]
            )
            scores = np.where(adjacency > 0, scores, -9e15)
            attention = np.exp(scores - scores.max(axis=1, keepdims=True))
            attention /= attention.sum(axis=1, keepdims=True)
            heard = bend(attention @ values)
            heard /= np.linalg.norm(heard, axis=1, keepdims=True)
            vectors.append(heard + parameters["bias"][head])
        last = layer == len(config.widths) - 1
        if last or config.reduction == "mean":
            x = np.mean(vectors, axis=0)
        else:
            x = np.concatenate(vectors, axis=1)
        x = x if last else np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return x


@pytest.mark.slow
@pytest.mark.parametrize("reduction", ["concatenate", "mean"])
@pytest.mark.parametrize("isolated", ["all", "itself"])
@pytest.mark.parametrize("self_loops", [True, False])
def test_it_equals_the_dense_formula_whether_or_not_the_graph_has_self_loops(
    nodes, reduction, isolated, self_loops
):
    config = dataclasses.replace(CONFIG, reduction=reduction, isolated=isolated)
    result = encode(config, nodes, build(self_loops))
    np.testing.assert_allclose(result, encode_dense(config, nodes), atol=1e-5)


@pytest.mark.slow
def test_all_genes_without_regulators_hear_the_same_unless_it_is_themselves(nodes):
    heard = encode(CONFIG, nodes, build())
    np.testing.assert_allclose(heard[ISOLATED], np.tile(heard[ISOLATED[0]], (4, 1)), atol=1e-5)
    heard = encode(dataclasses.replace(CONFIG, isolated="itself"), nodes, build())
    assert np.abs(heard[ISOLATED[1:]] - heard[ISOLATED[0]]).max(axis=1).min() > 0.01


def test_a_gene_whose_edges_are_all_hidden_is_isolated(nodes):
    hidden = encode(CONFIG, nodes, build(weights=(EDGES[:, 1] != 3).astype(float)))
    np.testing.assert_allclose(hidden[3], hidden[ISOLATED[0]], atol=1e-5)
    assert np.abs(encode(CONFIG, nodes, build())[3] - hidden[3]).max() > 0.01


@pytest.mark.slow
def test_only_attention_is_dropped_in_training(nodes):
    """With an edge at most at each gene, a head hears it or nothing; biases stay as they are."""
    config = GATConfig(widths=(3,), heads=(1,), attention_dropout=0.5)
    single = EDGES[[2]]
    graph = build_graph(single, NODES, symmetric=False, self_loops=False)
    variables = draw_variables(config)
    run = jax.jit(GAT(config).apply, static_argnames="train")
    draws = np.array(
        [
            run(variables, nodes, graph, train=True, rngs={"dropout": jax.random.key(seed)})[4]
            for seed in range(20)
        ]
    )
    heard = run(variables, nodes, graph, train=False)[4]
    bias = variables["params"]["layer_0"]["bias"][0]
    is_heard = np.abs(draws - heard).max(axis=1) < 1e-5
    np.testing.assert_allclose(draws[~is_heard], np.tile(bias, (sum(~is_heard), 1)), atol=1e-5)
    assert 3 < sum(is_heard) < 17


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"widths": (), "heads": ()}, "widths cannot be empty: it takes one or more values"),
        ({"widths": (8, 0)}, "each of widths must be at least 1, got 0"),
        ({"heads": (2,)}, r"each of the 2 widths, got \(2,\)"),
        ({"heads": (2, 0)}, "each of heads must be at least 1, got 0"),
        ({"attention_dropout": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GATConfig(**settings)
