import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.evaluation.metrics import swap_concordance
from grnjax.models.terms import (
    CoexpressionTerm,
    IdentityTerm,
    LinearTerm,
    TermInputs,
    TopologyTerm,
)
from grnjax.types import PairBatch

GENES, TFS, DIM = 24, 6, 5
PAIRS = np.argwhere(np.ones((TFS, GENES), bool)).astype(np.int32)
TABLE = tuple(PAIRS.T)


def make_inputs(**tables):
    """What terms read; every gene has been seen in both roles by default."""
    rng = np.random.default_rng(3)
    numbers = [rng.normal(size=(len(PAIRS), width)).astype(np.float32) for width in (2, 3)]
    batch = PairBatch(PAIRS, *numbers, labels=None, weights=None, fold=None)
    return jax.tree.map(jnp.asarray, TermInputs(np.ones((GENES, 2), np.float32), batch, **tables))


def draw(term, inputs):
    """Random parameters of a term."""
    shapes = jax.eval_shape(term.init, jax.random.key(0), inputs)
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def find_interaction(scores):
    """What is left of scores [tf, target] when each TF's and each target's mean is taken out."""
    return scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(GENES, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def identity():
    term = IdentityTerm(rank=3)
    return term, draw(term, make_inputs())


def test_the_identity_term_is_the_factor_model(identity):
    term, variables = identity
    p = variables["params"]
    factors = p["tf_factors"] @ p["target_factors"].T
    table = p["tf_bias"][:, None] + p["target_bias"] + factors
    scores = term.apply(variables, make_inputs())
    np.testing.assert_allclose(scores, table[TABLE], atol=1e-5)
    planted = (find_interaction(table[:TFS]) > 0).ravel()
    assert swap_concordance(PAIRS, planted, scores)["micro"] > 0.8


def test_a_gene_unseen_in_a_role_has_no_vector_in_that_role(identity):
    term, variables = identity
    p = variables["params"]
    seen = np.ones((GENES, 2), np.float32)
    seen[[2, 3], 0], seen[[3, 8], 1] = 0, 0  # TFs 2 and 3, targets 3 and 8
    scores = term.apply(variables, make_inputs()._replace(seen=jnp.asarray(seen)))
    table = np.asarray(scores).reshape(TFS, GENES)
    known = np.setdiff1d(np.arange(GENES), [3, 8])
    np.testing.assert_allclose(table[2, known], p["target_bias"][known], atol=1e-6)
    np.testing.assert_allclose(table[[0, 1], 8], p["tf_bias"][[0, 1]], atol=1e-6)
    assert (table[[2, 3]][:, [3, 8]] == 0).all()


def test_vectors_give_an_unseen_target_what_each_tf_wants(vectors):
    mapped, inputs = IdentityTerm(rank=3, maps=True), make_inputs(vectors=vectors)
    variables = draw(mapped, inputs)
    p = variables["params"]
    inputs = inputs._replace(seen=inputs.seen.at[:, 1].set(0))
    wanted = p["tf_factors"] @ (vectors @ p["factor_map"]["kernel"]).T
    table = p["tf_bias"][:, None] + (vectors @ p["bias_map"]["kernel"])[:, 0] + wanted
    scores = mapped.apply(variables, inputs)
    np.testing.assert_allclose(scores, table[TABLE], atol=1e-4)
    assert np.abs(find_interaction(np.asarray(scores).reshape(TFS, GENES))).max() > 1
    alone = IdentityTerm(rank=3).apply(variables, inputs)
    assert np.abs(find_interaction(np.asarray(alone).reshape(TFS, GENES))).max() < 1e-5


def test_the_linear_term_is_a_linear_model_for_each_tf(vectors):
    term, inputs = LinearTerm(), make_inputs(features=vectors)
    start = term.init(jax.random.key(0), inputs)
    assert not term.apply(start, inputs).any(), "it starts with nothing to say"
    variables = draw(term, inputs)
    p = variables["params"]
    table = (p["by_tf"] + p["shared"]) @ vectors.T
    np.testing.assert_allclose(term.apply(variables, inputs), table[TABLE], atol=1e-4)


@pytest.mark.parametrize("term, source", [(CoexpressionTerm(), 1), (TopologyTerm(), 2)])
def test_terms_of_pair_features_are_linear_in_them(term, source):
    inputs = make_inputs()
    features = inputs.pairs[source]
    variables = draw(term, inputs)
    expected = (features @ variables["params"]["kernel"])[:, 0]
    np.testing.assert_allclose(term.apply(variables, inputs), expected, atol=1e-5)
    dense = nn.Dense(1, use_bias=False).init(jax.random.key(0), features)
    np.testing.assert_array_equal(
        term.init(jax.random.key(0), inputs)["params"]["kernel"], dense["params"]["kernel"]
    )


def test_the_penalty_of_a_term_is_that_of_its_own_ridges(vectors):
    inputs = make_inputs(vectors=vectors, features=vectors)
    identity = IdentityTerm(ridge=4.0, bias_ridge=2.0, rank=3, maps=True)
    p = draw(identity, inputs)["params"]
    square = {name: np.sum(x**2) for name, x in p.items() if not isinstance(x, dict)}
    biases, factors = square["target_bias"] + 0.2 * square["tf_bias"], square["tf_factors"]
    expected = biases + 2 * (factors + square["target_factors"])
    assert float(identity.penalty(p)) == pytest.approx(expected, rel=1e-5), "maps have no ridge"
    for term in (LinearTerm(6.0), CoexpressionTerm(6.0)):
        p = draw(term, inputs)["params"]
        expected = 3 * sum(np.sum(x**2) for x in p.values())
        assert float(term.penalty(p)) == pytest.approx(expected, rel=1e-5)
