import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax import config as settings
from grnjax.graphs import edge_attention
from grnjax.graphs.build import Groups, Neighbourhoods, build_graph
from grnjax.graphs.edge_attention import edge_directions
from grnjax.models.graph_transformer import (
    BatchNorm,
    EdgeAttention,
    GraphTransformer,
    GraphTransformerConfig,
    TransformerLayers,
)
from grnjax.models.scregnet import ScRegNetConfig

NODES, WIDTH = 10, 8
EDGES = np.array([[0, 3], [1, 3], [1, 4], [2, 3], [3, 5], [5, 6], [0, 6], [2, 5], [6, 8]])
DEFAULT = GraphTransformerConfig(width=WIDTH, heads=2, layers=2)
PUBLISHED = dataclasses.replace(
    DEFAULT, attends_to="targets", values="keys", scaled=False, norm="batch"
)
CONFIGS = {
    "default": DEFAULT,
    "targets": dataclasses.replace(DEFAULT, attends_to="targets"),
    "published": PUBLISHED,
}


def make_nodes():
    values = np.random.default_rng(0).normal(size=(NODES + 1, WIDTH)).astype(np.float32)
    values[NODES] = 7  # what stands in the padding node must not matter
    return jnp.asarray(values)


def build(edges=EDGES, **options):
    options = {"symmetric": False, "self_loops": True, "padded_edges": 48} | options
    return build_graph(edges, NODES, **options)


def directions(graph, edges=EDGES):
    return jnp.asarray(edge_directions(graph, edges))


@functools.cache
def draw_variables(config, features=2):
    """Random parameters, those that start at zero or one too; variances above 0."""
    graph = build()
    none = jnp.zeros((len(graph.edges), features))
    start = functools.partial(TransformerLayers(config).init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), make_nodes(), graph, none)
    rng = np.random.default_rng(1)

    def draw(path, shape):
        if path[-1].key in ("scale", "variance"):
            return rng.uniform(0.5, 1.5, shape.shape).astype(np.float32)
        return rng.normal(size=shape.shape, scale=0.6).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@functools.cache
def encoder(config):
    apply = jax.jit(functools.partial(TransformerLayers(config).apply, train=False))

    def encode(nodes, graph, features):
        variables = draw_variables(config, features.shape[1])
        return np.asarray(apply(variables, nodes, graph, features))[:NODES]

    return encode


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_relabelling_genes_permutes_their_vectors(name):
    new = np.append(np.random.default_rng(2).permutation(NODES), NODES)
    encode, nodes = encoder(CONFIGS[name]), make_nodes()
    graph, renamed = build(), build(new[EDGES])
    one = encode(nodes, graph, directions(graph))
    moved = jnp.zeros_like(nodes).at[new].set(nodes)
    other = encode(moved, renamed, directions(renamed, new[EDGES]))
    np.testing.assert_allclose(other[new[:NODES]], one, atol=1e-4, rtol=1e-4)
    assert one.std(axis=0).min() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_padding_and_hidden_edges_change_nothing(name):
    encode = encoder(CONFIGS[name])
    graph, more = build(), build(padded_edges=96)
    kept = np.arange(len(EDGES)) % 3 > 0
    hidden, absent = build(weights=kept.astype(float)), build(EDGES[kept])
    for one, other in ((graph, more), (hidden, absent)):
        vectors = [encode(make_nodes(), g, directions(g)) for g in (one, other)]
        np.testing.assert_allclose(*vectors, atol=1e-4, rtol=1e-4)
    assert np.abs(encode(make_nodes(), graph, directions(graph)) - vectors[0]).max() > 0.05


def influence(config, graph):
    """[hearer, speaker]: how far each gene's vector depends on each gene's input."""
    variables, features = draw_variables(config), directions(graph)

    @jax.jit
    @jax.jacobian
    def slope(nodes):
        return TransformerLayers(config).apply(variables, nodes, graph, features, train=False)

    return np.abs(slope(make_nodes())).sum(axis=(1, 3))[:NODES, :NODES]


