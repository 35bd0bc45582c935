"""Controls destroy what they name and keep everything else."""

import numpy as np
import pytest

from grnjax.data.expression import DataConfig
from grnjax.tasks.inputs import InputConfig, model_inputs
from grnjax.tasks.loading import load_dataset
from grnjax.training.batches import Sizes

SIZES = Sizes(pairs=600, edges=1000)
FEATURES = ("expression-permuted", "features-random", "features-one-hot")
EMBEDDINGS = ("embedding-zero", "embedding-random", "embedding-permuted")


@pytest.fixture(scope="module")
def genes(small_set):
    expression, _, network, _, tfs = small_set.arguments
    return load_dataset(expression, network, tfs, DataConfig()).genes


@pytest.fixture(scope="module")
def embedding(genes):
    table = np.random.default_rng(1).normal(size=(len(genes.names), 5)).astype(np.float32)
    table[[3, 7, 30]] = 0  # genes that the table lacks
    return table


@pytest.fixture(scope="module")
def make(genes, embedding):
    def run(control=None, seed=0, config=InputConfig(), coexpression=True):  # noqa: B008
        return model_inputs(
            genes,
            embedding,
            genes.tfs,
            config,
            SIZES,
            coexpression=coexpression,
            control=control,
            seed=seed,
        )

    return run


def sort_rows(matrix):
    return matrix[np.lexsort(matrix.T)]


@pytest.mark.parametrize("nodes", ["components", "profile", "statistics"])
def test_genes_without_expression_are_zeros(nodes, make, genes):
    inputs = make(config=InputConfig(nodes=nodes))
    assert inputs.nodes.shape[0] == len(genes.names)
    assert not inputs.nodes[~genes.measured].any()
    assert inputs.nodes[genes.measured].any(axis=1).all()
    assert not inputs.coexpression[:, ~genes.measured].any()


def test_a_profile_is_the_standardised_expression(make, genes):
    profile = make(config=InputConfig(nodes="profile")).nodes
    assert profile.shape == genes.expression.T.shape
    np.testing.assert_allclose(profile[genes.measured].std(axis=1), 1, rtol=1e-4)
    expected = np.corrcoef(genes.expression[:, genes.measured].T)
    np.testing.assert_allclose(np.corrcoef(profile[genes.measured]), expected, atol=1e-4)


def test_statistics_are_the_part_of_the_components_that_needs_no_other_cell(make, genes):
    """They are level, spread and detection; the components change with the cells and signs."""
    statistics = make(config=InputConfig(nodes="statistics")).nodes
    assert statistics.shape == (len(genes.names), 5)
    np.testing.assert_array_equal(statistics, make().nodes[:, :5])
    mean = genes.expression[:, genes.measured].mean(axis=0)
    assert np.corrcoef(statistics[genes.measured, 0], mean)[0, 1] == pytest.approx(1)


def test_permuted_expression_is_the_same_profiles_at_other_genes(make, genes):
    plain = make(config=InputConfig(nodes="profile"))
    permuted = make("expression-permuted", config=InputConfig(nodes="profile"))
    moved = (plain.nodes != permuted.nodes).any(axis=1)
    assert moved[genes.measured].mean() > 0.9 and not moved[~genes.measured].any()
    np.testing.assert_array_equal(sort_rows(permuted.nodes), sort_rows(plain.nodes))
    assert (permuted.coexpression != plain.coexpression).any()
    np.testing.assert_array_equal(permuted.embedding, plain.embedding)


@pytest.mark.parametrize("control", ["features-random", "features-one-hot"])
def test_made_up_features_hold_no_expression_not_even_of_pairs(control, make, genes):
    plain, inputs = make(), make(control)
    assert not inputs.coexpression.any() and plain.coexpression.any()
    np.testing.assert_array_equal(inputs.embedding, plain.embedding)
    if control == "features-one-hot":
        np.testing.assert_array_equal(inputs.nodes, np.eye(len(genes.names)))
    else:
        assert inputs.nodes.shape == plain.nodes.shape
        drawn, real = inputs.nodes[genes.measured], plain.nodes[genes.measured]
        assert abs(np.corrcoef(drawn.ravel(), real.ravel())[0, 1]) < 0.1


def test_embedding_controls_keep_the_expression_and_the_coverage(make, embedding):
    plain = make()
    found = embedding.any(axis=1)
    for control in EMBEDDINGS:
        inputs = make(control)
        np.testing.assert_array_equal(inputs.nodes, plain.nodes)
        np.testing.assert_array_equal(inputs.coexpression, plain.coexpression)
        assert inputs.embedding.shape == embedding.shape
        assert not inputs.embedding[~found].any()
    assert not make("embedding-zero").embedding.any()
    random = make("embedding-random").embedding[found]
    assert random.std() == pytest.approx(embedding[found].std(), rel=0.15)
    assert abs(np.corrcoef(random.ravel(), embedding[found].ravel())[0, 1]) < 0.2
    permuted = make("embedding-permuted").embedding
    np.testing.assert_array_equal(sort_rows(permuted), sort_rows(embedding))
    assert (permuted != embedding).any(axis=1).sum() > 0.8 * found.sum()


@pytest.mark.parametrize("control", [*FEATURES[:2], *EMBEDDINGS[1:]])
def test_a_control_is_drawn_from_its_seed(control, make):
    first, again, other = make(control, 1), make(control, 1), make(control, 2)
    for name in ("nodes", "embedding"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert any((getattr(first, x) != getattr(other, x)).any() for x in ("nodes", "embedding"))


def test_without_coexpression_there_is_no_block(make):
    assert make(coexpression=False).coexpression is None
    assert make("features-random", coexpression=False).coexpression is None


@pytest.mark.parametrize(
    "setting", [{"components": 0}, {"negative_weight": 0}, {"negative_weight": 1.5}]
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ValueError, match="must be"):
        InputConfig(**setting)
