"""DeepCDR against its description by numpy; padding as published and put right; SCAD's reversal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.data.drug_graphs import DrugGraph
from grnjax.models.domain_transfer import DomainTransfer, DomainTransferConfig, reverse
from grnjax.models.drug_response import (
    DRUG_WIDTHS,
    DeepCDRConfig,
    MeanResidualConfig,
    build_drug_table,
)


@pytest.fixture(scope="module", autouse=True)
def compile_quickly(compile_quickly):
    """What these tests ask of a program holds at any optimisation."""


@pytest.fixture(scope="module")
def graphs():
    """Two drugs of 3 and 5 atoms."""
    rng = np.random.default_rng(0)
    found = []
    for atoms, bonds in ((3, [[0, 1], [1, 2]]), (5, [[0, 1], [1, 2], [2, 3], [3, 0]])):
        features = (rng.random((atoms, 75)) < 0.2).astype(np.float32)
        pairs = np.array(bonds, np.int32)
        found.append(DrugGraph(features, np.concatenate([pairs, pairs[:, ::-1]])))
    return found


@pytest.fixture(scope="module")
def deepcdr(graphs):
    """The model with its parameters, and vectors of three lines."""
    model = DeepCDRConfig().make()
    vectors = jnp.asarray(np.random.default_rng(1).normal(size=(3, 20)), jnp.float32)
    apply = jax.jit(model.apply, static_argnames="train")
    init = jax.jit(model.init, static_argnames="train")
    pairs = jnp.array([0, 1, 2, 2]), jnp.array([0, 1, 1, 0])
    variables = init(jax.random.key(0), vectors, build_drug_table(graphs), *pairs, train=False)
    noise = jax.tree.map(
        lambda x: x + 0.3 * jax.random.uniform(jax.random.key(3), x.shape), variables["batch_stats"]
    )
    return apply, {**variables, "batch_stats": noise}, vectors, pairs


def by_hand(variables, graphs, vectors, pairs, padded_to):
    """DeepCDR as its description has it (grnformer reference, 5.3), in numpy."""
    p, stats = (jax.tree.map(np.asarray, variables[x]) for x in ("params", "batch_stats"))

    def dense(x, own):
        return x @ own["kernel"] + own["bias"]

    def norm(x, own, stats):
        return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-3) * own["scale"] + own["bias"]

    def drug_vector(graph):
        size = padded_to or len(graph.features)
        x = np.zeros((size, 75))
        x[: len(graph.features)] = graph.features
        adjacency = np.eye(size)
        adjacency[graph.bonds[:, 0], graph.bonds[:, 1]] = 1
        degree = adjacency.sum(axis=1)
        adjacency = adjacency / np.sqrt(degree[:, None] * degree)
        for layer in range(len(DRUG_WIDTHS)):
            x = np.maximum(adjacency @ dense(x, p["drug"][f"dense_{layer}"]), 0)
            name = f"norm_{layer}"
            x = norm(x, p["drug"][name], stats["drug"][name])
        return x.mean(axis=0)

    def convolve(x, own, pool):  # [length, channel]
        kernel, width = own["kernel"], len(own["kernel"])
        windows = np.stack([x[i : i + width] for i in range(len(x) - width + 1)])
        x = np.maximum(np.einsum("lwc,wco->lo", windows, kernel) + own["bias"], 0)
        return x[: len(x) // pool * pool].reshape(-1, pool, x.shape[1]).max(axis=1)

    found = []
    drugs = [drug_vector(graph) for graph in graphs]
    for line, drug in zip(*map(np.asarray, pairs), strict=True):
        x = np.tanh(dense(np.asarray(vectors)[line], p["gene_hidden"]))
        x = norm(x, p["gene_norm"], stats["gene_norm"])
        x = np.maximum(dense(x, p["gene"]), 0)
        x = np.tanh(dense(np.concatenate([drugs[drug], x]), p["fuse"]))[:, None]
        assert len(x) == 300
        for name, pool, length in (("a", 2, 75), ("b", 3, 23), ("c", 3, 6)):
            x = convolve(x, p[f"convolution_{name}"], pool)
            assert len(x) == length
        found.append(dense(x.reshape(-1), p["out"])[0])
    return np.array(found)


@pytest.mark.parametrize("padded_to", [None, 9])
def test_it_computes_the_published_layers(deepcdr, graphs, padded_to):
    apply, variables, vectors, pairs = deepcdr
    table = build_drug_table(graphs, padded_to)
    found = apply(variables, vectors, table, *pairs, train=False)
    expected = by_hand(variables, graphs, vectors, pairs, padded_to)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_padding_counts_as_published_and_not_when_put_right(deepcdr, graphs):
    apply, variables, vectors, pairs = deepcdr
    right, padded, more = (
        apply(variables, vectors, build_drug_table(graphs, size), *pairs, train=False)
        for size in (None, 20, 40)
    )
    assert np.abs(padded - right).max() > 1e-4 < np.abs(padded - more).max()


def test_the_order_of_atoms_means_nothing(deepcdr, graphs):
    apply, variables, vectors, pairs = deepcdr
    order = np.array([3, 0, 4, 2, 1])
    moved = DrugGraph(
        graphs[1].features[order], np.argsort(order)[graphs[1].bonds].astype(np.int32)
    )
    one, other = (
        apply(variables, vectors, build_drug_table(x), *pairs, train=False)
        for x in (graphs, [graphs[0], moved])
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_the_residual_model_begins_at_the_mean_and_an_unseen_drug_has_its_structure(graphs):
    model = MeanResidualConfig(width=4, hidden=8, drug_widths=(6,)).make()
    vectors, table = jnp.ones((3, 20)), build_drug_table(graphs)
    pairs = jnp.array([0, 1]), jnp.array([0, 1])
    init = jax.jit(model.init, static_argnames="train")
    variables = init(jax.random.key(0), vectors, table, *pairs, train=False)
    assert not np.any(model.apply(variables, vectors, table, *pairs, train=False))


def test_gradients_come_back_with_the_other_sign():
    x = jnp.array([1.0, -2.0])
    np.testing.assert_array_equal(reverse(x), x)
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(3 * reverse(x)))(x), [-3.0, -3.0])


def test_bulk_and_cells_have_batch_statistics_of_their_own():
    """Cells that lie elsewhere change neither the class of bulk rows nor a bulk statistic."""
    model = DomainTransfer(DomainTransferConfig(hidden=4, width=3, dropout=0.0))
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(9, 5)), jnp.float32)
    variables = model.init(jax.random.key(0), rows, train=False)

    def run(rows):
        return model.apply(variables, rows, train=True, bulk=6, mutable="batch_stats")

    (label, domain), state = run(rows)
    (moved, _), after = run(rows.at[6:].add(50.0))
    assert label.shape == (6,) and domain.shape == (9,)
    np.testing.assert_allclose(moved, label, atol=1e-6)
    of_class = "predictor_norm"
    jax.tree.map(
        np.testing.assert_allclose,
        after["batch_stats"][of_class],
        state["batch_stats"][of_class],
    )
    kernel = variables["params"]["feature"]["kernel"]
    mean = jnp.stack([x.mean(axis=0) for x in (rows[:6], rows[6:])]) @ kernel
    expected = 0.1 * (0.9 * mean[0] + mean[1])  # one after the other, PyTorch's momentum of .1
    np.testing.assert_allclose(state["batch_stats"]["feature_norm"]["mean"], expected, rtol=1e-4)