@pytest.mark.slow
def test_genes_hear_of_their_regulators_or_of_their_targets_or_of_both():
    one_layer = dataclasses.replace(DEFAULT, layers=1)
    network = np.eye(NODES, dtype=bool)
    network[tuple(EDGES.T)] = True  # [tf, target]
    by_regulators = influence(one_layer, build()) > 0
    np.testing.assert_array_equal(by_regulators, network.T)
    by_targets = influence(dataclasses.replace(one_layer, attends_to="targets"), build()) > 0
    np.testing.assert_array_equal(by_targets, network)
    by_both = influence(one_layer, build(symmetric=True)) > 0
    np.testing.assert_array_equal(by_both, network | network.T)


@pytest.mark.slow
def test_a_symmetric_graph_knows_directions_by_its_edge_features_only():
    encode = encoder(DEFAULT)
    there, back = build(symmetric=True), build(EDGES[:, ::-1], symmetric=True)
    none = jnp.zeros((len(there.edges), 0))
    one, other = (encode(make_nodes(), graph, none) for graph in (there, back))
    np.testing.assert_allclose(one, other, atol=1e-5)
    one, other = (
        encode(make_nodes(), graph, directions(graph, edges))
        for graph, edges in ((there, EDGES), (back, EDGES[:, ::-1]))
    )
    assert np.abs(one - other).max() > 0.1


