"""Graph layers against torch_geometric and scRegNet against its reference, with random weights.

Every width and layer count is read from the fixtures, so any folder of the same form will do.
"""

import re

import jax
import numpy as np
import pytest

from grnjax.graphs.aggregate import aggregate, gcn_weights
from grnjax.graphs.build import build_graph
from grnjax.models.gcn import GCN, GCNConfig
from grnjax.models.layers import LeakyMLP
from grnjax.models.scregnet import ScRegNet, faithful
from grnjax.types import GeneBatch, PairBatch

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def read(parity_folder):
    folder = parity_folder("gnn_parity")

    def read(name):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return read


@pytest.fixture(scope="module", autouse=True)
def full_precision():
    """Products in float32 on accelerators too."""
    with jax.default_matmul_precision("highest"):
        yield


def pad(array):
    """One row of zeros for the padding node."""
    return np.pad(array.astype(np.float32), [(0, 1), (0, 0)])


def assert_close(actual, wanted):
    assert actual.shape == wanted.shape
    assert np.abs(np.asarray(actual, np.float64) - wanted).max() < TOLERANCE


def layers_of(arrays, kind):
    """The layers of a kind in their order: arrays by name, such as `bias` and `lin.weight`."""
    layers = {}
    for name, array in arrays.items():
        found = re.fullmatch(rf"param/{kind}\.(\d+)\.(.+)", name)
        if found:
            layers.setdefault(int(found[1]), {})[found[2]] = array
    return [layers[place] for place in sorted(layers)]


@pytest.mark.parametrize(
    "case, weighted, self_loops",
    [
        ("gcn", False, True),
        ("gcn_edge_weight", True, True),
        ("gcn_no_self_loops", False, False),
    ],
)
def test_gcn_layer(read, case, weighted, self_loops):
    given, arrays = read("graph"), read(case)
    graph = build_graph(
        given["edge_index"].T,
        len(given["x"]),
        symmetric=False,
        self_loops=self_loops,
        weights=given["edge_weight"] if weighted else None,
    )

    @jax.jit
    def convolve(x, graph):
        x = x @ arrays["param/lin.weight"].T
        return aggregate(x, graph, gcn_weights(graph, len(x))) + arrays["param/bias"]

    assert_close(convolve(pad(given["x"]), graph)[:-1], arrays["expected_output"])


def test_gcn_module(read):
    """The same layer as the encoder has it, which always takes a graph as it comes."""
    given, arrays = read("graph"), read("gcn")
    nodes = len(given["x"])
    graph = build_graph(given["edge_index"].T, nodes, symmetric=False, self_loops=True)
    layer = gcn_parameters({"bias": arrays["param/bias"], "lin.weight": arrays["param/lin.weight"]})
    model = GCN(GCNConfig(widths=(len(arrays["param/bias"]),)))
    encode = jax.jit(lambda x, graph: model.apply({"params": layer}, x, graph, train=False))
    assert_close(encode(pad(given["x"]), graph)[:-1], arrays["expected_output"])


def gcn_parameters(*layers):
    return {
        f"layer_{place}": {"linear": {"kernel": layer["lin.weight"].T}, "bias": layer["bias"]}
        for place, layer in enumerate(layers)
    }


def dense_parameters(layers):
    return {
        f"layer_{place}": {"kernel": layer["weight"].T, "bias": layer["bias"]}
        for place, layer in enumerate(layers)
    }


@pytest.fixture(scope="module")
def inputs(read):
    """The gene side of scRegNet's input: its graph is symmetric and made of train positives."""
    given = read("model_inputs")
    genes = len(given["expression_z"])
    graph = build_graph(
        given["train_positive_pairs"], genes, symmetric=True, self_loops=True
    )
    loops = graph.senders == graph.receivers
    dense = np.zeros((genes, genes), np.float32)
    dense[graph.senders[~loops], graph.receivers[~loops]] = 1
    np.testing.assert_array_equal(dense, given["adjacency_symmetric"])
    return GeneBatch(
        nodes=pad(given["expression_z"]),
        measured=np.append(np.ones(genes, np.float32), np.float32(0)),
        embedding=pad(given["foundation_embedding"]),
        seen=np.zeros((genes + 1, 2), np.float32),
        graph=graph,
    )


@pytest.fixture(scope="module")
def published(read):
    """scRegNet with the fixture's weights: its arrays, its settings and our parameters."""
    arrays = read("scregnet_gcn")
    convolutions, dense = layers_of(arrays, "convs"), layers_of(arrays, "layers")
    widths, mlp_widths = (tuple(map(int, arrays[k])) for k in ("gnn_widths", "mlp_widths"))
    assert widths == tuple(len(layer["bias"]) for layer in convolutions)
    assert mlp_widths == tuple(len(layer["bias"]) for layer in dense)
    parameters = {
        "encoder": gcn_parameters(*convolutions),
        "mlp": dense_parameters(dense),
        "head": {
            "classes": {
                "kernel": arrays["param/linear.weight"].T,
                "bias": arrays["param/linear.bias"],
            }
        },
    }
    return arrays, faithful(GCNConfig(widths=widths), mlp_widths, dropout=0.5), parameters


def test_scregnet_scores(read, inputs, published):
    arrays, config, parameters = published
    pairs = read("model_inputs")["pairs"].astype(np.int32)
    blank = np.zeros(len(pairs), np.float32)
    batch = PairBatch(pairs, np.zeros((len(pairs), 0), np.float32), blank, blank, blank.astype(int))

    @jax.jit
    def score(parameters, genes, pairs):
        return ScRegNet(config).apply(
            {"params": parameters}, genes, pairs, train=False, capture_intermediates=True
        )

    logits, state = score(parameters, inputs, batch)
    steps = state["intermediates"]
    genes = slice(len(inputs.nodes) - 1)
    assert_close(steps["encoder"]["__call__"][0][genes], arrays["expected_gnn_output"])
    assert_close(steps["mlp"]["__call__"][0][genes], arrays["expected_gene_vector"])
    assert_close(steps["head"]["classes"]["__call__"][0], arrays["expected_logits"])
    assert_close(logits, arrays["expected_logits"][:, 1] - arrays["expected_logits"][:, 0])
    assert_close(jax.nn.sigmoid(logits), arrays["expected_probability"])


def test_the_fixture_tells_the_published_activation_from_the_paper_s(inputs, published):
    """LeakyReLU(0.01) follows the last layer too; with ReLU the vectors would differ."""
    arrays, config, parameters = published
    encoded = arrays["expected_gnn_output"]
    joined = np.concatenate([inputs.embedding[:-1], encoded], axis=1)
    mlp = LeakyMLP(config.mlp_widths)
    vectors = jax.jit(lambda x: mlp.apply({"params": parameters["mlp"]}, x, train=False))(joined)
    assert_close(vectors, arrays["expected_gene_vector"])
    assert arrays["expected_gene_vector"].min() < -10 * TOLERANCE
