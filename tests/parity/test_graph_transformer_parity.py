"""The graph transformer and GT-GRN against their references, with random weights.

The published layer attends over the edges that leave a gene, without scaling, and hears keys; its
heads interleave, which here is a renaming of columns. Widths and layer counts are read from the
fixtures, so any folder of the same form will do.
"""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.graphs.edge_attention import reverse_edges
from grnjax.models.graph_transformer import (
    EdgeAttention,
    GraphTransformerConfig,
    TransformerLayer,
)
from grnjax.models.gt_grn import GTGRN, GTGRNInputs, faithful
from grnjax.types import PairBatch

TOLERANCE = 1e-5
ALL = slice(None)


@pytest.fixture(scope="module")
def read(parity_folder):
    folder = parity_folder("gnn_parity")

    def read(name):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return read


@pytest.fixture(scope="module", params=["edges", "groups"])
def graph(read, request):
    """The directed graph of the layers' fixtures, with the loops that it has."""
    given = read("graph")
    graph = build_graph(given["edge_index"].T, len(given["x"]), symmetric=False, self_loops=False)
    return graph if request.param == "groups" else graph._replace(globals=None)


def pad(array):
    """One row of zeros for the padding node."""
    return jnp.pad(jnp.asarray(array, jnp.float32), [(0, 1), (0, 0)])


def assert_close(actual, wanted):
    assert actual.shape == wanted.shape
    assert np.abs(np.asarray(actual, np.float64) - wanted).max() < TOLERANCE


def dense(arrays, name, *, columns=ALL, rows=ALL, bias=True):
    """A dense layer of torch under the names of ours."""
    kernel = arrays[f"param/{name}.weight"].T[rows][:, columns]
    return {"kernel": kernel} | ({"bias": arrays[f"param/{name}.bias"][columns]} if bias else {})


def count_layers(arrays):
    """How many layers a stack has, by the names of its parameters."""
    found = {x.group(1) for x in map(re.compile(r"param/layers\.(\d+)\.").match, arrays) if x}
    assert found == set(map(str, range(len(found))))
    return len(found)


