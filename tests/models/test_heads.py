import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.evaluation.metrics import swap_concordance
from grnjax.models.heads import AdditiveHead, BilinearHead, HadamardHead
from grnjax.models.terms import IdentityTerm, LinearTerm

GENES, TFS, DIM = 24, 6, 5
PAIRS = np.argwhere(np.ones((TFS, GENES), bool)).astype(np.int32)
HEADS = {"additive": AdditiveHead(), "bilinear": BilinearHead(), "hadamard": HadamardHead(16)}
INTERACTING = ["bilinear", "hadamard"]


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(GENES, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def labels():
    return (np.random.default_rng(1).random(len(PAIRS)) < 0.3).astype(np.float32)


@pytest.fixture(scope="module")
def scorers(vectors):
    """For each head a jitted function of pairs and vectors, with random parameters."""

    def make(head):
        variables = draw_variables(head, vectors)
        score = jax.jit(lambda pairs, genes: head.apply(variables, genes, pairs, train=False))
        return lambda pairs, genes: np.asarray(score(pairs, genes))

    return {name: make(head) for name, head in HEADS.items()}


def draw_variables(head, vectors):
    """Random parameters, biases too."""
    start = functools.partial(head.init, train=False)
    return randomise(jax.eval_shape(start, jax.random.key(0), vectors, PAIRS))


def randomise(shapes):
    rng = np.random.default_rng(2)
    return jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)


def find_interaction(scores):
    """What is left of scores [tf, target] when each TF's and each target's mean is taken out."""
    return scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()


def test_the_additive_head_ranks_targets_alike_for_every_tf(scorers, vectors, labels):
    scores = scorers["additive"](PAIRS, vectors)
    swap = swap_concordance(PAIRS, labels, scores)
    assert swap["micro"] == swap["macro"] == 0.5
    assert swap["quadruples"] > 100
    table = scores.reshape(TFS, GENES)
    assert (np.argsort(table, axis=1) == np.argsort(table[0])).all()
    assert table.std(axis=0).min() > 0.1, "but TFs differ in how many targets they get"


@pytest.mark.parametrize("name", INTERACTING)
def test_interacting_heads_rank_targets_differently(scorers, vectors, name):
    scores = scorers[name](PAIRS, vectors)
    table = scores.reshape(TFS, GENES)
    orders = np.argsort(table, axis=1)
    assert (orders != orders[0])[1:].mean() > 0.5
    planted = (find_interaction(table) > 0).ravel()
    assert swap_concordance(PAIRS, planted, scores)["micro"] > 0.8


@pytest.mark.parametrize("name", HEADS)
def test_regulation_has_a_direction(scorers, vectors, name):
    there = scorers[name](PAIRS, vectors)
    back = scorers[name](PAIRS[:, ::-1], vectors)
    apart = PAIRS[:, 0] != PAIRS[:, 1]
    assert np.abs(there - back)[apart].min() > 1e-4


@pytest.mark.parametrize("name", HEADS)
def test_a_score_depends_on_the_two_genes_of_its_pair_only(scorers, vectors, name):
    other = vectors + 1
    i, j = PAIRS[30]
    other[[i, j]] = vectors[[i, j]]
    one, same = (scorers[name](PAIRS, genes) for genes in (vectors, other))
    assert one[30] == pytest.approx(same[30], abs=1e-5)
    assert not np.allclose(one, same)


def test_the_bilinear_head_equals_its_formula(vectors):
    head = BilinearHead()
    variables = draw_variables(head, vectors)
    p = {name: layer["kernel"] for name, layer in variables["params"].items()}
    tf, target = vectors[PAIRS[:, 0]], vectors[PAIRS[:, 1]]
    expected = (
        np.einsum("pd,de,pe->p", tf, p["interaction"], target) / np.sqrt(DIM)
        + (tf @ p["tf_bias"] + target @ p["target_bias"])[:, 0]
        + variables["params"]["target_bias"]["bias"]
    )
    scores = head.apply(variables, jnp.asarray(vectors), jnp.asarray(PAIRS), train=False)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_the_hadamard_head_drops_out_in_training_only(vectors):
    head = HadamardHead(16, dropout=0.5)
    variables = draw_variables(head, vectors)
    genes, pairs = jnp.asarray(vectors), jnp.asarray(PAIRS)

    def score(seed, train):
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(head.apply(variables, genes, pairs, train=train, rngs=rngs))

    assert not np.allclose(score(0, True), score(1, True))
    np.testing.assert_array_equal(score(0, False), score(1, False))