def attend_dense(parameters, nodes, edges, features, config):
    """The equation with a matrix of genes by genes and a vector for each edge, in float64."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), parameters)
    heads, dim = config.heads, config.width // config.heads
    x = np.asarray(nodes, np.float64)

    def project(name):
        return (x @ p[name]["kernel"] + p[name].get("bias", 0)).reshape(-1, heads, dim)

    q, k, v = project("query"), project("key"), project("value")
    heard = np.zeros_like(q)
    for gene in range(NODES):
        place = np.flatnonzero(edges[:, 1] == gene)
        if not len(place):
            continue
        along = (features[place] @ p["edge"]).reshape(-1, heads, dim)
        scores = np.einsum("hd,jhd->jh", q[gene], k[edges[place, 0]] + along) / np.sqrt(dim)
        weights = np.exp(scores) / np.exp(scores).sum(axis=0)
        heard[gene] = np.einsum("jh,jhd->hd", weights, v[edges[place, 0]] + along)
    return heard.reshape(len(x), -1) @ p["output"]["kernel"] + p["output"]["bias"]


@pytest.mark.slow
def test_attention_equals_its_equation_with_edge_features():
    graph = build(self_loops=False)
    real = int(graph.n_edge[0])
    features = np.random.default_rng(3).normal(size=(len(graph.edges), 2)).astype(np.float32)
    parameters = draw_variables(DEFAULT)["params"]["layer_0"]["attention"]
    found = jax.jit(EdgeAttention(DEFAULT).apply)(
        {"params": parameters}, make_nodes(), graph, jnp.asarray(features)
    )
    edges = np.stack([graph.senders, graph.receivers], axis=1)[:real]
    wanted = attend_dense(parameters, make_nodes(), edges, features[:real], DEFAULT)
    np.testing.assert_allclose(found[:NODES], wanted[:NODES], atol=1e-5)
    alone = np.setdiff1d(np.arange(NODES), EDGES[:, 1])
    bias = np.broadcast_to(parameters["output"]["bias"], (len(alone), WIDTH))
    np.testing.assert_allclose(found[alone], bias, atol=1e-6)


@pytest.mark.slow
def test_edges_in_chunks_or_all_at_once_give_the_same_vectors_and_gradients(monkeypatch):
    monkeypatch.setattr(edge_attention, "AT_ONCE", 5)
    variables = draw_variables(DEFAULT)

    def differentiate(graph):
        def loss(variables, nodes):
            vectors = TransformerLayers(DEFAULT).apply(
                variables, nodes, graph, directions(graph), train=False
            )
            return jnp.sum(jnp.sin(vectors[:NODES])), vectors[:NODES]

        slope = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
        (_, vectors), slopes = slope(variables, make_nodes())
        return vectors, slopes

    graph = build(symmetric=True)
    one, other = differentiate(graph), differentiate(graph._replace(globals=None))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4), one, other)


@pytest.mark.slow
def test_huge_scores_do_not_overflow_the_softmax():
    loud = jax.tree.map(np.copy, draw_variables(DEFAULT))
    loud["params"]["layer_0"]["attention"]["query"]["kernel"] *= 1e4
    graph = build()

    def loss(nodes):
        run = TransformerLayers(DEFAULT).apply(loud, nodes, graph, directions(graph), train=False)
        return run[:NODES].sum()

    assert np.isfinite(jax.jit(jax.grad(loss))(make_nodes())).all()


@pytest.mark.slow
def test_layer_norm_leaves_a_gene_its_own_matter_and_batch_norm_does_not():
    apart = build(np.zeros((0, 2), int))
    other_nodes = make_nodes().at[1:].add(1.0)
    features = jnp.zeros((len(apart.edges), 2))
    for config, alike in ((DEFAULT, True), (PUBLISHED, False)):
        layers = TransformerLayers(dataclasses.replace(config, dropout=0.0))
        train = functools.partial(layers.apply, train=True, mutable=["statistics"])
        run = functools.partial(jax.jit(train), draw_variables(config))
        one, other = (run(x, apart, features)[0][0] for x in (make_nodes(), other_nodes))
        assert np.allclose(one, other, atol=1e-5) == alike


@pytest.mark.slow
def test_batch_norm_counts_genes_only_and_remembers_a_tenth():
    x, is_gene = make_nodes(), jnp.arange(NODES + 1) < NODES
    norm = BatchNorm()
    variables = norm.init(jax.random.key(0), x, is_gene, train=False)
    out, new = norm.apply(variables, x, is_gene, train=True, mutable=["statistics"])
    np.testing.assert_allclose(out[:NODES].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out[:NODES].std(axis=0), 1, atol=1e-3)
    genes = np.asarray(x[:NODES])
    statistics = new["statistics"]
    np.testing.assert_allclose(statistics["mean"], 0.1 * genes.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(
        statistics["variance"], 0.9 + 0.1 * genes.var(axis=0, ddof=1), atol=1e-6
    )
    again = norm.apply(variables | new, x, is_gene, train=False)
    wanted = (genes - statistics["mean"]) / np.sqrt(statistics["variance"] + 1e-5)
    np.testing.assert_allclose(again[:NODES], wanted, atol=1e-5)


def test_the_command_line_takes_it_as_the_encoder_of_scregnet():
    flags = ["--encoder=GraphTransformer", "--encoder.layers", "3", "--encoder.norm", "batch"]
    parsed = settings.parse(ScRegNetConfig(), flags, program="grnjax train")
    assert parsed.encoder == GraphTransformerConfig(layers=3, norm="batch")
    assert settings.from_json(ScRegNetConfig, settings.to_json(parsed)) == parsed
    model = parsed.encoder.make("encoder")
    assert isinstance(model, GraphTransformer) and model.name == "encoder"


@pytest.mark.slow
def test_a_genome_of_20_000_genes_and_2_million_edges_keeps_no_vector_an_edge():
    """Only numbers an edge and head are kept, and vectors a gene."""
    genes, edges, config = 20_000, 2_000_000, GraphTransformerConfig(width=128, layers=1)

    def shape(*axes, dtype=jnp.float32):
        return jax.ShapeDtypeStruct(axes, dtype)

    rows, ends = edges // 16 + genes, shape(edges, dtype=jnp.int32)
    groups = Groups(shape(rows, 16, dtype=jnp.int32), shape(rows, dtype=jnp.int32))
    graph = build()._replace(
        edges=shape(edges),
        senders=ends,
        receivers=ends,
        globals=Neighbourhoods(groups, groups),
        n_node=shape(2, dtype=jnp.int32),
        n_edge=shape(2, dtype=jnp.int32),
    )
    model, nodes = GraphTransformer(config), shape(genes + 1, 32)
    variables = jax.eval_shape(
        functools.partial(model.init, train=False), jax.random.key(0), nodes, graph
    )

    def loss(variables, nodes, graph):
        return model.apply(variables, nodes, graph, train=False).sum()

    compiled = jax.jit(jax.grad(loss)).lower(variables, nodes, graph).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 0.8 * 4 * edges * config.width


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 30}, "30 cannot be divided among 4 heads"),
        ({"dropout": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GraphTransformerConfig(**options)