def place_of_heads(width, heads):
    """Where interleaved heads have the columns that here stand head by head."""
    return np.arange(width).reshape(width // heads, heads).T.ravel()


def attention_parameters(arrays, prefix, heads, values):
    width = len(arrays[f"param/{prefix}attention.linear_q.bias"])
    place = place_of_heads(width, heads)
    read = functools.partial(dense, arrays)
    parameters = {
        "query": read(f"{prefix}attention.linear_q", columns=place),
        "key": read(f"{prefix}attention.linear_k", columns=place, bias=values == "keys"),
        "output": read(f"{prefix}attention.out_proj", rows=place),
    }
    if values == "own":
        parameters["value"] = read(f"{prefix}attention.linear_v", columns=place)
    return parameters


def layer_parameters(arrays, prefix, heads):
    """Parameters and running statistics of a published layer."""
    parameters = {
        "attention": attention_parameters(arrays, prefix, heads, "keys"),
        "hidden": dense(arrays, f"{prefix}ffn.0"),
        "output": dense(arrays, f"{prefix}ffn.2"),
    }
    statistics = {}
    for name, theirs in (("norm_attention", "bn1"), ("norm_output", "bn2")):
        found = f"param/{prefix}{theirs}"
        parameters[name] = {"scale": arrays[f"{found}.weight"], "bias": arrays[f"{found}.bias"]}
        statistics[name] = {
            "mean": arrays[f"{found}.running_mean"],
            "variance": arrays[f"{found}.running_var"],
        }
    return parameters, statistics


def attend_to_targets(parameters, config, nodes, graph):
    """The output of attention for each gene, over the edges that leave it."""
    graph, none = reverse_edges(graph, jnp.zeros((len(graph.edges), 0)))
    attend = jax.jit(EdgeAttention(config).apply)
    return attend({"params": parameters}, nodes, graph, none)[:-1]


@pytest.mark.slow
@pytest.mark.parametrize("values", ["keys", "own"])
def test_attention_as_published_and_as_in_textbooks(read, graph, values):
    arrays = read("sparse_graph_transformer_layer")
    nodes, heads = pad(arrays["input_h"]), int(arrays["num_heads"])
    wanted = {"keys": "expected_attention_output", "own": "expected_attention_output_textbook"}
    config = GraphTransformerConfig(
        width=nodes.shape[1], heads=heads, values=values, scaled=values == "own"
    )
    parameters = attention_parameters(arrays, "", heads, values)
    found = attend_to_targets(parameters, config, nodes, graph)
    assert_close(found, arrays[wanted[values]])


@pytest.mark.slow
@pytest.mark.parametrize("train", [False, True])
def test_the_published_layer(read, graph, train):
    arrays = read("sparse_graph_transformer_layer")
    nodes, heads = pad(arrays["input_h"]), int(arrays["num_heads"])
    config = faithful(nodes.shape[1], heads, layers=1).transformer
    parameters, statistics = layer_parameters(arrays, "", heads)
    turned, none = reverse_edges(graph, jnp.zeros((len(graph.edges), 0)))
    run = functools.partial(TransformerLayer(config).apply, train=train, mutable=["statistics"])
    variables = {"params": parameters, "statistics": statistics}
    found, changed = jax.jit(run)(variables, nodes, turned, none)
    assert_close(found[:-1], arrays["expected_output_train" if train else "expected_output_eval"])
    if train:
        running = changed["statistics"]["norm_attention"]
        assert_close(running["mean"], arrays["expected_running_mean_after_bn1"])
        assert_close(running["variance"], arrays["expected_running_var_after_bn1"])


@pytest.mark.slow
def test_gt_grn(read):
    arrays = read("gtgrn_model")
    heads, genes = int(arrays["num_heads"]), len(arrays["expression_embedding"])
    width, layers = len(arrays["param/encoder.bias"]), count_layers(arrays)
    graph = build_graph(
        arrays["edge_index_with_self_loops"].T, genes, symmetric=False, self_loops=False
    )
    inputs = GTGRNInputs(
        expression_embedding=pad(arrays["expression_embedding"]),
        statistics=jnp.zeros((genes + 1, 0)),
        measured=jnp.ones(genes + 1),
        global_embedding=pad(arrays["global_embedding"]),
        eigenvectors=pad(arrays["positional_encoding"]),
        structure=jnp.zeros((genes + 1, 0)),
        seen=jnp.ones((genes + 1, 2)),
        tfs=jnp.arange(genes),
        graph=graph,
        edge_features=jnp.zeros((len(graph.edges), 0)),
    )
    ends = jnp.asarray(arrays["pairs"].T, jnp.int32)
    blank, none = jnp.zeros(len(ends)), jnp.zeros((len(ends), 0))
    pairs = PairBatch(ends, none, none, blank, blank, blank.astype(int))
    decoder = dense(arrays, "predictor.decoder.0")
    found = [layer_parameters(arrays, f"layers.{layer}.", heads) for layer in range(layers)]
    stack, statistics = (
        {f"layer_{layer}": part for layer, part in enumerate(parts)} for parts in zip(*found)
    )
    parameters = {
        "from_expression": dense(arrays, "encoder"),
        "from_positions": dense(arrays, "pos_linear"),
        "from_global": dense(arrays, "global_em"),
        "transformer": stack,
        "head": {
            "tf": {"kernel": decoder["kernel"][:width]},
            "target": {"kernel": decoder["kernel"][width:], "bias": decoder["bias"]},
            "logit": dense(arrays, "predictor.decoder.2"),
        },
    }
    variables = {"params": parameters, "statistics": {"transformer": statistics}}
    model = GTGRN(faithful(width, heads, layers))
    run = functools.partial(model.apply, train=False, capture_intermediates=True)
    logits, state = jax.jit(run)(variables, inputs, pairs)
    vectors = state["intermediates"]["transformer"]["__call__"][0]
    assert_close(vectors[:-1], arrays["expected_node_embedding"])
    assert_close(logits, arrays["expected_logits"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["transformer_concat", "transformer_edge_attr", "transformer_mean_beta"]
)
def test_attention_of_torch_geometric(read, graph, case):
    """Its sums, which this attention has too; what it then does with them is done here."""
    given, arrays = read("graph"), read(case)
    wanted = arrays["expected_attention"]
    width, heads = len(arrays["param/lin_query.bias"]), wanted.shape[1]
    attributes = np.zeros((len(graph.edges), given["edge_attr"].shape[1]), np.float32)
    order = np.lexsort(given["edge_index"])  # by receiver, then sender, as `build_graph` has them
    attributes[: len(order)] = given["edge_attr"][order]
    project = np.eye(width, dtype=np.float32)
    if case == "transformer_mean_beta":
        mean = np.tile(np.eye(width // heads), (heads, 1)) / heads
        project[:] = np.pad(mean, [(0, 0), (0, width - width // heads)])
    parameters = {
        "query": dense(arrays, "lin_query"),
        "key": dense(arrays, "lin_key", bias=False),
        "value": dense(arrays, "lin_value"),
        "output": {"kernel": project, "bias": np.zeros(width, np.float32)},
    }
    if "param/lin_edge.weight" in arrays:
        parameters["edge"] = arrays["param/lin_edge.weight"].T
    else:
        attributes = attributes[:, :0]
    attend = jax.jit(EdgeAttention(GraphTransformerConfig(width=width, heads=heads)).apply)
    nodes = jnp.pad(given["x"], [(0, 1), (0, 0)])
    heard = attend({"params": parameters}, jnp.asarray(nodes), graph, jnp.asarray(attributes))[:-1]
    own = given["x"] @ arrays["param/lin_skip.weight"].T + arrays["param/lin_skip.bias"]
    heard = heard[:, : own.shape[1]]
    if case == "transformer_mean_beta":
        joined = np.concatenate([heard, own, heard - own], axis=1)
        share = 1 / (1 + np.exp(-joined @ arrays["param/lin_beta.weight"].T))
        assert_close(share * own + (1 - share) * heard, arrays["expected_output"])
    else:
        assert_close(heard + own, arrays["expected_output"])


@pytest.mark.parametrize(
    "oddity",
    [{"attends_to": "regulators"}, {"values": "own"}, {"scaled": True}, {"heads": "side by side"}],
)
def test_the_fixture_tells_each_oddity(read, oddity):
    """With any of them put right the numbers are others."""
    arrays, given = read("sparse_graph_transformer_layer"), read("graph")
    nodes, heads = pad(arrays["input_h"]), int(arrays["num_heads"])
    width = nodes.shape[1]
    values = oddity.get("values", "keys")
    parameters = attention_parameters(arrays, "", heads, values)
    if "heads" in oddity:
        back = np.argsort(place_of_heads(width, heads))
        parameters = {
            "query": {name: x[..., back] for name, x in parameters["query"].items()},
            "key": {name: x[..., back] for name, x in parameters["key"].items()},
            "output": parameters["output"] | {"kernel": parameters["output"]["kernel"][back]},
        }
    config = GraphTransformerConfig(
        width=width, heads=heads, values=values, scaled=oddity.get("scaled", False)
    )
    edges = given["edge_index"].T
    edges = edges[:, ::-1] if "attends_to" in oddity else edges
    graph = build_graph(edges, len(given["x"]), symmetric=False, self_loops=False)
    found = attend_to_targets(parameters, config, nodes, graph)
    assert np.abs(found - arrays["expected_attention_output"]).max() > 100 * TOLERANCE
