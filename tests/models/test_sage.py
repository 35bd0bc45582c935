import jax
import numpy as np
import pytest

from grnjax.graphs.build import build_graph
from grnjax.models.sage import SAGE, SAGEConfig, SAGELayer

NODES, DIM = 8, 4
EDGES = np.array([[0, 3], [1, 3], [1, 4], [2, 3], [3, 5], [5, 6], [0, 6], [2, 5]])
LONELY = 7
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, len(EDGES))


@pytest.fixture(scope="module")
def nodes():
    values = np.random.default_rng(1).normal(size=(NODES + 1, DIM)).astype(np.float32)
    values[NODES] = 0
    return values


def build(self_loops):
    return build_graph(
        EDGES, NODES, symmetric=False, self_loops=self_loops, weights=WEIGHTS, padded_edges=24
    )


def draw_layer(wide, narrow):
    rng = np.random.default_rng(wide)
    own, neighbours, bias = (rng.normal(size=s) for s in [(wide, narrow), (wide, narrow), narrow])
    return {
        "own": {"kernel": np.float32(own), "bias": np.float32(bias)},
        "neighbours": {"kernel": np.float32(neighbours)},
    }


def convolve_dense(x, parameters, config):
    """One layer, gene after gene, in float64."""
    result = []
    for gene in range(NODES):
        senders, weights = (a[EDGES[:, 1] == gene] for a in (EDGES[:, 0], WEIGHTS))
        if not len(senders):
            heard = np.zeros(x.shape[1])
        elif config.neighbours == "mean":
            heard = np.average(x[senders], axis=0, weights=weights)
        else:
            heard = x[senders].max(axis=0)
        vector = x[gene] @ parameters["own"]["kernel"] + parameters["own"]["bias"]
        vector = vector + heard @ parameters["neighbours"]["kernel"]
        result.append(vector / np.linalg.norm(vector) if config.normalise else vector)
    return np.array(result)


@pytest.mark.parametrize("neighbours", ["mean", "max"])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("self_loops", [True, False])
def test_it_equals_its_formula_whether_or_not_the_graph_has_self_loops(
    nodes, neighbours, normalise, self_loops
):
    config = SAGEConfig(widths=(5, 3), neighbours=neighbours, normalise=normalise)
    parameters = {"layer_0": draw_layer(DIM, 5), "layer_1": draw_layer(5, 3)}
    encode = jax.jit(
        lambda x, graph: SAGE(config).apply({"params": parameters}, x, graph, train=False)
    )
    hidden = np.maximum(
        convolve_dense(nodes[:NODES].astype(np.float64), parameters["layer_0"], config), 0
    )
    wanted = convolve_dense(hidden, parameters["layer_1"], config)
    np.testing.assert_allclose(encode(nodes, build(self_loops))[:NODES], wanted, atol=1e-5)
    assert (wanted < 0).any(), "the last layer is linear"


def test_a_gene_without_regulators_has_its_own_term_only(nodes):
    parameters = draw_layer(DIM, 5)
    convolve = jax.jit(SAGELayer(5).apply)
    result = convolve({"params": parameters}, nodes, build(self_loops=False))
    own = nodes @ parameters["own"]["kernel"] + parameters["own"]["bias"]
    np.testing.assert_allclose(result[LONELY], own[LONELY], atol=1e-6)
    assert np.abs(result - own)[EDGES[:, 1]].max(axis=1).min() > 0.01


def test_a_layer_by_itself_counts_a_self_loop_as_a_neighbour(nodes):
    convolve, variables = jax.jit(SAGELayer(5).apply), {"params": draw_layer(DIM, 5)}
    with_loops, without = (convolve(variables, nodes, build(loops)) for loops in (True, False))
    assert np.abs(with_loops - without)[:NODES].max(axis=1).min() > 0.01


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"widths": ()}, "one or more positive"),
        ({"widths": (8, 0)}, "widths must be at least 1, got 0"),
        ({"dropout": 1.0}, r"\[0, 1\), got 1.0"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SAGEConfig(**settings)
