"""Graph layers against torch_geometric and scRegNet against its reference, with random weights.

Every width and layer count is read from the fixtures, so any folder of the same form will do.
"""

import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from grnjax.graphs.aggregate import aggregate, attention_weights, gcn_weights
from grnjax.graphs.build import build_graph
from grnjax.models.gat import GAT, GATConfig, attend
from grnjax.models.gcn import GCN, GCNConfig
from grnjax.models.genelink import GENELink, GENELinkConfig
from grnjax.models.gnnlink import GNNLink, GNNLinkConfig, normalise_rows
from grnjax.models.layers import LeakyMLP
from grnjax.models.sage import SAGEConfig, SAGELayer
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


def pad(array):
    """One row of zeros for the padding node."""
    return np.pad(array.astype(np.float32), [(0, 1), (0, 0)])


def assert_close(actual, wanted):
    assert actual.shape == wanted.shape
    assert np.abs(np.asarray(actual, np.float64) - wanted).max() < TOLERANCE


def layers_of(arrays, pattern):
    """Arrays by name, such as `bias`, of each layer in the order of the pattern's numbers.

    The pattern matches what stands before the name, `layers.0` for one, and its groups are the
    numbers.
    """
    layers = {}
    for name, array in arrays.items():
        found = re.fullmatch(rf"param/{pattern}\.(.+)", name)
        if found:
            *numbers, part = found.groups()
            layers.setdefault(tuple(map(int, numbers)), {})[part] = array
    return [layers[numbers] for numbers in sorted(layers)]


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


@pytest.mark.parametrize(
    "case, neighbours, normalise",
    [("sage_mean", "mean", False), ("sage_max", "max", False), ("sage_mean_l2", "mean", True)],
)
def test_sage_layer(read, case, neighbours, normalise):
    given, arrays = read("graph"), read(case)
    graph = build_graph(given["edge_index"].T, len(given["x"]), symmetric=False, self_loops=False)
    parameters = sage_layer({name.removeprefix("param/"): a for name, a in arrays.items()})
    model = SAGELayer(len(arrays["param/lin_l.bias"]), neighbours, normalise)
    convolve = jax.jit(lambda x, graph: model.apply({"params": parameters}, x, graph))
    assert_close(convolve(pad(given["x"]), graph)[:-1], arrays["expected_output"])


@pytest.mark.slow
@pytest.mark.parametrize("case", ["gat_concat", "gat_mean", "gat_edge_attr", "gat_no_self_loops"])
def test_graph_attention(read, case):
    """The sums of GAT in torch_geometric's form, which neither rescales nor bends them."""
    given, arrays = read("graph"), read(case)
    edges, nodes = given["edge_index"].T, len(given["x"])
    others = edges[:, 0] != edges[:, 1]
    attributes = np.zeros((nodes + 1, nodes + 1, given["edge_attr"].shape[1]), np.float32)
    attributes[tuple(edges[others].T)] = given["edge_attr"][others]
    arriving = np.bincount(edges[others, 1], minlength=nodes + 1)[:, None]
    loop = np.arange(nodes + 1)
    attributes[loop, loop] = attributes.sum(axis=0) / np.maximum(arriving, 1)
    if case == "gat_no_self_loops":
        graph = build_graph(edges, nodes, symmetric=False, self_loops=False)
    else:
        graph = build_graph(edges[others], nodes, symmetric=False, self_loops=True)
    heads = arrays["param/att_src"].shape[1:]

    @jax.jit
    def convolve(x, graph, attributes):
        values = (x @ arrays["param/lin.weight"].T).reshape(len(x), *heads)
        as_sender, as_receiver = (
            (values * arrays[f"param/{name}"]).sum(axis=-1) for name in ("att_src", "att_dst")
        )
        scores = as_sender[graph.senders] + as_receiver[graph.receivers]
        if "param/lin_edge.weight" in arrays:
            by_edge = (attributes @ arrays["param/lin_edge.weight"].T).reshape(-1, *heads)
            scores += (by_edge * arrays["param/att_edge"]).sum(axis=-1)
        attention = attention_weights(jax.nn.leaky_relu(scores, 0.2), graph, len(x))
        return attend(values, graph, attention), attention

    result, attention = convolve(pad(given["x"]), graph, attributes[graph.senders, graph.receivers])
    result = result.mean(axis=1) if case == "gat_mean" else result.reshape(len(result), -1)
    assert_close(result[:-1] + arrays["param/bias"], arrays["expected_output"])
    wanted, real = arrays["expected_attention_edge_index"], int(graph.n_edge[0])
    order = np.lexsort(wanted)  # by receiver, then sender, as `build_graph` has them
    ends = np.stack([graph.senders, graph.receivers])[:, :real]
    np.testing.assert_array_equal(ends, wanted[:, order])
    assert_close(attention[:real], arrays["expected_attention"][order])


# scRegNet


def gcn_parameters(*layers):
    return {
        f"layer_{place}": {"linear": {"kernel": layer["lin.weight"].T}, "bias": layer["bias"]}
        for place, layer in enumerate(layers)
    }


