"""What scRegNet sees of the genes, and what of it a control takes away."""

import dataclasses
import functools

import numpy as np
import pytest

from grnjax.errors import ConfigError
from grnjax.methods.method import Problem
from grnjax.methods.scregnet import InputConfig, ScRegNetMethod, node_features
from grnjax.models.scregnet import ScRegNetConfig
from grnjax.training.batches import Sizes

SIZES = Sizes(pairs=600, edges=1000)
FEATURES = ("features-random", "features-one-hot")
EMBEDDINGS = ("embedding-zero", "embedding-random", "embedding-permuted")
STATISTICS = ScRegNetMethod(inputs=InputConfig(nodes="statistics"))


@pytest.fixture(scope="module")
def genes(dataset):
    return dataset.genes


@pytest.fixture(scope="module")
def problem(dataset):
    """Without parts; three genes have no vector."""
    table = np.random.default_rng(1).normal(size=(len(dataset.genes.names), 5)).astype(np.float32)
    table[[3, 7, 30]] = 0
    tfs = dataset.genes.tfs
    return Problem(dataset=dataset, parts=(), tfs=tfs, trainable=tfs, embedding=table)


@pytest.fixture(scope="module")
def make(problem):
    def run(control=None, seed=0, config=InputConfig(), coexpression=True):  # noqa: B008
        model = ScRegNetConfig(coexpression=coexpression)
        method = ScRegNetMethod(model=model, inputs=config)
        altered = problem if control is None else method.controls()[control](problem, seed)
        return method.make_inputs(altered, SIZES)

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


def test_without_any_expression_a_gene_has_one_zero(genes):
    nothing = dataclasses.replace(genes, measured=np.zeros_like(genes.measured))
    features = node_features(nothing, InputConfig())
    assert features.shape == (len(genes.names), 1) and not features.any()


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


@pytest.mark.parametrize("control", FEATURES)
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


def test_embedding_controls_keep_the_expression_and_the_coverage(make, problem):
    plain, embedding = make(), problem.embedding
    found = embedding.any(axis=1)
    for control in EMBEDDINGS:
        inputs = make(control)
        np.testing.assert_array_equal(inputs.nodes, plain.nodes)
        np.testing.assert_array_equal(inputs.coexpression, plain.coexpression)
        assert inputs.embedding.shape == embedding.shape
        assert not inputs.embedding[~found].any()
        assert (inputs.embedding != embedding).any()


@pytest.mark.parametrize("control", ["expression-permuted", FEATURES[0], *EMBEDDINGS[1:]])
def test_a_control_is_drawn_from_its_seed(control, make):
    first, again, other = make(control, 1), make(control, 1), make(control, 2)
    for name in ("nodes", "embedding"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert any((getattr(first, x) != getattr(other, x)).any() for x in ("nodes", "embedding"))


def test_without_coexpression_there_is_no_block(make):
    assert make(coexpression=False).coexpression is None
    assert make("features-random", coexpression=False).coexpression is None


def test_made_up_features_leave_the_problem_but_for_what_was_prepared(problem):
    control = functools.partial(ScRegNetMethod().controls()["features-random"], problem)
    changed = [
        field.name
        for field in dataclasses.fields(Problem)
        if getattr(control(0), field.name) is not getattr(problem, field.name)
    ]
    assert changed == ["prepared"]


def test_fusion_by_attention_needs_vectors_of_genes(problem):
    method = ScRegNetMethod(model=ScRegNetConfig(fusion="cross-attention"))
    method.check(problem)
    with pytest.raises(ConfigError, match="cross-attention needs frozen gene embeddings"):
        method.check(dataclasses.replace(problem, embedding=None))


def test_only_features_that_mean_the_same_elsewhere_are_transferred(problem):
    STATISTICS.check_transfer(problem)
    for inputs, words in (
        (InputConfig(), "inputs.nodes=components means something else in each data set"),
        (InputConfig(nodes="statistics", unlabelled_weight=0.1), "no pairs to weigh"),
    ):
        with pytest.raises(ConfigError, match=words):
            ScRegNetMethod(inputs=inputs).check_transfer(problem)


def test_components_are_at_least_one():
    with pytest.raises(ValueError, match="must be"):
        InputConfig(components=0)