@pytest.fixture(scope="module")
def identity():
    term = IdentityTerm(rank=3)
    shapes = jax.eval_shape(term.init, jax.random.key(0), jnp.ones((GENES, 2)), PAIRS)
    return term, randomise(shapes)


def test_the_identity_term_is_the_factor_model(identity, labels):
    term, variables = identity
    p = variables["params"]
    scores = term.apply(variables, jnp.ones((GENES, 2)), jnp.asarray(PAIRS))
    factors = p["tf_factors"] @ p["target_factors"].T
    table = p["tf_bias"][:, None] + p["target_bias"] + factors
    np.testing.assert_allclose(scores, table[tuple(PAIRS.T)], atol=1e-5)
    planted = (find_interaction(table[:TFS]) > 0).ravel()
    assert swap_concordance(PAIRS, planted, scores)["micro"] > 0.8


def test_a_gene_unseen_in_a_role_has_no_vector_in_that_role(identity):
    term, variables = identity
    p = variables["params"]
    seen = np.ones((GENES, 2), np.float32)
    seen[[2, 3], 0], seen[[3, 8], 1] = 0, 0  # TFs 2 and 3, targets 3 and 8
    scores = term.apply(variables, jnp.asarray(seen), jnp.asarray(PAIRS))
    table = np.asarray(scores).reshape(TFS, GENES)
    known = np.setdiff1d(np.arange(GENES), [3, 8])
    np.testing.assert_allclose(table[2, known], p["target_bias"][known], atol=1e-6)
    np.testing.assert_allclose(table[[0, 1], 8], p["tf_bias"][[0, 1]], atol=1e-6)
    assert (table[[2, 3]][:, [3, 8]] == 0).all()


def test_vectors_give_an_unseen_target_what_each_tf_wants(vectors):
    term, genes, pairs = IdentityTerm(rank=3), jnp.asarray(vectors), jnp.asarray(PAIRS)
    start = functools.partial(term.init, jax.random.key(0), jnp.ones((GENES, 2)))
    variables = randomise(jax.eval_shape(start, pairs, genes))
    p = variables["params"]
    unseen = np.ones((GENES, 2), np.float32)
    unseen[:, 1] = 0
    scores = term.apply(variables, jnp.asarray(unseen), pairs, genes)
    mapped = p["tf_factors"] @ (vectors @ p["factor_map"]["kernel"]).T
    table = p["tf_bias"][:, None] + (vectors @ p["bias_map"]["kernel"])[:, 0] + mapped
    np.testing.assert_allclose(scores, table[tuple(PAIRS.T)], atol=1e-4)
    assert np.abs(find_interaction(np.asarray(scores).reshape(TFS, GENES))).max() > 1
    alone = term.apply(variables, jnp.asarray(unseen), pairs)
    assert np.abs(find_interaction(np.asarray(alone).reshape(TFS, GENES))).max() < 1e-5


def test_the_linear_term_is_a_linear_model_for_each_tf(vectors):
    term, genes, pairs = LinearTerm(), jnp.asarray(vectors), jnp.asarray(PAIRS)
    start = term.init(jax.random.key(0), genes, pairs)
    assert not term.apply(start, genes, pairs).any(), "it starts with nothing to say"
    variables = randomise(start)
    p = variables["params"]
    table = (p["by_tf"] + p["shared"]) @ vectors.T
    scores = term.apply(variables, genes, pairs)
    np.testing.assert_allclose(scores, table[tuple(PAIRS.T)], atol=1e-4)