def sage_layer(layer):
    return {
        "own": {"kernel": layer["lin_r.weight"].T, "bias": layer["lin_l.bias"]},
        "neighbours": {"kernel": layer["lin_l.weight"].T},
    }


def gat_layer(heads):
    """One layer from its heads; `weight_interact` belongs to none of the published sums."""
    vectors = np.stack([head["a"].reshape(2, -1) for head in heads])  # [head, end, dim]
    return {
        "linear": {"kernel": np.concatenate([head["weight"] for head in heads], axis=1)},
        "receiver": vectors[:, 0],
        "sender": vectors[:, 1],
        "bias": np.stack([head["bias"] for head in heads]),
    }


def dense_parameters(layers):
    return {
        f"layer_{place}": {"kernel": layer["weight"].T, "bias": layer["bias"]}
        for place, layer in enumerate(layers)
    }


def read_gcn(arrays):
    layers, widths = layers_of(arrays, r"convs\.(\d+)"), tuple(arrays["gnn_widths"].tolist())
    assert widths == tuple(len(layer["bias"]) for layer in layers)
    return GCNConfig(widths=widths), gcn_parameters(*layers)


def read_sage(arrays):
    layers, widths = layers_of(arrays, r"convs\.(\d+)"), tuple(arrays["gnn_widths"].tolist())
    assert widths == tuple(len(layer["lin_l.bias"]) for layer in layers)
    return SAGEConfig(widths=widths), {
        f"layer_{place}": sage_layer(layer) for place, layer in enumerate(layers)
    }


def find_widths(arrays):
    """Widths of a head in each layer."""
    heads = layers_of(arrays, r"ConvLayer(\d+)_AttentionHead0")
    widths = tuple(len(head["bias"]) for head in heads)
    assert widths == tuple(arrays.get("gnn_widths", widths))
    return widths


def read_gat(arrays):
    heads = layers_of(arrays, r"ConvLayer(\d+)_AttentionHead(\d+)")
    config = GATConfig(
        widths=find_widths(arrays),
        heads=tuple(arrays["num_heads"].tolist()),
        reduction=str(arrays["head_reduction"]),
        slope=float(arrays["alpha"]),
    )
    ends = np.cumsum(config.heads)
    assert ends[-1] == len(heads)
    return config, {
        f"layer_{place}": gat_layer(heads[end - count : end])
        for place, (count, end) in enumerate(zip(config.heads, ends))
    }


ENCODERS = {"scregnet_gcn": read_gcn, "scregnet_sage": read_sage, "scregnet_gat": read_gat}


@pytest.fixture(scope="module", params=["edges", "groups"])
def inputs(read, request):
    """The gene side of scRegNet's input: its graph is symmetric and made of train positives.

    It has self loops, as for training; the encoders that know of none must leave them out.
    """
    given = read("model_inputs")
    genes = len(given["expression_z"])
    graph = build_graph(given["train_positive_pairs"], genes, symmetric=True, self_loops=True)
    graph = graph if request.param == "groups" else graph._replace(globals=None)
    loops = graph.senders == graph.receivers
    dense = np.zeros((genes, genes), np.float32)
    dense[graph.senders[~loops], graph.receivers[~loops]] = 1
    np.testing.assert_array_equal(dense, given["adjacency_symmetric"])
    return GeneBatch(
        nodes=pad(given["expression_z"]),
        measured=np.append(np.ones(genes, np.float32), np.float32(0)),
        embedding=pad(given["foundation_embedding"]),
        seen=np.zeros((genes + 1, 2), np.float32),
        tfs=np.arange(genes, dtype=np.int32),
        graph=graph,
    )


@pytest.fixture(scope="module", params=ENCODERS)
def published(read, request):
    """scRegNet with the fixture's weights: its arrays, its settings and our parameters."""
    arrays = read(request.param)
    encoder, encoder_parameters = ENCODERS[request.param](arrays)
    dense = layers_of(arrays, r"layers\.(\d+)")
    mlp_widths = tuple(arrays["mlp_widths"].tolist())
    assert mlp_widths == tuple(len(layer["bias"]) for layer in dense)
    parameters = {
        "encoder": encoder_parameters,
        "mlp": dense_parameters(dense),
        "head": {
            "classes": {
                "kernel": arrays["param/linear.weight"].T,
                "bias": arrays["param/linear.bias"],
            }
        },
    }
    return arrays, faithful(encoder, mlp_widths, dropout=0.5), parameters


@pytest.mark.slow
def test_scregnet_scores(read, inputs, published):
    arrays, config, parameters = published
    pairs = read("model_inputs")["pairs"].astype(np.int32)
    blank = np.zeros(len(pairs), np.float32)
    none = np.zeros((len(pairs), 0), np.float32)
    batch = PairBatch(pairs, none, none, blank, blank, blank.astype(int))

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


