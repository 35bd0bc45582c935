import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from grnjax.evaluation.metrics import swap_concordance
from grnjax.models.heads import AdditiveHead, BilinearHead, HadamardHead, PairDecoder

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_hadamard_head_drops_out_in_training_only(vectors):
    head = HadamardHead(16, dropout=0.5)
    variables = draw_variables(head, vectors)
    genes, pairs = jnp.asarray(vectors), jnp.asarray(PAIRS)

    def score(seed, train):
        rngs = {"dropout": jax.random.key(seed)}
        return np.asarray(head.apply(variables, genes, pairs, train=train, rngs=rngs))

    assert not np.allclose(score(0, True), score(1, True))
    np.testing.assert_array_equal(score(0, False), score(1, False))


@pytest.mark.slow
def test_the_pair_decoder_is_a_layer_over_both_genes():
    genes = jnp.asarray(np.random.default_rng(5).normal(size=(6, 4)), jnp.float32)
    pairs = jnp.array([[0, 1], [1, 0], [5, 2]])
    decoder = PairDecoder(3)
    p = decoder.init(jax.random.key(0), genes, pairs, train=False)["params"]
    kernel = np.concatenate([p["tf"]["kernel"], p["target"]["kernel"]])
    joined = np.concatenate([genes[pairs[:, 0]], genes[pairs[:, 1]]], axis=1)
    hidden = np.maximum(joined @ kernel + p["target"]["bias"], 0)
    wanted = hidden @ p["logit"]["kernel"] + p["logit"]["bias"]
    found = decoder.apply({"params": p}, genes, pairs, train=False)
    np.testing.assert_allclose(found, wanted[:, 0], atol=1e-6)
