"""What every graph encoder must keep to, whatever its formula."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.models.gat import GATConfig
from grnjax.models.gcn import GCNConfig
from grnjax.models.graph_transformer import GraphTransformerConfig
from grnjax.models.sage import SAGEConfig

NODES, DIM, LAYERS = 10, 4, 2
WIDTHS = (5, 3)
LOCAL = {  # these hear of their neighbours only
    "gcn": GCNConfig(widths=WIDTHS),
    "sage": SAGEConfig(widths=WIDTHS),
    "sage-max": SAGEConfig(widths=WIDTHS, neighbours="max", normalise=True),
    "gt": GraphTransformerConfig(width=6, heads=2),
    "gat-itself": GATConfig(widths=WIDTHS, heads=(2, 3), reduction="mean", isolated="itself"),
}
ENCODERS = LOCAL | {"gat": GATConfig(widths=WIDTHS, heads=(3, 2))}
PATH = np.array([[i, i + 1] for i in range(NODES - 1)])  # 0 -> 1 -> 2 -> ...


@pytest.fixture(params=ENCODERS)
def encoder(request):
    return ENCODERS[request.param]


@pytest.fixture(scope="module")
def edges():
    """Edges without a cycle; gene 0 has no regulator, and the last one no edge at all."""
    rng = np.random.default_rng(0)
    adjacency = np.triu(rng.random((NODES, NODES)) < 0.4, k=1)
    adjacency[:, NODES - 1] = False
    return rng.permutation(np.argwhere(adjacency))


@pytest.fixture(scope="module")
def nodes():
    values = np.random.default_rng(1).normal(size=(NODES + 1, DIM)).astype(np.float32)
    values[NODES] = 0
    return values


def build(edges, *, symmetric=False, padded_edges=64, **options):
    """A graph with self loops, as for training."""
    return build_graph(
        edges, NODES, symmetric=symmetric, self_loops=True, padded_edges=padded_edges, **options
    )


@functools.cache
def draw_variables(config):
    """Random parameters, those that start at zero too."""
    start = functools.partial(config.make("encoder").init, train=False)
    shapes = jax.eval_shape(start, jax.random.key(0), np.zeros((NODES + 1, DIM)), build(PATH))
    rng = np.random.default_rng(2)

    def draw(path, shape):
        centre = 1.0 if path[-1].key == "scale" else 0.0  # of a norm
        return rng.normal(centre, 0.6 - 0.3 * centre, shape.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@functools.cache
def differentiated(config):
    """Vectors of the genes, and the gradients of a sum over them by parameters and features."""
    model = config.make("encoder")

    def loss(variables, nodes, graph):
        vectors = model.apply(variables, nodes, graph, train=False)[:NODES]
        return jnp.sum(jnp.sin(vectors)), vectors

    run = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    def differentiate(nodes, graph):
        (_, vectors), (by_parameter, by_node) = run(draw_variables(config), nodes, graph)
        assert not by_node[NODES:].any(), "nothing comes from padding"
        return {"vectors": vectors, "parameters": by_parameter, "nodes": by_node[:NODES]}

    return differentiate


def encode(config, nodes, graph):
    return np.asarray(differentiated(config)(nodes, graph)["vectors"])


def assert_alike(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4), one, other)


@pytest.mark.slow
def test_relabelling_genes_permutes_their_vectors(encoder, nodes, edges):
    new = np.random.default_rng(3).permutation(NODES)  # gene i is now called new[i]
    relabelled = nodes.copy()
    relabelled[new] = nodes[:NODES]
    original = encode(encoder, nodes, build(edges))
    permuted = encode(encoder, relabelled, build(new[edges]))
    assert_alike(permuted[new], original)
    assert original.std(axis=0).min() > 0.01


@pytest.mark.slow
def test_direction_matters_unless_the_graph_is_symmetric(encoder, nodes, edges):
    there, back = (encode(encoder, nodes, build(e)) for e in (edges, edges[:, ::-1]))
    assert np.abs(there - back).max() > 0.1
    there, back = (
        encode(encoder, nodes, build(e, symmetric=True)) for e in (edges, edges[:, ::-1])
    )
    assert_alike(there, back)


@pytest.mark.slow
def test_padding_changes_no_vector_and_no_gradient(encoder, nodes, edges):
    more = np.pad(nodes, [(0, 5), (0, 0)], constant_values=3.0)
    run = differentiated(encoder)
    assert_alike(run(nodes, build(edges)), run(more, build(edges, padded_edges=200)))


@pytest.mark.slow
def test_hidden_edges_equal_absent_ones(encoder, nodes, edges):
    kept = (np.arange(len(edges)) % 3 > 0) & (edges[:, 1] != 4)  # gene 4 loses all
    hidden = build(edges, weights=kept.astype(float))
    run = differentiated(encoder)
    assert_alike(run(nodes, hidden), run(nodes, build(edges[kept])))
    assert np.abs(encode(encoder, nodes, hidden) - encode(encoder, nodes, build(edges))).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("symmetric", [True, False])
def test_grouping_the_edges_changes_nothing_but_the_time(encoder, nodes, edges, symmetric):
    by_group = build(edges, symmetric=symmetric)
    run = differentiated(encoder)
    assert_alike(run(nodes, by_group._replace(globals=None)), run(nodes, by_group))


def test_every_parameter_learns(encoder, nodes, edges):
    gradient = differentiated(encoder)(nodes, build(edges, symmetric=True))["parameters"]
    for path, array in jax.tree.leaves_with_path(gradient):
        assert np.abs(array).max() > 1e-4, path


def test_genes_without_features_and_graphs_without_edges_give_finite_gradients(encoder, nodes):
    blank = differentiated(encoder)(np.zeros_like(nodes), build(PATH[:0]))
    assert all(np.isfinite(array).all() for array in jax.tree.leaves(blank))


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCAL)
def test_a_gene_hears_of_its_regulators_as_far_as_there_are_layers(name, nodes):
    model, variables = LOCAL[name].make("encoder"), draw_variables(LOCAL[name])

    @jax.jit
    @jax.jacobian
    def influence_of(x):
        return model.apply(variables, x, build(PATH), train=False)[:NODES]

    influence = np.abs(influence_of(nodes)).sum(axis=(1, 3))[:, :NODES]  # [hearer, speaker]
    hearer, speaker = np.indices(influence.shape)
    distance = hearer - speaker
    assert not influence[(distance < 0) | (distance > LAYERS)].any()
    assert (influence[distance == LAYERS] > 0).mean() > 0.5  # ReLU and maxima may shut a path


@pytest.mark.slow
def test_dropout_is_random_in_training_only(encoder, nodes, edges):
    graph, model = build(edges, symmetric=True), encoder.make("encoder")
    run = jax.jit(model.apply, static_argnames="train")

    def draw(seed, train=True):
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(run(draw_variables(encoder), nodes, graph, train=train, rngs=rngs))

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.allclose(draw(0), draw(1))
    np.testing.assert_array_equal(draw(0, train=False), draw(1, train=False))