@pytest.mark.slow
def test_genes_without_train_edges_attend_to_all_genes(read, inputs):
    """The fixture tells this oddity from a gene that attends to itself."""
    given, arrays = read("model_inputs"), read("scregnet_gat")
    config, parameters = read_gat(arrays)
    variant = GAT(dataclasses.replace(config, isolated="itself"))
    encode = jax.jit(functools.partial(variant.apply, train=False))
    result = encode({"params": parameters}, inputs.nodes, inputs.graph)[:-1]
    off = np.abs(result - arrays["expected_gnn_output"]).max(axis=1)
    assert (off[given["nodes_without_train_edge"]] > 100 * TOLERANCE).all()


def test_the_fixture_tells_the_published_activation_from_the_paper_s(inputs, published):
    """LeakyReLU(0.01) follows the last layer too; with ReLU the vectors would differ."""
    arrays, config, parameters = published
    embed = jax.jit(functools.partial(LeakyMLP(config.mlp_widths).apply, train=False))
    encoded = arrays["expected_gnn_output"]
    vectors = embed({"params": parameters["mlp"]}, inputs.embedding[:-1], encoded)
    assert_close(vectors, arrays["expected_gene_vector"])
    assert arrays["expected_gene_vector"].min() < -10 * TOLERANCE


def pair_batch(pairs):
    blank = np.zeros(len(pairs), np.float32)
    none = np.zeros((len(pairs), 0), np.float32)
    return PairBatch(pairs.astype(np.int32), none, none, blank, blank, blank.astype(int))


@pytest.mark.slow
@pytest.mark.parametrize("score", ["dot", "cosine", "mlp"])
def test_genelink_scores(read, inputs, score):
    """Each of the three scores, by its published layers; the second matrix of a head is unused."""
    arrays, pairs = read(f"genelink_{score}"), read("model_inputs")["pairs"]
    encoder, parameters = read_gat(arrays)
    parameters = {"encoder": parameters}
    parameters |= {
        side: dense_parameters(layers_of(arrays, rf"{side}_linear(\d+)"))
        for side in ("tf", "target")
    }
    if score == "mlp":
        [classes] = [
            {"kernel": arrays["param/linear.weight"].T, "bias": arrays["param/linear.bias"]}
        ]
        parameters["classes"] = classes
    config = GENELinkConfig(
        encoder=encoder,
        widths=tuple(len(arrays[f"param/tf_linear{layer}.bias"]) for layer in (1, 2)),
        score="linear" if score == "mlp" else score,
    )

    @jax.jit
    def run(parameters, genes, pairs):
        return GENELink(config).apply(
            {"params": parameters}, genes, pairs, train=False, capture_intermediates=True
        )

    logits, state = run(parameters, inputs, pair_batch(pairs))
    steps, genes = state["intermediates"], slice(len(inputs.nodes) - 1)
    assert_close(steps["encoder"]["__call__"][0][genes], arrays["expected_gnn_output"])
    assert_close(steps["tf"]["__call__"][0][genes], arrays["expected_tf_vector"])
    assert_close(steps["target"]["__call__"][0][genes], arrays["expected_target_vector"])
    wanted = arrays["expected_score"]
    assert_close(logits, wanted[:, 1] - wanted[:, 0] if score == "mlp" else wanted[:, 0])


@pytest.mark.slow
def test_gnnlink_scores(read, inputs):
    """Messages go from targets back to TFs, a gene counts itself twice, and ties are at 0."""
    given, arrays = read("model_inputs"), read("gnnlink")
    nodes = len(given["expression_z"])
    graph = build_graph(given["train_positive_pairs"], nodes, symmetric=False, self_loops=True)
    weights, own = normalise_rows(jax.tree.map(np.asarray, graph), nodes + 1, 2.0)
    dense = np.zeros((nodes + 1, nodes + 1))
    np.add.at(dense, (graph.senders, graph.receivers), np.asarray(weights))
    assert_close((dense + np.diag(own))[:nodes, :nodes], arrays["normalised_adjacency"])
    length = np.linalg.norm(given["expression_z"], axis=1, keepdims=True)
    genes = inputs._replace(nodes=pad(given["expression_z"] / length), graph=graph)
    kernels = [arrays[f"param/weights{layer}"] for layer in (1, 2)]
    config = GNNLinkConfig(widths=tuple(kernel.shape[1] for kernel in kernels))
    parameters = {f"layer_{layer}": {"kernel": x} for layer, x in enumerate(kernels)}
    score = jax.jit(functools.partial(GNNLink(config).apply, train=False))
    logits = score({"params": parameters}, genes, pair_batch(given["pairs"]))
    assert_close(logits, arrays["expected_score"])
    every = np.stack(np.divmod(np.arange(nodes**2), nodes), axis=1)
    matrix = score({"params": parameters}, genes, pair_batch(every)).reshape(nodes, nodes)
    assert_close(matrix, arrays["expected_score_matrix"])
    assert (matrix == matrix.T).all() and (matrix == 0).mean() > 0.1
